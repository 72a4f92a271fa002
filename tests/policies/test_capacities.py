"""The law of capacities: whether there is a choice, which one counts, and what ends with it."""

from dataclasses import replace

import pytest

from idp.model import Account, Capacity, Factor, Grant, Role
from idp.policies import capacities, entry, tokens
from idp.policies.steps import ChooseCapacity, Done
from idp.policies.tokens import Denied, Error
from tests.policies.values import DAY, NOW, account, policy, sign_in

ME = Capacity("me", Role.CONSUMER, "", b"sealed")
US = Capacity("us", Role.BUSINESS, "Rossi")
THEM = Capacity("them", Role.ON_BEHALF, "Lega")
GRANT = Grant("g", "acc_maria", "portal", ("openid",), (), (), NOW, NOW + DAY, "sid", "sid")


def having(*held: Capacity) -> Account:
    return account(capacities=held)


@pytest.mark.parametrize(
    ("held", "chosen", "acts"),
    [
        ((), "", None),
        ((), "gone", None),
        ((ME,), "", ME),
        ((ME,), "me", ME),
        ((ME,), "gone", ME),
        ((ME, US), "us", US),
        ((ME, US, THEM), "them", THEM),
    ],
)
def test_where_there_is_no_choice_or_it_was_made_it_is_settled(held: tuple[Capacity, ...], chosen: str, acts: Capacity | None):
    assert capacities.settled(having(*held), chosen)
    assert capacities.acting(having(*held), chosen) == acts


@pytest.mark.parametrize("chosen", ["", "gone", "ME", "me "])
def test_of_several_one_must_be_chosen(chosen: str):
    person = having(ME, US)
    assert not capacities.settled(person, chosen)
    assert capacities.acting(person, chosen) is None


def test_it_is_asked_behind_every_proof_and_once():
    rules, person = policy(pin={"enabled": False}), having(ME, US)
    walked = sign_in(Factor.PASSWORD)
    assert entry.next_step(walked, person, rules, NOW) == ChooseCapacity(("me", "us"))
    assert isinstance(entry.next_step(replace(walked, capacity="us"), person, rules, NOW), Done)
    assert entry.next_step(replace(walked, capacity="them"), person, rules, NOW) == ChooseCapacity(("me", "us"))
    assert not isinstance(entry.next_step(replace(walked, proofs=()), person, rules, NOW), ChooseCapacity)
    assert isinstance(entry.next_step(walked, having(ME), rules, NOW), Done)


@pytest.mark.parametrize(
    ("capacity", "told"),
    [
        ("", {}),
        ("me", {"capacity": "consumer"}),
        ("us", {"capacity": "business", "organisation": "Rossi"}),
        ("them", {"capacity": "on_behalf", "organisation": "Lega"}),
    ],
)
def test_tokens_say_in_which_capacity_and_never_by_which_number(capacity: str, told: dict[str, str]):
    assert tokens.in_capacity(replace(GRANT, capacity=capacity), having(ME, US, THEM)) == told


def test_what_was_granted_in_a_capacity_ends_with_it():
    granted = replace(GRANT, capacity="us")
    assert tokens.alive(granted, having(ME, US), policy(), NOW) is None
    for left in ((ME, THEM), (ME,), ()):
        assert tokens.alive(granted, having(*left), policy(), NOW) == Denied(Error.GRANT, "the capacity was taken away")
        assert tokens.in_capacity(granted, having(*left)) == {}
    # What was granted while there was none goes on, and in none.
    assert tokens.alive(GRANT, having(ME), policy(), NOW) is None
    assert tokens.in_capacity(GRANT, having(ME)) == {}


@pytest.mark.parametrize(
    ("number", "shown"), [("IT47110815AX", "5AX"), ("1234567", "567"), ("123456", ""), ("123", ""), ("", "")]
)
def test_of_a_number_the_last_three_marks_are_shown_where_it_has_many_more(number: str, shown: str):
    assert capacities.last_marks(number) == shown
