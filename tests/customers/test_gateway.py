"""Customer records asked for over HTTP: the right one, none, and every way in which there is no answer."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.app.composition import make_records
from idp.cli.examination import Finding, Grade, examine
from idp.flows import belonging
from idp.model import Customer
from idp.policies.registration import Claimed
from idp.post import CustomerGateway, Numbers, RecordsDown
from tests.gateways import Registry, open_registry
from tests.harness import House, settings_of
from tests.post.test_smtp_tls import authority
from tests.registering import codes, known, registered

MARIA: dict[str, Any] = {
    "account_number": "0012345678",
    "customer_code": "C77",
    "family_name": "D'Angelo",
    "given_name": "Maria",
    "numbers": ["07700 900123", "+44 20 7946 0018"],
    "organisation": "",
}
KEPT = Customer("0012345678", "C77", "dangelo", frozenset({"+447700900123", "+442079460018"}), "Maria", "D'Angelo", "")
Find = Callable[[str, str], Customer | None]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with open_registry(MARIA) as server:
        yield server


@pytest.fixture
def find(registry: Registry) -> Find:
    """What the product makes of settings that name the server."""
    settings, _ = settings_of("http://localhost:8080", "sqlite:///nowhere", None, **registry.environ)
    found = make_records(settings, Numbers("GB"))
    assert found is not None
    return found


def test_a_record_is_in_the_forms_in_which_those_brought_in_are(registry: Registry, find: Find) -> None:
    assert find("account_number", "0012345678") == KEPT
    assert find("customer_code", "C77") == KEPT
    path, headers, body = registry.asked[0]
    assert (path, body) == ("/find", {"account_number": "0012345678"})
    assert headers["Authorization"] == "Bearer records-token"
    assert registry.asked[1][2] == {"customer_code": "C77"}


def test_404_is_nobody(find: Find) -> None:
    assert find("account_number", "0012345679") is None


@pytest.mark.parametrize(
    "lacking", [{"given_name": None}, {"organisation": None, "numbers": None}, {"customer_code": "", "numbers": []}]
)
def test_what_a_customer_has_not_may_be_empty(registry: Registry, find: Find, lacking: dict[str, Any]) -> None:
    registry.records = [{**MARIA, **lacking}]
    found = find("account_number", "0012345678")
    assert found is not None
    assert found.surname == "dangelo"
    registry.records = [{name: value for name, value in MARIA.items() if name not in lacking}]
    assert find("account_number", "0012345678") == found


ANSWERS: dict[str, bytes] = {
    "not JSON": b"<html>Welcome</html>",
    "a list": b"[]",
    "a word": b'"nobody"',
    "nothing": b" ",
    "an empty record": b"{}",
    "no name": b'{"account_number": "0012345678"}',
    "another's": b'{"account_number": "99", "family_name": "Rossi"}',
    "found by a code that was not asked for": b'{"customer_code": "0012345678", "family_name": "Rossi"}',
    "a number for a name": b'{"account_number": "0012345678", "family_name": 5}',
    "a number for a reference": b'{"account_number": 12345678, "family_name": "Rossi"}',
    "numbers in one text": b'{"account_number": "0012345678", "family_name": "Rossi", "numbers": "07700900123"}',
    "a list among the numbers": b'{"account_number": "0012345678", "family_name": "Rossi", "numbers": [[]]}',
    "numbers that are none": b'{"account_number": "0012345678", "family_name": "Rossi", "numbers": ["ex-directory"]}',
    "half a character": b'{"account_number": "0012345678", "family_name": "Rossi", "given_name": "\\ud800"}',
    "a control character": b'{"account_number": "0012345678", "family_name": "Rossi", "given_name": "Maria\\u0000"}',
    "not UTF-8": b'{"account_number": "0012345678", "family_name": "\xe8"}',
    "nested": b"[" * 60_000,
    "too long": b'{"account_number": "0012345678", "family_name": "Rossi"}' + b" " * 70_000,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_is_no_record_is_never_nobody(registry: Registry, find: Find, answer: bytes) -> None:
    registry.answer = answer
    with pytest.raises(RecordsDown) as caught:
        find("account_number", "0012345678")
    assert "0012345678" not in str(caught.value)
    assert "Rossi" not in str(caught.value)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 403, 410, 429, 500, 503])
def test_every_other_status_is_no_answer_and_no_redirect_is_followed(registry: Registry, find: Find, status: int) -> None:
    registry.status = status
    with pytest.raises(RecordsDown, match=str(status)):
        find("account_number", "0012345678")
    assert len(registry.asked) == 1


def test_a_server_that_is_down() -> None:
    with pytest.raises(RecordsDown):
        CustomerGateway("http://127.0.0.1:1/", timeout=1).ask("account_number", "1")


def test_a_server_that_is_slow(registry: Registry, find: Find) -> None:
    registry.slow = 1.5
    began = time.monotonic()
    with pytest.raises(RecordsDown):
        find("account_number", "0012345678")
    assert time.monotonic() - began < 1.4


def test_a_server_that_lets_its_answer_drip() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        with pytest.raises(RecordsDown, match="slowly"):
            CustomerGateway(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.5).ask("account_number", "1")
        assert time.monotonic() - began < 2
        thread.join()


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(100):
            try:
                connection.sendall(b" ")
            except OSError:
                return
            time.sleep(0.05)


def test_few_wait_for_a_server_that_hangs(registry: Registry, find: Find) -> None:
    registry.slow = 0.6
    ended: list[object] = []

    def ask() -> None:
        try:
            ended.append(find("account_number", "0012345678"))
        except RecordsDown as down:
            ended.append(str(down))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended.count(KEPT) == 4
    assert ended.count("4 questions wait for an answer already") == 4
    registry.slow = 0
    assert find("account_number", "0012345678") == KEPT


def test_a_server_whom_nobody_vouches_for_is_told_nothing(registry: Registry, tmp_path: Path) -> None:
    registry.socket = authority(tmp_path / "ca").server.wrap_socket(registry.socket, server_side=True)
    with pytest.raises(RecordsDown, match="no answer"):
        CustomerGateway(f"https://127.0.0.1:{registry.server_port}/", "token", 2).ask("account_number", "1")
    assert registry.asked == []


def test_a_server_that_an_authority_vouches_for(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = authority(tmp_path / "ca")
    registry.socket = trusted.server.wrap_socket(registry.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.file))
    gateway = CustomerGateway(f"https://127.0.0.1:{registry.server_port}/", "token", 2)
    assert gateway.ask("customer_code", "C77") == {**MARIA, "numbers": "07700 900123;+44 20 7946 0018"}
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED


def test_the_doctor_asks_there(registry: Registry, new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve", **registry.environ})
    asked = _examined(house)
    assert (asked.grade, asked.what) == (Grade.OK, f"{registry.url}/find answers")
    registry.status = 401
    asked = _examined(house)
    assert (asked.grade, asked.what) == (Grade.FAIL, f"{registry.url}/find: the answer was 401")


@pytest.mark.parametrize(("profile", "grade"), [("self-serve", Grade.FAIL), ("consumer", Grade.WARN)])
def test_the_doctor_misses_records(new_house: Callable[..., House], profile: str, grade: Grade) -> None:
    found = _examined(new_house(environ={"IDP_PROFILE": profile}))
    assert found.grade is grade
    assert "no records: nobody can register" in found.what
    assert "idp customers import" in found.remedy


def _examined(house: House) -> Finding:
    (found,) = [one for one in examine(house.settings, house.secrets) if one.part == "customers"]
    return found


def test_only_web_addresses() -> None:
    with pytest.raises(ValueError, match="http"):
        CustomerGateway("file:///etc/passwd")


def test_a_registration_asks_there_and_not_in_the_store(registry: Registry, new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve", **registry.environ})
    assert belonging.record(house.world, Claimed(account_number="0012 345-678")) == KEPT
    assert belonging.record(house.world, Claimed(account_number="0099")) is None
    assert belonging.record(house.world, Claimed()) is None
    assert len(registry.asked) == 2


def test_where_nobody_answers_a_registration_is_503_with_calm_words(
    registry: Registry, new_house: Callable[..., House], capfd: pytest.CaptureFixture[str]
) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve", **registry.environ})
    person, email = house.person(), f"{house.name()}@example.com"
    typed = {"account_number": "0012 345678", "family_name": "d'angelo", "number": "020 7946 0018", "email": email}
    registry.status = 500
    # Six times, and five guesses an hour: what nobody answered was none.
    for _ in range(6):
        page = registered(person, **typed)
        assert page.status == 503
        assert page.response.headers["Retry-After"]
        assert not {"0012", "angelo", email} & set(page.text.split())
    assert known(house, email) is None
    registry.status = 200
    assert registered(person, **typed).step == "ConfirmRegistration"
    (code,) = codes(house, email)
    assert code
    logged = capfd.readouterr().out
    assert logged.count('"event": "no customer records"') == 6
    assert "the answer was 500" in logged
    assert "records-token" not in logged
    assert "0012345678" not in logged


def test_where_nobody_answers_it_is_never_no_match(registry: Registry, new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve", **registry.environ})
    typed = {"account_number": "99", "family_name": "Rossi", "number": "020 7946 0018", "email": "a@example.com"}
    unmatched = registered(house.person(), **typed)
    assert unmatched.status == 422
    registry.answer = b'{"account_number": "98", "family_name": "Rossi"}'
    down = registered(house.person(), **typed)
    assert down.status == 503
    assert down.heading != unmatched.heading


def test_where_nobody_answers_a_customer_that_is_added_counts_as_no_guess(
    registry: Registry, new_house: Callable[..., House]
) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve", **registry.environ})
    person = house.customer()
    person.sign_in()
    typed = {"account_number": "0012345678", "family_name": "d'angelo", "number": "020 7946 0018", "current": person.password}
    registry.status = 500
    for _ in range(6):
        assert person.fill(person.open("/profile/capacities/add"), **typed).status == 503
    registry.status = 200
    assert person.fill(person.open("/profile/capacities/add"), **typed).path == "/profile/capacities?done=add"
