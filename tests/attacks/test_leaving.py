"""Attacks on cancelling: races, guesses, forged forms, two tabs, staff in between, clocks set back, a policy that changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.flows import assist
from idp.flows.assist import Act
from idp.model import AccountState, Factor
from tests.harness import House, together
from tests.leaving import ALL, FORM, cancel, cancelled, is_there, upkept
from tests.people import Person

GRACE = timedelta(days=14)
NO_MORE = {"active": False}


def granted(house: House, **law: Any) -> Any:
    """The World under the same policy with another grace."""
    policy = house.world.policy
    return replace(house.world, policy=replace(policy, leaving=replace(policy.leaving, **law)))


def test_everything_cancelled_many_times_at_once_is_cancelled_once(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open(FORM)
    fields = {"what": ALL, "current": person.password}
    answers = together((lambda: person.post(page, fields)) for _ in range(4))
    assert {answer.status_code for answer in answers} <= {200, 303}
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert person.account.state is AccountState.LEAVING
    assert len(house.audit("account.cancelled", person.account)) == 1
    assert len(house.letters(person.account, "cancelled")) == 1


def test_a_service_cancelled_many_times_at_once_is_cancelled_once_and_two_are_both(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open(FORM)
    chosen = [one for one in ("billing", "service") for _ in range(2)]
    together((lambda one=one: person.post(page, {"what": one, "current": person.password})) for one in chosen)
    assert person.account.entitlements == frozenset()
    assert sorted(one.facts["service"] for one in house.audit("service.cancelled", person.account)) == ["billing", "service"]
    assert len(house.letters(person.account, "service_cancelled")) == 2


def test_a_refresh_under_way_brings_nothing_that_outlives_the_cancelling(house: House) -> None:
    person = house.customer()
    tokens = [person.elsewhere().tokens() for _ in range(4)]
    person.sign_in()
    page = person.open(FORM)
    calls: list[Callable[[], Any]] = [lambda: person.post(page, {"what": ALL, "current": person.password})]
    calls += [lambda one=one: house.refresh(one["refresh_token"]) for one in tokens]
    _, *answers = together(calls)
    assert person.account.state is AccountState.LEAVING
    for answer in answers:
        issued = answer.json()
        if answer.status_code == 200:
            assert house.introspect(issued["access_token"]) == NO_MORE
            assert house.refresh(issued["refresh_token"]).json()["error"] == "invalid_grant"
        else:
            assert issued["error"] == "invalid_grant"


def test_a_sign_in_under_way_opens_nothing_once_everything_is_cancelled(house: House) -> None:
    person = house.customer()
    elsewhere = person.elsewhere()
    half_way = elsewhere.sign_in(until="AskPin")
    cancelled(house, person)
    page = elsewhere.fill(half_way, pin=elsewhere.pin)
    assert page.step == "KeepAccount"
    assert not elsewhere.signed_in()


def test_guesses_at_the_present_password_are_counted_and_lock(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for _ in range(5):
        page = cancel(person, ALL, "wrong wrong wrong")
        assert (page.status, "That is not your present password." in page.text) == (401, True)
    assert cancel(person, ALL).status == cancel(person, "billing").status == 401
    account = person.account
    assert (account.state, account.entitlements) == (AccountState.ACTIVE, {"billing", "service"})
    assert [one.outcome for one in house.audit("attempt", account) if one.facts["factor"] == Factor.PASSWORD][-2:] == [
        "shut",
        "shut",
    ]


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"csrf": None}, {}),
        ({"csrf": "x" * 64}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_form_from_elsewhere_cancels_nothing_and_counts_nothing(house: House, fields: Any, headers: Any) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open(FORM)
    answer = person.post(page, {"what": ALL, "current": person.password, **fields}, headers=headers)
    assert answer.status_code == 403
    assert person.account.state is AccountState.ACTIVE


def test_the_form_of_another_session_cancels_nothing(house: House) -> None:
    person, other = house.customer(), house.customer()
    person.sign_in()
    other.sign_in()
    theirs = person.open(FORM).hidden["csrf"]
    answer = other.post(other.open(FORM), {"what": ALL, "current": other.password, "csrf": theirs})
    assert answer.status_code == 403
    assert other.account.state is AccountState.ACTIVE


@pytest.mark.parametrize("what", ["", "everything", "billing:read", "BILLING", "all\x00", "<b>", "a" * 5000])
def test_what_is_no_choice_is_none(house: House, what: str) -> None:
    person = house.customer()
    person.sign_in()
    page = cancel(person, what)
    assert (page.status, "Please choose one of these." in page.text) == (422, True)
    assert house.audit("attempt", person.account)[-1].facts["factor"] == Factor.PIN
    assert person.account.entitlements == {"billing", "service"}


def test_a_service_that_the_person_does_not_have_cannot_be_cancelled(house: House) -> None:
    person = house.customer(entitlements=frozenset({"billing"}))
    person.sign_in()
    assert cancel(person, "service").status == 422


def test_kept_in_one_tab_and_cancelled_in_another_of_before_stays_kept(house: House) -> None:
    person = house.customer()
    person.sign_in()
    stale = person.open(FORM)
    cancelled(house, person)
    person.fill(person.sign_in())
    assert person.signed_in()
    answer = person.post(stale, {"what": ALL, "current": person.password})
    assert answer.status_code == 403
    assert person.account.state is AccountState.ACTIVE


def test_cancelled_again_after_keeping_is_asked_anew_and_an_old_tab_keeps_only_what_it_is_asked(house: House) -> None:
    person, other = house.customer(), None
    cancelled(house, person)
    other = person.elsewhere()
    waiting = other.sign_in()
    person.fill(person.sign_in())
    assert person.account.state is AccountState.ACTIVE
    # It was kept meanwhile: the other tab signs in, as any sign-in whose proofs are whole.
    other.fill(waiting)
    assert other.signed_in()
    assert len(house.audit("account.kept", person.account)) == 1


def test_kept_many_times_at_once_is_kept_and_told_once(house: House) -> None:
    person = house.customer()
    cancelled(house, person)
    tabs = [person.elsewhere() for _ in range(5)]
    pages = [tab.sign_in() for tab in tabs]
    together((lambda tab=tab, page=page: tab.post(page)) for tab, page in zip(tabs, pages, strict=True))
    assert person.account.state is AccountState.ACTIVE
    assert len(house.audit("account.kept", person.account)) == len(house.letters(person.account, "kept")) == 1


def test_kept_and_deleted_at_once_is_one_of_both(house: House) -> None:
    people = [house.customer() for _ in range(4)]
    with house.clock.stopped() as clock:
        goes_at = [cancelled(house, person) for person in people][-1]
        subjects = [person.account.id for person in people]
        clock.move(seconds=(goes_at - clock()).total_seconds() - 1)
        pages = [person.sign_in() for person in people]
        calls: list[Callable[[], Any]] = [
            lambda person=person, page=page: person.post(page) for person, page in zip(people, pages, strict=True)
        ]
        # Another node's clock is ahead.
        ahead = replace(house.world, clock=lambda: goes_at)
        gone, *_ = together([lambda: upkept(house, ahead), *calls])
    for person, subject in zip(people, subjects, strict=True):
        assert is_there(house, subject) is (subject not in gone)
        if subject not in gone:
            assert person.account.state is AccountState.ACTIVE


def test_blocked_by_staff_meanwhile_nothing_is_cancelled_and_the_block_stays(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open(FORM)
    assert assist.change_state(house.world, person.username, Act.BLOCK, "test") is not None
    answer = person.post(page, {"what": ALL, "current": person.password})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=profile")
    assert person.account.state is AccountState.BLOCKED


@pytest.mark.parametrize("act", [Act.BLOCK, Act.UNBLOCK])
def test_what_was_cancelled_is_neither_blocked_nor_opened_so_that_its_date_stays(house: House, act: Act) -> None:
    person = house.customer()
    goes_at = cancelled(house, person)
    assert assist.change_state(house.world, person.username, act, "test") is None
    assert person.account.quiet.goes_at == goes_at


def test_what_was_cancelled_and_is_closed_by_staff_is_gone_at_once(house: House) -> None:
    person = house.customer()
    cancelled(house, person)
    subject, page = person.account.id, person.sign_in()
    assert assist.change_state(house.world, person.username, Act.CLOSE, "test") is not None
    assert not is_there(house, subject)
    assert person.fill(page).step == "AskUsernameAndPassword"
    (entry,) = [one for one in house.audit("account.purged") if one.account_id == subject]
    assert (entry.actor, entry.facts["why"], entry.facts["state"]) == ("test", "cancelled", "leaving")


def test_a_clock_set_back_brings_no_date_nearer_and_deletes_nothing(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        goes_at = cancelled(house, person)
        subject = person.account.id
        clock.move(days=-3)
        page = person.elsewhere().sign_in()
        assert page.step == "KeepAccount"
        assert subject not in upkept(house)
        clock.move(days=3)
        assert person.account.quiet.goes_at == goes_at
        person.fill(person.sign_in())
        assert person.signed_in()


@pytest.mark.parametrize(
    ("grace", "when"), [(timedelta(days=1), "sooner"), (timedelta(days=60), "later"), (timedelta(0), "now")]
)
def test_a_grace_changed_midway_leaves_everyone_the_date_that_they_were_told(house: House, grace: timedelta, when: str) -> None:
    person, changed = house.customer(), granted(house, grace=grace)
    with house.clock.stopped() as clock:
        goes_at = cancelled(house, person)
        subject = person.account.id
        clock.move(seconds=GRACE.total_seconds() - 1)
        assert subject not in upkept(house, changed), when
        clock.move(seconds=1)
        assert clock() == goes_at
        assert upkept(house, changed)[subject] == "cancelled"


def test_the_letter_s_date_is_the_page_s_date_and_that_of_the_deletion(house: House) -> None:
    person: Person = house.customer()
    goes_at = cancelled(house, person)
    ((_, told),) = house.letters(person.account, "cancelled")
    assert told["goes"] == goes_at.isoformat()
