"""What a worker does beside carrying letters, a little at a time: rounds of accounts, and what is cleared by the clock."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, Final

import structlog

from idp.app.composition import is_in_force
from idp.app.health import CLOCK_TOLERANCE, skew
from idp.flows import retaining, sealing, upkeep
from idp.flows.deliver import expire
from idp.flows.world import World

# How often what is short-lived is cleared, and a worker looks whether it is time for a round.
TIDY_EVERY: Final = timedelta(minutes=1)
# After a piece of work the database is left to others for as long again, but no longer than this.
LONGEST_REST: Final = 1.0


def chores(world: World, every: timedelta) -> Generator[bool]:
    """All of it, for ever: True after each piece of work, False where there is nothing to do at the moment.

    Nothing is held between two pieces. Where one raised ``StoreDown`` begin anew: what it left is taken up.
    """
    tidied: float | None = None
    while True:
        if tidied is not None and time.monotonic() - tidied < TIDY_EVERY.total_seconds():
            yield False
            continue
        tidied = time.monotonic()
        if is_trustworthy(world):
            yield from _tidy(world)
            if upkeep.is_time(world, every):
                yield from _round(world)


def once(world: World) -> Generator[bool]:
    """All of it, one time, whenever the last was."""
    if is_trustworthy(world):
        yield from _tidy(world)
        yield from _round(world)


def is_trustworthy(world: World) -> bool:
    """Whether this machine's clock may say what is over: one that is off suspends nobody and deletes nothing."""
    apart = skew(world.store, world.clock)
    if apart <= CLOCK_TOLERANCE:
        return True
    structlog.get_logger().error("clock off, no upkeep", seconds=round(apart.total_seconds(), 1))
    return False


def rest(spent: float, stop: threading.Event) -> None:
    """Leave the database to others for as long as the work took, in seconds: on SQLite they wait for it by looking again."""
    stop.wait(min(spent, LONGEST_REST))


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set: what is under way is finished, the rest is left to whoever comes next."""
    stop = threading.Event()

    def end(_signal: int, _frame: Any) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tidy(world: World) -> Iterator[bool]:
    expire(world)
    yield True
    world.store.purge(world.clock())
    yield True
    while sealing.seal(world):
        yield True


def _round(world: World) -> Iterator[bool]:
    """A round of accounts, and behind it retention; left where another policy was put in force meanwhile."""
    log, told, looked, whole = structlog.get_logger(), Counter[str](), 0, False
    with closing(upkeep.sweep(world)) as stretches:
        for stretch in stretches:
            if not stretch.done and not stretch.whole and not is_in_force(world):
                log.error("another policy is in force, no upkeep: start this worker anew")
                return
            looked, whole = looked + stretch.looked, stretch.whole
            told.update(one.due.act.value for one in stretch.done)
            yield True
    if not whole:
        return
    log.info("round of accounts", looked=looked, **told)
    gone = Counter[str]()
    for forgotten in retaining.forget(world, world.clock()):
        gone[forgotten.kind] += forgotten.rows
        yield True
    log.info("retention", **+gone)
