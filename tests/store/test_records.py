import dataclasses
from datetime import timedelta

import pytest

from idp.model import AccountState, KeyUse
from idp.store import PolicyVersion, Store
from tests.store.facts import DAY, HOUR, MINUTE, NOW, SECOND, account, entry, key, letter
from tests.store.races import race

LEASE = timedelta(minutes=2)


def test_the_log_is_read_newest_first(store: Store):
    with store.begin() as tx:
        for number in range(4):
            tx.audit.write(entry(at=NOW + number * MINUTE, event=f"e{number % 2}", account_id="a1" if number else None))
        read = tx.audit.read
        assert [one.at for one in read()] == [NOW + number * MINUTE for number in (3, 2, 1, 0)]
        assert [one.at for one in read(limit=1)] == [NOW + 3 * MINUTE]
        assert [one.at for one in read(account_id="a1", event="e1", after=NOW + MINUTE)] == [NOW + 3 * MINUTE]
        assert read()[0] == entry(at=NOW + 3 * MINUTE, event="e1")
        assert read(account_id="nobody") == []


def test_the_log_takes_whatever_a_stranger_types(store: Store):
    with store.begin() as tx:
        tx.audit.write(entry(actor="a\0\ud800", facts={"username": "\0\r\n\x1b[31m\ud800", "count": 1}))
        (written,) = tx.audit.read()
    assert (written.actor, written.facts) == ("a␀?", {"username": "␀\r\n\x1b[31m?", "count": 1})


