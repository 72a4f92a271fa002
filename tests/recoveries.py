"""What stories of recovery look at: pages without what is different on each of them, and everything known of an account."""

import re
from typing import Any

from idp.model import Account, Factor
from tests.harness import House
from tests.people import Page, Person

_MARK = re.compile(r"[A-Za-z0-9_-]{40,}")
# Told by the clock or the server, not by the page.
_OWN = {"date", "server", "connection", "x-request-id", "set-cookie"}


def masked(page: Page) -> tuple[Any, ...]:
    """The whole way to a page and the page itself, byte for byte, with forms' tokens and identifiers left out."""
    way = []
    for response in (*page.trail, page.response):
        headers = sorted((name, _MARK.sub("…", value)) for name, value in response.headers.items() if name not in _OWN)
        cookies = sorted(line.partition("=")[0] for line in response.headers.get_list("Set-Cookie"))
        way.append((response.status_code, headers, cookies, _MARK.sub("…", response.text)))
    return tuple(way)


def known(house: House, person: Person) -> tuple[Any, ...]:
    """What the house knows of an account, and which failures were counted."""
    account = person.account
    counted = {
        (counter.factor, counter.device): (counter.failures, counter.consecutive, counter.locked_until, counter.disabled_at)
        for counter in house.counters(account)
        if counter.consecutive or counter.disabled_at
    }
    return account, counted


def without(account: Account, factor: Factor) -> tuple[Any, ...]:
    """The account's secrets but for one."""
    return tuple(held for held in account.credentials if held.factor is not factor)


def templates(house: House, person: Person) -> list[str]:
    """The letters that wait for someone, by name, in the order in which they were written."""
    return [letter.template for letter, _ in house.letters(person.account)]
