"""What tests of registration need: customer records, the form filled in, and what was sent to an address."""

from dataclasses import replace
from typing import Any

from idp.model import Account, Customer
from idp.policies.credentials import canonical_username
from tests.alarms import letters_to
from tests.harness import House
from tests.people import NEW_PASSWORD, PASSWORD, Page, Person

# Good under every profile.
CHOSEN, OTHER = f"{PASSWORD} 7", f"{NEW_PASSWORD} 8"
# The journeys are the same: D02, E02 and the attacks walk them on both, the other stories on the first.
KINDS = ("sqlite", "postgresql+redis")
NUMBER = "+447700900123"
MARIA = Customer("0012345678", "C77", "dangelo", frozenset({NUMBER, "+442079460018"}), "Maria", "D'Angelo")


def opened(profile: str) -> dict[str, Any]:
    """How a house under a profile is opened."""
    return {"environ": {"IDP_PROFILE": profile}}


def unlimited(**registration: Any) -> Any:
    """Policy without limits by source, which are another test's, and with these fields of registration."""

    def changed(policy: Any) -> Any:
        limits = replace(policy.rate_limits, registration="100000/minute", sign_in="100000/minute", recovery="100000/minute")
        return replace(policy, rate_limits=limits, registration=replace(policy.registration, **registration))

    return changed


def records(house: House, *customers: Customer) -> None:
    """These are the operator's customer records from now on."""
    with house.world.store.begin() as tx:
        generation = tx.customers.begin(house.clock())
        tx.customers.load(generation, list(enumerate(customers, 1)))
        tx.customers.put_in_use(generation, house.clock())


def registered(person: Person, page: Page | None = None, **fields: Any) -> Page:
    """Fill in the form and send it: where that leads."""
    person.password = fields.get("password", CHOSEN)
    secrets = {"password": CHOSEN, "password_again": person.password}
    return person.fill(page or person.open("/register"), **{**secrets, **fields})


def codes(house: House, to: str) -> list[str]:
    """The codes that were sent to an address or number, the oldest first."""
    return [context["code"] for context in letters_to(house, to, "registration_code")]


def told(house: House, to: str) -> list[dict[str, Any]]:
    """The letters to an owner of what somebody tried to register with."""
    return letters_to(house, to, "already_registered")


def known(house: House, username: str) -> Account | None:
    """The account of a name, if there is one."""
    with house.world.store.read() as tx:
        return tx.accounts.by_username(canonical_username(username))


def elsewhere(person: Person, name: str, code: str | None = None, **more: Any) -> Page:
    """The page at which a registration is confirmed in another browser, filled in."""
    page = person.open("/register/confirm")
    asked = {"code": code} if code is not None else {"send": "yes"}
    return person.fill(page, **{"username": name, "password": person.password, **asked, **more})
