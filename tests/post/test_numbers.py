"""What may be a mobile number, what a mail address, and what the gateway says of a number."""

import time
from collections.abc import Iterator

import pytest

from idp.post import Numbers, SmsGateway, addresses
from tests.gateways import Gateway, open_gateway

GB, IT = Numbers("GB"), Numbers("IT")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with open_gateway() as opened:
        yield opened


def asking(gateway: Gateway, timeout: float = 10) -> SmsGateway:
    return SmsGateway(f"{gateway.url}/sms", token="secret", timeout=timeout, reach_url=f"{gateway.url}/reach")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("07400 123456", "+447400123456"),
        ("+44 7400 123456", "+447400123456"),
        ("0044 7400 123456", "+447400123456"),
        ("(07400) 123-456", "+447400123456"),
        ("+44 (0) 7400 123456", "+447400123456"),
        ("07400\u00a0123\u2011456", "+447400123456"),
        ("\u202a+447400123456\u202c", "+447400123456"),
        ("  07400123456 ", "+447400123456"),
        # Any operator, of any country.
        ("+39 347 1234567", "+393471234567"),
        ("+39 320 1234567", "+393201234567"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("+49 1512 3456789", "+4915123456789"),
        # In North America a mobile looks like a landline.
        ("+1 201 555 0123", "+12015550123"),
    ],
)
def test_a_number_of_any_operator_has_one_form(typed: str, number: str) -> None:
    assert GB.canonical(typed) == number


def test_a_number_without_country_code_is_one_of_the_region() -> None:
    assert IT.canonical("347 1234567") == "+393471234567"
    assert IT.canonical("07400 123456") is None


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "0",
        "+",
        "999",
        "112",
        "020 7946 0000",  # a landline
        "0800 123 4567",  # freephone
        "0909 123 4567",  # premium
        "07400 12345",
        "07400 1234567",
        "07400 123456 ext 5",
        "07400123456x5",
        "07400123456;ext=5",
        "tel:+447400123456",
        "0740O 123456",
        "1-800-FLOWERS",
        "+44 7400 123456, +44 7400 654321",
        "+44 7400 123456\r\n+44 7400 654321",
        "+447400123456\x00",
        "٠٧٤٠٠١٢٣٤٥٦",
        "++447400123456",
        "+999 7400 123456",
        "7" * 4000,
    ],
)
def test_what_is_no_mobile_number(typed: str) -> None:
    assert GB.canonical(typed) is None


def test_the_gateway_says_whether_a_number_is_reached(gateway: Gateway) -> None:
    numbers = Numbers("GB", asking(gateway).reach)
    gateway.unreachable.add("+447400000000")
    assert numbers.reachable("+447400123456") is True
    assert numbers.reachable("+447400000000") is False
    path, headers, body = gateway.asked[0]
    assert (path, body) == ("/reach", {"to": "+447400123456"})
    assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, None),
        (404, None),
        (401, None),
        (302, None),
        (200, b"yes"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"reachable": "no"}'),
        (200, b'{"reachable": 0}'),
        (200, b'{"reachable": null}'),
        (200, b"\xff\xfe"),
        (200, b'{"reachable": false, "why": "' + b"x" * 10_000 + b'"}'),
    ],
)
def test_a_gateway_that_does_not_say_is_no_reason_to_refuse(gateway: Gateway, status: int, answer: bytes | None) -> None:
    gateway.status, gateway.answer = status, answer
    assert asking(gateway).reach("+447400123456") is None
    assert len(gateway.asked) == 1


def test_nobody_waits_long_for_the_gateway(gateway: Gateway) -> None:
    gateway.slow = 1.5
    begun = time.monotonic()
    assert asking(gateway, timeout=0.2).reach("+447400123456") is None
    assert time.monotonic() - begun < 1


def test_a_gateway_that_is_down_or_not_asked() -> None:
    assert SmsGateway("http://127.0.0.1:1/", reach_url="http://127.0.0.1:1/").reach("+447400123456") is None
    assert SmsGateway("http://127.0.0.1:1/").reach("+447400123456") is None
    assert Numbers().reachable("+447400123456") is None
    with pytest.raises(ValueError, match="http"):
        SmsGateway("https://sms.example/", reach_url="file:///etc/passwd")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("maria@example.com", "maria@example.com"),
        ("  Maria.Rossi+bills@EXAMPLE.com\n", "Maria.Rossi+bills@example.com"),
        ("maria@mail.test", "maria@mail.test"),
        ("maria@esempio.пример", "maria@esempio.xn--e1afmkfd"),
        ("müller@example.com", "müller@example.com"),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    ],
)
def test_an_address_has_one_form(typed: str, kept: str) -> None:
    assert addresses.canonical(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "maria",
        "maria@",
        "@example.com",
        "maria@localhost",
        "maria@example",
        "a@x.com,b@y.com",
        "a@x.com;b@y.com",
        "a@x.com b@y.com",
        "a@x.com\r\nBcc: b@y.com",
        "a@x.com\nb@y.com",
        "a@x.com\x00",
        "a@x.com%0aBcc:b@y.com",
        "Maria <a@x.com>",
        '"a b"@x.com',
        "a(b)@x.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@@x.com",
        "a..b@x.com",
        "a\u200b@x.com",
        "a\u202e@x.com",
        f"a@{'x' * 60}.{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 30}.com",
        f"{'a' * 250}@x.com",
        "a" * 100_000,
    ],
)
def test_what_is_not_exactly_one_address(typed: str) -> None:
    assert addresses.canonical(typed) is None
