"""What has been kept long enough goes, nothing else does, and nothing is read through for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Table, bindparam, insert, select, text

from idp.model import Kept
from idp.store import Store, Transaction, tables
from idp.store.retention import COUNTS, FORGETS
from idp.store.seals import _COUNT, _ENTRIES, _FORGET
from idp.store.signals import signals
from idp.store.statements import Statement
from tests.store.facts import DAY, NOW, SECOND, account

MICROSECOND = SECOND / 1_000_000
Made = tuple[Table, dict[str, Any]]


def letter(n: str, at: datetime, state: str) -> Made:
    facts = {"id": n, "channel": "mail", "recipient": "a", "template": "t", "locale": "en", "created_at": at, "attempts": 1}
    return tables.outbox, {**facts, "state": state, "state_at": at, "next_try_at": at, "urgent": False}


def counter(n: str, at: datetime, **facts: Any) -> Made:
    empty = {"failures": 0, "consecutive": 0, "version": 1, "touched_at": at}
    return tables.counters, {"subject": n, "factor": "pin", "device": "", **empty, **facts}


def grant(n: str, ends: datetime, revoked: datetime | None = None) -> Made:
    facts = {"id": n, "account_id": "a1", "client_id": "c", "document": "{}", "created_at": NOW - 900 * DAY}
    return tables.grants, {**facts, "expires_at": ends, "revoked_at": revoked}


def kept(table: Table, n: str, column: str, at: datetime, **facts: Any) -> Made:
    """A row of any other kind: everything about it is made up but its moment."""
    made: dict[str, Any] = {column: at}
    for one in table.columns:
        if one.name == "account_id":
            made.setdefault(one.name, "a1")
        elif not one.nullable and one.name not in made and not (one.primary_key and one.name == "id" and table in NUMBERED):
            made[one.name] = SAMPLES[one.type.python_type](n) if one.name not in MOMENTS else at
    return table, made | facts


NUMBERED = {tables.issuances, tables.credential_history}
MOMENTS = {
    "created_at",
    "expires_at",
    "last_seen_at",
    "first_seen_at",
    "replaced_at",
    "given_at",
    "at",
    "set_at",
    "until",
    "next_try_at",
}
SAMPLES: Mapping[type, Any] = {str: str, int: lambda _: 0, bool: lambda _: False, bytes: lambda _: b""}

# For each kind: rows of which the moment is given.
MAKES: Mapping[Kept, tuple[Any, ...]] = {
    Kept.LETTERS: (lambda n, at: letter(f"s{n}", at, "sent"), lambda n, at: letter(f"d{n}", at, "dead")),
    Kept.SIGNALS: (lambda n, at: kept(signals, n, "created_at", at, id=f"j{n}", state="held"),),
    Kept.COUNTERS: (counter, lambda n, at: counter(f"w{n}", at, window_from=at, failures=2)),
    Kept.ISSUANCES: (lambda n, at: kept(tables.issuances, n, "at", at),),
    Kept.FORMER_CREDENTIALS: (lambda n, at: kept(tables.credential_history, n, "replaced_at", at),),
    Kept.GRANTS: (lambda n, at: grant(f"e{n}", at), lambda n, at: grant(f"r{n}", NOW + 30 * DAY, at)),
    Kept.INVITATIONS: (lambda n, at: kept(tables.invitations, n, "expires_at", at),),
    Kept.ONE_TIME_CODES: (lambda n, at: kept(tables.one_time_codes, n, "expires_at", at),),
    Kept.ALARMS: (lambda n, at: kept(tables.alarms, n, "expires_at", at),),
    Kept.TEMPORARY_PASSWORDS: (
        lambda n, at: kept(tables.credentials, n, "expires_at", at, factor="temporary", account_id=f"t{n}", set_at=at),
    ),
    Kept.DEVICES: (lambda n, at: kept(tables.devices, n, "last_seen_at", at),),
    Kept.CLIENT_CONSENTS: (lambda n, at: kept(tables.client_consents, n, "given_at", at),),
    Kept.SIGN_INS: (lambda n, at: kept(tables.sign_ins, n, "expires_at", at),),
    Kept.SESSIONS: (lambda n, at: kept(tables.sessions, n, "expires_at", at),),
    Kept.USED: (lambda n, at: kept(tables.used, n, "until", at),),
    Kept.DENIED: (lambda n, at: kept(tables.denied, n, "until", at),),
}
KINDS = list(MAKES)


def put(store: Store, *rows: Made) -> None:
    with store.engine.begin() as connection:
        for table, row in rows:
            connection.execute(insert(table), row)


def people(store: Store, *ids: str) -> None:
    with store.begin() as tx:
        for one in ids:
            tx.accounts.add(account(id=one, credentials=()), one)


def test_every_kind_with_rows_of_its_own_is_tried_here():
    assert set(MAKES) == set(FORGETS) == set(COUNTS)


@pytest.mark.parametrize("kept_kind", KINDS)
def test_what_is_older_goes_and_nothing_else(store: Store, kept_kind: Kept):
    people(store, "a1", *(f"t{n}" for n in range(4)))
    moments = (NOW - DAY, NOW - MICROSECOND, NOW, NOW + SECOND)
    for make in MAKES[kept_kind]:
        put(store, *(make(str(n), at) for n, at in enumerate(moments)))
    expected = 2 * len(MAKES[kept_kind])
    with store.begin() as tx:
        assert tx.retention.count(kept_kind, NOW) == expected
        assert tx.retention.forget(kept_kind, NOW, 1) == 1
        assert tx.retention.forget(kept_kind, NOW, 500) == expected - 1
        assert tx.retention.forget(kept_kind, NOW, 500) == 0
        assert tx.retention.count(kept_kind, NOW) == 0
        assert tx.retention.count(kept_kind, NOW + DAY) == expected
    # Of the pair that is left both are the younger ones.
    table = MAKES[kept_kind][0]("0", NOW)[0]
    with store.engine.connect() as connection:
        assert len(connection.execute(select(table)).all()) == expected


def test_counters_stay_while_anything_in_them_counts(store: Store):
    old = NOW - 999 * DAY
    put(
        store,
        counter("cap", old, consecutive=1),
        counter("shut", old, disabled_at=old),
        counter("locked", old, locked_until=NOW + SECOND),
        counter("over", old, locked_until=NOW - SECOND),
    )
    with store.begin() as tx:
        assert tx.retention.count(Kept.COUNTERS, NOW) == tx.retention.forget(Kept.COUNTERS, NOW, 9) == 1
    with store.engine.connect() as connection:
        left = set(connection.execute(select(tables.counters.c.subject)).scalars())
    assert left == {"cap", "shut", "locked"}


def test_letters_that_wait_are_not_looked_at_and_other_credentials_neither(store: Store):
    people(store, "a1")
    with store.engine.begin() as connection:
        connection.execute(insert(tables.outbox), letter("w", NOW - 999 * DAY, "waiting")[1])
        mailed = kept(tables.credentials, "n", "expires_at", NOW - 999 * DAY, factor="pin")[1]
        connection.execute(insert(tables.credentials), mailed)
    with store.begin() as tx:
        assert tx.retention.forget(Kept.LETTERS, NOW, 9) == 0
        assert tx.retention.forget(Kept.TEMPORARY_PASSWORDS, NOW, 9) == 0


def test_the_codes_of_a_grant_go_with_it(store: Store):
    put(store, grant("g1", NOW - SECOND), kept(tables.codes, "c1", "issued_at", NOW, grant_id="g1", expires_at=NOW))
    with store.begin() as tx:
        assert tx.retention.forget(Kept.GRANTS, NOW, 9) == 1
        assert tx.grants.find_code("c1") is None


def plan(store: Store, tx: Transaction, statement: Statement, values: dict[str, Any]) -> list[str]:
    """How the database goes about a statement, line by line."""
    link = tx.link
    made = statement.made.get(store.dialect) or statement.make(store.engine.dialect, tuple(values))
    how = "EXPLAIN" if store.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    return [str(row[-1]) for row in link.driver.execute(f"{how} {made.sql}", made.given(values)).fetchall()]


def read_through(lines: list[str]) -> list[str]:
    """The lines that tell of a table that is read from one end to the other, or of an index that is."""
    of_a_whole_table = ("Seq Scan on ", "SCAN ")
    return [line for line in lines if any(sign in line for sign in of_a_whole_table)]


@pytest.mark.parametrize("kept_kind", KINDS)
def test_no_kind_is_looked_for_by_reading_its_table_through(store: Store, kept_kind: Kept):
    people(store, "a1")
    for make in MAKES[kept_kind]:
        table = make("0", NOW)[0]
        many = 1 if kept_kind is Kept.TEMPORARY_PASSWORDS else 4000
        rows = [make(str(n), NOW + n * SECOND)[1] | ({"account_id": "a1"} if many == 1 else {}) for n in range(many)]
        with store.engine.begin() as connection:
            connection.execute(insert(table), rows)
            if many == 1:
                others = [kept(table, str(n), "expires_at", NOW, factor=f"f{n}")[1] for n in range(4000)]
                connection.execute(insert(table), others)
            connection.execute(text("ANALYZE"))
    with store.read() as tx:
        for statement in FORGETS[kept_kind]:
            assert read_through(plan(store, tx, statement, {"before": NOW, "limit": 500})) == []
        for statement in COUNTS[kept_kind]:
            assert read_through(plan(store, tx, statement, {"before": NOW})) == []


def test_the_audit_is_not_read_through_either(store: Store):
    row = {"at": NOW, "actor": "a", "event": "e", "outcome": "o", "facts": {}, "policy": "p"}
    with store.engine.begin() as connection:
        connection.execute(insert(tables.audit), [row] * 4000)
        connection.execute(text("ANALYZE"))
    with store.read() as tx:
        assert read_through(plan(store, tx, _FORGET, {"after": -1, "until": 10, "limit": 500})) == []
        assert read_through(plan(store, tx, _ENTRIES, {"after": 10, "until": 20, "limit": 500})) == []
        assert read_through(plan(store, tx, _COUNT, {"after": -1, "until": 20})) == []
        # The test would see it.
        anywhere = Statement(select(tables.audit.c.id).where(tables.audit.c.actor == bindparam("who")))
        assert read_through(plan(store, tx, anywhere, {"who": "x"})) != []
