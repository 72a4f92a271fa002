"""People who are asked to agree to something: how they come to the question, and what was kept of their answers."""

from dataclasses import replace
from typing import Any

from idp.model import Agreement, Factor, Text
from tests.harness import House
from tests.people import Page, Person

KINDS = ("sqlite", "postgresql+redis")


def member(house: House, **changes: Any) -> Person:
    """Someone with the secrets that the profile asks for, who was never asked to agree to anything."""
    pieces = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
    return house.customer(secrets=tuple(pieces[one] for one in house.world.policy.registration.enrolment), **changes)


def asked(person: Person, step: str, **params: Any) -> Page:
    """Sent by the portal, the person signs in and stands before the question."""
    page = person.walk(person.ask(**params), until=step)
    assert page.step == step, (page.status, page.heading, page.text[:300])
    return page


def ledger(house: House, person: Person) -> list[Agreement]:
    with house.world.store.read() as tx:
        return tx.particulars.ledger(person.account.id)


def answers(house: House, person: Person) -> list[tuple[str, str, bool]]:
    """Each answer in the ledger: to what, in which version, and how."""
    return [(one.to, one.version, one.given) for one in ledger(house, person)]


def text(house: House, name: str, version: str = "2026-11") -> Text:
    return house.settings.texts[name, version]


def new_terms(house: House, version: str = "2027-03") -> Text:
    """A later version of the terms, in other words."""
    words = {language: f"{language}: the terms of {version}\n\nThey are new." for language in house.world.languages}
    return Text("terms", version, words)


def with_terms(version: str = "2027-03", demand: str = "accept") -> Any:
    """A law that has this version of the terms in force."""
    return lambda policy: replace(policy, consent=replace(policy.consent, terms=demand, terms_version=version))
