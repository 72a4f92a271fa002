"""D6: a mobile number of any operator can be registered; one that is invalid or not reachable gets an error message."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from idp.model import Purpose
from tests.alarms import letters_to
from tests.gateways import Gateway, open_gateway
from tests.harness import House, open_house
from tests.people import PASSWORD, Page, Person


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with open_gateway() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def with_sms(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[House]:
    with open_house(request.param, tmp_path, environ={**gateway.environ, "IDP_PROFILE": "customer-code"}) as opened:
        yield opened


def registered(person: Person, number: str) -> Page:
    return person.fill(person.open("/profile/mobile"), current=PASSWORD, mobile=number)


def waits(house: House, person: Person) -> bool:
    with house.world.store.read() as tx:
        return tx.one_time_codes.live(person.account.id, Purpose.MOBILE, house.clock()) is not None


def test_d06_a_number_of_any_operator_is_registered_once_its_code_came_back(with_sms: House, gateway: Gateway) -> None:
    for typed, number in (
        ("07400 123456", "+447400123456"),
        ("+39 347 1234567", "+393471234567"),
        ("0033 6 12 34 56 78", "+33612345678"),
    ):
        person = with_sms.customer()
        person.sign_in()
        page = registered(person, typed)
        assert page.path == "/profile/mobile/confirm"
        person.fill(page, code=letters_to(with_sms, number, "confirm_address")[-1]["code"])
        assert person.account.mobile == number
        assert number in person.open("/profile").text
    assert [(path, body) for path, _, body in gateway.asked] == [
        ("/reach", {"to": "+447400123456"}),
        ("/reach", {"to": "+393471234567"}),
        ("/reach", {"to": "+33612345678"}),
    ]
    assert {headers["Authorization"] for _, headers, _ in gateway.asked} == {"Bearer gateway-token"}


def test_d06_an_invalid_number_gets_an_error_message(with_sms: House, gateway: Gateway) -> None:
    person = with_sms.customer()
    person.sign_in()
    for typed in (
        "12345",
        "020 7946 0000",
        "999",
        "07400 123456 ext 5",
        "1-800-FLOWERS",
        "+44\r\n7400 123456",
        "0909 123 4567",
    ):
        page = registered(person, typed)
        assert page.status == 422
        assert "This is not a mobile number." in page.text
        assert page.fields["mobile"]["aria-invalid"] == "true"
        assert not waits(with_sms, person)
    italian = person.open("/profile/mobile?ui_locales=it")
    assert "Questo non è un numero di cellulare." in person.fill(italian, current=PASSWORD, mobile="12345").text
    assert gateway.asked == [], "nobody is asked about what is no number"


def test_d06_a_number_that_is_not_reachable_gets_an_error_message(with_sms: House, gateway: Gateway) -> None:
    person = with_sms.customer()
    person.sign_in()
    gateway.unreachable.add("+447400123456")
    page = registered(person, "07400 123456")
    assert page.status == 422
    assert "We cannot reach this number" in page.text
    assert page.fields["mobile"]["value"] == "07400 123456"
    assert not waits(with_sms, person)
    assert not letters_to(with_sms, "+447400123456", "confirm_address")
    gateway.unreachable.clear()
    assert registered(person, "07400 123456").path == "/profile/mobile/confirm"


def test_d06_only_someone_who_knows_the_password_asks_the_gateway(with_sms: House, gateway: Gateway) -> None:
    person = with_sms.customer()
    person.sign_in()
    page = person.fill(person.open("/profile/mobile"), current="not my password", mobile="07400 123456")
    assert page.status == 401
    assert gateway.asked == []


@pytest.mark.parametrize("status", [500, 302, 200])
def test_d06_a_gateway_that_cannot_say_is_no_reason_to_refuse(with_sms: House, gateway: Gateway, status: int) -> None:
    gateway.status, gateway.answer = status, b"out of order"
    person = with_sms.customer()
    person.sign_in()
    page = registered(person, "07400 123456")
    assert page.path == "/profile/mobile/confirm"
    # The code itself must still arrive.
    assert person.account.mobile is None
    assert waits(with_sms, person)


def test_d06_a_gateway_that_is_down_is_no_reason_to_refuse(new_house: Callable[..., House]) -> None:
    nowhere = {"IDP_SMS_URL": "http://127.0.0.1:1/sms", "IDP_SMS_REACH_URL": "http://127.0.0.1:1/reach", "IDP_REGION": "IT"} | {
        "IDP_PROFILE": "customer-code"
    }
    house = new_house(environ=nowhere)
    person = house.customer()
    person.sign_in()
    # Without a country code a number is one of the region.
    assert registered(person, "347 1234567").path == "/profile/mobile/confirm"
    assert letters_to(house, "+393471234567", "confirm_address")
