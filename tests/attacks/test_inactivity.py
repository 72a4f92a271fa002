"""R-29 and R-31: waking access that sleeps without the right to it, and rounds of upkeep that meet each other or a person."""

import secrets
from collections.abc import Callable
from functools import partial

import pytest

from idp.flows import assist, upkeep
from idp.model import Account, Factor
from idp.policies.lifecycle import Standing
from tests.harness import House, together
from tests.people import Page, Person
from tests.quiet import KINDS, asleep, months, stands, sweep, tried, woken_by
from tests.recoveries import known, masked, templates


@pytest.fixture(params=KINDS)
def by_mail(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house in which a mailed code is all that wakes, beside the right password and PIN."""
    return new_house(request.param, policy=woken_by("email_code"))


def asked(person: Person) -> Page:
    """The page for the code, which is on its way."""
    page = person.sign_in(until="ReactivateByCode")
    assert page.step == "ReactivateByCode", page.text
    return person.fill(page, send="yes")


def codes(house: House, person: Person) -> list[str]:
    return [context["code"] for _, context in house.letters(person.account, "reactivation_code")]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def sleeps_on(house: House, person: Person) -> bool:
    """Whether nothing has woken the account, and nobody is signed in."""
    woken = house.audit("account.reactivated", person.account)
    return stands(house, person) is Standing.SUSPENDED and woken == [] and not person.signed_in()


# without the right password


def test_r29_a_mailbox_alone_wakes_nothing(by_mail: House) -> None:
    """Whoever reads the letters may have come by a new password: the PIN is asked all the same, and before any code."""
    owner = asleep(by_mail)
    thief = owner.elsewhere()
    page = thief.walk(thief.try_password(by_mail.temporary_password(owner)), until="AskPin")
    assert page.step == "AskPin"
    page = thief.fill(page, pin="000000", step="ReactivateByCode", send="yes")
    assert "reactivation_code" not in templates(by_mail, owner)
    assert sleeps_on(by_mail, owner)
    assert not thief.signed_in()


@pytest.mark.parametrize("upto", ["AskUsernameAndPassword", "AskPin"])
@pytest.mark.parametrize("step", ["Reactivate", "ReactivateByCode"])
def test_r29_before_everything_else_is_proved_no_code_goes_out_and_none_is_taken(by_mail: House, upto: str, step: str) -> None:
    owner = asleep(by_mail)
    asked(owner)
    (code,) = codes(by_mail, owner)
    before = known(by_mail, owner)
    thief = owner.elsewhere()
    for fields in ({"send": "yes"}, {"code": code}, {"answer": owner.answer}):
        page = thief.walk(thief.open("/sign-in"), until=upto)
        page = thief.fill(page, step=step, **fields)
        assert page.step == upto
    assert codes(by_mail, owner) == [code]
    assert known(by_mail, owner) == before
    assert sleeps_on(by_mail, owner)


def test_r29_a_wrong_password_is_told_the_same_whoever_is_meant(house: House) -> None:
    names = iter([secrets.token_hex(8) for _ in range(4)])
    expired, suspended = asleep(house, 60, username=next(names)), asleep(house, username=next(names))
    active, nobody = house.customer(username=next(names)), house.person(username=next(names))
    standings = [stands(house, one) for one in (suspended, expired, active)]
    assert standings == [Standing.SUSPENDED, Standing.EXPIRED, Standing.ACTIVE]
    everyone = (suspended, expired, active, nobody)
    assert len({str(masked(one.elsewhere().try_password())).replace(one.username, "…") for one in everyone}) == 1


def test_r29_a_forged_form_sends_nothing(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = owner.sign_in(until="ReactivateByCode")
    assert owner.post(page, {"send": "yes", "csrf": "wrong"}).status_code == 403
    assert owner.post(page, {"send": "yes"}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert owner.get(page.path, params={"send": "yes"}).status_code == 200
    assert codes(by_mail, owner) == []


# with the right password, without the code


def test_r29_guessing_is_counted_however_many_guess_at_once(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = asked(owner)
    (code,) = codes(by_mail, owner)
    wrong = [f"{(int(code) + number) % 1_000_000:06d}" for number in range(1, 9)]
    answers = together([lambda typed=typed: owner.post(page, {"code": typed}).status_code for typed in wrong])
    assert set(answers) == {401}
    # The three tries are gone: now the right one is none any more.
    assert owner.fill(page, code=code).status == 401
    assert sleeps_on(by_mail, owner)
    # The guesses fell on no other counter: nobody locks the owner out by them.
    assert all(tried(by_mail, owner, factor) == (0, 0) for factor in (Factor.PASSWORD, Factor.PIN, Factor.ANSWER))


def test_r29_a_days_worth_of_codes_and_guesses_is_all(by_mail: House) -> None:
    owner = asleep(by_mail)
    guesses, page = 0, owner.sign_in(until="ReactivateByCode")
    while (page := owner.fill(page, send="yes")).status == 200:
        code = codes(by_mail, owner)[-1]
        for _ in range(3):
            page = owner.fill(page, code=other_than(code))
            guesses += 1
    assert page.status == 429
    assert guesses == 15
    # Nor is there more elsewhere, or in another way.
    assert asked(owner.elsewhere()).status == 429
    assert sleeps_on(by_mail, owner)


def test_r29_the_code_of_another_opens_nothing(by_mail: House) -> None:
    owner, thief = by_mail.customer(), by_mail.customer()
    by_mail.leave(days=121)
    page, mine = asked(owner), asked(thief)
    (code,) = codes(by_mail, thief)
    assert owner.fill(page, code=code).status == 401
    assert sleeps_on(by_mail, owner)
    # It is still good where it belongs.
    thief.fill(mine, code=code)
    assert thief.signed_in()


def test_r29_a_code_works_in_the_sign_in_that_asked_for_it(by_mail: House) -> None:
    """A thief with the password has a code sent: the owner who types it in their own window wakes nothing with it."""
    owner = asleep(by_mail)
    thief = owner.elsewhere()
    page = owner.sign_in(until="ReactivateByCode")
    asked(thief)
    (code,) = codes(by_mail, owner)
    assert owner.fill(page, code=code).status == 401
    assert sleeps_on(by_mail, owner)


def test_r29_a_code_is_used_once(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = asked(owner)
    (code,) = codes(by_mail, owner)
    owner.fill(page, code=code)
    assert owner.signed_in()
    stale = owner.post(page, {"code": code})
    assert stale.status_code in (303, 404)
    by_mail.leave(days=121)
    again = owner.elsewhere()
    page = asked(again)
    assert again.fill(page, code=code).status == 401
    assert stands(by_mail, owner) is Standing.SUSPENDED


# Twice at once


def test_r29_two_tabs(by_mail: House) -> None:
    owner = asleep(by_mail)
    first = asked(owner)
    second = asked(owner)
    stale, fresh = codes(by_mail, owner)
    assert owner.fill(first, code=stale).status == 401
    assert owner.fill(first, code=fresh).status == 401
    page = owner.fill(second, code=fresh)
    assert owner.signed_in()
    assert len(by_mail.audit("account.reactivated", owner.account)) == 1
    # What the other window showed is over; it finds that nothing is asked any more.
    assert owner.open(first.path).status in (200, 404), page.text
    assert owner.signed_in()


def test_r29_one_code_sent_twice_at_once_wakes_once(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = asked(owner)
    (code,) = codes(by_mail, owner)
    together([lambda: owner.post(page, {"code": code}).status_code] * 4)
    assert stands(by_mail, owner) is Standing.ACTIVE
    assert len(by_mail.audit("account.reactivated", owner.account)) == 1
    assert len(by_mail.letters(owner.account, "reactivated")) == 1


def test_r29_asked_for_twice_at_once_the_last_code_is_good(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = owner.sign_in(until="ReactivateByCode")
    said = together([lambda: owner.post(page, {"send": "yes"}).status_code] * 3)
    assert set(said) == {303}, said
    page = owner.open(page.path)
    for code in codes(by_mail, owner):
        if owner.fill(page, code=code).status < 400:
            break
    assert owner.signed_in()
    assert len(by_mail.audit("account.reactivated", owner.account)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_r29_answered_in_two_browsers_at_once_it_wakes_once(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    owner = asleep(house)
    visitors = [owner.elsewhere() for _ in range(3)]
    pages = [one.sign_in(until="Reactivate") for one in visitors]

    def answered(one: Person, page: Page) -> Callable[[], bool]:
        return lambda: one.fill(page, answer=one.answer).status < 400

    together([answered(one, page) for one, page in zip(visitors, pages, strict=True)])
    assert all(one.signed_in() for one in visitors)
    assert len(house.audit("account.reactivated", owner.account)) == 1
    assert len(house.letters(owner.account, "reactivated")) == 1


def test_r29_who_is_blocked_meanwhile_is_not_woken(by_mail: House) -> None:
    owner = asleep(by_mail)
    page = asked(owner)
    (code,) = codes(by_mail, owner)
    assert assist.change_state(by_mail.world, owner.username, assist.Act.BLOCK, "test") is not None
    page = owner.fill(page, code=code)
    assert (page.status, page.heading) in {(403, "Your access is blocked"), (200, "Sign in")}
    assert by_mail.audit("account.reactivated", owner.account) == []
    assert not owner.signed_in()


def test_r29_who_expires_while_the_page_is_open_is_not_woken(by_mail: House) -> None:
    with by_mail.clock.stopped() as clock:
        owner = by_mail.customer()
        by_mail.leave(days=180, seconds=-60)
        page = asked(owner)
        (code,) = codes(by_mail, owner)
        clock.move(seconds=60)
        page = owner.fill(page, code=code)
        assert (page.status, page.heading) == (403, "Your access has expired")
        assert by_mail.audit("account.reactivated", owner.account) == []


# rounds that meet each other, and people


@pytest.mark.parametrize("kind", KINDS)
def test_r31_rounds_at_once_do_each_thing_once(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    with months(house) as passing:
        people = [house.customer() for _ in range(30)]
        house.clock.move(days=90)
        together([lambda: sweep(house)] * 4)
        passing.round()
        assert sorted(str(letter["To"]) for letter in passing.received()) == sorted(one.account.email for one in people)
        assert len(house.audit("reminder.asked")) == len(people)


@pytest.mark.parametrize("kind", KINDS)
def test_r31_a_round_that_is_left_goes_on_and_does_nothing_twice(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    with house.clock.stopped():
        people = [house.customer() for _ in range(25)]
        house.leave(days=121)
        left = upkeep.sweep(house.world)
        done = [one for _, stretch in zip(range(2), left, strict=False) for one in stretch.done]
        left.close()
        done += sweep(house)
        done += sweep(house)
        assert sorted(one.username for one in done) == sorted(one.username for one in people)
        assert len(house.audit("account.suspended")) == len(people)


@pytest.mark.parametrize("kind", KINDS)
def test_r31_who_comes_back_during_a_round_stays(new_house: Callable[..., House], kind: str) -> None:
    """The last moment before the data goes: staff and the round reach for the account at once, and both are whole."""
    house = new_house(kind)
    for _ in range(5):
        with house.clock.stopped():
            person = house.customer()
            gone = person.account.id
            house.leave(days=211)
            said, _ = together([partial(assist.reactivate, house.world, person.username, "test"), partial(sweep, house)])
            with house.world.store.read() as tx:
                left = tx.accounts.by_id(gone)
            assert (left is not None) is isinstance(said, Account)
            if left is not None:
                assert stands(house, person) is Standing.ACTIVE
                person.sign_in()
                assert person.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_r31_a_sign_in_during_a_round_is_not_undone(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    for _ in range(5):
        person = asleep(house, 125)
        page = person.sign_in(until="Reactivate")
        together([partial(person.fill, page, answer=person.answer), partial(sweep, house)])
        assert person.signed_in() or person.elsewhere().sign_in().status == 200
        assert stands(house, person) is Standing.ACTIVE
        assert person.account.quiet.suspended_at is None
        assert sweep(house) == []


def test_r31_a_clock_set_back_ends_nothing_and_brings_nothing_back(new_house: Callable[..., House]) -> None:
    house = new_house()
    with house.clock.stopped() as clock:
        person = house.customer()
        house.leave(days=121)
        assert len(sweep(house)) == 1
        clock.move(days=-2)
        assert sweep(house) == []
        assert stands(house, person) is Standing.ACTIVE
        clock.move(days=2)
        assert stands(house, person) is Standing.SUSPENDED
        assert sweep(house) == []
