"""A node whose clock is off by more than a minute against the database's is not ready, and says why."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from idp.app.health import CLOCK_TOLERANCE, checks, skew
from idp.cli.examination import Grade, _clock
from idp.store import Store
from tests.harness import House
from tests.servers import fresh_store
from tests.store.test_cost import cost

SECOND = timedelta(seconds=1)


def off_by(span: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + span


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store("postgresql", tmp_path)
    store.ping()
    yield store
    store.close()


@pytest.mark.parametrize("way", [-1, 1])
@pytest.mark.parametrize(
    ("apart", "up"),
    [(0 * SECOND, True), (58 * SECOND, True), (62 * SECOND, False), (timedelta(days=400), False)],
)
def test_more_than_a_minute_either_way_is_down(postgresql: Store, apart: timedelta, way: int, up: bool) -> None:
    clock = off_by(way * apart)
    assert abs(skew(postgresql, clock) - apart) < SECOND
    assert checks(postgresql, redis=False, clock=clock)["clock"]() is up


def test_a_minute_is_tolerated() -> None:
    assert timedelta(minutes=1) == CLOCK_TOLERANCE


def test_it_costs_one_statement(postgresql: Store) -> None:
    assert cost(checks(postgresql, redis=False, clock=off_by(SECOND))["clock"]) == 1


def test_on_sqlite_the_database_s_clock_is_the_node_s(tmp_path: Path) -> None:
    store = fresh_store("sqlite", tmp_path)
    assert store.clock() is None
    assert checks(store, redis=False, clock=off_by(timedelta(days=400)))["clock"]()
    assert cost(lambda: skew(store, off_by(SECOND))) == 0
    store.close()


def test_the_doctor_measures_the_same(postgresql: Store) -> None:
    (finding,) = _clock(postgresql)
    assert (finding.part, finding.grade) == ("clock", Grade.OK)
    assert finding.what.endswith("s from the database's")


def test_readyz_takes_the_node_out_and_in_again(new_house: Callable[..., House]) -> None:
    house = new_house("postgresql")
    house.get("/jwks")

    def asked() -> tuple[int, str]:
        # An answer stands for a second.
        time.sleep(1.1)
        answer = house.get("/readyz")
        return answer.status_code, answer.json()["parts"]["clock"]

    assert asked() == (200, "up")
    house.clock.move(seconds=62)
    assert asked() == (503, "down")
    house.clock.move(seconds=-124)
    assert asked() == (503, "down")
    house.clock.move(seconds=60)
    assert asked() == (200, "up")
