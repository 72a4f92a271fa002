"""Floods of recoveries: at one account, at many, from one address, from many, behind forged addresses (R-23, L-10)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.alarms import letters_to, move
from tests.harness import House, together
from tests.people import Page, Person, browser

KINDS = ("sqlite", "postgresql+redis")
FROM_ONE, FROM_ALL = 3, 10
Houses = Callable[..., House]


def strict(policy: Any) -> Any:
    """Few from one address, few more from all of them."""
    limits = replace(policy.rate_limits, recovery=f"{FROM_ONE}/hour", recovery_everywhere=f"{FROM_ALL}/hour")
    return replace(policy, rate_limits=limits)


def open_to_all(policy: Any) -> Any:
    """No limit by address, so that what bounds the letters of one account is seen."""
    return replace(policy, rate_limits=replace(policy.rate_limits, recovery="10000/hour", recovery_everywhere="10000/hour"))


@pytest.fixture(params=KINDS)
def strict_house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    return new_house(request.param, policy=strict)


def ask(person: Person, lost: str = "password", **more: Any) -> Page:
    """One recovery begun: whoever is asked for."""
    page = person.open(f"/recover/{lost}")
    fields = {"username": "nobody", "email": "nobody@example.com", "name": "No Body", "no_password": "yes"}
    sent = {name: fields[name] for name in page.fields if name in fields} | more
    return person.follow(person.post(page, sent))


def statuses(house: House, asking: list[Person], lost: str = "password") -> list[int]:
    return [ask(person, lost).status for person in asking]


def test_many_from_one_address_are_throttled(strict_house: House) -> None:
    flooder = strict_house.person()
    assert statuses(strict_house, [flooder] * 6) == [200] * FROM_ONE + [429] * 3
    # Another browser in the same network is the same source, a neighbouring network is not.
    beside = flooder.address.rpartition(".")[0] + ".77"
    assert ask(strict_house.person(address=beside)).status == 429
    assert ask(strict_house.person()).status == 200


def test_a_throttled_page_says_the_same_to_all_and_when_to_come_back(strict_house: House) -> None:
    owner, flooder = strict_house.customer(), strict_house.person()
    statuses(strict_house, [flooder] * FROM_ONE)
    pages = [
        ask(flooder),
        ask(flooder, username=owner.username, email=owner.account.email),
        ask(flooder, "username"),
        ask(flooder, "username", email=owner.account.email, name=owner.account.full_name),
    ]
    assert {page.status for page in pages} == {429}
    assert {page.response.headers["Retry-After"] for page in pages} == {"3600"}
    assert len({page.text.rpartition("Request")[0] for page in pages}) == 1
    assert pages[0].heading == "A short pause, please"
    assert strict_house.letters(owner.account) == []


def test_a_token_less_or_empty_form_counts_as_well(strict_house: House) -> None:
    flooder = strict_house.person()
    for _ in range(FROM_ONE):
        assert flooder.client.post("/recover/password", data={}).status_code == 403
    assert ask(flooder).status == 429


def test_reading_is_not_throttled(strict_house: House) -> None:
    reader = strict_house.person()
    assert {reader.get("/recover/password").status_code for _ in range(20)} == {200}
    assert ask(reader).status == 200


def test_fifty_at_once_from_one_address_begin_as_many_as_allowed(strict_house: House) -> None:
    flooder = strict_house.person()
    page = flooder.open("/recover/password")
    fields = {"username": "nobody", "email": "nobody@example.com"}
    answers = together((lambda: flooder.post(page, fields)) for _ in range(50))
    assert sorted(answer.status_code for answer in answers) == [303] * FROM_ONE + [429] * (50 - FROM_ONE)


def test_many_from_many_addresses_are_throttled_together(strict_house: House) -> None:
    told = statuses(strict_house, [strict_house.person() for _ in range(FROM_ALL + 4)])
    assert told == [200] * FROM_ALL + [429] * 4
    late = ask(strict_house.person(), "username")
    assert (late.status, late.response.headers["Retry-After"]) == (429, "3600")


def test_many_at_once_from_many_addresses_begin_as_many_as_allowed(strict_house: House) -> None:
    people = [strict_house.person() for _ in range(40)]
    pages = [person.open("/recover/password") for person in people]
    fields = {"username": "nobody", "email": "nobody@example.com"}
    answers = together(
        (lambda person=person, page=page: person.post(page, fields)) for person, page in zip(people, pages, strict=True)
    )
    assert sorted(answer.status_code for answer in answers) == [303] * FROM_ALL + [429] * (40 - FROM_ALL)


def test_one_address_does_not_use_up_what_all_the_others_may(strict_house: House) -> None:
    assert statuses(strict_house, [strict_house.person()] * 30).count(200) == FROM_ONE
    others = statuses(strict_house, [strict_house.person() for _ in range(FROM_ALL - FROM_ONE)])
    assert others == [200] * (FROM_ALL - FROM_ONE)


def test_a_flood_of_recoveries_keeps_nobody_from_signing_in_or_freezing(strict_house: House) -> None:
    owner = strict_house.customer()
    code = move(strict_house, owner.username, "thief@example.net")
    statuses(strict_house, [strict_house.person() for _ in range(FROM_ALL + 1)])
    owner.sign_in()
    assert owner.signed_in()
    reader = strict_house.person()
    assert reader.fill(reader.open(f"/not-me?code={code}")).heading == "Your access is frozen"


def test_one_account_from_many_addresses_gets_few_letters(new_house: Houses) -> None:
    for kind in KINDS:
        house = new_house(kind, policy=open_to_all)
        owner = house.customer()
        known = {"email": owner.account.email, "name": owner.account.full_name}
        pages = [ask(house.person(), "username", **known) for _ in range(20)]
        assert {page.status for page in pages} == {200}
        assert len({page.text for page in pages}) == 1
        assert len(letters_to(house, owner.account.email, "username_reminder")) == house.world.policy.recovery.codes_per_day
        for _ in range(6):
            visitor = house.person()
            page = ask(visitor, username=owner.username, email=owner.account.email)
            visitor.fill(page, answer=owner.answer)
        sent = letters_to(house, owner.account.email, "temporary_password")
        assert len(sent) == house.world.policy.temporary_password.per_hour
        # Nothing changed by it: the owner signs in as ever.
        owner.sign_in()
        assert owner.signed_in()


def test_many_accounts_from_one_address_get_few_letters_together(strict_house: House) -> None:
    people = [strict_house.customer() for _ in range(8)]
    flooder = strict_house.person()
    for owner in people:
        ask(flooder, "username", email=owner.account.email, name=owner.account.full_name)
    sent = [letters_to(strict_house, owner.account.email, "username_reminder") for owner in people]
    assert [len(one) for one in sent] == [1] * FROM_ONE + [0] * (len(people) - FROM_ONE)


# Forged addresses

FORGED: dict[str, Callable[[int], dict[str, str]]] = {
    "one": lambda number: {"X-Forwarded-For": f"198.51.{number}.7"},
    "a list": lambda number: {"X-Forwarded-For": f"198.51.{number}.7, 203.0.{number}.9"},
    "real ip": lambda number: {"X-Real-IP": f"198.51.{number}.7", "CF-Connecting-IP": f"198.51.{number}.7"},
    "forwarded": lambda number: {"Forwarded": f"for=198.51.{number}.7"},
    "client": lambda number: {"True-Client-IP": f"198.51.{number}.7", "X-Client-IP": f"198.51.{number}.7"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("header", FORGED)
def test_l10_an_address_that_a_stranger_writes_changes_nothing(new_house: Houses, kind: str, header: str) -> None:
    house = new_house(kind, policy=strict)
    address = house.person().address
    forging = [house.person(address=address, headers=FORGED[header](number)) for number in range(6)]
    assert statuses(house, forging) == [200] * FROM_ONE + [429] * 3


def behind(house: House, *told: str) -> list[int]:
    """Recoveries through a trusted proxy that writes each of ``told`` at the end of what it was sent."""
    found = []
    for line in told:
        with browser(house.url, headers={"X-Forwarded-For": line}) as client:
            page = Page(client.get("/recover/password"))
            sent = {**page.hidden, "username": "nobody", "email": "nobody@example.com"}
            found.append(client.post(page.action, data=sent).status_code)
    return found


ALLOWED, REFUSED = [303] * FROM_ONE, [429] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_l10_behind_one_proxy_the_right_most_address_counts(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=strict, environ={"IDP_SERVER_TRUSTED_HOPS": "1"})
    # What a stranger wrote before it is worth nothing; each request comes from a network of its own, as proxies do.
    assert behind(house, *(f"198.51.{number}.1, 203.0.113.{number}" for number in range(5))) == ALLOWED + REFUSED
    assert behind(house, "203.0.113.200, 192.0.2.1") == [303]


@pytest.mark.parametrize("kind", KINDS)
def test_l10_an_ipv6_subscriber_is_one_source(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=strict, environ={"IDP_SERVER_TRUSTED_HOPS": "1"})
    assert behind(house, *(f"2001:db8:1:2:{number:x}::{number:x}" for number in range(1, 6))) == ALLOWED + REFUSED
    assert behind(house, "2001:db8:1:3::1", "2001:db8:1:4::1") == [303, 303]


@pytest.mark.parametrize("kind", KINDS)
def test_l10_an_ipv4_address_written_as_ipv6_is_the_same_source(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=strict, environ={"IDP_SERVER_TRUSTED_HOPS": "1"})
    written = ("192.0.2.1", "::ffff:192.0.2.2", "::ffff:c000:0203", "192.0.2.4:4711", "[::ffff:192.0.2.5]:4711")
    assert behind(house, *written) == ALLOWED + REFUSED
    # What is no address at all is one source too.
    assert behind(house, "x", "unknown", "1.2.3.4.5", "-") == [303, 303, 303, 429]
