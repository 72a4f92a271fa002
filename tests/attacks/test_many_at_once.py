"""Attacks on signing in by many requests: races, spraying, floods (cases L-10, L-11, L-16, L-19 of the security plan)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from idp.model import Factor
from idp.vault import HashPool
from tests.harness import House, together
from tests.people import Page, Person, browser

THRESHOLD = 5


def race(house: House, people: list[Person], page_of: Callable[[Person], Page], fields: dict[str, str]) -> list[Any]:
    pages = [page_of(person) for person in people]
    return together(
        (lambda person=person, page=page: person.post(page, fields)) for person, page in zip(people, pages, strict=True)
    )


def test_l11_fifty_parallel_wrong_passwords_verify_exactly_five(house: House) -> None:
    owner = house.customer()
    people = [owner.elsewhere() for _ in range(50)]
    verified = house.vault.verified
    decoys = house.vault.decoys
    fields = {"username": owner.username, "password": "wrong wrong wrong"}
    answers = race(house, people, lambda person: person.open("/sign-in"), fields)
    assert [answer.status_code for answer in answers] == [401] * 50
    assert house.vault.verified - verified == THRESHOLD
    assert house.vault.decoys - decoys == 50 - THRESHOLD
    counter = house.counter(owner.account)
    assert (counter.failures, counter.consecutive) == (THRESHOLD, THRESHOLD)
    assert counter.locked_until is not None
    outcomes = [entry.outcome for entry in house.audit("attempt", owner.account)]
    assert (outcomes.count("wrong"), outcomes.count("shut")) == (THRESHOLD, 50 - THRESHOLD)
    assert len(house.letters(owner.account, "locked")) == 1


def test_l11_fifty_parallel_wrong_passwords_in_one_sign_in_verify_exactly_five(house: House) -> None:
    owner = house.customer()
    visitor = owner.elsewhere()
    page = visitor.open("/sign-in")
    verified = house.vault.verified
    fields = {"username": owner.username, "password": "wrong wrong wrong"}
    answers = together((lambda: visitor.post(page, fields)) for _ in range(50))
    assert {answer.status_code for answer in answers} == {401}
    assert house.vault.verified - verified == THRESHOLD
    assert house.counter(owner.account).failures == THRESHOLD


def test_l11_fifty_parallel_wrong_pins_verify_exactly_five(house: House) -> None:
    owner = house.customer()
    people = [owner.elsewhere() for _ in range(50)]
    pages = [person.sign_in(until="AskPin") for person in people]
    verified = house.vault.verified
    together(
        (lambda person=person, page=page: person.post(page, {"pin": "999111"}))
        for person, page in zip(people, pages, strict=True)
    )
    assert house.vault.verified - verified == THRESHOLD
    counter = house.counter(owner.account, Factor.PIN)
    assert counter.failures == THRESHOLD
    assert counter.locked_until is not None


def test_l11_right_and_wrong_passwords_in_parallel_leave_a_consistent_counter(house: House) -> None:
    owner = house.customer()
    people = [owner.elsewhere() for _ in range(20)]
    pages = [person.open("/sign-in") for person in people]
    words = ["wrong wrong wrong", owner.password] * 10
    answers = together(
        (lambda person=person, page=page, word=word: person.post(page, {"username": owner.username, "password": word}))
        for person, page, word in zip(people, pages, words, strict=True)
    )
    assert {answer.status_code for answer in answers} <= {303, 401}
    outcomes = [entry.outcome for entry in house.audit("attempt", owner.account)]
    assert len(outcomes) == 20
    for answer, word in zip(answers, words, strict=True):
        assert answer.status_code == 401 or word == owner.password
    counter = house.counter(owner.account)
    assert counter.failures <= THRESHOLD
    assert counter.failures == counter.consecutive


def test_l11_two_right_answers_at_once_open_one_session_each_at_most(house: House) -> None:
    owner = house.customer()
    page = owner.sign_in(until="AskPin")
    answers = together((lambda: owner.post(page, {"pin": owner.pin})) for _ in range(10))
    assert all(answer.status_code < 500 for answer in answers)
    assert len(house.audit("sign_in", owner.account)) == 1
    assert house.counter(owner.account, Factor.PIN).failures == 0


def test_l11_a_password_is_chosen_once_however_many_ask_at_once(house: House) -> None:
    person, code = house.invited()
    others = [person.elsewhere(password=f"a good password number {number}") for number in range(10)]
    pages = [other.open_invitation(code) for other in others]
    answers = together(
        (lambda other=other, page=page: other.post(page, other.given(page))) for other, page in zip(others, pages, strict=True)
    )
    assert all(answer.status_code < 500 for answer in answers)
    (entry,) = house.audit("credential.set", person.account)
    assert entry.outcome == "created"
    # Some are sent to sign in instead; one's password was kept.
    held = person.account.credential(Factor.PASSWORD)
    assert held is not None
    assert sum(house.vault.verify(other.password, held.hash) for other in others) == 1


def test_l16_spraying_from_one_source_is_throttled_and_locks_nobody(house: House) -> None:
    victims = [house.customer(secrets=(Factor.PASSWORD,)) for _ in range(65)]
    sprayer = house.person()
    page = sprayer.open("/sign-in")
    statuses = []
    for victim in victims:
        answer = sprayer.post(page, {"username": victim.username, "password": "Summer2026!!"})
        statuses.append(answer.status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert statuses.count(401) <= 60
    assert "Retry-After" in answer.headers
    assert all(house.counter(victim.account).locked_until is None for victim in victims)


def test_l10_addresses_of_one_network_count_as_one_source(house: House) -> None:
    owner = house.customer()
    network = owner.address.rsplit(".", 1)[0]
    statuses = []
    for number in range(1, 64):
        with browser(house.url, address=f"{network}.{number}") as client:
            visitor = Person(house, address=f"{network}.{number}")
            visitor.client.close()
            visitor.client = client
            page = visitor.open("/sign-in")
            statuses.append(visitor.post(page, {"step": "Nothing"}).status_code)
    assert 429 in statuses


def test_l10_a_forwarded_address_that_no_proxy_of_ours_wrote_changes_nothing(house: House) -> None:
    visitor = house.person()
    statuses = []
    for number in range(63):
        page = visitor.open("/sign-in")
        headers = {"X-Forwarded-For": f"10.{number}.1.1", "Forwarded": f"for=10.{number}.1.1", "X-Real-IP": f"10.{number}.1.1"}
        statuses.append(visitor.post(page, {"step": "Nothing"}, headers=headers).status_code)
    assert statuses[-1] == 429


def test_l19_a_full_hash_pool_answers_503_and_counts_nothing(new_house: Callable[..., House]) -> None:
    pool = HashPool(1, 1)
    house = new_house(pool=pool)
    owner = house.customer()
    page = owner.open("/sign-in")
    with pool.place(), pool.place():
        refused = owner.post(page, {"username": owner.username, "password": owner.password})
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert Page(refused).heading == "We are very busy just now"
        assert owner.get("/sign-in").status_code == 303
        assert house.get("/jwks.json").status_code == 200
    assert house.counter(owner.account).version == 0
    assert house.audit("attempt", owner.account) == []
    # The page of before still works.
    assert owner.fill(page, username=owner.username, password=owner.password).step == "AskPin"


@pytest.mark.timeout(300)
def test_l19_two_hundred_sign_ins_at_once_with_long_passwords_break_nothing(new_house: Callable[..., House]) -> None:
    house = new_house(strong=True, pool=HashPool(2, 16))
    owner = house.customer()
    people = [house.person(username=house.name()) for _ in range(100)]
    pages = [person.open("/sign-in") for person in people]
    answers = together(
        (lambda person=person, page=page: person.post(page, {"username": person.username, "password": "x" * 4096}))
        for person, page in zip(people * 2, pages * 2, strict=True)
    )
    statuses = [answer.status_code if isinstance(answer, httpx.Response) else repr(answer) for answer in answers]
    assert set(statuses) <= {401, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    owner.sign_in()
    assert owner.signed_in()
