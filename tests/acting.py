"""A house whose people act in capacities: under the profile "consumer", with records of customers to hold claims against."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt

from idp.flows.customers import Rules, bring_in
from idp.model import Capacity, Role
from idp.policies.policy import Policy
from tests.harness import House, open_house
from tests.people import BILLING, PASSWORD, SERVICE, Page, Person
from tests.servers import Kind

ALL = "openid profile email offline_access billing:read service:read"


@contextmanager
def acting_house(kind: Kind, folder: Path, records: tuple[Mapping[str, str], ...]) -> Iterator[House]:
    """Under the profile, without terms and purposes in the way."""

    def law(policy: Policy) -> Policy:
        return replace(policy, consent=replace(policy.consent, terms="off", terms_version="", purposes={}))

    with open_house(kind, folder, environ={"IDP_PROFILE": "consumer"}, policy=law) as house:
        *_, ended = bring_in(house.world, iter(enumerate(records, 2)), Rules(), "test")
        assert (ended.records, ended.refused) == (len(records), "")
        yield house


def capacities(house: House) -> tuple[Capacity, ...]:
    """One of each kind; the first has an account number."""
    sealed = house.vault.seal(b"IT47119999ZZ")
    return (
        Capacity("forme", Role.CONSUMER, "", sealed),
        Capacity("forus", Role.BUSINESS, "Rossi & figli"),
        Capacity("forthem", Role.ON_BEHALF, "Lega <Calcio>"),
    )


def somebody(house: House, *held: Capacity) -> Person:
    """A person who acts in these, or in one of each kind."""
    email = f"{house.name()}@example.com"
    return house.customer(username=email, email=email, capacities=held or capacities(house))


def signed_in(house: House, *held: Capacity) -> Person:
    """The same, signed in, in the first of them."""
    person = somebody(house, *held)
    page = person.sign_in()
    if page.step == "ChooseCapacity":
        person.fill(page, capacity=person.account.capacities[0].id)
    assert person.signed_in()
    return person


def ask(person: Person, **params: Any) -> Page:
    """Be sent by the portal for tokens of both backends."""
    return person.ask(scope=ALL, resource=[BILLING, SERVICE], **params)


def chosen(person: Person, page: Page, capacity: str) -> Page:
    """The page after a choice."""
    page = person.walk(page)
    assert page.step == "ChooseCapacity", page.text
    return person.fill(page, capacity=capacity)


def tokens(person: Person, page: Page, **data: str) -> dict[str, Any]:
    """The tokens that the portal gets for its code."""
    answer = person.redeem(page, **data)
    assert answer.status_code == 200, answer.text
    issued: dict[str, Any] = answer.json()
    return issued


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def claim(person: Person, **fields: str) -> Page:
    """Add a customer number in My Profile."""
    form = person.open("/profile/capacities/add")
    assert form.heading == "Add a customer number", form.text
    return person.fill(form, **{"current": PASSWORD, "family_name": "Rossi", **fields})
