"""Attacks on pushed requests (cases K of the security plan), over TCP and on every kind of storage."""

from urllib.parse import urlencode

import pytest

from tests.harness import House, together
from tests.people import Person


def push(house: House, person: Person, client: str = "portal", **more: str) -> str:
    answer = house.post("/par", person.request(client, **more), client)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["request_uri"])


def address_of(pushed: str, client: str = "portal", **more: str) -> str:
    return f"/authorize?{urlencode({'client_id': client, 'request_uri': pushed, **more})}"


def test_k05_it_is_loaded_twice_and_signs_in_once(house: House) -> None:
    person = house.customer()
    pushed = push(house, person)
    first, second = (person.open(address_of(pushed)) for _ in range(2))
    assert (first.step, second.step) == ("AskUsernameAndPassword", "AskUsernameAndPassword")
    page = person.walk(second)
    assert person.redeem(page).status_code == 200
    again = person.open(address_of(pushed))
    assert (again.status, again.heading) == (400, "That took too long")


def test_of_many_who_load_it_at_once_one_gets_a_code(house: House) -> None:
    person = house.customer()
    person.sign_in()
    pushed = push(house, person)
    answers = together([lambda: person.get(address_of(pushed))] * 10)
    codes = [one for one in answers if "code=" in one.headers.get("Location", "")]
    assert len(codes) == 1, [(one.status_code, one.headers.get("Location")) for one in answers]
    told = [one for one in answers if one is not codes[0]]
    assert all(one.status_code == 400 or "error=invalid_request_uri" in one.headers["Location"] for one in told)


def test_k07_a_megabyte_is_too_much(house: House) -> None:
    person = house.customer()
    assert house.post("/par", person.request(state="x" * 1_000_000), "portal").status_code == 413


@pytest.mark.parametrize("stranger", ["app", "old"])
def test_a16_another_client_s_request_and_addresses_that_nobody_registered(house: House, stranger: str) -> None:
    person = house.customer()
    page = person.open(address_of(push(house, person), stranger))
    assert (page.status, page.left) == (400, None)
    asked = person.request(stranger, redirect_uri="https://evil.example/callback")
    del asked["client_id"]
    evil = house.post("/par", asked, stranger)
    assert (evil.status_code, evil.json()["error"]) == (400, "invalid_redirect_uri")


def test_odd_letters_arrive_as_they_were(house: House) -> None:
    person = house.customer()
    state = '"<é> \r\n&=+%\U0001f512'
    page = person.open(address_of(push(house, person, state=state), state="x"))
    assert person.walk(page).answer["state"] == state
