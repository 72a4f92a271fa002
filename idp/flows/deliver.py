"""Delivering letters: from the outbox, through a carrier, to the mark that they are sent. At least once, never too late.

A letter is claimed for a while (its lease) and committed as claimed before it is carried: a worker that is killed loses
nothing, the letter falls due again when the lease ends. A second delivery carries the same Message-ID.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from idp.flows.world import World
from idp.model import Brand, Letter
from idp.post import Letters, Permanent, Rendered, Temporary

LEASE: Final = timedelta(minutes=5)
# No letter is begun this near the end of its lease: another worker could take it while it is being carried.
MARGIN: Final = timedelta(minutes=2)
BATCH: Final = 20

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


def deliver(world: World, office: PostOffice, limit: int = BATCH) -> Iterator[Delivery]:
    """Carry the letters that are due, at most ``limit``, yielding each one's fate as it is written down."""
    claimed_at = world.clock()
    with world.store.begin() as tx:
        claimed = tx.outbox.claim(claimed_at, LEASE, limit)
    for letter, body in claimed:
        now = world.clock()
        if now > claimed_at + LEASE - MARGIN:
            return
        yield _carry(world, office, letter, body, now)


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


def _carry(world: World, office: PostOffice, letter: Letter, body: bytes, now: datetime) -> Delivery:
    """Carry one letter and write down what became of it."""
    try:
        _hand_over(world, office, letter, body, now)
    except Temporary as error:
        return _failed(world, letter, now, error.reason, next_try(letter, now))
    except Permanent as error:
        return _failed(world, letter, now, error.reason, None)
    with world.store.begin() as tx:
        tx.outbox.sent(letter.id, now)
    return Delivery(letter.id, letter.template, letter.channel, Fate.SENT, letter.attempts)


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


def _failed(world: World, letter: Letter, now: datetime, why: str, again: datetime | None) -> Delivery:
    with world.store.begin() as tx:
        tx.outbox.failed(letter.id, now, why, again)
    fate = Fate.DEAD if again is None else Fate.RETRY
    return Delivery(letter.id, letter.template, letter.channel, fate, letter.attempts, why)
