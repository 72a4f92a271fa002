import dataclasses
from datetime import UTC, datetime

from idp.model import SignIn, Slip
from idp.store import Store
from tests.store.facts import DAY, MINUTE, NOW, SECOND, session, sign_in
from tests.store.races import RUNNERS, race


def test_a_sign_in_comes_back_until_it_is_over(store: Store):
    plain = SignIn("s2", "b2", NOW, NOW + MINUTE)
    store.sign_ins.put(sign_in())
    store.sign_ins.put(plain)
    assert store.sign_ins.get("s1", NOW) == sign_in()
    assert store.sign_ins.get("s2", NOW) == plain
    assert store.sign_ins.get("s2", NOW + MINUTE - SECOND) == plain
    assert store.sign_ins.get("s2", NOW + MINUTE) is None
    assert store.sign_ins.get("unknown", NOW) is None


def test_the_stores_have_no_clock(store: Store):
    past = datetime(1999, 1, 1, tzinfo=UTC)
    store.sign_ins.put(sign_in(started_at=past, expires_at=past + MINUTE))
    store.sessions.put(session(created_at=past, last_seen_at=past, expires_at=past + MINUTE), 10)
    assert store.sign_ins.get("s1", past) is not None
    assert store.sessions.get("x1", past) is not None


def test_a_swap_under_the_same_id(store: Store):
    store.sign_ins.put(sign_in())
    after = sign_in(proofs=(), account_id=None)
    assert store.sign_ins.swap(sign_in(), after)
    stored = dataclasses.replace(after, version=1)
    assert store.sign_ins.get("s1", NOW) == stored
    assert not store.sign_ins.swap(sign_in(), after)
    assert store.sign_ins.swap(stored, dataclasses.replace(stored, consented=False))
    assert store.sign_ins.get("s1", NOW) == dataclasses.replace(stored, consented=False, version=2)
    assert not store.sign_ins.swap(sign_in(id="unknown"), after)


def test_a_swap_at_a_privilege_boundary(store: Store):
    store.sign_ins.put(sign_in())
    assert store.sign_ins.swap(sign_in(), sign_in(id="s2"))
    assert store.sign_ins.get("s1", NOW) is None
    assert store.sign_ins.get("s2", NOW) == sign_in(id="s2", version=1)


def test_of_those_who_swap_one_does(store: Store):
    store.sign_ins.put(sign_in())
    won = race(lambda number: store.sign_ins.swap(sign_in(), sign_in(id=f"n{number}")))
    assert won.count(True) == 1
    alive = [number for number in range(RUNNERS) if store.sign_ins.get(f"n{number}", NOW)]
    assert alive == [won.index(True)]


def test_of_those_who_take_one_gets_it(store: Store):
    store.sign_ins.put(sign_in())
    taken = [one for one in race(lambda _: store.sign_ins.take("s1", NOW)) if one]
    assert taken == [sign_in()]
    assert store.sign_ins.get("s1", NOW) is None


def test_a_sign_in_that_is_over_cannot_be_taken(store: Store):
    store.sign_ins.put(sign_in())
    assert store.sign_ins.take("s1", NOW + DAY) is None
    assert store.sign_ins.take("s1", NOW) == sign_in()


def test_a_session_lives_as_long_as_it_is_used(store: Store):
    assert store.sessions.put(session(), 10) == []
    assert store.sessions.get("x1", NOW) == session()
    assert store.sessions.get("x1", NOW + 30 * MINUTE) is None
    store.sessions.touch("x1", NOW + MINUTE, NOW + 31 * MINUTE)
    touched = session(last_seen_at=NOW + MINUTE, expires_at=NOW + 31 * MINUTE)
    assert store.sessions.get("x1", NOW + 30 * MINUTE) == touched
    assert store.sessions.of_account("a1", NOW) == [touched]
    store.sessions.touch("unknown", NOW, NOW + DAY)
    assert store.sessions.get("unknown", NOW) is None


def test_beyond_the_limit_the_oldest_end(store: Store):
    store.sessions.put(session("other", account_id="a2"), 2)
    store.sessions.put(session("over", created_at=NOW - DAY, last_seen_at=NOW - DAY, expires_at=NOW - MINUTE), 9)
    kept = [session(f"x{number}", created_at=NOW + number * SECOND) for number in range(4)]
    assert [store.sessions.put(one, 2) for one in kept] == [[], [], [kept[0]], [kept[1]]]
    assert store.sessions.of_account("a1", NOW) == kept[2:]
    assert store.sessions.get("over", NOW - DAY) is None
    assert store.sessions.get("other", NOW) is not None
    # The one just begun is never the one to go.
    assert store.sessions.put(session("late", created_at=NOW - DAY), 2) == [kept[2]]
    assert {one.id for one in store.sessions.of_account("a1", NOW)} == {"late", "x3"}


