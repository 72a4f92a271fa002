"""What upkeep goes by: who has been quiet for how long, in which order, and whose turn it is."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from idp.model import (
    AccountState,
    Agreement,
    Counter,
    Ending,
    Factor,
    OneTimeCode,
    Passkey,
    Purpose,
    Quiet,
    Reminder,
    Signal,
    SignalKind,
)
from idp.store import Store, Taken, Transaction
from idp.store.signals import signals
from idp.store.tables import accounts, audit, grants, metadata, tombstones
from idp.store.turns import Place, Round
from idp.store.unused import Use, Watched
from tests.store.facts import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    QUIET,
    SECOND,
    account,
    code,
    credential,
    device,
    entry,
    grant,
    invitation,
    letter,
    session,
)
from tests.store.races import race
from tests.store.test_alarms import alarm

TICK = timedelta(microseconds=1)
ACTIVE = AccountState.ACTIVE


def add(store: Store, id_: str, quiet_since: datetime, **facts: object) -> None:
    """Somebody active who signed in last at a moment."""
    plain = {"enrolled_at": None, "reactivated_at": None, "state_at": None, "created_at": quiet_since - DAY, "state": ACTIVE}
    made = account(**{**plain, "id": id_, "username": id_, "last_sign_in_at": quiet_since, "quiet": Quiet(), **facts})
    with store.begin() as tx:
        tx.accounts.add(made, id_)


def walked(store: Store, until: datetime, limit: int, state: AccountState = ACTIVE) -> list[Watched]:
    """All of them, page by page, each from the place of the last one on."""
    found: list[Watched] = []
    with store.read() as tx:
        page = tx.unused.watched(state, until, limit=limit)
        while page:
            found += page
            assert len(page) <= limit
            page = tx.unused.watched(state, until, since=page[-1].since, after=page[-1].account.id, limit=limit)
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_the_longest_quiet_come_first_and_each_comes_once_however_the_pages_fall(store: Store, limit: int) -> None:
    # Three at one moment, others a tick apart; the order of their names is another.
    moments = {"m": NOW, "c": NOW, "z": NOW, "b": NOW - TICK, "y": NOW + TICK, "a": NOW + DAY, "x": NOW - 400 * DAY}
    for id_, quiet_since in moments.items():
        add(store, id_, quiet_since)
    found = walked(store, NOW + DAY, limit)
    assert [one.account.id for one in found] == ["x", "b", "c", "m", "z", "y", "a"]
    assert [one.since for one in found] == [moments[one.account.id] for one in found]
    with store.read() as tx:
        before = [tx.unused.count(ACTIVE, NOW + DAY, since=one.since, after=one.account.id) for one in found]
        assert (tx.unused.count(ACTIVE, NOW + DAY), before) == (7, [6, 5, 4, 3, 2, 1, 0])
        assert tx.unused.count(ACTIVE, NOW) == 5


def test_whoever_has_been_quiet_since_the_moment_itself_is_among_them(store: Store) -> None:
    for id_, quiet_since in (("a", NOW - TICK), ("b", NOW), ("c", NOW + TICK)):
        add(store, id_, quiet_since)
    assert [one.account.id for one in walked(store, NOW, 10)] == ["a", "b"]
    assert walked(store, NOW - DAY, 10) == []


def test_each_state_is_walked_by_itself(store: Store) -> None:
    for state in AccountState:
        add(store, state.value, NOW, state=state)
    for state in AccountState:
        assert [one.account.id for one in walked(store, NOW, 10, state)] == [state.value]


def test_the_account_comes_whole_but_for_its_credentials(store: Store) -> None:
    whole = account(state=ACTIVE)
    with store.begin() as tx:
        tx.accounts.add(whole, "ada")
        (found,) = tx.unused.watched(ACTIVE, NOW)
        bare = tx.accounts.bare("a1")
    assert found == Watched(NOW - HOUR, account(state=ACTIVE, credentials=()))
    assert found.account == bare


def test_what_is_added_is_quiet_since_the_last_that_happened_to_it(store: Store) -> None:
    nothing = {"enrolled_at": None, "last_sign_in_at": None, "reactivated_at": None, "state_at": None, "created_at": NOW}
    for id_, facts in {
        "a": {},
        "b": {"enrolled_at": NOW + HOUR},
        "c": {"enrolled_at": NOW + HOUR, "last_sign_in_at": NOW + 2 * HOUR},
        "d": {"last_sign_in_at": NOW + 2 * HOUR, "reactivated_at": NOW + 3 * HOUR},
        "e": {"state_at": NOW + 4 * HOUR, "reactivated_at": NOW + 3 * HOUR},
    }.items():
        add(store, id_, NOW, **{**nothing, **facts})
    found = {one.account.id: one.since - NOW for one in walked(store, NOW + DAY, 10)}
    assert found == {"a": timedelta(0), "b": HOUR, "c": 2 * HOUR, "d": 3 * HOUR, "e": 4 * HOUR}


USES: dict[str, Callable[[Transaction], object]] = {
    "signed in": lambda tx: tx.accounts.signed_in("a", NOW),
    "reactivated": lambda tx: tx.accounts.reactivated("a", NOW),
    "enrolled": lambda tx: tx.accounts.enrolled("a", NOW),
    "blocked": lambda tx: tx.accounts.set_state("a", AccountState.BLOCKED, NOW),
}


@pytest.mark.parametrize("use", USES)
def test_whatever_ends_the_quiet_forgets_what_was_done_in_it(store: Store, use: str) -> None:
    add(store, "a", NOW - 200 * DAY, quiet=QUIET, sessions_valid_from=None)
    add(store, "b", NOW - 200 * DAY, quiet=QUIET)
    with store.begin() as tx:
        USES[use](tx)
        after = tx.accounts.bare("a")
        assert after is not None
        assert after.quiet == Quiet()
        assert [one.since for one in tx.unused.watched(after.state, NOW) if one.account.id == "a"] == [NOW]
        assert [one.account.id for one in tx.unused.watched(ACTIVE, NOW - TICK)] == ["b"]
        other = tx.accounts.bare("b")
        assert other is not None
        assert other.quiet == QUIET


def test_a_sign_in_that_comes_too_late_ends_nothing(store: Store) -> None:
    add(store, "a", NOW - 200 * DAY, quiet=QUIET, sessions_valid_from=NOW)
    with store.begin() as tx:
        assert not tx.accounts.signed_in("a", NOW - TICK)
        (found,) = tx.unused.watched(ACTIVE, NOW)
    assert (found.since, found.account.quiet) == (NOW - 200 * DAY, QUIET)


@pytest.mark.parametrize("state", [AccountState.LEAVING, AccountState.BLOCKED])
def test_a_use_that_was_on_its_way_when_access_ended_changes_nothing(store: Store, state: AccountState) -> None:
    told = Quiet(goes_at=NOW + 14 * DAY)
    add(store, "a", NOW - DAY, state=state, state_at=NOW, quiet=told, sessions_valid_from=None)
    with store.begin() as tx:
        before = tx.accounts.bare("a")
        assert not tx.accounts.signed_in("a", NOW + SECOND)
        tx.unused.used("a", Use.REFRESH, NOW + SECOND)
        tx.unused.used("a", Use.STEP_UP, NOW + SECOND)
        assert tx.accounts.bare("a") == before


@pytest.mark.parametrize(
    "quiet",
    [
        Quiet(),
        QUIET,
        Quiet(suspended_at=NOW),
        Quiet(expired_at=NOW - TICK),
        Quiet((Reminder(Ending.EXPIRY, 3 * DAY + TICK, "l", NOW, NOW + TICK),)),
        Quiet(tuple(Reminder(ending, days * DAY, "", NOW) for ending in Ending for days in (30, 14, 3))),
    ],
)
def test_what_was_done_comes_back_as_it_was_written(store: Store, quiet: Quiet) -> None:
    add(store, "a", NOW - DAY)
    with store.begin() as tx:
        tx.unused.set_quiet("a", QUIET)
        tx.unused.set_quiet("a", quiet)
    with store.read() as tx:
        (found,) = tx.unused.watched(ACTIVE, NOW)
        assert found == Watched(NOW - DAY, found.account)
        held = tx.accounts.by_id("a")
    assert held is not None
    assert found.account.quiet == held.quiet == quiet


def test_uses_beside_signing_in_are_noted_and_forget_what_was_done_but_move_nobody(store: Store) -> None:
    add(store, "a", NOW - 9 * DAY, quiet=QUIET)
    add(store, "b", NOW - DAY, quiet=QUIET)
    with store.begin() as tx:
        tx.unused.used("a", Use.REFRESH, NOW)
        tx.unused.used("nobody", Use.REFRESH, NOW)
        found, other = tx.unused.watched(ACTIVE, NOW)
        assert found.account.quiet == Quiet()
        tx.unused.set_quiet("a", QUIET)
        tx.unused.used("a", Use.STEP_UP, NOW + SECOND)
        found, other = tx.unused.watched(ACTIVE, NOW)
    assert (found.since, found.account.quiet) == (NOW - 9 * DAY, Quiet())
    assert (found.account.last_refresh_at, found.account.last_step_up_at) == (NOW, NOW + SECOND)
    assert other.account.quiet == QUIET


def test_the_order_is_that_of_the_index(store: Store) -> None:
    """No sort: however many have been quiet for long, a batch costs what a batch costs."""
    add(store, "a", NOW)
    asked = (
        "FROM accounts WHERE state = 'active' AND quiet_since <= {now} AND (quiet_since, id) > ({now}, 'a')"
        " ORDER BY quiet_since, id LIMIT 500"
    )
    with store.engine.connect() as connection:
        if store.dialect == "sqlite":
            told = connection.execute(text(f"EXPLAIN QUERY PLAN SELECT * {asked.format(now=1)}")).all()
        else:
            # A table of one row is best read whole: this asks what can be done where there are many.
            connection.execute(text("SET enable_seqscan = off"))
            connection.execute(text("SET enable_bitmapscan = off"))
            told = connection.execute(text(f"EXPLAIN SELECT * {asked.format(now='now()')}")).all()
    plan = " ".join(str(line) for line in told)
    assert "ix_accounts_state_quiet_since_id" in plan
    assert "SORT" not in plan.upper().replace("TEMP B-TREE", "SORT")


def _everything(tx: Transaction, id_: str) -> None:
    """Something in every table that knows an account."""
    tx.accounts.set_credential(id_, credential(hash="newer"), keep_history=3)
    tx.devices.remember(device(id=f"device-{id_}", account_id=id_))
    tx.invitations.put(invitation(digest=f"invitation-{id_}", account_id=id_))
    tx.one_time_codes.put(OneTimeCode(id_, Purpose.EMAIL, "digest", NOW, NOW + DAY, b"sealed", 0))
    tx.issuances.add(id_, "temporary_password", NOW)
    tx.alarms.put(alarm(f"alarm-{id_}", of=id_))
    tx.recovery_codes.replace(id_, ["r1", "r2"])
    tx.passkeys.add(Passkey(f"key-{id_}", id_, "cHVi", 1, "Laptop", NOW))
    tx.particulars.act_for(id_, f"customer-{id_}")
    found = tx.accounts.bare(id_)
    assert found is not None
    tx.particulars.agree(found, Agreement(id_, "news", "1", True, "en", "digest", NOW))
    tx.client_consents.record(id_, "portal", frozenset({"openid"}), NOW)
    tx.counters.swap(Counter(id_, Factor.PIN), Counter(id_, Factor.PIN, failures=1))
    tx.outbox.put(letter(f"waiting-{id_}", account_id=id_), b"body")
    tx.outbox.put(letter(f"sent-{id_}", account_id=id_), b"body")
    tx.outbox.sent(f"sent-{id_}", NOW)
    tx.grants.open(grant(id=f"grant-{id_}", account_id=id_), code(digest=f"code-{id_}", grant_id=f"grant-{id_}"))
    tx.signals.put(Signal(f"signal-{id_}", SignalKind.EVENT, "stream", {}, NOW, account_id=id_), b"body")
    tx.audit.write(entry(account_id=id_))


def _rows(store: Store, id_: str) -> dict[str, int]:
    """In which tables an account has how many rows, by whichever column names it."""
    found = {}
    with store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            owner = accounts.c.id if table is accounts else table.c.get("account_id", table.c.get("subject"))
            if owner is not None:
                found[table.name] = len(connection.execute(select(owner).where(owner == id_)).all())
    return found


def test_what_is_purged_is_gone_and_only_the_identifier_stays(store: Store, kind: str) -> None:
    for id_ in ("a1", "a2"):
        add(store, id_, NOW, credentials=(credential(), credential(Factor.PIN)))
        with store.begin() as tx:
            _everything(tx, id_)
    store.sessions.put(session(), 10)
    before = _rows(store, "a1")
    elsewhere = {"sessions"} if kind.endswith("redis") else set()
    assert {name for name, rows in before.items() if not rows} == {"tombstones"} | elsewhere
    with store.begin() as tx:
        tx.unused.purge("a1", NOW)
    store.sessions.end_all("a1")
    # The grant, the audit and what relying parties are yet to be told are of an identifier, not of a person.
    kept = {tombstones.name: 1, grants.name: 1, signals.name: 1, audit.name: before["audit"]}
    assert _rows(store, "a1") == dict.fromkeys(before, 0) | kept
    assert _rows(store, "a2") == before | {"sessions": 0}
    with pytest.raises(Taken), store.begin() as tx:
        tx.accounts.add(account(username="other"), "other")
    with store.begin() as tx:
        tx.accounts.add(account(id="a3", username="a1"), "a1")
        assert tx.accounts.by_id("a1") is None
        assert tx.accounts.locked("a1") is None


# Turns


def turn_at(store: Store, whose: str, at: datetime, task: str = "accounts") -> Round | None:
    with store.begin() as tx:
        return tx.turns.take(task, whose, at, at + MINUTE)


PLACE = Place(ACTIVE, NOW - 90 * DAY, "acc_é")


def begun(at: datetime, place: Place | None = None, ended_at: datetime | None = None) -> Round:
    """What whoever takes the turn at a moment is told."""
    return Round(place, at, ended_at, at + MINUTE)


def test_a_task_that_nobody_began_has_no_place(store: Store) -> None:
    with store.read() as tx:
        assert tx.turns.of("accounts") == Round(None, None, None, None)


def test_one_has_the_turn_until_its_time_is_over(store: Store) -> None:
    assert turn_at(store, "first", NOW) == begun(NOW)
    assert turn_at(store, "second", NOW + MINUTE - TICK) is None
    # Asking once more renews it.
    assert turn_at(store, "first", NOW + SECOND) == begun(NOW + SECOND)
    assert turn_at(store, "second", NOW + MINUTE) is None
    assert turn_at(store, "second", NOW, task="seals") == begun(NOW)
    assert turn_at(store, "second", NOW + SECOND + MINUTE) is not None
    assert turn_at(store, "first", NOW + SECOND + MINUTE) is None


def test_the_next_goes_on_where_the_last_was(store: Store) -> None:
    turn_at(store, "first", NOW)
    with store.begin() as tx:
        assert tx.turns.go_on("accounts", "first", PLACE, NOW + 2 * MINUTE)
        assert tx.turns.of("accounts") == Round(PLACE, NOW, None, NOW + 2 * MINUTE)
    assert turn_at(store, "second", NOW + 2 * MINUTE - TICK) is None
    # The round is as old as it was.
    assert turn_at(store, "second", NOW + 2 * MINUTE) == Round(PLACE, NOW, None, NOW + 3 * MINUTE)


def test_whoever_lost_the_turn_moves_nothing_any_more(store: Store) -> None:
    turn_at(store, "first", NOW)
    turn_at(store, "second", NOW + MINUTE)
    with store.begin() as tx:
        assert tx.turns.go_on("accounts", "second", PLACE, NOW + 2 * MINUTE)
        assert not tx.turns.go_on("accounts", "first", Place(ACTIVE), NOW + DAY)
        assert not tx.turns.end("accounts", "first", NOW)
        tx.turns.let_go("accounts", "first")
        assert tx.turns.of("accounts") == Round(PLACE, NOW + MINUTE, None, NOW + 2 * MINUTE)
    assert turn_at(store, "third", NOW + 2 * MINUTE - TICK) is None


def test_whoever_lets_go_leaves_the_place(store: Store) -> None:
    turn_at(store, "first", NOW)
    with store.begin() as tx:
        tx.turns.go_on("accounts", "first", PLACE, NOW + DAY)
        tx.turns.let_go("accounts", "first")
        assert not tx.turns.go_on("accounts", "first", Place(ACTIVE), NOW + DAY)
        assert tx.turns.of("accounts") == Round(PLACE, NOW, None, None)
    assert turn_at(store, "second", NOW + SECOND) == Round(PLACE, NOW, None, NOW + SECOND + MINUTE)


def test_a_round_that_ended_begins_anew(store: Store) -> None:
    turn_at(store, "first", NOW)
    with store.begin() as tx:
        tx.turns.go_on("accounts", "first", PLACE, NOW + DAY)
        assert tx.turns.end("accounts", "first", NOW + SECOND)
        assert tx.turns.of("accounts") == Round(None, NOW, NOW + SECOND, None)
        assert not tx.turns.end("accounts", "first", NOW + HOUR)
    assert turn_at(store, "second", NOW + HOUR) == begun(NOW + HOUR, ended_at=NOW + SECOND)


def test_a_turn_from_the_future_is_nobodys(store: Store) -> None:
    """Whoever dated it had a clock that was set back since: it would hold everybody up until then."""
    turn_at(store, "first", NOW + MINUTE)
    assert turn_at(store, "second", NOW) is None
    assert turn_at(store, "second", NOW - TICK) == begun(NOW - TICK)


def test_of_all_who_ask_at_once_one_gets_the_turn(store: Store) -> None:
    for at in (NOW, NOW + HOUR):
        taken = race(lambda number, at=at: turn_at(store, f"worker {number}", at), 16)  # type: ignore[misc]
        assert sum(one is not None for one in taken) == 1


def test_what_was_rolled_back_was_not_taken(store: Store) -> None:
    def killed() -> None:
        with store.begin() as tx:
            assert tx.turns.take("accounts", "first", NOW, NOW + DAY) is not None
            raise InterruptedError

    with pytest.raises(InterruptedError):
        killed()
    assert turn_at(store, "second", NOW) is not None
