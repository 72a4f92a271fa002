from idp.model import Alarm, Changed
from idp.store import Store
from tests.store.facts import HOUR, MINUTE, NOW, SECOND, account
from tests.store.races import race


def alarm(digest: str, minutes: int = 0, changed: Changed = Changed.EMAIL, of: str = "a1") -> Alarm:
    at = NOW + minutes * MINUTE
    return Alarm(digest, of, changed, "before@example.com", at, at + 72 * HOUR)


def test_an_alarm_lives_until_it_is_used_or_its_time_is_over(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.alarms.put(alarm("d1"))
        assert tx.alarms.live("d1", NOW + 72 * HOUR - SECOND) == alarm("d1")
        assert tx.alarms.live("d1", NOW + 72 * HOUR) is None
        assert not tx.alarms.spend("d1", NOW + 72 * HOUR)
        assert tx.alarms.spend("d1", NOW)
        assert tx.alarms.live("d1", NOW) is None
        assert not tx.alarms.spend("d1", NOW)
        assert not tx.alarms.spend("unknown", NOW)


def test_an_alarm_is_used_once(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.alarms.put(alarm("d1"))

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.alarms.spend("d1", NOW)

    assert race(spend).count(True) == 1


def test_alarms_from_a_moment_on_are_found_and_ended_together(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.accounts.add(account(id="a2"), "bea")
        for digest, minutes in (("d3", 3), ("d1", 1), ("d2", 2)):
            tx.alarms.put(alarm(digest, minutes))
        tx.alarms.put(alarm("other", 3, of="a2"))
        assert [one.digest for one in tx.alarms.since("a1", NOW + 2 * MINUTE)] == ["d2", "d3"]
        assert tx.alarms.spend("d3", NOW + 4 * MINUTE)
        tx.alarms.end_since("a1", NOW + 2 * MINUTE, NOW + 5 * MINUTE)
        assert [one.used_at for one in tx.alarms.since("a1", NOW)] == [None, NOW + 5 * MINUTE, NOW + 4 * MINUTE]
        assert tx.alarms.live("d1", NOW + 5 * MINUTE) is not None
        assert tx.alarms.live("other", NOW + 5 * MINUTE) is not None
