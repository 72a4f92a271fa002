"""E2: a mobile number gets a code by SMS, a landline registration gets it by email; entering it confirms the account."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from idp.model import AccountState, Customer
from tests.gateways import Gateway, open_gateway
from tests.harness import House, open_house
from tests.people import Page, Person
from tests.registering import KINDS, codes, elsewhere, known, records, registered

MOBILE, LANDLINE = "+447400123456", "+442079460018"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with open_gateway() as opened:
        yield opened


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[House]:
    with open_house(request.param, tmp_path, environ={**gateway.environ, "IDP_PROFILE": "self-serve"}) as opened:
        numbers = frozenset({MOBILE, LANDLINE})
        records(opened, *(Customer(f"77{number:04}", "", "weber", numbers, "Jan", "Weber") for number in range(8)))
        yield opened


def tried(house: House, number: int, phone: str) -> tuple[Person, Page, str]:
    email = f"{house.name('jan')}@example.com"
    person = house.person(username=email)
    typed = {"account_number": f"77{number:04}", "family_name": "Weber", "number": phone, "email": email}
    return person, registered(person, **typed), email


def test_e02_a_mobile_number_gets_its_code_by_text_message(house: House) -> None:
    person, page, email = tried(house, 0, "07400 123456")
    assert f"We have sent a code by text message to {MOBILE}." in page.text
    assert codes(house, email) == []
    person.walk(person.fill(page, code=codes(house, MOBILE)[-1]))
    assert person.signed_in()
    account = person.account
    assert account.state is AccountState.ACTIVE
    # The number is confirmed by it, and the address is not.
    assert account.mobile == MOBILE
    assert account.email_confirmed_at is None


def test_e02_a_landline_gets_it_by_email(house: House) -> None:
    person, page, email = tried(house, 1, "020 7946 0018")
    assert f"We have sent a code to {email}." in page.text
    assert codes(house, LANDLINE) == []
    person.walk(person.fill(page, code=codes(house, email)[-1]))
    assert person.signed_in()
    account = person.account
    # Messages cannot go to it, and it is not kept.
    assert account.mobile is None
    assert account.email_confirmed_at is not None


def test_e02_without_a_gateway_every_code_goes_by_email(new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve"})
    records(house, Customer("770000", "", "weber", frozenset({MOBILE}), "Jan", "Weber"))
    person, page, email = tried(house, 0, "07400 123456")
    person.walk(person.fill(page, code=codes(house, email)[-1]))
    assert person.signed_in()
    assert person.account.mobile is None


def test_e02_a_number_that_no_message_reaches_is_told_once_everything_has_matched(house: House, gateway: Gateway) -> None:
    gateway.unreachable.add(MOBILE)
    _, page, email = tried(house, 2, "07400 123456")
    assert page.status == 422
    assert "We cannot reach this number by text message." in page.text
    assert known(house, email) is None
    asked = len(gateway.asked)
    _, page, _ = tried(house, 99, "07400 123456")
    assert "does not match our records" in page.text
    assert len(gateway.asked) == asked, "nobody is asked about numbers that a stranger types"
    # The landline of the same customer is taken all the same.
    assert tried(house, 2, "020 7946 0018")[1].step == "ConfirmRegistration"


def test_e02_sent_again_and_confirmed_elsewhere_by_text_message_too(house: House) -> None:
    person, page, _ = tried(house, 3, "07400 123456")
    before = codes(house, MOBILE)
    page = person.fill(page, send="yes")
    assert page.step == "ConfirmRegistration"
    other = person.elsewhere()
    assert elsewhere(other, person.username).status == 200
    sent = codes(house, MOBILE)
    assert len(sent) == len(before) + 2
    other.walk(elsewhere(other, person.username, sent[-1]))
    assert other.signed_in()
