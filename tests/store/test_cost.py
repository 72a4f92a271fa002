"""How many statements an operation takes: on PostgreSQL one costs as much as a whole bare answer of the web server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from idp.model import Counter, Factor
from idp.store import Store, Transaction
from idp.store.redis_link import RedisLink
from idp.store.statements import Link, Statement, Values
from tests.store.facts import DAY, NOW, SECOND, account, code, credential, entry, grant, letter, session, sign_in


@contextmanager
def counted() -> Iterator[list[Statement]]:
    statements: list[Statement] = []
    run = Link.run

    def note(link: Link, statement: Statement, values: Values) -> Any:
        statements.append(statement)
        return run(link, statement, values)

    with patch.object(Link, "run", note):
        yield statements


@contextmanager
def round_trips() -> Iterator[list[str | int]]:
    """What Redis is asked, by the first word."""
    asked: list[str | int] = []
    ask = RedisLink._ask

    def note(link: RedisLink, command: tuple[str | int, ...]) -> Any:
        asked.append(command[0])
        return ask(link, command)

    with patch.object(RedisLink, "_ask", note):
        yield asked


def cost(operation: Callable[[], object]) -> int:
    with counted() as statements:
        operation()
    return len(statements)


def test_reading_takes_one_statement(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.grants.open(grant(), code())

    def reading(operation: Callable[[Transaction], object]) -> int:
        def read() -> None:
            with store.read() as tx:
                assert operation(tx) is not None

        return cost(read)

    assert reading(lambda tx: tx.grants.alive("g1", "j1", NOW)) == 1
    assert reading(lambda tx: tx.grants.find_code("c1")) == 1
    assert reading(lambda tx: tx.accounts.by_username("ada")) == 1
    assert reading(lambda tx: tx.accounts.by_id("a1")) == 1
    assert reading(lambda tx: tx.counters.read("a1", Factor.PIN, "")) == 1


def test_writing_takes_one_statement(store: Store, kind: str):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.grants.open(grant(), code())
        tx.grants.start_refresh("g1", "h1", "r0", NOW, NOW + DAY)

    def writing(operation: Callable[[Transaction], object]) -> int:
        def write() -> None:
            with store.begin() as tx:
                operation(tx)

        return cost(write)

    assert writing(lambda tx: tx.grants.rotate("h1", "r0", "r1", NOW, NOW + DAY)) == 1
    assert writing(lambda tx: tx.grants.spend_code("c1", NOW)) == 1
    assert writing(lambda tx: tx.grants.revoke_account("a1", NOW)) == 1
    assert writing(lambda tx: tx.counters.swap(Counter("a1", Factor.PIN), Counter("a1", Factor.PIN))) == 1
    assert writing(lambda tx: tx.audit.write(entry())) == 1
    assert writing(lambda tx: tx.outbox.put(letter(), b"")) == 1
    # One for each queue, and PostgreSQL is told to walk the index.
    assert writing(lambda tx: tx.outbox.claim(NOW, DAY, 10)) == (2 if kind == "sqlite" else 3)
    assert writing(lambda tx: tx.accounts.signed_in("a1", NOW)) == 1


def test_a_session_and_its_account_take_one_statement_and_redis_one_round_trip_besides(store: Store, kind: str):
    held = account(credentials=(credential(), credential(Factor.PIN)))
    with store.begin() as tx:
        tx.accounts.add(held, "ada")
    store.sessions.put(session(), 10)
    with round_trips() as trips:
        assert cost(lambda: store.entered("x1", NOW)) == 1
    assert trips == (["HMGET"] if kind.endswith("redis") else [])
    found = store.entered("x1", NOW)
    assert found is not None
    assert found[0] == session()
    assert found[1].id == held.id
    assert {one.factor for one in found[1].credentials} == {Factor.PASSWORD, Factor.PIN}


def test_a_session_that_is_over_or_unknown_or_whose_account_is_gone_is_none_of_anybody(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
    store.sessions.put(session(), 10)
    store.sessions.put(session("x2", account_id="nobody"), 10)
    ends = session().expires_at
    assert store.entered("x1", ends - SECOND) is not None
    assert store.entered("x1", ends) is None
    assert store.entered("x2", NOW) is None
    assert store.entered("unknown", NOW) is None
    store.sessions.end("x1")
    assert store.entered("x1", NOW) is None


def test_the_short_lived_take_one_statement_or_none(store: Store, kind: str):
    one = 0 if kind.endswith("redis") else 1
    assert cost(lambda: store.sign_ins.put(sign_in())) == one
    assert cost(lambda: store.sign_ins.get("s1", NOW)) == one
    assert cost(lambda: store.sign_ins.swap(sign_in(), sign_in(id="s2"))) == one
    assert cost(lambda: store.sign_ins.take("s2", NOW)) == one
    assert cost(lambda: store.sessions.put(session(), 10)) == {"sqlite": 2, "postgresql": 3}.get(kind, 0)
    assert cost(lambda: store.sessions.get("x1", NOW)) == one
    assert cost(lambda: store.sessions.touch("x1", NOW, NOW + DAY)) == one
    assert cost(lambda: store.used.first_time("jti", NOW + DAY, NOW)) == one
