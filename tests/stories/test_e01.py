"""E1: register with account number, surname and a number as on the bill, email and password: all must match the records."""

from collections.abc import Callable

import pytest

from idp.model import Customer, Role
from tests.harness import House
from tests.people import Page, Person
from tests.registering import KINDS, codes, known, opened, records, registered

Houses = Callable[..., House]
MOBILE, LANDLINE = "+447700900123", "+442079460018"
COUNT = 30


@pytest.fixture(params=KINDS[:1])
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    made = new_house(request.param, **opened("self-serve"))
    numbers = frozenset({MOBILE, LANDLINE})
    every = (Customer(f"00{number:08}", "", "oconnor", numbers, "Máire", "O'Connor") for number in range(COUNT))
    records(made, *every, Customer("9000000001", "", "oconnor", numbers, "Máire", "O'Connor", "O'Connor & Sons"))
    return made


def fields(house: House, customer: int, **wrong: str) -> dict[str, str]:
    reference = f"00{customer:08}"
    who = {"account_number": reference, "family_name": "O'Connor", "number": "020 7946 0018"}
    return {**who, "email": f"{house.name('maire')}@example.com", **wrong}


def tried(house: House, customer: int, **wrong: str) -> tuple[Person, Page, str]:
    typed = fields(house, customer, **wrong)
    person = house.person(username=typed["email"])
    return person, registered(person, **typed), typed["email"]


def test_e01_what_matches_the_records_registers(house: House) -> None:
    form = house.person().open("/register")
    shown = [name for name in form.fields if name in house.world.policy.registration.fields]
    assert shown == ["account_number", "family_name", "number", "email"]
    assert "Have a recent bill at hand" in form.text
    person, page, email = tried(house, 0)
    person.walk(person.fill(page, code=codes(house, email)[-1]))
    assert person.signed_in()
    account = person.account
    # The given name was not asked: it is that of the record.
    assert account.full_name == "Máire O'Connor"
    assert [one.role for one in account.capacities] == [Role.CONSUMER]


def test_e01_a_business_registers_as_a_business(house: House) -> None:
    person, page, email = tried(house, 0, account_number="9000 0000 01")
    person.fill(page, code=codes(house, email)[-1])
    (capacity,) = person.account.capacities
    assert (capacity.role, capacity.organisation) == (Role.BUSINESS, "O'Connor & Sons")


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (1, {"family_name": "oconnor"}),
        (2, {"family_name": "O’CONNOR", "account_number": "00-0000 0002"}),
        (3, {"number": "0207 946 0018"}),
        (4, {"number": "+44 (0)20 7946-0018"}),
        (5, {"number": "0044 20 7946 0018"}),
        (6, {"number": "07700 900123"}),
        (7, {"account_number": "００００００００07"}),
    ],
)
def test_e01_forgiving_in_form(house: House, number: int, form: dict[str, str]) -> None:
    _, page, email = tried(house, number, **form)
    assert page.step == "ConfirmRegistration", page.text
    assert known(house, email) is not None


WRONG = (
    {"account_number": "0000000099"},
    {"account_number": "00000000100"},
    {"account_number": "0000000O10"},
    {"family_name": "Connor"},
    {"family_name": "O'Conner"},
    {"number": "07700 900124"},
    {"number": "+1 20 7946 0018"},
)


def test_e01_strict_in_substance_and_one_answer_for_whatever_was_wrong(house: House) -> None:
    answers = set()
    for number, wrong in enumerate(WRONG, 10):
        _, page, email = tried(house, number, **wrong)
        assert known(house, email) is None
        assert codes(house, email) == []
        shown = [name for name, held in page.fields.items() if held.get("aria-invalid")]
        alert = page.text[page.text.index("What you entered") : page.text.index("Account number")]
        answers.add((page.status, page.heading, tuple(shown), alert))
    assert len(answers) == 1
    assert answers.pop()[0] == 422


@pytest.mark.parametrize(
    ("field", "typed"), [("number", "12"), ("number", "not a number"), ("email", "maire@"), ("email", "a b@c.d")]
)
def test_e01_a_fault_of_form_is_told_at_its_field_before_anything_is_compared(house: House, field: str, typed: str) -> None:
    _, page, _ = tried(house, 20, **{field: typed})
    assert page.status == 422
    assert [name for name, held in page.fields.items() if held.get("aria-invalid")] == [field]
    assert "does not match" not in page.text


def test_e01_whoever_signs_in_afterwards_does_so_by_the_address(house: House) -> None:
    person, page, email = tried(house, 21)
    person.walk(person.fill(page, code=codes(house, email)[-1]))
    other = person.elsewhere(username=email.upper())
    other.walk(other.open("/sign-in"))
    assert other.signed_in()
