"""A house under each of the profiles in config/policies, as it is shipped: a profile that is added is taken in by itself."""

from collections.abc import Iterator

import pytest

from idp.settings import load_policy
from tests.harness import CONFIG, House, open_house

LAWS = {path.stem: load_policy(path) for path in sorted((CONFIG / "policies").glob("*.toml"))}
SQLITE, SERVERS = "sqlite", "postgresql+redis"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``portal`` is a house under each profile on SQLite, ``served`` the same on PostgreSQL and Redis.

    Each profile's tests run in one process, in the one house; those of ``laws.where`` under the profiles that they are for.
    """
    applies = getattr(metafunc.function, "applies", None)
    profiles = [name for name, law in LAWS.items() if applies is None or applies(law)]
    for name, kind in {"portal": SQLITE, "served": SERVERS}.items():
        if name in metafunc.fixturenames:
            under = [pytest.param(profile, marks=pytest.mark.xdist_group(f"{kind} {profile}")) for profile in profiles]
            metafunc.parametrize(name, under, indirect=True, scope="session")


@pytest.fixture(scope="session")
def portal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that all tests of a profile share: each brings its own people, and the clock only ever moves on."""
    with open_house(SQLITE, tmp_path_factory.mktemp("portal"), environ={"IDP_PROFILE": request.param}) as opened:
        yield opened


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The same, on the servers of production."""
    with open_house(SERVERS, tmp_path_factory.mktemp("served"), environ={"IDP_PROFILE": request.param}) as opened:
        yield opened
