"""Carrying signals beside letters: a thread of its own, so that neither waits for the other."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from idp.flows.courier import LOOK, Carried, Courier, Fate
from idp.flows.keys import open_ring
from idp.flows.world import World
from idp.store import StoreDown

TROUBLE_SECONDS: Final = 5.0


@contextmanager
def carrying(world: World, stop: threading.Event) -> Iterator[None]:
    """Carry signals until ``stop`` is set; behind the block what was under way is finished."""
    thread = threading.Thread(target=_carry, args=(world, stop), name="courier")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def empty(world: World, stop: threading.Event) -> None:
    """Carry everything that is due."""
    courier = _courier(world)
    if courier is None:
        return
    try:
        _tell(courier.empty(stop.is_set))
    finally:
        _tell(courier.close())


def _courier(world: World) -> Courier | None:
    """A courier, once there is something to carry: its keys are not opened, nor made, for nothing."""
    with world.store.read() as tx:
        due = tx.signals.is_due(world.clock())
    return Courier(world, open_ring(world, time.monotonic)) if due else None


def _carry(world: World, stop: threading.Event) -> None:
    """Look four times a second; a store that is down is waited for, and whatever else is wrong is told and outlived."""
    log, courier = structlog.get_logger(), None
    while not stop.is_set():
        try:
            courier = courier or _courier(world)
            if courier is not None:
                _tell(courier.turn())
            stop.wait(LOOK)
        except StoreDown as down:
            log.warning("store down", reason=str(down))
            stop.wait(TROUBLE_SECONDS)
        except Exception as error:
            log.exception("signals wait", error=type(error).__name__)
            stop.wait(TROUBLE_SECONDS)
    if courier is not None:
        try:
            _tell(courier.close())
        except StoreDown:
            # What was sent and not written down is sent again, under the same jti.
            log.warning("store down, signals will be sent again")


def _tell(carried: Iterable[Carried]) -> None:
    log = structlog.get_logger()
    for one in carried:
        say = log.info if one.fate is Fate.TAKEN else log.warning
        more = {"error": one.error} if one.error else {}
        say("signal", signal=one.id, kind=one.kind.value, target=one.target, fate=one.fate.value, attempts=one.attempts, **more)
