"""What the tests of alarms need: a change as the house makes it, and the letters that went to an address."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from idp.flows import keeping
from idp.flows.keeping import By, Choice
from idp.model import Changed, Factor, Source
from tests.harness import House

STRANGER = Source("203.0.113.0/24")


def letters_to(house: House, address: str, template: str) -> list[dict[str, Any]]:
    """The letters that wait for an address, whoever's it is now, the oldest first."""
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock() + timedelta(microseconds=1), timedelta(0), 100_000)
    mine = [(letter, body) for letter, body in waiting if (letter.to, letter.template) == (address, template)]
    mine.sort(key=lambda one: one[0].created_at)
    return [house.vault.open_json(body) for _, body in mine]


def code_of(context: dict[str, Any]) -> str:
    """The code of the link in a letter."""
    return parse_qs(urlsplit(context["link"]).query)["code"][0]


def move(house: House, username: str, email: str) -> str:
    """The address is changed, as by My Profile; the code of the alarm that the address before it is sent."""
    world, before = house.world, house.account(username)
    with world.store.begin() as tx:
        tx.accounts.set_email(before.id, email, world.clock())
        after = replace(before, email=email)
        keeping.changed(world, tx, after, Changed.EMAIL, now=world.clock(), by=By(STRANGER), before=before.email)
    return code_of(letters_to(house, before.email, "changed")[-1])


def renumber(house: House, username: str, mobile: str | None) -> str:
    """The number is changed; the code of the alarm."""
    world, before = house.world, house.account(username)
    with world.store.begin() as tx:
        tx.accounts.set_mobile(before.id, mobile)
        after = tx.accounts.by_id(before.id)
        assert after is not None
        keeping.changed(world, tx, after, Changed.MOBILE, now=world.clock(), by=By(STRANGER), before=before.mobile or "")
    return code_of(letters_to(house, before.email, "changed")[-1])


def reset(house: House, username: str, secret: str, factor: Factor = Factor.PASSWORD, question: str | None = None) -> str:
    """A secret is replaced; the code of the alarm."""
    world = house.world
    held = keeping.credential(world, Choice(factor, secret, question), world.clock())
    with world.store.begin() as tx:
        before = tx.accounts.by_username(username)
        assert before is not None
        keeping.keep(world, tx, before, held, now=held.set_at, by=By(STRANGER))
    return code_of(letters_to(house, before.email, "changed")[-1])
