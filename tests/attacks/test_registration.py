"""What registration tells a stranger, what it lets them take, and what many at once leave behind (L-05)."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
from werkzeug.test import Client

from idp.model import AccountState, Customer
from tests.harness import House, together
from tests.people import Page, Person
from tests.recoveries import masked
from tests.registering import CHOSEN, KINDS, OTHER, codes, elsewhere, known, opened, records, registered, told, unlimited

Houses = Callable[..., House]
AT_ONCE = 20
TRIES = 3
CPU_MS = 15


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def consumers(new_house: Houses, kind: str, **registration: Any) -> House:
    return new_house(kind, policy=unlimited(**registration), **opened("consumer"))


def coded(new_house: Houses, kind: str, count: int = 50, **registration: Any) -> House:
    house = new_house(kind, policy=unlimited(**registration), **opened("customer-code"))
    records(house, *(Customer("", f"K{number}", "neri", given_name="Anna", family_name="Neri") for number in range(count)))
    return house


def by_address(email: str, **more: str) -> dict[str, str]:
    return {"given_name": "Anna", "family_name": "Neri", "email": email, **more}


def by_code(name: str, number: int, **more: str) -> dict[str, str]:
    who = {"customer_code": f"K{number}", "given_name": "Anna", "family_name": "Neri"}
    return {**who, "username": name, "email": f"{name}@example.com", **more}


# What is told


def without(page: Page, email: str) -> Any:
    return repr(masked(page)).replace(email, "…")


def test_l05_an_address_that_is_taken_is_told_like_any_other_and_its_owner_is_written_to(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    owner = house.customer().account
    fresh = f"{house.name('fresh')}@example.com"
    ways = {}
    for email in (owner.email, fresh):
        person = house.person()
        page = registered(person, **by_address(email))
        assert page.step == "ConfirmRegistration"
        way = [without(page, email)]
        for more in ({"code": "12345x"}, {"code": "000000"}, {"send": "yes"}, {"send": "yes"}):
            page = person.fill(page, **more)
            way.append(without(page, email))
        while page.status == 200:
            page = person.fill(page, send="yes")
            way.append(without(page, email))
        ways[email] = way
    assert ways[owner.email] == ways[fresh]
    (letter,) = told(house, owner.email)
    assert (letter["taken"], letter["username"]) == ("email", owner.username)
    assert letter["link"].endswith("/sign-in")
    assert codes(house, owner.email) == []
    assert house.account(owner.username) == owner


def test_l05_nor_does_signing_in_or_confirming_elsewhere_tell_them_apart(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    owner = house.customer()
    fresh = f"{house.name('fresh')}@example.com"
    ways = {}
    for email in (owner.account.email, fresh):
        person = house.person()
        registered(person, **by_address(email), password=OTHER)
        pages = (
            person.fill(person.open("/sign-in"), username=email, password=OTHER),
            elsewhere(person, email, "123456", password=OTHER),
            elsewhere(person, email, password=OTHER),
        )
        ways[email] = [without(page, email) for page in pages]
    assert ways[owner.account.email] == ways[fresh]


def test_l05_a_name_in_any_other_form_is_the_same_address(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    name = house.name("owner")
    owner = house.customer(username=name, email=f"{name}@example.com").account
    for typed in (f"{name.upper()}@example.com", f" {name}@EXAMPLE.com "):
        assert registered(house.person(), **by_address(typed)).step == "ConfirmRegistration"
    assert house.account(name) == owner
    assert len(told(house, owner.email)) == 2
    with house.world.store.read() as tx:
        assert len(tx.accounts.by_email(owner.email)) == 1


def test_l05_one_address_is_written_to_a_few_times_and_the_page_stays_the_same(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    email = f"{house.name('victim')}@example.com"
    pages = [registered(house.person(), **by_code(house.name(), number, email=email)) for number in range(8)]
    assert {page.step for page in pages} == {"ConfirmRegistration"}
    assert len({without(page, email) for page in pages}) == 1
    assert len(codes(house, email)) == 5


def test_l05_probing_with_thousands_of_account_numbers_finds_nothing(new_house: Houses) -> None:
    house = new_house(policy=unlimited(), **opened("self-serve"))
    numbers = frozenset({"+447700900123"})
    records(house, *(Customer(f"{number:06}", "", "rossi", numbers, "Ada", "Rossi") for number in range(0, 2000, 40)))
    visitor = house.person()
    form = visitor.open("/register")
    machine = Client(house.app)
    for cookie in visitor.client.cookies.jar:
        machine.set_cookie(cookie.name, cookie.value or "", domain="localhost")
    secrets = {"password": CHOSEN, "password_again": CHOSEN}
    typed = {**form.hidden, **secrets, "family_name": "Rossi", "number": "07700 900124", "email": "probe@example.com"}
    answers = set()
    for number in range(2000):
        answer = machine.post("/register", base_url=house.url, data={**typed, "account_number": f"{number:06}"})
        answers.add((answer.status_code, len(answer.data)))
    assert len(answers) == 1
    assert answers.pop()[0] == 422
    assert codes(house, "probe@example.com") == []
    assert known(house, "probe@example.com") is None


def test_l05_one_source_is_throttled(new_house: Houses, kind: str) -> None:
    house = new_house(kind, **opened("self-serve"))
    person = house.person()
    page = person.open("/register")
    wrong = {"account_number": "1", "family_name": "Rossi", "number": "07700 900124", "email": "probe@example.com"}
    seen = [registered(person, page, **wrong).status for _ in range(11)]
    assert seen == [422] * 10 + [429]


def test_a_form_that_is_not_from_a_page_of_ours_registers_nobody(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    person = house.person()
    page = person.open("/register")
    email = f"{house.name()}@example.com"
    typed = by_address(email, password=CHOSEN, password_again=CHOSEN)
    for how in ({"csrf": None}, {"csrf": "x" * 43}):
        assert person.post(page, {**typed, **how}).status_code == 403
    assert person.post(page, typed, headers={"Origin": "https://evil.example"}).status_code == 403
    assert known(house, email) is None


# What is taken


def test_whoever_registers_with_another_s_address_is_in_nobody_s_way(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    email = f"{house.name('owner')}@example.com"
    stranger = house.person(username=email)
    theirs = registered(stranger, **by_address(email), password=OTHER)
    (first,) = codes(house, email)
    owner = house.person(username=email)
    page = registered(owner, **by_address(email))
    second = codes(house, email)[-1]
    # The owner's code opens what the owner chose, and not what the stranger did.
    assert stranger.fill(theirs, code=second).status == 401
    assert stranger.fill(theirs, code=first).status == 401
    assert elsewhere(stranger, email, second, password=OTHER).status == 401
    page = owner.fill(page, code=second)
    assert page.step == "ChooseQuestion"
    owner.walk(page)
    assert stranger.try_password(OTHER).status == 401
    assert owner.account.email_confirmed_at is not None


def test_a_registration_that_waits_never_disturbs_a_recovery_by_the_same_address(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    owner = house.customer()
    stranger = house.person()
    assert registered(stranger, **by_code(house.name(), 1, email=owner.account.email)).step == "ConfirmRegistration"
    assert len(codes(house, owner.account.email)) == 1
    page = owner.recover("username_and_password")
    assert page.step == "MailSent", page.text
    assert [letter.template for letter, _ in house.letters(owner.account)].count("temporary_password") == 1
    # Its own name recovers nothing.
    waiting = house.name()
    registered(stranger, **by_code(waiting, 2))
    nobody = stranger.fill(stranger.open("/recover/password"), username=waiting, email=f"{waiting}@example.com")
    unknown = stranger.fill(stranger.open("/recover/password"), username=house.name(), email="nobody@example.com")
    assert masked(nobody) == masked(unknown)
    with house.world.store.read() as tx:
        (account,) = tx.accounts.by_email(f"{waiting}@example.com")
    assert {letter.template for letter, _ in house.letters(account)} == {"registration_code"}


def test_t5_whoever_waits_for_a_code_gets_no_token_by_any_path(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    name = house.name()
    person = house.person(username=name)
    asked = person.ask()
    (link,) = [link for link in asked.links if link.startswith("/register?")]
    page = registered(person, person.open(link), **by_code(name, 1))
    assert page.step == "ConfirmRegistration"
    # The sign-in that the client asked for stands still; so does one without a page, and one that begins anew.
    transaction = page.action.rpartition("/")[2]
    assert person.open(f"/authorize/{transaction}").step == "ConfirmRegistration"
    assert person.ask(prompt="none").answer["error"] == "login_required"
    assert person.walk(person.ask()).left is None
    for other in ("/profile", "/profile/sessions", "/"):
        assert person.get(other).status_code != 200
    answer = house.token(grant_type="password", username=name, password=CHOSEN)
    assert answer.json()["error"] == "unsupported_grant_type"
    assert person.account.state is AccountState.PENDING
    page = person.walk(person.fill(page, code=codes(house, f"{name}@example.com")[-1]))
    assert page.left is not None
    assert person.redeem(page).status_code == 200


NASTY = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "a\r\nBcc: everyone@example.com",
    "a\0b",
    "\u202eevil\u2066",
    "{{ 7 * 7 }} %(name)s ${x}",
    "x" * 10_000,
    "\U0001f600" * 200,
    "ﷺ" * 100,
    "I\u0307stanbul ß ŉ",
    "' OR 1=1 --",
    "\u200b\u200b\u200b",
)


@pytest.mark.parametrize("profile", ["open-registration", "consumer", "customer-code", "self-serve"])
def test_no_input_breaks_the_form_or_a_letter(new_house: Houses, kind: str, profile: str) -> None:
    house = new_house(kind, policy=unlimited(guesses="100000/hour"), **opened(profile))
    records(house, Customer("1", "K1", "neri", frozenset({"+447700900123"}), "Anna", "Neri"))
    person = house.person()
    fields = house.world.policy.registration.fields
    good = {"customer_code": "K1", "account_number": "1", "given_name": "Anna", "family_name": "Neri", "number": "07700 900123"}
    for number, text in enumerate(NASTY):
        for field in (*fields, "password"):
            name = f"{house.name('n')}{number}"
            typed = {**good, "username": name, "email": f"{name}@example.com"}
            typed = {one: typed[one] for one in fields} | {field: text}
            page = registered(person.elsewhere(), **typed)
            assert page.status < 500, (field, text)
            assert "<script>alert" not in page.response.text
            assert "<img src=x" not in page.response.text
            assert len(page.response.content) < 40_000
    raw = b"username=%ED%A0%80&email=%FF%FE&password=%00%00&csrf="
    assert (
        person.client.post("/register", content=raw, headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code
        < 500
    )
    with house.world.store.begin() as tx:
        letters = tx.outbox.claim(house.clock(), house.world.policy.registration.code_lifetime, 100_000)
    for letter, _ in letters:
        assert letter.to.isprintable()
        assert letter.to.count("@") == 1


# Many at once


def at_once(calls: list[Callable[[], Any]]) -> list[httpx.Response]:
    answers = together(calls)
    assert all(isinstance(answer, httpx.Response) and answer.status_code < 500 for answer in answers), answers
    return answers


def test_of_many_who_register_with_one_address_at_once_one_account_waits(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind, guesses="1000/hour")
    email = f"{house.name('one')}@example.com"
    people = [house.person(username=email, password=CHOSEN) for _ in range(AT_ONCE)]
    pages = [person.open("/register") for person in people]
    typed = by_address(email, password=CHOSEN, password_again=CHOSEN)
    answers = at_once(
        [lambda person=person, page=page: person.post(page, typed) for person, page in zip(people, pages, strict=True)]
    )
    with house.world.store.read() as tx:
        (account,) = tx.accounts.by_email(email)
    assert account.state is AccountState.PENDING
    landed = [person.follow(answer) for person, answer in zip(people, answers, strict=True) if answer.is_redirect]
    # The newest code opens it, in whichever browser it was asked for, or elsewhere with the password.
    newest = codes(house, email)[-1]
    assert {page.step for page in landed} == {"ConfirmRegistration"}
    assert elsewhere(people[0], email, newest).step == "ChooseQuestion"


def test_two_forms_of_one_sign_in_at_once_leave_one_registration(new_house: Houses, kind: str) -> None:
    """Pressed twice: the page that follows is that of the account that is there."""
    house = consumers(new_house, kind)
    email = f"{house.name('twice')}@example.com"
    person = house.person(username=email)
    (link,) = [link for link in person.ask().links if link.startswith("/register?")]
    page = person.open(link)
    typed = by_address(email, password=CHOSEN, password_again=CHOSEN)
    answers = at_once([lambda: person.post(page, typed)] * 2)
    landed = [person.follow(answer) for answer in answers]
    assert {one.step for one in landed} == {"ConfirmRegistration"}
    assert person.fill(landed[-1], code=codes(house, email)[-1]).step == "ChooseQuestion"


def test_of_many_with_the_right_code_one_gets_on(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    name = house.name()
    person = house.person(username=name)
    page = registered(person, **by_code(name, 1))
    (code,) = codes(house, f"{name}@example.com")
    others = [person.elsewhere() for _ in range(AT_ONCE)]
    forms = [other.open("/register/confirm") for other in others]
    typed = {"username": name, "password": CHOSEN, "code": code}
    calls = [lambda: person.post(page, {"code": code})]
    calls += [lambda other=other, form=form: other.post(form, typed) for other, form in zip(others, forms, strict=True)]
    at_once(calls)
    outcomes = [one.outcome for one in house.audit("account.confirmed", person.account)]
    assert outcomes == ["done"]
    assert len(house.audit("account.enrolled", person.account)) == 1
    assert person.account.state is AccountState.ACTIVE


def test_of_many_wrong_codes_three_are_tried(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    name = house.name()
    person = house.person(username=name)
    page = registered(person, **by_code(name, 1))
    (code,) = codes(house, f"{name}@example.com")
    wrong = [f"{(int(code) + 1 + number) % 1_000_000:06}" for number in range(AT_ONCE)]
    at_once([lambda typed=typed: person.post(page, {"code": typed}) for typed in wrong])
    with house.world.store.read() as tx:
        rows = tx.link.driver.execute("SELECT tries FROM one_time_codes").fetchall()
    assert [row[0] for row in rows] == [TRIES]
    assert person.fill(page, code=code).status == 401
    assert person.account.state is AccountState.PENDING


def test_a_new_code_asked_for_while_the_old_one_is_entered_ends_well_either_way(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    for number in range(5):
        name = house.name()
        person = house.person(username=name)
        page = registered(person, **by_code(name, number))
        (code,) = codes(house, f"{name}@example.com")
        at_once([partial(person.post, page, {"code": code}), partial(person.post, page, {"send": "yes"})])
        if person.account.state is AccountState.PENDING:
            newest = codes(house, f"{name}@example.com")[-1]
            elsewhere(person, name, newest)
        assert person.account.state is AccountState.ACTIVE


def test_of_many_who_confirm_for_one_customer_at_once_as_many_get_on_as_may(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind, guesses="1000/hour")
    waiting: list[tuple[Person, Page, str]] = []
    for _ in range(6):
        name = house.name()
        person = house.person(username=name)
        page = registered(person, **by_code(name, 7))
        waiting.append((person, page, codes(house, f"{name}@example.com")[-1]))
    at_once([lambda person=person, page=page, code=code: person.post(page, {"code": code}) for person, page, code in waiting])
    states = [person.account.state for person, _, _ in waiting]
    assert sorted(states) == ["active"] + ["pending"] * 5


# What it costs


def test_l05_taken_and_new_addresses_cost_the_same_and_little_beside_the_hash(new_house: Houses) -> None:
    """In this thread's own time: what others do on the machine does not count."""
    house = new_house(policy=unlimited(), **opened("consumer"))
    visitor = house.person()
    form = visitor.open("/register")
    machine = Client(house.app)
    for cookie in visitor.client.cookies.jar:
        machine.set_cookie(cookie.name, cookie.value or "", domain="localhost")
    times: dict[str, list[float]] = {"taken": [], "new": []}
    for number in range(80):
        kind = ("taken", "new")[number % 2]
        added = house.customer().account.email
        email = added if kind == "taken" else f"{house.name()}@example.com"
        typed = {**form.hidden, **by_address(email, password=CHOSEN, password_again=CHOSEN)}
        began = time.thread_time()
        answer = machine.post("/register", base_url=house.url, data=typed)
        times[kind].append(time.thread_time() - began)
        assert answer.status_code == 303
    taken = {kind: statistics.median(each) for kind, each in times.items()}
    assert max(taken.values()) < CPU_MS / 1000, taken


