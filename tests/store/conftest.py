from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.store import Store
from tests.servers import KINDS, Kind, fresh_store


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def store(kind: Kind, tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(kind, tmp_path)
    yield opened
    opened.close()
