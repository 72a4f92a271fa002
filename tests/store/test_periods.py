"""Since when which spans of inactivity have been in force."""

from idp.model import Period
from idp.store import Store
from tests.store.facts import DAY, HOUR, NOW
from tests.store.races import race

STRICT = Period(NOW, 120 * DAY, 180 * DAY, 30 * DAY)
NEVER = Period(NOW + HOUR, None, None, None)


def test_before_the_first_policy_there_is_no_period(store: Store):
    with store.read() as tx:
        assert tx.policies.periods() == ()


def test_periods_come_back_as_they_began_and_the_present_one_is_written_once(store: Store):
    back = Period(NOW + DAY, 120 * DAY, 180 * DAY, 30 * DAY)
    for digest, period in (("d1", STRICT), ("d2", NEVER), ("d1", back)):
        with store.begin() as tx:
            tx.policies.began(digest, period)
            # Every process says so when it starts; the first moment stands.
            tx.policies.began(digest, Period(NOW + 99 * DAY, None, None, None))
    with store.read() as tx:
        assert tx.policies.periods() == (STRICT, NEVER, back)


def test_spans_are_kept_to_the_second(store: Store):
    odd = Period(NOW, 1.5 * HOUR, None, 0 * HOUR)
    with store.begin() as tx:
        tx.policies.began("d1", odd)
        assert tx.policies.periods() == (odd,)


def test_processes_that_start_at_once_agree_on_what_is_in_force(store: Store):
    def start(_: int) -> None:
        with store.begin() as tx:
            tx.policies.began("d1", STRICT)

    race(start)
    with store.read() as tx:
        # Whoever did not see the other's entry wrote the same: to every judge it is one period.
        assert set(tx.policies.periods()) == {STRICT}
