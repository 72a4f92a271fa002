"""Houses under the profiles whose stories are told, as they are shipped.

On SQLite: on the servers of production the same journeys run in tests/profiles, and each store's contract in tests/store.
"""

from collections.abc import Iterator

import pytest

from tests.harness import House, open_house

KINDS = ["sqlite"]
Request, Factory = pytest.FixtureRequest, pytest.TempPathFactory


def _under(profile: str, request: Request, factory: Factory) -> Iterator[House]:
    with open_house(request.param, factory.mktemp(profile), environ={"IDP_PROFILE": profile}) as opened:
        yield opened


@pytest.fixture(scope="session", params=KINDS)
def open_registration(request: Request, tmp_path_factory: Factory) -> Iterator[House]:
    """B: anybody may register."""
    yield from _under("open-registration", request, tmp_path_factory)


@pytest.fixture(scope="session", params=KINDS)
def consumer(request: Request, tmp_path_factory: Factory) -> Iterator[House]:
    """C: registration by email address."""
    yield from _under("consumer", request, tmp_path_factory)


@pytest.fixture(scope="session", params=KINDS)
def customer_code(request: Request, tmp_path_factory: Factory) -> Iterator[House]:
    """D: registration by the code on the bill."""
    yield from _under("customer-code", request, tmp_path_factory)


@pytest.fixture(scope="session", params=KINDS)
def self_serve(request: Request, tmp_path_factory: Factory) -> Iterator[House]:
    """E: portal and mobile app."""
    yield from _under("self-serve", request, tmp_path_factory)
