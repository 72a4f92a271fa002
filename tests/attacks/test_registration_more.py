"""Registration once more: addresses that come first, letters that strangers cause, and what one person leaves to another."""

import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from werkzeug.test import Client

from idp.flows import keeping
from idp.flows.keeping import By
from idp.model import AccountState, Changed, Customer
from tests.alarms import STRANGER, move
from tests.attacks.test_registration import by_address, by_code, coded, consumers
from tests.harness import House
from tests.registering import CHOSEN, KINDS, OTHER, codes, elsewhere, opened, records, registered, told, unlimited

Houses = Callable[..., House]
ROUNDS = 60
# What the plan of attacks allows two medians to differ by.
ALIKE = 1.1


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def post(house: House, to: str) -> list[str]:
    """The templates of all that waits for an address."""
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock() + timedelta(microseconds=1), timedelta(0), 100_000)
    return [letter.template for letter, _ in waiting if letter.to == to]


# Who comes first


def test_codes_asked_for_without_the_password_use_up_nothing_of_an_address(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    email = f"{house.name('owner')}@example.com"
    for _ in range(8):
        elsewhere(house.person(), email, password=OTHER)
    assert post(house, email) == []
    registered(house.person(), **by_address(email))
    assert len(codes(house, email)) == 1


def test_a_mistyped_address_keeps_nobody_from_the_name_chosen(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    name = house.name("anna")
    wrong, right = f"{name}@example.con", f"{name}@example.com"
    assert registered(house.person(), **by_code(name, 1, email=wrong)).step == "ConfirmRegistration"
    # Another customer does not get the name by asking for it.
    other = registered(house.person(), **by_code(name, 2, email=f"x{right}"))
    assert "username is taken" in other.text
    person = house.person(username=name)
    page = registered(person, **by_code(name, 1, email=right))
    assert page.step == "ConfirmRegistration", page.text
    person.walk(person.fill(page, code=codes(house, right)[-1]))
    assert (person.account.state, person.account.email) == (AccountState.ACTIVE, right)


def test_whose_access_is_closed_is_told_so_in_a_letter(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    owner = house.customer(state=AccountState.CLOSED, state_at=house.clock()).account
    page = registered(house.person(), **by_address(owner.email))
    assert page.step == "ConfirmRegistration"
    (letter,) = told(house, owner.email)
    assert (letter["link"], letter["recover"]) == (None, None)


def test_whoever_has_the_mailbox_registers_although_somebody_is_named_by_its_address(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    before = house.customer()
    email = before.account.email
    move(house, before.username, f"{house.name('new')}@example.com")
    person = house.person(username=email)
    page = registered(person, **by_address(email))
    assert told(house, before.account.email) == []
    page = person.fill(page, code=codes(house, email)[-1])
    assert page.step == "ChooseQuestion", page.text
    person.walk(page)
    # The address is theirs at the sign-in page, and whoever had it before is found by the present one.
    fresh = person.elsewhere()
    assert fresh.walk(fresh.open("/sign-in")).status == 200
    assert fresh.signed_in()
    assert house.person(username=email).try_password(before.password).status == 401
    moved = house.person(username=before.account.email)
    moved.walk(moved.open("/sign-in"))
    assert moved.signed_in()


def test_a_domain_beyond_ascii_is_found_as_it_was_typed(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    name = house.name("anna")
    typed = f"{name}@bücher.example"
    person = house.person(username=typed)
    page = registered(person, **by_address(typed))
    kept = f"{name}@xn--bcher-kva.example"
    page = elsewhere(person, typed.upper(), codes(house, kept)[-1])
    assert page.step == "ChooseQuestion", page.text
    person.walk(page)
    for way in (typed, typed.upper(), kept):
        fresh = house.person(username=way, password=person.password)
        fresh.walk(fresh.open("/sign-in"))
        assert fresh.signed_in(), way
    page = person.fill(person.open("/recover/password"), email=typed)
    assert page.step == "AnswerToRecover"
    person.walk(page)
    assert "temporary_password" in post(house, kept)


# Letters that strangers cause


def test_a_lock_of_what_waits_for_its_code_writes_to_nobody(new_house: Houses, kind: str) -> None:
    house = consumers(new_house, kind)
    email = f"{house.name('victim')}@example.com"
    stranger = house.person(username=email)
    registered(stranger, **by_address(email, given_name="Win a prize at evil example"))
    for _ in range(6):
        assert stranger.try_password().status == 401
    assert post(house, email) == ["registration_code"]


def test_an_address_that_nobody_confirmed_is_written_to_a_few_times(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=unlimited(), **opened("open-registration"))
    email = f"{house.name('victim')}@example.com"
    pages = []
    for _ in range(8):
        person = house.person(username=house.name("n"))
        pages.append(registered(person, username=person.username, email=email))
    assert [page.status for page in pages] == [200] * 5 + [422] * 3
    assert "leave it empty" in pages[-1].text
    assert post(house, email) == ["enrolled"] * 5
    # Whoever shows that the mailbox is theirs is reminded all the same.
    owner = house.customer(email=email)
    owner.recover("username")
    assert "username_reminder" in [
        letter.template for letter, context in house.letters(owner.account) if letter.account_id == owner.account.id
    ]


def test_who_never_confirmed_an_address_makes_nobody_s_mailbox_full(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=unlimited(), **opened("open-registration"))
    email = f"{house.name('victim')}@example.com"
    person = house.person(username=house.name("n"))
    registered(person, username=person.username, email=email)
    for _ in range(15):
        with house.world.store.begin() as tx:
            keeping.changed(house.world, tx, person.account, Changed.CAPACITY, now=house.clock(), by=By(STRANGER))
    assert Counter(post(house, email)) == {"enrolled": 1, "changed": 10}
    house.clock.move(days=2)
    owner = house.customer()
    for _ in range(15):
        with house.world.store.begin() as tx:
            keeping.changed(house.world, tx, owner.account, Changed.CAPACITY, now=house.clock(), by=By(STRANGER))
    assert post(house, owner.account.email) == ["changed"] * 15


# What one leaves to another


def test_an_invitation_opened_in_the_middle_of_a_registration_is_another_matter(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    invited, code = house.invited()
    invited.password = CHOSEN
    page = registered(invited, **by_code(house.name(), 1))
    invited.password = CHOSEN
    transaction = page.action.rpartition("/")[2]
    page = invited.open(f"/invitation?sign_in={transaction}&code={code}")
    page = invited.fill(page, code=code)
    assert page.step == "ChoosePassword", page.text


def test_nor_is_a_recovery_begun_there(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    person = house.customer()
    page = registered(person, **by_code(house.name(), 1))
    transaction = page.action.rpartition("/")[2]
    page = person.open(f"/recover/password?sign_in={transaction}")
    page = person.fill(page, username=person.username, email=person.account.email)
    assert page.step == "MailSent", page.text


def test_what_a_client_was_allowed_by_another_in_the_same_browser_is_asked_anew(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    first = house.customer()
    assert first.redeem(first.authorize("partner"), "partner").status_code == 200
    page = first.walk(first.ask("partner", prompt="login", acr_values="extra"), until="ExtraProofByCode")
    assert page.step == "ExtraProofByCode", page.text
    page = first.fill(page, send="yes")
    transaction = page.action.rpartition("/")[2]
    name = house.name()
    second = replace(first, username=name)
    second.client = first.client
    page = registered(second, second.open(f"/register?sign_in={transaction}"), **by_code(name, 1))
    page = second.walk(second.fill(page, code=codes(house, f"{name}@example.com")[-1]), until="GiveConsent")
    assert page.step == "GiveConsent", (page.text, page.left)


def test_nor_is_it_allowed_by_whoever_signs_in_next(new_house: Houses, kind: str) -> None:
    house = coded(new_house, kind)
    first, second = house.customer(), house.customer()
    assert first.redeem(first.authorize("partner"), "partner").status_code == 200
    second.client = first.client
    page = second.walk(second.ask("partner", prompt="login"), until="GiveConsent")
    assert page.step == "GiveConsent", (page.text, page.left)
    # Who allowed it is not asked again.
    first.client = house.person().client
    assert first.redeem(first.walk(first.ask("partner", prompt="login"), until="GiveConsent"), "partner").status_code == 200


# What it costs


@pytest.mark.parametrize("profile", ["consumer", "customer-code"])
def test_l05_taken_and_new_cost_the_same_outside_the_hash(new_house: Houses, profile: str) -> None:
    """Hashing is cheap here, so that what is left counts; in this thread's own time."""
    house = new_house(policy=unlimited(guesses="100000/hour"), **opened(profile))
    records(
        house, *(Customer("", f"K{number}", "neri", given_name="Anna", family_name="Neri") for number in range(2 * ROUNDS + 2))
    )
    owner = house.person(username=f"{house.name('owner')}@example.com")

    def typed(number: int) -> dict[str, str]:
        email = owner.username if number == 0 else f"{house.name()}@example.com"
        return (
            by_address(email)
            if profile == "consumer"
            else by_code(email.partition("@")[0] if number == 0 else house.name(), number)
        )

    first = typed(0)
    owner.username = first.get("username", first["email"])
    owner.walk(owner.fill(registered(owner, **first), code=codes(house, first["email"])[-1]))
    form = owner.open("/register")
    machine = Client(house.app)
    for cookie in owner.client.cookies.jar:
        machine.set_cookie(cookie.name, cookie.value or "", domain="localhost")
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * ROUNDS):
        taken = bool(number % 2)
        said = (
            {**typed(number + 1), **({"email": first["email"]} if profile == "consumer" else {"customer_code": "K0"})}
            if taken
            else typed(number + 1)
        )
        data = {**form.hidden, **said, "password": CHOSEN, "password_again": CHOSEN}
        began = time.thread_time()
        answer = machine.post("/register", base_url=house.url, data=data)
        times[taken].append(time.thread_time() - began)
        assert answer.status_code == 303
    medians = sorted(statistics.median(each) for each in times.values())
    assert medians[1] < ALIKE * medians[0], medians
