import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.store import open_store
from tests.oauth.provider import Provider
from tests.servers import fresh_urls


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest schema."""
    url, _ = fresh_urls("sqlite", tmp_path_factory.mktemp("empty"))
    path = Path(url.removeprefix("sqlite:///"))
    opened = open_store(url)
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return path


@pytest.fixture
def provider(empty: Path, tmp_path: Path) -> Iterator[Provider]:
    path = tmp_path / "idp.sqlite3"
    shutil.copy(empty, path)
    store = open_store(f"sqlite:///{path}")
    yield Provider(store)
    store.close()
