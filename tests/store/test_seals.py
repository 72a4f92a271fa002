from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

from idp.store import Store
from idp.store.seals import Seal
from tests.store.facts import DAY, NOW, SECOND, entry


def written(store: Store, number: int) -> None:
    with store.begin() as tx:
        for _ in range(number):
            tx.audit.write(entry())


def seal(last_id: int, previous_id: int = 0) -> Seal:
    return Seal(last_id, previous_id, last_id - previous_id, NOW, "content", f"digest {last_id}", NOW + SECOND)


def test_seals_are_read_as_they_were_added_in_the_order_of_their_entries(store: Store):
    with store.begin() as tx:
        assert tx.seals.last() is None
        assert tx.seals.add(seal(5))
        assert tx.seals.add(seal(9, 5))
    with store.read() as tx:
        assert list(tx.seals.chain()) == [seal(5), seal(9, 5)]
        assert list(tx.seals.chain(5)) == [seal(9, 5)]
        assert tx.seals.last() == seal(9, 5)
        assert tx.seals.get(5) == seal(5)
        assert tx.seals.get(6) is None


def test_one_seal_comes_behind_each(store: Store):
    with store.begin() as tx:
        assert tx.seals.add(seal(5))
        assert not tx.seals.add(seal(7))
        assert not tx.seals.add(seal(5))
        assert list(tx.seals.chain()) == [seal(5)]


def test_a_mark_stays(store: Store):
    with store.begin() as tx:
        tx.seals.add(seal(5))
        tx.seals.add(seal(9, 5))
        assert tx.seals.last_forgotten() == 0
        tx.seals.mark(5, "mark")
        tx.seals.mark(5, "another")
        assert tx.seals.last_forgotten() == 5
        assert tx.seals.get(5) == seal(5)._replace(forgotten="mark")


def test_entries_are_read_by_their_numbers(store: Store):
    written(store, 2345)
    with store.read() as tx:
        found = list(tx.seals.entries(10, 2300, 5000))
        assert [number for number, _ in found] == list(range(11, 2301))
        assert all(one == entry() for _, one in found)
        assert len(list(tx.seals.entries(10, 2300, 1500))) == 1500
        assert (tx.seals.count(), tx.seals.count(after=2000), tx.seals.count(until=0)) == (2345, 345, 0)


def test_the_oldest_entries_go_and_their_numbers_are_never_given_again(store: Store):
    written(store, 10)
    with store.begin() as tx:
        assert tx.seals.forget(10, 4) == 4
        assert [number for number, _ in tx.seals.entries(0, 99, 99)] == [5, 6, 7, 8, 9, 10]
        assert tx.seals.forget(10, 40) == 6
    written(store, 1)
    with store.read() as tx:
        assert [number for number, _ in tx.seals.entries(0, 99, 99)] == [11]


def test_what_is_settled_waits_for_whoever_took_a_lower_number(store: Store):
    """PostgreSQL shows a later number first, where the transaction of a lower one is still open."""
    written(store, 3)
    wrote, seen = Event(), Event()

    def slow() -> None:
        with store.begin() as tx:
            tx.audit.write(entry())
            wrote.set()
            # SQLite has one writer at a time: nobody else takes a number meanwhile.
            seen.wait(5 if store.dialect == "postgresql" else 0)
            sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(slow)
        assert wrote.wait(5)
        written(store, 1)
        seen.set()
        with store.read() as tx:
            newest = tx.seals.settled()
            assert newest == 5
            assert [number for number, _ in tx.seals.entries(0, newest, 99)] == [1, 2, 3, 4, 5]
        writing.result()


def test_nothing_is_settled_while_somebody_writes_on_and_on(store: Store):
    if store.dialect == "sqlite":
        written(store, 1)
        with store.read() as tx:
            assert tx.seals.settled() == 1
        return
    wrote, done = Event(), Event()

    def slow() -> None:
        with store.begin() as tx:
            tx.audit.write(entry(at=NOW - DAY))
            wrote.set()
            done.wait(20)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(slow)
        assert wrote.wait(5)
        with store.read() as tx:
            assert tx.seals.settled() is None
        done.set()
        writing.result()
        with store.read() as tx:
            assert tx.seals.settled() == 1