def test_the_limit_holds_for_those_who_come_at_once(store: Store):
    ended = race(lambda number: store.sessions.put(session(f"x{number}"), 5))
    assert len(store.sessions.of_account("a1", NOW)) == 5
    assert len({one.id for some in ended for one in some}) == RUNNERS - 5


def test_a_session_changes_its_id(store: Store):
    store.sessions.put(session("old"), 10)
    assert store.sessions.replace("old", session("new", proofs=()))
    assert store.sessions.get("old", NOW) is None
    assert store.sessions.get("new", NOW) == session("new", proofs=())
    assert store.sessions.of_account("a1", NOW) == [session("new", proofs=())]
    # One that has ended is not raised by it.
    assert not store.sessions.replace("old", session("newer"))
    assert store.sessions.get("newer", NOW) is None


def test_sessions_end_one_by_one(store: Store):
    for id_ in ("x1", "x2"):
        store.sessions.put(session(id_), 10)
    assert store.sessions.end("x1") == session("x1")
    assert store.sessions.end("x1") is None
    assert store.sessions.end_by_public_id("a2", "public-x2") is None
    assert store.sessions.end_by_public_id("a1", "public-x1") is None
    assert store.sessions.end_by_public_id("a1", "public-x2") == session("x2")
    assert store.sessions.of_account("a1", NOW) == []


def test_sessions_end_all_but_one(store: Store):
    for id_ in ("x1", "x2", "x3"):
        store.sessions.put(session(id_), 10)
    store.sessions.put(session("other", account_id="a2"), 10)
    assert {one.id for one in store.sessions.end_all("a1", keep="x2")} == {"x1", "x3"}
    assert store.sessions.of_account("a1", NOW) == [session("x2")]
    assert store.sessions.end_all("a1") == [session("x2")]
    assert store.sessions.end_all("a1") == []
    assert store.sessions.get("other", NOW) is not None


def test_an_identifier_is_used_once(store: Store):
    for key in ("jti", "", "x" * 10_000, "a\0\ud800"):
        assert store.used.first_time(key, NOW + MINUTE, NOW)
        assert not store.used.first_time(key, NOW + MINUTE, NOW + MINUTE - SECOND)
        assert store.used.first_time(key, NOW + 2 * MINUTE, NOW + MINUTE)
    assert race(lambda _: store.used.first_time("one", NOW + MINUTE, NOW)).count(True) == 1


def test_what_is_over_is_purged(store: Store):
    store.sign_ins.put(sign_in())
    store.sessions.put(session(), 10)
    store.slips.put(Slip("s1", "{}", NOW + MINUTE), NOW)
    store.used.first_time("jti", NOW + MINUTE, NOW)
    with store.begin() as tx:
        tx.denied.deny("j1", NOW + MINUTE)
    assert sum(store.purge(NOW).values()) == 0
    gone = store.purge(NOW + DAY)
    assert gone["denied"] == 1
    if "throttles" in gone:
        assert gone == {"sign_ins": 1, "slips": 1, "sessions": 1, "used": 1, "denied": 1, "throttles": 0}


def test_within_a_transaction_they_join_it(store: Store):
    """A thread that waited for itself would wait for ever."""
    with store.begin() as tx:
        store.sign_ins.put(sign_in())
        store.sessions.put(session(), 1)
        store.sessions.touch("x1", NOW, NOW + DAY)
        assert store.used.first_time("jti", NOW + MINUTE, NOW)
        assert store.sessions.get("x1", NOW) == session(expires_at=NOW + DAY)
        assert len(tx.accounts.list()) == 0
    assert store.sign_ins.take("s1", NOW) == sign_in()
    assert store.sessions.get("x1", NOW) == session(expires_at=NOW + DAY)


def test_a_slip_is_kept_until_its_end(store: Store):
    kept = Slip("s1", "{}", NOW + MINUTE)
    store.slips.put(kept, NOW)
    assert store.slips.get("s1", NOW + SECOND) == kept
    assert store.slips.get("s1", NOW + MINUTE) is None
    assert store.slips.get("s2", NOW) is None


def test_a_slip_changes_from_the_version_that_was_seen_only(store: Store):
    first = Slip("s1", "one", NOW + MINUTE)
    store.slips.put(first, NOW)
    assert store.slips.swap(first, "two", NOW)
    assert not store.slips.swap(first, "three", NOW)
    second = store.slips.get("s1", NOW)
    assert second == Slip("s1", "two", NOW + MINUTE, 1)
    assert not store.slips.swap(second, "four", NOW + MINUTE)


def test_a_slip_is_taken_once(store: Store):
    store.slips.put(Slip("s1", "one", NOW + MINUTE), NOW)
    assert store.slips.take("s1", NOW) == Slip("s1", "one", NOW + MINUTE)
    assert store.slips.take("s1", NOW) is None
    store.slips.put(Slip("s1", "two", NOW + MINUTE), NOW)
    assert store.slips.take("s1", NOW + MINUTE) is None
