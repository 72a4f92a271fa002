import dataclasses

from idp.model import Counter, Factor
from idp.store import Store
from tests.store.facts import HOUR, MINUTE, NOW
from tests.store.races import RUNNERS, race


def test_a_counter_no_one_wrote_is_fresh(store: Store):
    with store.read() as tx:
        assert tx.counters.read("a1", Factor.PIN, "d1") == Counter("a1", Factor.PIN, "d1")
        assert tx.counters.of("a1") == []


def test_swap_stores_what_still_stood(store: Store):
    fresh = Counter("a1", Factor.PIN, "d1")
    after = Counter("a1", Factor.PIN, "d1", 3, 4, NOW, NOW + MINUTE, NOW + HOUR)
    with store.begin() as tx:
        assert tx.counters.swap(fresh, after)
        assert not tx.counters.swap(fresh, after)
        stored = tx.counters.read("a1", Factor.PIN, "d1")
        assert stored == dataclasses.replace(after, version=1)
        assert tx.counters.swap(stored, fresh)
        assert not tx.counters.swap(stored, after)
        assert tx.counters.read("a1", Factor.PIN, "d1") == dataclasses.replace(fresh, version=2)
        assert not tx.counters.swap(Counter("a1", Factor.PIN, "gone", version=7), after)
        assert tx.counters.swap(Counter("a1", Factor.PASSWORD), Counter("a1", Factor.PASSWORD, failures=1))
        assert [(one.factor, one.device) for one in tx.counters.of("a1")] == [(Factor.PASSWORD, ""), (Factor.PIN, "d1")]


def test_no_failure_is_lost(store: Store):
    def fail(_: int) -> int:
        tries = 0
        while True:
            tries += 1
            with store.begin() as tx:
                before = tx.counters.read("a1", Factor.PASSWORD, "")
                if tx.counters.swap(before, dataclasses.replace(before, failures=before.failures + 1)):
                    return tries

    race(fail)
    with store.read() as tx:
        counted = tx.counters.read("a1", Factor.PASSWORD, "")
    assert (counted.failures, counted.version) == (RUNNERS, RUNNERS)


def test_of_those_who_read_the_same_one_swaps(store: Store):
    before = Counter("a1", Factor.PASSWORD)

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.counters.swap(before, dataclasses.replace(before, failures=1))

    assert race(spend).count(True) == 1