def test_where_no_code_is_asked_a_customer_has_room_for_as_many_all_the_same(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind, guesses="1000/hour", confirm_by=())
    people = [house.person(username=house.name()) for _ in range(8)]
    pages = [person.open("/register") for person in people]
    secrets = {"password": CHOSEN, "password_again": CHOSEN}
    calls = [
        partial(person.post, page, by_code(person.username, 9, **secrets)) for person, page in zip(people, pages, strict=True)
    ]
    answers = at_once(calls)
    assert sorted(answer.status_code for answer in answers) == [303] + [422] * 7
    assert sum(known(house, person.username) is not None for person in people) == 1
    # Told like records that do not match, and the owner is written to.
    late = registered(house.person(), **by_code(house.name(), 9))
    assert "does not match our records" in late.text
    (owner,) = [person for person in people if known(house, person.username) is not None]
    assert told(house, f"{owner.username}@example.com")[-1]["taken"] == "customer"


def test_a_code_to_recover_by_that_came_back_confirms_the_address(new_house: Houses, kind: str) -> None:
    def law(policy: Any) -> Any:
        password = replace(policy.recovery.password, identify_by=("email",), prove_by=("email_code",), then="choose_new")
        return replace(policy, recovery=replace(policy.recovery, password=password))

    house = new_house(kind, policy=law, **opened("self-serve"))
    person = house.customer(email_confirmed_at=None)
    page = person.recover("password")
    assert page.step == "ResetByCode"
    assert person.account.email_confirmed_at is None
    person.walk(page)
    assert person.account.email_confirmed_at is not None