def test_change_entry_and_letter_stand_or_fall_together(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
    with pytest.raises(LookupError), store.begin() as tx:  # noqa: PT012
        tx.accounts.set_state("a1", AccountState.BLOCKED, NOW)
        tx.audit.write(entry())
        tx.outbox.put(letter(), b"sealed")
        raise LookupError
    with store.read() as tx:
        held = tx.accounts.bare("a1")
        assert held is not None
        assert held.state is AccountState.INVITED
        assert tx.audit.read() == []
        assert tx.outbox.depth() == {"waiting": 0, "dead": 0}


def test_a_letter_is_claimed_sent_and_wiped(store: Store):
    with store.begin() as tx:
        tx.outbox.put(letter(), b"\0sealed")
        assert tx.outbox.claim(NOW - SECOND, LEASE, 10) == []
        assert tx.outbox.claim(NOW, LEASE, 10) == [(letter(attempts=1), b"\0sealed")]
        assert tx.outbox.claim(NOW + LEASE - SECOND, LEASE, 10) == []
        # The worker died: the lease ends, and the letter is someone else's.
        assert tx.outbox.claim(NOW + LEASE, LEASE, 10) == [(letter(attempts=2), b"\0sealed")]
        tx.outbox.sent("l1", NOW + LEASE)
        assert tx.outbox.claim(NOW + DAY - SECOND, LEASE, 10) == []
        assert tx.outbox.depth() == {"waiting": 0, "dead": 0}
        assert tx.link.driver.execute("SELECT body, state FROM outbox").fetchall() == [(None, "sent")]


def test_a_letter_that_failed_is_tried_again_or_buried(store: Store):
    with store.begin() as tx:
        tx.outbox.put(letter(), b"sealed")
        tx.outbox.claim(NOW, LEASE, 10)
        tx.outbox.failed("l1", NOW, "451 later\0", NOW + HOUR)
        assert tx.outbox.depth() == {"waiting": 1, "dead": 0}
        assert tx.outbox.claim(NOW + HOUR - SECOND, LEASE, 10) == []
        assert tx.outbox.claim(NOW + HOUR, LEASE, 10) == [(letter(attempts=2), b"sealed")]
        tx.outbox.failed("l1", NOW + HOUR, "550 no", None)
        assert tx.outbox.depth() == {"waiting": 0, "dead": 1}
        assert tx.outbox.dead(NOW + HOUR, 10) == [(letter(attempts=2), "550 no", NOW + HOUR, True)]
        # What the dead hold is wiped when its time is over.
        assert tx.outbox.expire(NOW + DAY - SECOND) == 0
        assert tx.outbox.expire(NOW + DAY) == 1
        assert tx.outbox.expire(NOW + DAY) == 0
        assert tx.outbox.dead(NOW + DAY, 10) == [(letter(attempts=2), "550 no", NOW + HOUR, False)]


def test_the_dead_may_wait_again_while_their_time_lasts(store: Store):
    with store.begin() as tx:
        for name in ("l1", "l2", "l3"):
            tx.outbox.put(letter(name, not_after=NOW + (SECOND if name == "l3" else DAY)), b"sealed")
        tx.outbox.claim(NOW, LEASE, 10)
        for name in ("l1", "l2", "l3"):
            tx.outbox.failed(name, NOW, "550 no", None)
        assert tx.outbox.rise(NOW + SECOND, "l1") == 1
        assert tx.outbox.rise(NOW + SECOND, "l1") == 0
        assert tx.outbox.rise(NOW + SECOND, "l3") == 0
        assert tx.outbox.rise(NOW + SECOND, "unheard of") == 0
        assert tx.outbox.claim(NOW + SECOND, LEASE, 10) == [(letter("l1", attempts=1), b"sealed")]
        assert tx.outbox.rise(NOW + SECOND) == 1
        assert [one.letter.id for one in tx.outbox.dead(NOW + SECOND)] == ["l3"]
        # Its time passes, and its body with it.
        tx.outbox.failed("l2", NOW + SECOND, "550 no", None)
        tx.outbox.expire(NOW + DAY)
        assert tx.outbox.rise(NOW + DAY) == 0


def test_a_letter_past_its_time_is_never_sent(store: Store):
    with store.begin() as tx:
        tx.outbox.put(letter("l1"), b"sealed")
        tx.outbox.put(letter("l2", not_after=None), b"sealed")
        assert [one.id for one, _ in tx.outbox.claim(NOW + DAY, LEASE, 10)] == ["l2"]
        assert tx.outbox.expire(NOW + DAY) == 1
        assert tx.outbox.dead(NOW + DAY, 10) == [(letter("l1"), "expired", NOW + DAY, False)]
        assert tx.outbox.depth() == {"waiting": 1, "dead": 1}


def test_workers_share_the_outbox(store: Store):
    with store.begin() as tx:
        for number in range(100):
            tx.outbox.put(letter(f"l{number}"), b"sealed")

    def work(_: int) -> list[str]:
        mine: list[str] = []
        while True:
            with store.begin() as tx:
                claimed = [one.id for one, _ in tx.outbox.claim(NOW, LEASE, 3)]
            if not claimed:
                return mine
            assert len(claimed) <= 3
            mine += claimed

    claimed = [one for mine in race(work) for one in mine]
    assert len(claimed) == 100
    assert len(set(claimed)) == 100


def test_keys(store: Store):
    changed = dataclasses.replace(key(), use=KeyUse.RETIRED, drop_after=NOW + HOUR)
    other = key(kid="k0", created_at=NOW + SECOND, current_from=None, drop_after=None, use=KeyUse.NEXT)
    with store.begin() as tx, tx.keys.lock():
        tx.keys.add(other)
        tx.keys.add(key())
        assert tx.keys.all() == [key(), other]
        tx.keys.update(changed)
        assert tx.keys.all() == [changed, other]
        tx.keys.remove("k1")
        assert tx.keys.all() == [other]


def test_those_who_start_at_once_make_one_set_of_keys(store: Store):
    def start(number: int) -> None:
        with store.begin() as tx, tx.keys.lock():
            if not tx.keys.all():
                tx.keys.add(key(kid=f"k{number}"))

    race(start)
    with store.read() as tx:
        assert len(tx.keys.all()) == 1


def test_policies_are_kept_once(store: Store):
    with store.begin() as tx:
        tx.policies.record("d1", "my-account", "first = 1", NOW)
        tx.policies.record("d1", "my-account", "first = 1", NOW + DAY)
        tx.policies.record("d2", "hardened", "second = 2", NOW + HOUR)
        first = PolicyVersion("d1", "my-account", "first = 1", NOW)
        assert tx.policies.get("d1") == first
        assert tx.policies.get("d3") is None
        assert tx.policies.list() == [PolicyVersion("d2", "hardened", "second = 2", NOW + HOUR), first]
