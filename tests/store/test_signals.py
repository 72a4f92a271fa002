"""Streams, and the tokens that wait for their receivers."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from idp.model import Signal, SignalKind, Stream, StreamStatus
from idp.store import Store
from idp.store.signals import PATIENCE
from tests.store.facts import DAY, HOUR, MINUTE, NOW, SECOND
from tests.store.races import race

LEASE = MINUTE
STREAM = Stream(
    id="s1",
    client_id="portal",
    events=("https://events.example/b", "https://events.example/a"),
    created_at=NOW,
    status=StreamStatus.PAUSED,
    reason="maintenance",
    description="The portal's",
    push_url="https://portal.example/events",
    authorization=b"\0sealed\xff",
    verified_at=NOW + SECOND,
)


def signal(id_: str = "j1", target: str = "s1", at: datetime = NOW, **facts: Any) -> Signal:
    return replace(Signal(id_, SignalKind.EVENT, target, {}, at, account_id="a1"), **facts)


def put(store: Store, *signals: Signal, held: bool = False) -> None:
    with store.begin() as tx:
        for one in signals:
            tx.signals.put(one, b"\0" + one.id.encode(), held=held)


def claimed(store: Store, at: datetime, target: str = "s1", limit: int = 10) -> list[tuple[str, int]]:
    """The ids of what is claimed, in order, and how often each was."""
    with store.begin() as tx:
        return [(one.id, one.attempts) for one, _ in tx.signals.claim(target, at, LEASE, limit)]


def depth(store: Store) -> tuple[int, ...]:
    with store.read() as tx:
        return tuple(tx.signals.depth().values())


# Streams


def test_a_stream_is_kept_as_it_is(store: Store) -> None:
    other = Stream("s0", "billing", (), NOW + SECOND)
    with store.begin() as tx:
        tx.streams.add(other)
        tx.streams.add(STREAM)
        assert tx.streams.all() == [STREAM, other]
        assert tx.streams.of("portal") == STREAM
        assert tx.streams.of("nobody") is None


def test_a_client_has_one_stream(store: Store) -> None:
    with store.begin() as tx:
        assert tx.streams.add(STREAM)
        assert not tx.streams.add(replace(STREAM, id="s2"))
        assert [one.id for one in tx.streams.all()] == ["s1"]


def test_a_stream_changes_and_goes_with_what_waited_for_it(store: Store) -> None:
    changed = Stream("s1", "portal", ("https://events.example/c",), NOW, push_url=None)
    with store.begin() as tx:
        assert not tx.streams.change(changed)
        tx.streams.add(STREAM)
        assert tx.streams.change(changed)
        assert tx.streams.of("portal") == changed
    put(store, signal("j1"), signal("j2", target="s2"))
    with store.begin() as tx:
        assert tx.streams.remove("s1")
        assert not tx.streams.remove("s1")
        assert tx.streams.all() == []
        assert [one.id for one, _ in tx.signals.queue("s2", 10)] == ["j2"]
        assert tx.signals.queue("s1", 10) == []


# What is pushed


def test_a_signal_is_claimed_for_a_while_and_delivered(store: Store) -> None:
    whole = signal(kind=SignalKind.LOGOUT, not_after=NOW + HOUR, target="portal")
    put(store, whole)
    with store.begin() as tx:
        assert not tx.signals.is_due(NOW - SECOND)
        assert tx.signals.is_due(NOW)
        assert tx.signals.targets(NOW) == [("portal", SignalKind.LOGOUT)]
        assert tx.signals.claim("other", NOW, LEASE, 10) == []
        assert tx.signals.claim("portal", NOW, LEASE, 10) == [(replace(whole, attempts=1), b"\0j1")]
        assert not tx.signals.is_due(NOW + LEASE - SECOND)
        assert tx.signals.targets(NOW + LEASE - SECOND) == []
    assert claimed(store, NOW + LEASE - SECOND, "portal") == []
    # Its worker died: the lease ends, and it is another's.
    assert claimed(store, NOW + LEASE, "portal") == [("j1", 2)]
    with store.begin() as tx:
        tx.signals.delivered("j1")
        assert not tx.signals.is_due(NOW + DAY)
    assert depth(store) == (0, 0, 0)


def test_what_happened_first_is_told_first(store: Store) -> None:
    put(store, signal("j3", at=NOW + 2 * SECOND), signal("j1"), signal("j2", at=NOW + SECOND), signal("x", target="s2"))
    assert claimed(store, NOW + MINUTE, limit=2) == [("j1", 1), ("j2", 1)]
    with store.begin() as tx:
        tx.signals.delivered("j1")
        tx.signals.delivered("j2")
    assert claimed(store, NOW + MINUTE, limit=2) == [("j3", 1)]


def test_one_worker_at_a_time_tells_a_receiver(store: Store) -> None:
    """While one has it in hand that an account is shut, another would tell first that it is open again."""
    put(store, signal("j1"))
    assert claimed(store, NOW) == [("j1", 1)]
    put(store, signal("j2", at=NOW + SECOND))
    with store.begin() as tx:
        assert tx.signals.targets(NOW + SECOND) == []
    assert claimed(store, NOW + SECOND) == []
    assert claimed(store, NOW + LEASE) == [("j1", 2), ("j2", 1)]


def test_what_is_new_does_not_overtake_what_is_tried_again(store: Store) -> None:
    put(store, signal("j1"))
    for tries in range(1, PATIENCE + 2):
        at, again = NOW + tries * HOUR, NOW + (tries + 1) * HOUR
        assert claimed(store, at, limit=1) == [("j1", tries)]
        with store.begin() as tx:
            tx.signals.failed("j1", "no answer", again)
        put(store, signal(f"new {tries}", at=at + SECOND))
        # For a while; what can't be told is not in the way for ever.
        assert bool(claimed(store, again - SECOND)) == (tries > PATIENCE)


def test_what_failed_is_tried_again_and_what_is_behind_it_waits_too(store: Store) -> None:
    put(store, signal("j1"), signal("j2", at=NOW + SECOND), signal("j3", at=NOW + SECOND, target="s2"))
    assert claimed(store, NOW + SECOND) == [("j1", 1), ("j2", 1)]
    with store.begin() as tx:
        tx.signals.failed("j1", "no answer\0", NOW + HOUR)
        tx.signals.give_back(["j2"])
        tx.signals.postpone("s1", NOW + HOUR)
        assert tx.signals.targets(NOW + HOUR - SECOND) == [("s2", SignalKind.EVENT)]
    assert claimed(store, NOW + HOUR - SECOND) == []
    # The one that was not tried has not been counted.
    assert claimed(store, NOW + HOUR) == [("j1", 2), ("j2", 1)]


def test_what_is_given_up_is_neither_tried_nor_polled(store: Store) -> None:
    put(store, signal("j1"), signal("j2"))
    with store.begin() as tx:
        tx.signals.failed("j1", "invalid_audience\0", None)
        assert [one.id for one, _ in tx.signals.queue("s1", 10)] == ["j2"]
    assert claimed(store, NOW) == [("j2", 1)]
    assert depth(store) == (1, 0, 1)


def test_workers_share_what_waits(store: Store) -> None:
    put(store, *(signal(f"j{number}") for number in range(60)))

    def work(_: int) -> list[str]:
        mine: list[str] = []
        while depth(store) != (0, 0, 0):
            got = [id_ for id_, _ in claimed(store, NOW, limit=3)]
            with store.begin() as tx:
                for id_ in got:
                    tx.signals.delivered(id_)
            mine += got
        return mine

    found = [one for mine in race(work, 8) for one in mine]
    assert len(found) == len(set(found)) == 60


# What is polled, and what is paused


def test_what_is_held_waits_to_be_polled_the_oldest_first(store: Store) -> None:
    put(store, signal("j2", at=NOW + SECOND), signal("j1"), signal("x", target="s2"), held=True)
    with store.begin() as tx:
        assert not tx.signals.is_due(NOW + DAY)
        assert tx.signals.queue("s1", 1) == [(signal("j1"), b"\0j1")]
        assert [one.id for one, _ in tx.signals.queue("s1", 10)] == ["j1", "j2"]


def test_a_receiver_acknowledges_what_is_its_own(store: Store) -> None:
    put(store, signal("j1"), signal("j2"), signal("x", target="s2"), held=True)
    with store.begin() as tx:
        assert tx.signals.acknowledge("s1", ["j1", "x", "unheard of"]) == 1
        tx.signals.refused("s1", {"j2": "jws: bad\0", "x": "not mine"})
        assert tx.signals.queue("s1", 10) == []
        assert [one.id for one, _ in tx.signals.queue("s2", 10)] == ["x"]
    assert depth(store) == (0, 1, 1)


def test_a_paused_stream_keeps_and_a_disabled_one_drops(store: Store) -> None:
    put(store, signal("j1"), signal("x", target="s2"))
    with store.begin() as tx:
        tx.signals.hold("s1")
        assert tx.signals.targets(NOW) == [("s2", SignalKind.EVENT)]
        tx.signals.release("s1")
        assert sorted(tx.signals.targets(NOW)) == [("s1", SignalKind.EVENT), ("s2", SignalKind.EVENT)]
        assert tx.signals.drop("s1") == 1
        assert tx.signals.drop("s1") == 0
    assert depth(store) == (1, 0, 0)


def test_what_was_under_way_when_its_stream_paused_is_held_or_gone(store: Store) -> None:
    put(store, signal("j1"), signal("j2"))
    assert len(claimed(store, NOW)) == 2
    with store.begin() as tx:
        tx.signals.hold("s1")
        tx.signals.failed("j1", "no answer", NOW + SECOND)
        tx.signals.delivered("j2")
        assert [one.id for one, _ in tx.signals.queue("s1", 10)] == ["j1"]
    assert claimed(store, NOW + DAY) == []


def test_a_signal_stands_or_falls_with_what_it_tells_of(store: Store) -> None:
    with pytest.raises(LookupError), store.begin() as tx:  # noqa: PT012
        tx.signals.put(signal(), b"body")
        raise LookupError
    assert depth(store) == (0, 0, 0)
