"""A8: repeated wrong passwords block the username for 30 minutes; afterwards another attempt is allowed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import Factor
from idp.policies.policy import Policy
from tests.harness import House
from tests.people import Person

THRESHOLD = 5


def lock(person: Person, times: int = THRESHOLD) -> None:
    for _ in range(times):
        assert person.try_password().status == 401


def test_a08_five_wrong_passwords_block_for_thirty_minutes_exactly_and_then_the_right_one_opens(house: House) -> None:
    owner = house.customer()
    stranger = owner.elsewhere()
    with house.clock.stopped() as clock:
        lock(stranger)
        assert house.counter(owner.account).locked_until == clock() + timedelta(minutes=30)
        assert owner.try_password(owner.password).status == 401
        clock.move(minutes=30, microseconds=-1)
        assert owner.try_password(owner.password).status == 401
        clock.move(microseconds=1)
        assert owner.try_password(owner.password).step == "AskPin"


def test_a08_four_wrong_passwords_block_nothing_and_success_forgets_them(house: House) -> None:
    owner = house.customer()
    lock(owner, 4)
    assert owner.try_password(owner.password).step == "AskPin"
    assert house.counter(owner.account).failures == 0
    lock(owner, 4)
    assert owner.try_password(owner.password).step == "AskPin"


def test_a08_while_blocked_the_words_are_those_of_a_wrong_password_and_nothing_counts_or_prolongs(house: House) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        wrong = [owner.elsewhere().try_password() for _ in range(THRESHOLD)][-1]
        until = house.counter(owner.account).locked_until
        clock.move(minutes=10)
        for password in (owner.password, "another wrong one"):
            page = owner.elsewhere().try_password(password)
            assert (page.status, page.heading) == (wrong.status, wrong.heading)
            assert "do not match" in page.text
            assert page.text.replace(owner.username, "") == wrong.text.replace(owner.username, "")
        counter = house.counter(owner.account)
        assert (counter.locked_until, counter.failures, counter.consecutive) == (until, THRESHOLD, THRESHOLD)


def test_a08_failures_further_apart_than_the_window_do_not_block(house: House) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        lock(owner, 4)
        clock.move(minutes=30)
        lock(owner, 4)
        assert owner.try_password(owner.password).step == "AskPin"


def test_a08_slow_guessing_ends_at_the_cumulative_cap_and_waiting_does_not_open_again(house: House) -> None:
    owner = house.customer()
    stranger = owner.elsewhere()
    with house.clock.stopped() as clock:
        for tries in (4,) * 12 + (1,):
            lock(stranger, tries)
            clock.move(minutes=31)
        assert house.counter(owner.account).consecutive == 49
        assert house.counter(owner.account).disabled_at is None
        lock(stranger, 1)
        assert house.counter(owner.account).disabled_at is not None
        clock.move(days=3)
        assert owner.try_password(owner.password).status == 401
    told = [context["until"] for _, context in house.letters(owner.account, "locked")]
    assert told[-1] is None


def test_a08_the_owner_is_told_once_for_each_block_and_not_where_to_click(house: House) -> None:
    owner = house.customer()
    lock(owner.elsewhere(), THRESHOLD + 2)
    ((letter, context),) = house.letters(owner.account, "locked")
    assert letter.to == owner.account.email
    assert context["factor"] == "password"
    assert context["until"] == house.counter(owner.account).locked_until.isoformat()  # type: ignore[union-attr]
    assert [entry.outcome for entry in house.audit("factor.locked", owner.account)] == ["locked"]


def test_a08_password_pin_and_answer_have_a_counter_each(house: House) -> None:
    owner = house.customer()
    page = owner.sign_in(until="AskPin")
    for _ in range(3):
        page = owner.fill(page, pin="999111")
        assert page.status == 401
    lock(owner.elsewhere(), 3)
    page = owner.elsewhere().sign_in(until="AskPin")
    assert page.step == "AskPin"
    counted = {counter.factor: counter.failures for counter in house.counters(owner.account)}
    assert counted[Factor.PIN] == 3
    assert counted[Factor.PASSWORD] == 0


def test_a08_five_wrong_pins_close_the_pin_for_thirty_minutes_in_every_browser_and_say_until_when(house: House) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        for number in range(THRESHOLD):
            browser = owner.elsewhere()
            page = browser.fill(browser.sign_in(until="AskPin"), pin="999111")
            assert page.status == (401 if number < THRESHOLD - 1 else 403)
        assert page.heading == "Blocked for a while"
        assert "You can try again from" in page.text
        # Only whoever knows the password learns it.
        assert "Blocked" not in owner.elsewhere().try_password().text
        page = owner.elsewhere().try_password(owner.password)
        assert (page.status, page.heading) == (403, "Blocked for a while")
        clock.move(minutes=30)
        fresh = owner.elsewhere()
        fresh.sign_in()
        assert fresh.signed_in()
    ((_, context),) = house.letters(owner.account, "locked")
    assert context["factor"] == "pin"


def test_a08_a_locked_pin_is_not_tried_even_where_its_page_is_still_open(house: House) -> None:
    owner = house.customer()
    waiting = owner.elsewhere()
    page = waiting.sign_in(until="AskPin")
    for _ in range(THRESHOLD):
        other = owner.elsewhere()
        other.fill(other.sign_in(until="AskPin"), pin="999111")
    verified = house.vault.verified
    late = waiting.fill(page, pin=owner.pin)
    assert late.heading == "Blocked for a while"
    assert house.vault.verified == verified
    assert not waiting.signed_in()


# While blocked, the way back stays open


def kept(policy: Policy) -> Policy:
    """A finished reset opens no lock."""
    return replace(policy, recovery=replace(policy.recovery, lifts_lockout=False))


def test_a08_while_blocked_the_reminder_and_the_reset_work_and_a_finished_reset_lifts_the_lock(house: House) -> None:
    owner = house.customer()
    lock(owner.elsewhere())
    page = owner.recover("username", password=owner.password, no_password=None)
    assert page.step == "MailSent"
    assert len(house.letters(owner.account, "username_reminder")) == 1
    temporary = house.temporary_password(owner)
    assert house.counter(owner.account).locked_until is not None
    assert owner.try_password(owner.password).status == 401
    page = owner.try_password(temporary)
    assert page.step == "ReplacePassword"
    owner.walk(page)
    assert owner.signed_in()
    assert house.counter(owner.account).locked_until is None


def test_a08_a_password_disabled_by_slow_guessing_opens_by_a_reset(house: House) -> None:
    owner = house.customer()
    stranger = owner.elsewhere()
    with house.clock.stopped() as clock:
        for tries in (4,) * 12 + (2,):
            lock(stranger, tries)
            clock.move(minutes=31)
        assert house.counter(owner.account).disabled_at is not None
        owner.walk(owner.try_password(house.temporary_password(owner)))
        assert owner.signed_in()
        assert house.counter(owner.account).disabled_at is None


@pytest.mark.parametrize("kind", ["sqlite", "postgresql+redis"])
def test_a08_a_policy_may_keep_the_lock_over_a_reset(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=kept)
    owner = house.customer()
    with house.clock.stopped() as clock:
        lock(owner.elsewhere())
        page = owner.walk(owner.try_password(house.temporary_password(owner)), until="AskUsernameAndPassword")
        assert "Your new password is saved" in page.text
        assert owner.try_password(owner.password).status == 401
        clock.move(minutes=30)
        assert owner.try_password(owner.password).step == "AskPin"
