"""D1: register with the customer code printed on every bill, then details and a username of the person's choosing."""

from collections.abc import Callable

import pytest

from idp.model import Customer
from tests.harness import House
from tests.people import Page, Person
from tests.registering import KINDS, codes, known, opened, records, registered, told

Houses = Callable[..., House]
COUNT = 40


@pytest.fixture(params=KINDS[:1])
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    made = new_house(request.param, **opened("customer-code"))
    records(made, *(Customer("", f"K{number}", "moller", given_name="Åse", family_name="Møller") for number in range(COUNT)))
    return made


def fields(house: House, code: str, **more: str) -> dict[str, str]:
    name = house.name("ase")
    who = {"given_name": "Åse", "family_name": "Møller", "username": name, "email": f"{name}@example.com"}
    return {"customer_code": code, **who, **more}


def tried(house: House, code: str, **more: str) -> tuple[Person, Page, dict[str, str]]:
    typed = fields(house, code, **more)
    person = house.person(username=typed["username"])
    return person, registered(person, **typed), typed


def test_d01_the_code_on_the_bill_opens_the_way_to_a_username_of_one_s_own(house: House) -> None:
    person, page, typed = tried(house, "K0")
    assert page.step == "ConfirmRegistration"
    person.walk(person.fill(page, code=codes(house, typed["email"])[-1]))
    assert person.signed_in()
    assert person.account.full_name == "Åse Møller"
    assert [one.reference for one in person.account.capacities] == [b""]


@pytest.mark.parametrize("surname", ["moller", "MØLLER", " Mo\u0308ller ", "Møl-ler", "ＭＯＬＬＥＲ"])
@pytest.mark.parametrize("code", ["k1", " K 1 ", "K-1", "Ｋ１"])
def test_d01_forgiving_in_form(house: House, surname: str, code: str) -> None:
    _, page, typed = tried(house, code, family_name=surname)
    assert page.step == "ConfirmRegistration", page.text
    assert known(house, typed["username"]) is not None


@pytest.mark.parametrize("wrong", [{"family_name": "Moler"}, {"family_name": "Moller Rossi"}, {"customer_code": "K01"}])
def test_d01_strict_in_substance(house: House, wrong: dict[str, str]) -> None:
    _, page, typed = tried(house, wrong.get("customer_code", "K2"), **wrong)
    assert page.status == 422
    assert "does not match our records" in page.text
    assert known(house, typed["username"]) is None
    assert codes(house, typed["email"]) == []


def test_d01_a_username_is_told_to_be_taken_only_behind_records_that_match(house: House) -> None:
    taken = house.customer().username
    person = house.person()
    page = registered(person, **fields(house, "K3", username=taken, family_name="Rossi"))
    assert page.status == 422
    assert "taken" not in page.text
    page = registered(person, **fields(house, "K3", username=taken))
    assert "This username is taken." in page.text
    # Choosing another is not held against the customer number.
    for _ in range(8):
        other = person.elsewhere()
        assert "This username is taken." in registered(other, **fields(house, "K3", username=taken)).text
    typed = fields(house, "K3")
    assert registered(person.elsewhere(), **typed).step == "ConfirmRegistration"


def test_d01_wrong_guesses_are_throttled_by_customer_number_and_told_the_same(house: House) -> None:
    pages = [tried(house, "K4", family_name=f"Guess{'x' * number}")[1] for number in range(6)]
    assert {page.status for page in pages} == {422}
    _, page, _ = tried(house, "K4")
    assert page.status == 422
    assert page.text.count("does not match our records") == 1
    # Another number is not touched by it.
    assert tried(house, "K5")[1].step == "ConfirmRegistration"


def test_d01_one_account_for_a_customer_and_its_owner_is_told(house: House) -> None:
    person, page, typed = tried(house, "K6")
    person.walk(person.fill(page, code=codes(house, typed["email"])[-1]))
    other, page, second = tried(house, "K6")
    assert page.step == "ConfirmRegistration"
    assert f"We have sent a code to {second['email']}." in page.text
    assert codes(house, second["email"]) == []
    assert known(house, second["username"]) is None
    (letter,) = told(house, typed["email"])
    assert (letter["taken"], letter["username"]) == ("customer", person.username)
    assert other.fill(page, code="123456").status == 401


def test_d01_who_waits_for_a_code_holds_nothing_of_the_customer(house: House) -> None:
    """A wrong address typed at first is no way to be locked out; the first to confirm is the one."""
    _, page, _ = tried(house, "K7")
    assert page.step == "ConfirmRegistration"
    person, page, typed = tried(house, "K7")
    rival, late, theirs = tried(house, "K7")
    person.walk(person.fill(page, code=codes(house, typed["email"])[-1]))
    assert person.signed_in()
    assert rival.fill(late, code=codes(house, theirs["email"])[-1]).status == 401
    assert not rival.signed_in()
    (refused,) = [one for one in house.audit("account.confirmed") if one.outcome == "refused"]
    assert refused.facts["why"] == "too_many"
