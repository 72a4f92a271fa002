"""C1: registration asks for name, email, optional account number, a password and a security question with its answer."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.model import AccountState, Factor, Role
from tests.harness import House
from tests.people import ANSWER, QUESTION, Page, Person
from tests.registering import KINDS, MARIA, codes, known, opened, records, registered

Houses = Callable[..., House]


@pytest.fixture(params=KINDS[:1])
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    made = new_house(request.param, **opened("consumer"))
    records(made, MARIA)
    return made


def fields(house: House, **more: str) -> dict[str, str]:
    return {"given_name": "Maria", "family_name": "D'Angelo", "email": f"{house.name('m')}@example.com", **more}


def confirmed(house: House, person: Person, page: Page, email: str) -> Page:
    assert page.step == "ConfirmRegistration", page.text
    return person.fill(page, code=codes(house, email)[-1])


def test_c01_the_form_asks_what_policy_asks_and_the_account_number_is_optional(house: House) -> None:
    form = house.person().open("/register")
    shown = [name for name in form.fields if name in {*house.world.policy.registration.fields, "password", "password_again"}]
    assert shown == ["given_name", "family_name", "email", "account_number", "password", "password_again"]
    assert "required" not in form.fields["account_number"]
    assert "Account number (optional)" in form.text
    assert "username" not in form.fields


def test_c01_without_an_account_number_one_registers_by_name_and_address(house: House) -> None:
    typed = fields(house)
    person = house.person(username=typed["email"])
    page = confirmed(house, person, registered(person, **typed), typed["email"])
    # The question and its answer are asked once the address is confirmed, before anything opens.
    assert page.step == "ChooseQuestion", page.text
    assert person.account.state is AccountState.INVITED
    assert not person.signed_in()
    page = person.fill(page, question=QUESTION, answer=ANSWER)
    account = person.account
    assert account.state is AccountState.ACTIVE
    assert account.credential(Factor.ANSWER) is not None
    assert account.capacities == ()
    assert account.full_name == "Maria D'Angelo"
    assert account.email_confirmed_at is not None


def test_c01_leaving_half_way_one_goes_on_by_signing_in_with_the_address(house: House) -> None:
    typed = fields(house)
    person = house.person(username=typed["email"])
    confirmed(house, person, registered(person, **typed), typed["email"])
    other = person.elsewhere()
    assert other.walk(other.open("/sign-in"), until="ChooseQuestion").step == "ChooseQuestion"


def test_c01_with_an_account_number_it_must_match_and_the_account_acts_for_the_customer(house: House) -> None:
    typed = fields(house, account_number="0012-345 678", family_name="D’ANGELO")
    person = house.person(username=typed["email"])
    confirmed(house, person, registered(person, **typed), typed["email"])
    (capacity,) = person.account.capacities
    assert capacity.role is Role.CONSUMER
    assert house.vault.open(capacity.reference) == b"0012345678"
    # One account for a customer: the next is turned away without being told so.
    again = fields(house, account_number="0012345678", email="another@example.com")
    page = registered(house.person(), **again)
    assert page.step == "ConfirmRegistration"
    assert known(house, "another@example.com") is None


def test_c01_an_account_number_that_does_not_match_is_told_of_the_whole_form(house: House) -> None:
    for wrong in ({"account_number": "0099999999"}, {"account_number": "0012345678", "family_name": "Rossi"}):
        page = registered(house.person(), **fields(house, **wrong))
        assert page.status == 422
        assert "What you entered does not match our records" in page.text
        assert not [name for name, held in page.fields.items() if held.get("aria-invalid")]


def test_c01_a_password_needs_letters_and_digits_where_policy_says_so(new_house: Houses) -> None:
    def law(policy: object) -> object:
        return replace(policy, password=replace(policy.password, require_letters_and_digits=True))  # type: ignore[attr-defined,type-var]

    house = new_house(**opened("consumer"), policy=law)
    typed = fields(house)
    page = registered(house.person(), **typed, password="only letters here", password_again="only letters here")
    assert page.status == 422
    assert "Please use at least one letter and one digit." in page.text
    typed |= {"password": "letters and 1 digit", "password_again": "letters and 1 digit"}
    assert registered(house.person(), **typed).step == "ConfirmRegistration"
