"""Whether time tells who has an access: recoveries begun for known and unknown names, and what a page of it costs."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from werkzeug.test import Client

from idp.policies.policy import RecoveryMethod
from idp.store import clients
from idp.store.statements import Link, Statement, Values
from tests.harness import House
from tests.people import Page

KINDS = ("sqlite", "postgresql+redis")
PAIRS = 100
WITHIN = 0.1
CPU_MS = 20
NAMES = ("unknown", "known", "another address")
Houses = Callable[..., House]


def law(**methods: RecoveryMethod) -> Callable[[Any], Any]:
    """A portal that recovers by these methods, without limits by source, which are not what is measured."""

    def changed(policy: Any) -> Any:
        limits = replace(policy.rate_limits, recovery="100000/minute", recovery_everywhere="100000/minute")
        return replace(policy, rate_limits=limits, recovery=replace(policy.recovery, **methods))

    return changed


FORMS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "answer first": ("password", law()),
    "code first": ("password", law(password=RecoveryMethod(prove_by=("email_code",), then="choose_new"))),
    "a letter at once": ("password", law(password=RecoveryMethod(prove_by=(), then="mail_temporary"))),
    "reminder": ("username", law()),
}


def named(house: House, kind: str, page: Page) -> dict[str, str]:
    """What is typed about somebody new to the house, or about nobody, or about somebody at another address."""
    # An access is added in any case: what was just written to a store makes its next reading dearer.
    added = house.customer().username
    name = house.name() if kind == "unknown" else added
    right = kind != "another address"
    email, full_name = f"{name}@example.{'com' if right else 'org'}", "Maria Rossi" if right else "Mario Bianchi"
    typed = {"username": name, "email": email, "name": full_name, "no_password": "yes"}
    return {field: value for field, value in typed.items() if field in page.fields}


def interleaved(rounds: int) -> Iterator[str]:
    for number in range(rounds):
        yield from NAMES[number % 3 :] + NAMES[: number % 3]


def medians(house: House, lost: str, rounds: int) -> dict[str, float]:
    """What the same form takes for each kind of name."""
    people = {kind: house.person() for kind in NAMES}
    pages = {kind: person.open(f"/recover/{lost}") for kind, person in people.items()}
    times: dict[str, list[float]] = {kind: [] for kind in NAMES}
    for kind in interleaved(rounds):
        fields = named(house, kind, pages[kind])
        began = time.perf_counter()
        answer = people[kind].post(pages[kind], fields)
        times[kind].append(time.perf_counter() - began)
        assert answer.status_code == 303
    return {kind: statistics.median(taken) for kind, taken in times.items()}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("form", FORMS)
def test_l02_a_recovery_begun_takes_the_same_time_for_known_and_unknown_names(new_house: Houses, kind: str, form: str) -> None:
    """A difference that can be used shows every time; what a busy machine does to one run does not."""
    lost, policy = FORMS[form]
    house = new_house(kind, policy=policy)
    medians(house, lost, 10)
    told_apart = set(NAMES) - {"unknown"}
    measured = []
    for rounds in (PAIRS, 2 * PAIRS, 2 * PAIRS, 4 * PAIRS):
        taken = medians(house, lost, rounds)
        measured.append(taken)
        told_apart = {kind for kind in told_apart if abs(taken[kind] / taken["unknown"] - 1) >= WITHIN}
        if not told_apart:
            return
    pytest.fail(f"{told_apart} every time; medians in seconds: {measured}")


LOOKS = (clients._MARK, clients._ALL)


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """The statements that run within the block, in order, but for the look at the clients every two seconds."""
    seen: list[Statement] = []
    run = Link.run

    def note(link: Link, statement: Statement, values: Values) -> Any:
        if statement not in LOOKS:
            seen.append(statement)
        return run(link, statement, values)

    with patch.object(Link, "run", note):
        yield seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_l02_the_same_statements_and_hashes_for_known_and_unknown_names(new_house: Houses, kind: str, form: str) -> None:
    """What the house does, apart from how long a machine takes for it."""
    lost, policy = FORMS[form]
    house = new_house(kind, policy=policy)
    work = {}
    for who in NAMES:
        visitor = house.person()
        page = visitor.open(f"/recover/{lost}")
        fields = named(house, who, page)
        hashes = house.hashes
        with statements() as seen:
            page = visitor.follow(visitor.post(page, fields))
        assert page.status == 200
        work[who] = seen, house.hashes - hashes
    assert work["known"] == work["unknown"]
    assert work["another address"] == work["unknown"]
    assert work["unknown"][1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_l02_a_password_typed_beside_costs_one_hash_for_known_and_unknown_names(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=law())
    for who in NAMES:
        visitor = house.person()
        page = visitor.open("/recover/username")
        hashes = house.hashes
        fields = named(house, who, page) | {"no_password": None, "password": "wrong wrong wrong"}
        assert visitor.follow(visitor.post(page, fields)).status == 200
        assert house.hashes - hashes == 1, who


@pytest.mark.parametrize("form", FORMS)
def test_a_recovery_costs_little_of_the_processor(new_house: Houses, form: str) -> None:
    """In this thread's own time: what others do on the machine does not count."""
    lost, policy = FORMS[form]
    house = new_house(policy=policy)
    visitor = house.person()
    page = visitor.open(f"/recover/{lost}")
    browser = Client(house.app)
    for cookie in visitor.client.cookies.jar:
        browser.set_cookie(cookie.name, cookie.value or "", domain="localhost")
    times: dict[str, list[float]] = {"page": [], **{kind: [] for kind in NAMES}}
    for kind in interleaved(40):
        for what, sent in (("page", None), (kind, page.hidden | named(house, kind, page))):
            began = time.thread_time()
            how = {"method": "GET"} if sent is None else {"method": "POST", "data": sent}
            answer = browser.open(f"/recover/{lost}", base_url=house.url, **how)
            times[what].append(time.thread_time() - began)
            assert answer.status_code == (200 if sent is None else 303)
    taken = {what: statistics.median(each) for what, each in times.items()}
    assert max(taken.values()) < CPU_MS / 1000, taken
