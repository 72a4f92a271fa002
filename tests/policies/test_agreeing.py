"""What is in force, and what a person still has to be asked."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.model import Account, AccountState, Agreed
from idp.policies.agreeing import TERMS, in_force, unanswered, unseen_terms
from idp.policies.joining import Consent
from idp.policies.policy import Policy

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Demand = Literal["accept", "notice", "off"]


def law(terms: Demand = "off", version: str = "", **purposes: str) -> Policy:
    return replace(Policy(), consent=Consent(purposes=purposes, terms=terms, terms_version=version))


def person(*agreed: Agreed) -> Account:
    return Account("acc_1", "maria", "m@example.com", "Maria", "Rossi", AccountState.ACTIVE, NOW, agreed=agreed)


def test_nothing_is_in_force_where_nothing_is_asked() -> None:
    assert in_force(law()) == ()
    assert in_force(law("off", "2026-11")) == ()
    assert in_force(law("accept", "")) == ()


def test_the_terms_come_first_and_purposes_in_policy_s_order() -> None:
    assert in_force(law("notice", "7", news="2", ads="1")) == ((TERMS, "7"), ("news", "2"), ("ads", "1"))


@pytest.mark.parametrize(
    ("demand", "last", "asked"),
    [
        ("off", None, False),
        ("accept", None, True),
        ("notice", None, True),
        ("accept", Agreed(TERMS, "1", given=True), True),
        ("accept", Agreed(TERMS, "2", given=True), False),
        ("accept", Agreed(TERMS, "2", given=False), True),
        ("notice", Agreed(TERMS, "2", given=False), False),
        ("notice", Agreed(TERMS, "2", given=True), False),
        ("notice", Agreed(TERMS, "1", given=True), True),
    ],
)
def test_terms_are_asked_until_this_version_was_answered_as_policy_asks(
    demand: Demand, last: Agreed | None, asked: bool
) -> None:
    account = person(*((last,) if last is not None else ()))
    assert unseen_terms(account, law(demand, "2")) == ("2" if asked else None)


def test_a_no_is_an_answer_and_an_answer_to_an_older_version_is_none() -> None:
    rules = law(news="2", ads="1", profiling="1")
    assert unanswered(person(), rules) == ("news", "ads", "profiling")
    assert unanswered(person(Agreed("ads", "1", given=False), Agreed("news", "1", given=True)), rules) == ("news", "profiling")
    assert unanswered(person(*(Agreed(name, v, given=False) for name, v in rules.consent.purposes.items())), rules) == ()


NAMES = st.sampled_from(("news", "ads", "profiling"))
VERSIONS = st.sampled_from(("1", "2"))


@given(st.dictionaries(NAMES, VERSIONS), st.dictionaries(NAMES, st.tuples(VERSIONS, st.booleans())))
def test_a_purpose_is_asked_exactly_where_the_version_in_force_has_no_answer(
    purposes: dict[str, str], given_before: dict[str, tuple[str, bool]]
) -> None:
    account = person(*(Agreed(name, version, yes) for name, (version, yes) in given_before.items()))
    expected = tuple(name for name, version in purposes.items() if given_before.get(name, ("", False))[0] != version)
    assert unanswered(account, law(**purposes)) == expected
