"""Seals over the audit: entries are sealed a while after they were written, so that no sign-in waits for a chain.

A seal is a keyed digest of the entries behind the one before it, and of that one. Whoever can write to the database but has
not the master key can neither change an entry that is sealed nor take one out, put one in or let time pass over it
unseen; only the end of the chain can be cut off, and that shows where its digest was noted elsewhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final

from idp.flows.world import World
from idp.model import AuditEntry
from idp.store import Transaction
from idp.store.seals import Seal

# The most entries under one seal: what does not fit is known to lie among so many.
AT_MOST: Final = 5000
# Seals are no nearer to each other, unless there are entries for a whole one.
REST: Final = timedelta(minutes=2)
_ENTRIES: Final = "audit entries"
_SEAL: Final = "audit seal"
_FORGOTTEN: Final = "audit forgotten"
# Made once: a new encoder for each entry would cost as much again.
_written: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# What the first seal stands behind.
_NOTHING: Final = Seal(0, 0, 0, _EPOCH, "", "", _EPOCH)


class Wrong(StrEnum):
    """What is wrong with the audit."""

    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"
    SEAL = "seal"
    SEAL_MISSING = "seal_missing"
    FORGOTTEN = "forgotten"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not fit: which entries, from the first to the last that may be concerned."""

    wrong: Wrong
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: the faults in the order of the entries, how many of these are under seals, gone and not yet sealed.

    ``head`` is the digest of the last seal, to be noted where the database's writers cannot reach; "" where there is none.
    """

    faults: tuple[Fault, ...]
    sealed: int
    forgotten: int
    unsealed: int
    head: str


@dataclass(slots=True)
class _Reading:
    """Entries as they were read: how many, the last of them, the latest moment of any, and their keyed digest."""

    entries: int = 0
    last_id: int = 0
    last_at: datetime = _EPOCH
    content: str = ""


def seal(world: World) -> int:
    """Put one seal over entries that have none, and tell over how many; 0 where there is nothing to seal yet.

    Any number of workers may do it at once: one seal comes behind each, and who is slower seals nothing.
    """
    now = world.clock()
    with world.store.read() as tx:
        last = tx.seals.last() or _NOTHING
        newest = tx.seals.settled()
        if newest is None or newest <= last.last_id:
            return 0
        if abs(now - last.sealed_at) < REST and newest - last.last_id < AT_MOST:
            return 0
        read = _read(world, tx, last.last_id, newest)
    made = Seal(read.last_id, last.last_id, read.entries, read.last_at, read.content, "", now)
    made = made._replace(digest=_digest(world, last.digest, made))
    with world.store.begin() as tx:
        return made.entries if read.entries and tx.seals.add(made) else 0


def verify(world: World, noted: str = "") -> Verified:
    """Compute every seal anew whose entries are still there, and compare. ``noted`` is a head that was noted before.

    Sealing, signing in and forgetting may go on meanwhile.
    """
    faults: list[Fault] = []
    sealed, gone, before, digests = 0, 0, _NOTHING, set[str]()
    with world.store.read() as tx:
        if tx.seals.count(until=0):
            faults.append(Fault(Wrong.EXTRA, 0, 0))
        for made in tx.seals.chain():
            faults += _faults(world, tx, before, made)
            digests.add(made.digest)
            sealed, gone = sealed + made.entries, gone + (made.entries if made.forgotten is not None else 0)
            before = made
        unsealed = tx.seals.count(after=before.last_id)
    if noted and noted not in digests:
        faults.append(Fault(Wrong.NOTED, before.last_id + 1, before.last_id + 1))
    return Verified(tuple(faults), sealed - gone, gone, unsealed, before.digest)


def forgettable(tx: Transaction, before: datetime) -> list[Seal]:
    """The seals that have not been marked yet and all of whose entries are from before a moment, up to one that has a later."""
    return list(takewhile(lambda made: made.last_at < before, tx.seals.chain(tx.seals.last_forgotten())))


def mark(world: World, tx: Transaction, made: Seal) -> None:
    """The entries of a seal may go: only who has the key can say so."""
    tx.seals.mark(made.last_id, _mark(world, made))


def _faults(world: World, tx: Transaction, before: Seal, made: Seal) -> Iterator[Fault]:
    """What does not fit about one seal, as it stands behind the one before it."""
    first, last = made.previous_id + 1, made.last_id
    if made.previous_id != before.last_id:
        yield Fault(Wrong.SEAL_MISSING, before.last_id + 1, made.previous_id)
    elif not world.vault.same(made.digest, _digest(world, before.digest, made)):
        yield Fault(Wrong.SEAL, first, last)
    read = _read(world, tx, made.previous_id, last, AT_MOST + made.entries)
    if read.entries == made.entries and world.vault.same(read.content, made.content):
        return
    # Asked only now: it may have been kept long enough while it was being read.
    now = tx.seals.get(last) or made
    if now.forgotten is None:
        fewer, more = read.entries < made.entries, read.entries > made.entries
        yield Fault(Wrong.MISSING if fewer else Wrong.EXTRA if more else Wrong.CHANGED, first, last)
    elif not world.vault.same(now.forgotten, _mark(world, made)):
        yield Fault(Wrong.FORGOTTEN, first, last)


def _read(world: World, tx: Transaction, after: int, until: int, limit: int = AT_MOST) -> _Reading:
    """Read entries, a page at a time, into their digest."""
    read = _Reading()

    def lines() -> Iterator[str]:
        for number, entry in tx.seals.entries(after, until, limit):
            read.entries, read.last_id, read.last_at = read.entries + 1, number, max(read.last_at, entry.at)
            yield _line(number, entry)

    read.content = world.vault.keyed_lines(_ENTRIES, lines())
    return read


def _line(number: int, entry: AuditEntry) -> str:
    """All of an entry, always written in the same way."""
    at = entry.at.isoformat(timespec="microseconds")
    facts = (number, at, entry.actor, entry.event, entry.outcome, entry.account_id, entry.facts, entry.policy)
    return _written(facts)


def _digest(world: World, before: str, made: Seal) -> str:
    """The digest of a seal: all that it says, and the digest of the seal before it."""
    moments = (made.last_at.isoformat(timespec="microseconds"), made.sealed_at.isoformat(timespec="microseconds"))
    numbers = (str(made.previous_id), str(made.last_id), str(made.entries))
    return world.vault.keyed_lines(_SEAL, (before, *numbers, *moments, made.content))


def _mark(world: World, made: Seal) -> str:
    return world.vault.keyed(_FORGOTTEN, made.digest)
