"""Houses whose law demands a second factor, one for each kind of storage."""

from collections.abc import Iterator

import pytest

from idp.settings import load_policy
from tests.harness import CONFIG, House, open_house

HARDENED = CONFIG / "policies" / "hardened.toml"


@pytest.fixture(scope="session", params=["sqlite", "postgresql+redis"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house under config/policies/hardened.toml; its clock stands still but for the tests that move it on."""
    with open_house(request.param, tmp_path_factory.mktemp("guarded"), policy=lambda _: load_policy(HARDENED)) as opened:
        opened.clock.stop()
        yield opened
