"""Delivering letters: from the outbox, through a carrier, to the mark that they are sent. At least once, never too late.

A letter is claimed for a while (its lease) and committed as claimed before it is carried: a worker that is killed loses
nothing, the letter falls due again when the lease ends. A second delivery carries the same Message-ID. Letters that the
other side took are marked, and their bodies wiped, a few at a time and within a second.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from idp.flows import reminding
from idp.flows.world import World
from idp.model import Brand, Letter
from idp.post import Letters, Permanent, Rendered, Temporary

LEASE: Final = timedelta(minutes=5)
# No letter is begun this near the end of its lease: another worker could take it while it is being carried.
MARGIN: Final = timedelta(minutes=2)
BATCH: Final = 50
# One commit for several letters; what a crash in between sends again is no more than this.
MARKED_AT_ONCE: Final = 20
MARKED_WITHIN: Final = timedelta(seconds=1)

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
MOST_TRIES: Final = 40


class Carrier(Protocol):
    """What takes letters of one channel out of the house."""

    def deliver(self, letter: Letter, rendered: Rendered, now: datetime) -> None:
        """Return once the letter was taken; raise ``Temporary`` or ``Permanent`` where it was not."""

    def close(self) -> None:
        """End what is held open between letters."""


class Fate(StrEnum):
    """What became of a letter."""

    SENT = "sent"
    RETRY = "retry"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One letter's fate, for the worker's log: neither address nor content."""

    id: str
    template: str
    channel: str
    fate: Fate
    attempts: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What delivering needs beside the World: the wording, the brand, and a carrier for each channel."""

    letters: Letters
    brand: Brand
    carriers: Mapping[str, Carrier] = field(default_factory=dict)

    def close(self) -> None:
        """End what the carriers hold open."""
        for carrier in self.carriers.values():
            carrier.close()


@dataclass(slots=True)
class _Held:
    """The letters under lease: those not begun, and those the other side took that are not yet marked as sent."""

    until: datetime
    waiting: deque[tuple[Letter, bytes]]
    taken: list[tuple[Letter, datetime]] = field(default_factory=list)

    def ripe(self, now: datetime) -> bool:
        """Whether it is time to write down what was taken."""
        return bool(self.taken) and (len(self.taken) >= MARKED_AT_ONCE or now - self.taken[0][1] >= MARKED_WITHIN)


def deliver(world: World, office: PostOffice, limit: int = BATCH) -> Iterator[Delivery]:
    """Carry the letters that are due, at most ``limit``, yielding each one's fate as it is written down.

    Closed early, it writes down which were taken and gives back those not begun.
    """
    claimed_at = world.clock()
    with world.store.begin() as tx:
        held = _Held(claimed_at + LEASE, deque(tx.outbox.claim(claimed_at, LEASE, limit)))
    try:
        while held.waiting:
            now = world.clock()
            if now > held.until - MARGIN:
                break
            if held.ripe(now):
                yield from _mark(world, held)
            letter, body = held.waiting.popleft()
            if reminding.is_void(world, letter):
                yield _withdrawn(world, letter)
                continue
            try:
                _hand_over(world, office, letter, body, now)
            except Temporary as error:
                yield _failed(world, letter, now, error.reason, next_try(letter, now))
            except Permanent as error:
                yield _failed(world, letter, now, error.reason, None)
            else:
                held.taken.append((letter, now))
        yield from _mark(world, held)
    finally:
        _let_go(world, held)


def expire(world: World) -> int:
    """Wipe the letters whose time has passed; returns how many."""
    with world.store.begin() as tx:
        return tx.outbox.expire(world.clock())


def retry(world: World, letter_id: str | None, actor: str) -> int:
    """Let a dead letter (or every one) be tried anew while its time lasts; returns how many will be."""
    now = world.clock()
    with world.store.begin() as tx:
        count = tx.outbox.rise(now, letter_id)
        if count:
            world.record(tx, now, "letter.retried", "done", actor=actor, letter=letter_id, letters=count)
    return count


def next_try(letter: Letter, now: datetime) -> datetime | None:
    """When to try again: waits double from half a minute to an hour, spread by a quarter; None where it is too late."""
    if letter.attempts >= MOST_TRIES:
        return None
    wait = min(FIRST_WAIT * 2 ** (max(letter.attempts, 1) - 1), LONGEST_WAIT)
    # Spread by the letter itself, so that those refused together do not come back together.
    chance = hashlib.sha256(f"{letter.id} {letter.attempts}".encode()).digest()[0] / 255
    at = now + wait * (0.75 + 0.5 * chance)
    return None if letter.not_after is not None and at >= letter.not_after else at


def _mark(world: World, held: _Held) -> Iterator[Delivery]:
    """Write down which letters were taken, all in one transaction: a crash before it only sends them again."""
    if not held.taken:
        return
    with world.store.begin() as tx:
        for letter, at in held.taken:
            tx.outbox.sent(letter.id, at)
        reminding.accepted(world, tx, held.taken)
    taken, held.taken = held.taken, []
    for letter, _ in taken:
        yield Delivery(letter.id, letter.template, letter.channel, Fate.SENT, letter.attempts)


def _let_go(world: World, held: _Held) -> None:
    """At the end, however it comes: no letter that was taken stays unmarked, and none that was not begun stays leased."""
    if held.taken or held.waiting:
        with world.store.begin() as tx:
            for letter, at in held.taken:
                tx.outbox.sent(letter.id, at)
            reminding.accepted(world, tx, held.taken)
            for letter, _ in held.waiting:
                tx.outbox.give_back(letter.id, held.until)


def _hand_over(world: World, office: PostOffice, letter: Letter, body: bytes, now: datetime) -> None:
    if letter.not_after is not None and now >= letter.not_after:
        raise Permanent("its time has passed")
    if letter.attempts > MOST_TRIES:
        raise Permanent("every worker that took it came to an end")
    carrier = office.carriers.get(letter.channel)
    if carrier is None:
        raise Temporary(f"no carrier for {letter.channel}")
    try:
        context = world.vault.open_json(body)
        rendered = office.letters.render(letter.template, letter.locale, context, office.brand, letter.channel)
    except Exception as error:
        # One letter that cannot be opened or worded must not stop the others; the error's own words could quote it.
        raise Permanent(f"cannot be written: {type(error).__name__}") from error
    try:
        carrier.deliver(letter, rendered, now)
    except (Temporary, Permanent):
        raise
    except Exception as error:
        raise Temporary(f"fault in the carrier: {type(error).__name__}") from error


def _withdrawn(world: World, letter: Letter) -> Delivery:
    """The letter says what is true no more: it goes nowhere, and nobody need look after it."""
    with world.store.begin() as tx:
        tx.outbox.withdraw(letter.id)
    return Delivery(letter.id, letter.template, letter.channel, Fate.WITHDRAWN, letter.attempts)


def _failed(world: World, letter: Letter, now: datetime, why: str, again: datetime | None) -> Delivery:
    with world.store.begin() as tx:
        tx.outbox.failed(letter.id, now, why, again)
    fate = Fate.DEAD if again is None else Fate.RETRY
    return Delivery(letter.id, letter.template, letter.channel, fate, letter.attempts, why)
