from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.model import Counter, Factor
from idp.policies import lockout
from idp.policies.lockout import Locked
from idp.policies.policy import Lockout
from tests.policies.values import DAY, MINUTE, NOW

RULES = Lockout()
EMPTY = Counter("acc", Factor.PASSWORD)
SECOND = timedelta(seconds=1)


def spent(times, *, every=SECOND, rules=RULES, counter=EMPTY, start=NOW):
    """The counter after ``times`` failures, and the moments at which an attempt was refused."""
    refused = []
    for number in range(times):
        now = start + number * every
        after = lockout.spend(counter, rules, now)
        if isinstance(after, Locked):
            refused.append(now)
        else:
            counter = after
    return counter, refused


def test_the_fifth_failure_locks_for_thirty_minutes():
    counter, refused = spent(5)
    assert counter.locked_until == NOW + 4 * SECOND + 30 * MINUTE
    assert refused == []


def test_the_sixth_is_refused_and_neither_counts_nor_prolongs():
    locked, _ = spent(5)
    counter, refused = spent(3, counter=locked, start=NOW + MINUTE)
    assert counter == locked
    assert len(refused) == 3


@pytest.mark.parametrize(
    ("offset", "open_"),
    [(-SECOND, False), (timedelta(microseconds=-1), False), (timedelta(0), True), (SECOND, True)],
)
def test_the_lock_ends_at_its_moment_exactly(offset, open_):
    counter, _ = spent(5)
    at = counter.locked_until + offset
    assert (lockout.state(counter, at) is None) is open_
    assert isinstance(lockout.spend(counter, RULES, at), Counter) is open_


def test_after_the_lock_a_fresh_window_begins():
    counter, _ = spent(5)
    after = lockout.spend(counter, RULES, counter.locked_until)
    assert (after.failures, after.consecutive, after.locked_until) == (1, 6, None)


@pytest.mark.parametrize(("gap", "failures"), [(30 * MINUTE - SECOND, 2), (30 * MINUTE, 1)])
def test_failures_further_apart_than_the_window_do_not_add_up(gap, failures):
    first = lockout.spend(EMPTY, RULES, NOW)
    assert lockout.spend(first, RULES, NOW + gap).failures == failures


def test_slow_guessing_meets_the_cumulative_cap_for_good():
    counter, refused = spent(60, every=31 * MINUTE)
    assert counter.consecutive == RULES.cumulative_cap
    assert counter.disabled_at is not None
    assert len(refused) == 10
    assert lockout.state(counter, NOW + 1000 * DAY) == Locked(None)


def test_success_forgets_and_unlocking_by_hand_does_not():
    counter, _ = spent(5)
    assert lockout.refund(counter) == replace(EMPTY, version=counter.version, touched_at=counter.touched_at)
    unlocked = lockout.unlock(counter)
    assert (unlocked.locked_until, unlocked.failures, unlocked.consecutive) == (None, 0, 5)


def test_unlocking_does_not_bring_back_a_disabled_factor():
    counter, _ = spent(60, every=31 * MINUTE)
    assert lockout.state(lockout.unlock(counter), NOW + DAY * 365) == Locked(None)


def test_a_known_device_has_its_own_threshold():
    rules = replace(RULES, threshold=3, known_device_threshold=7)
    counter, refused = spent(7, rules=rules, counter=replace(EMPTY, device="dev"))
    assert counter.failures == 7
    assert refused == []


def test_the_owner_is_told_once():
    before, _ = spent(4)
    after = lockout.spend(before, RULES, NOW + MINUTE)
    assert lockout.just_locked(before, after)
    assert not lockout.just_locked(EMPTY, lockout.spend(EMPTY, RULES, NOW))
    assert not lockout.just_locked(after, lockout.spend(after, RULES, after.locked_until))


@pytest.mark.parametrize("lifts", [True, False])
def test_a_finished_reset_opens_a_disabled_factor_and_a_lock_only_where_policy_says_so(lifts):
    locked, _ = spent(5)
    after = lockout.recovered(locked, lifts)
    assert lockout.state(after, NOW + MINUTE) == (None if lifts else Locked(locked.locked_until))
    assert lockout.state(after, locked.locked_until) is None
    assert after.consecutive == 0
    disabled, _ = spent(60, every=31 * MINUTE)
    after = lockout.recovered(disabled, lifts)
    assert after.disabled_at is None
    assert lockout.state(after, NOW + DAY * 9) is None
    assert (after.failures == 0) is lifts
    assert lockout.recovered(after, lifts) == after


def test_after_a_reset_the_cap_is_counted_anew():
    disabled, _ = spent(60, every=31 * MINUTE)
    counter, refused = spent(49, every=31 * MINUTE, counter=lockout.recovered(disabled, lifts=False), start=NOW + 9 * DAY)
    assert refused == []
    assert (counter.consecutive, counter.disabled_at) == (49, None)


def test_a_factor_shut_by_its_owner_stays_shut_until_a_reset():
    counter, _ = spent(2)
    shut = lockout.disable(counter, NOW + MINUTE)
    assert lockout.state(shut, NOW + 1000 * DAY) == Locked(None)
    assert lockout.spend(shut, RULES, NOW + DAY) == Locked(None)
    assert lockout.state(lockout.unlock(shut), NOW + DAY) == Locked(None)
    assert lockout.state(lockout.recovered(shut, lifts=False), NOW + DAY) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4000)), max_size=120))
def test_no_history_verifies_more_than_the_threshold_within_a_lock_period(history):
    """However attempts are spread, half an hour without a success holds fewer verifications than two thresholds."""
    counter, now, run = EMPTY, NOW, []
    for success, gap in history:
        now += timedelta(seconds=gap)
        after = lockout.spend(counter, RULES, now)
        if isinstance(after, Locked):
            continue
        run = [*run, now]
        counter = lockout.refund(after) if success else after
        if success:
            run = []
        assert counter.consecutive == len(run) <= RULES.cumulative_cap
        assert sum(now - at < RULES.duration for at in run) < 2 * RULES.threshold
