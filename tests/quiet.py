"""Months in which nobody comes: upkeep day by day, and a mail server that takes its letters, refuses them or is down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from typing import Any

from idp.flows import upkeep
from idp.flows.deliver import Fate, PostOffice, deliver
from idp.language import Words, format_day
from idp.model import Account, Factor
from idp.policies.lifecycle import Standing, standing
from idp.policies.policy import Policy
from idp.post import Letterhead, Letters, Smtp
from tests.harness import House
from tests.people import Person
from tests.post.scripted import Script, serving

HEAD = Letterhead("no-reply@norda.example", "Norda")
KINDS = ["sqlite", "postgresql+redis"]


@cache
def _letters() -> Letters:
    return Letters(Words())


@dataclass
class Months:
    """A house with a worker that goes its round once a day; ``down``: nobody answers at the mail server's port."""

    house: House
    script: Script
    down: bool = False

    def round(self) -> list[Fate]:
        """A round of upkeep, and the letters of it and of before as far as they are due."""
        for _ in upkeep.sweep(self.house.world):
            pass
        carrier = Smtp(host="127.0.0.1", port=1 if self.down else self.script.port, letterhead=HEAD, timeout=3)
        office = PostOffice(_letters(), self.house.settings.brand, {"mail": carrier})
        try:
            return [told.fate for told in deliver(self.house.world, office)]
        finally:
            office.close()

    def go_on(self, days: int) -> list[Fate]:
        """So many days, with a round on each."""
        fates = []
        for _ in range(days):
            self.house.clock.move(days=1)
            fates += self.round()
        return fates

    def refuse(self, reply: str = "550 no such user") -> None:
        """What the mail server answers from now on to every address."""
        self.script.says["rcpt"] = reply

    def accept(self) -> None:
        """It takes letters again."""
        self.script.says.clear()

    def received(self) -> list[EmailMessage]:
        """The letters that the mail server took since this was last asked."""
        taken = [message_from_bytes(raw, policy=policy.default) for raw in self.script.taken]
        self.script.taken.clear()
        return taken


@contextmanager
def months(house: House) -> Iterator[Months]:
    """A house in which time stands still but for the days that are let pass."""
    with serving(Script()) as script, house.clock.stopped():
        yield Months(house, script)


def words(message: EmailMessage) -> str:
    """What a letter says, on one line."""
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def stands(house: House, person: Person) -> Standing:
    return standing(person.account, house.world.policy, house.clock())


def day(moment: datetime, account: Account) -> str:
    """A day as the person's letters tell it."""
    return format_day(moment, account.locale, account.zone)


def sweep(house: House) -> list[upkeep.Done]:
    """A round of upkeep without a mail server: what it did."""
    return [one for stretch in upkeep.sweep(house.world) for one in stretch.done]


def asleep(house: House, days: int = 121, **changes: Any) -> Person:
    """Someone whom nobody has seen for so long, reminded in time."""
    person = house.customer(**changes)
    house.leave(days=days)
    return person


def woken_by(*ways: str) -> Any:
    """A law under which these proofs wake who is suspended."""

    def changed(law: Policy) -> Policy:
        return replace(law, inactivity=replace(law.inactivity, reactivate_by=ways))

    return changed


def tried(house: House, person: Person, factor: Factor) -> tuple[int, int]:
    """The failures counted at a factor: within the window, and in a row."""
    counter = house.counter(person.account, factor)
    return counter.failures, counter.consecutive
