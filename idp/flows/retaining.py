"""Retention: data that has been kept long enough goes, kind by kind, a few rows a transaction.

It may be killed anywhere and run twice or by several at once: what is gone is not found again. Of the audit only what is
sealed goes, all entries of a seal or none, so that what remains can still be verified.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from idp.flows import sealing
from idp.flows.world import World
from idp.model import Kept
from idp.policies import retention

AT_ONCE: Final = 500


class Forgotten(NamedTuple):
    """How many rows of a kind went, or would go."""

    kind: Kept
    rows: int


def forget(world: World, now: datetime) -> Iterator[Forgotten]:
    """Delete what has been kept long enough, telling after each transaction what went; nothing is held between two."""
    for kind, before in retention.terms(world.policy, now):
        if kind is Kept.THROTTLES:
            # On a clock of their own, and the other short-lived rows are gone by then.
            yield Forgotten(kind, world.store.purge(now).get(kind, 0))
            continue
        while rows := _some(world, kind, before):
            yield Forgotten(kind, rows)


def would_forget(world: World, now: datetime) -> Iterator[Forgotten]:
    """How much of each kind ``forget`` would delete now; nothing is written. Of what a throttle counts nothing is told."""
    for kind, before in retention.terms(world.policy, now):
        if kind is Kept.THROTTLES:
            continue
        with world.store.read() as tx:
            if kind is not Kept.AUDIT:
                yield Forgotten(kind, tx.retention.count(kind, before))
                continue
            marked = sealing.forgettable(tx, before)
            yield Forgotten(kind, tx.seals.count(until=marked[-1].last_id if marked else tx.seals.last_forgotten()))


def _some(world: World, kind: Kept, before: datetime) -> int:
    """Delete some rows of a kind; returns how many."""
    with world.store.begin() as tx:
        if kind is not Kept.AUDIT:
            return tx.retention.forget(kind, before, AT_ONCE)
        for made in sealing.forgettable(tx, before):
            sealing.mark(world, tx, made)
        return tx.seals.forget(tx.seals.last_forgotten(), AT_ONCE)
