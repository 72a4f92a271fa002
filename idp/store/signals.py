"""What waits to be told to relying parties, one row a receiver, and the streams that receivers set up."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from idp.model import Signal, SignalKind, Stream, StreamStatus
from idp.store.codec import cleaned, decode, encode
from idp.store.schema import only
from idp.store.statements import Repository, Row, Statement, conflicting
from idp.store.tables import metadata
from idp.store.types import Instant

streams = Table(
    "streams",
    metadata,
    Column("id", String, primary_key=True),
    Column("client_id", String, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("authorization", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
)

# Rows are deleted once their receiver has the token; the claims lie sealed.
signals = Table(
    "signals",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("target", String, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    Column("not_after", Instant),
    Column("attempts", Integer, nullable=False),
    Column("account_id", String),
    Column("state", String, nullable=False),
    Column("next_try_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("error", Text),
    only("next_try_at", "state = 'waiting'"),
    only("account_id", "account_id IS NOT NULL"),
)

# For so many tries what is behind a signal waits for it; after that, one that its receiver can't take holds up no other.
PATIENCE: Final = 6

_s, _g = streams.c, signals.c
_STREAM_COLUMNS = (_s.id, _s.client_id, _s.status, _s.document, _s.authorization, _s.created_at, _s.verified_at)
_ADD = conflicting(lambda into: into(streams).on_conflict_do_nothing(index_elements=[_s.client_id]))
_STREAMS = Statement(select(*_STREAM_COLUMNS).order_by(_s.created_at, _s.id))
_OF_CLIENT = Statement(select(*_STREAM_COLUMNS).where(_s.client_id == bindparam("client")))
_CHANGE = Statement(update(streams).where(_s.id == bindparam("one")))
_REMOVE = Statement(delete(streams).where(_s.id == bindparam("one")))

_COLUMNS = (_g.id, _g.kind, _g.target, _g.created_at, _g.not_after, _g.attempts, _g.account_id, _g.body)
_now = bindparam("now", type_=_g.next_try_at.type)
_until = bindparam("until", type_=_g.leased_until.type)
# Written out, so that both databases see that the partial index holds what is asked for.
_waiting: ColumnElement[bool] = literal_column("signals.state = 'waiting'")
_due = (
    _waiting,
    _g.next_try_at <= _now,
    or_(_g.leased_until.is_(None), _g.leased_until <= _now),
)
# Whoever is told by another worker, or rests after a try that failed, would hear what is new before what is older.
_o = signals.alias("other")
_in_hand = and_(_o.c.state == literal_column("'waiting'"), _o.c.leased_until > _now)
_resting = and_(
    _o.c.state == literal_column("'waiting'"),
    _o.c.next_try_at > _now,
    _o.c.attempts.between(literal_column("1"), literal_column(str(PATIENCE))),
)


def _free(target: ColumnElement[str]) -> ColumnElement[bool]:
    return ~exists(select(literal_column("1")).where(_o.c.target == target, or_(_in_hand, _resting)))


_PUT = Statement(insert(signals))
_IS_DUE = Statement(select(literal_column("1")).select_from(signals).where(*_due).limit(literal_column("1")))


def _claiming() -> Statement:
    due = (
        select(_g.id)
        .where(_g.target == bindparam("whose"), *_due, _free(bindparam("whose")))
        .order_by(_g.created_at, _g.id)
        .limit(bindparam("limit"))
        # SQLite leaves this out: there the statement holds the only write lock.
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = update(signals).where(_g.id.in_(select(due.c.id))).values(leased_until=_until, attempts=_g.attempts + 1)
    return Statement(taken.returning(*_COLUMNS))


_receivers = select(_g.target, _g.kind).where(*_due).distinct().subquery("receivers")
_TARGETS = Statement(
    select(_receivers).where(_free(_receivers.c.target)).order_by(_receivers.c.target).limit(bindparam("limit"))
)
_CLAIM = _claiming()
_DONE = Statement(delete(signals).where(_g.id == bindparam("one")))
_RETRY = Statement(
    update(signals)
    .where(_g.id == bindparam("one"))
    .values(next_try_at=bindparam("next", type_=_g.next_try_at.type), leased_until=None, error=bindparam("why"))
)
_BURY = Statement(
    update(signals).where(_g.id == bindparam("one")).values(state="dead", leased_until=None, error=bindparam("why"))
)
_GIVE_BACK = Statement(
    update(signals).where(_g.id == bindparam("one")).values(leased_until=None, attempts=_g.attempts - literal_column("1"))
)
_next = bindparam("next", type_=_g.next_try_at.type)
_POSTPONE = Statement(
    update(signals)
    .where(_g.target == bindparam("whose"), _waiting, _g.next_try_at < _next, _g.leased_until.is_(None))
    .values(next_try_at=_next)
)
_QUEUE = Statement(
    select(*_COLUMNS)
    .where(_g.target == bindparam("whose"), _g.state.in_((literal_column("'held'"), literal_column("'waiting'"))))
    .order_by(_g.created_at, _g.id)
    .limit(bindparam("limit"))
)
_ACKNOWLEDGE = Statement(delete(signals).where(_g.id == bindparam("one"), _g.target == bindparam("whose")))
_REFUSED = Statement(
    update(signals)
    .where(_g.id == bindparam("one"), _g.target == bindparam("whose"))
    .values(state="dead", leased_until=None, error=bindparam("why"))
)
_MOVE = Statement(
    update(signals).where(_g.target == bindparam("whose"), _g.state == bindparam("before")).values(state=bindparam("after"))
)
_DROP = Statement(delete(signals).where(_g.target == bindparam("whose")))
_COUNTS = Statement(select(_g.state, func.count()).group_by(_g.state))


class Streams(Repository):
    """Who asked to be told of what: few, and read whole."""

    __slots__ = ()

    def all(self) -> list[Stream]:
        """Every stream, the oldest first."""
        return [_stream(row) for row in self._link.all(_STREAMS, {})]

    def of(self, client_id: str) -> Stream | None:
        """The stream of a receiver."""
        row = self._link.first(_OF_CLIENT, {"client": client_id})
        return None if row is None else _stream(row)

    def add(self, stream: Stream) -> bool:
        """Add a stream; False where the client has one."""
        return self._link.count(_ADD, {"id": stream.id, "created_at": stream.created_at, **_facts(stream)}) == 1

    def change(self, stream: Stream) -> bool:
        """Write what became of a stream; False where it is gone."""
        return self._link.count(_CHANGE, {"one": stream.id, **_facts(stream)}) == 1

    def remove(self, stream_id: str) -> bool:
        """Remove a stream, and what waited for it."""
        self._link.run(_DROP, {"whose": stream_id})
        return self._link.count(_REMOVE, {"one": stream_id}) == 1


class Signals(Repository):
    """Tokens to be delivered. ``body`` are their claims, sealed by the caller; signals read here have none.

    What is to be pushed is ``waiting``; what waits to be polled, or for a paused stream, is ``held``; what was refused or
    given up is ``dead``.
    """

    __slots__ = ()

    def put(self, signal: Signal, body: bytes, *, held: bool = False) -> None:
        """Accept a signal, in the transaction of what it tells of; due at once unless it is ``held``."""
        self.put_all([(signal, body, held)])

    def put_all(self, these: Sequence[tuple[Signal, bytes, bool]]) -> None:
        """Accept several: each with its body, and whether it is held."""
        self._link.many(_PUT, [_waiting_row(*one) for one in these])

    def is_due(self, now: datetime) -> bool:
        """Whether there is anything to claim: a read alone, for whoever asks several times a second."""
        return self._link.first(_IS_DUE, {"now": now}) is not None

    def targets(self, now: datetime, limit: int = 500) -> list[tuple[str, SignalKind]]:
        """For whom there is anything to claim; nobody whom another worker tells, or who rests."""
        return [(row[0], SignalKind(row[1])) for row in self._link.all(_TARGETS, {"now": now, "limit": limit})]

    def claim(self, target: str, now: datetime, lease: timedelta, limit: int) -> list[tuple[Signal, bytes]]:
        """Take what is due of a receiver for ``lease``, the oldest first: no other worker gets any of its meanwhile.

        ``attempts`` counts this try. What is past its time is among it: that is the caller's to judge.
        """
        rows = self._link.all(_CLAIM, {"whose": target, "now": now, "until": now + lease, "limit": limit})
        return sorted(((_signal(row), row[7]) for row in rows), key=lambda one: (one[0].created_at, one[0].id))

    def delivered(self, signal_id: str) -> None:
        """The receiver has it."""
        self._link.run(_DONE, {"one": signal_id})

    def failed(self, signal_id: str, error: str, next_try_at: datetime | None) -> None:
        """The receiver did not take it: it is tried again at ``next_try_at``, or given up where that is None."""
        values = {"one": signal_id, "why": cleaned(error)}
        if next_try_at is None:
            self._link.run(_BURY, values)
        else:
            self._link.run(_RETRY, {**values, "next": next_try_at})

    def give_back(self, signal_ids: Sequence[str]) -> None:
        """What was claimed and not tried is due as before."""
        self._link.many(_GIVE_BACK, [{"one": one} for one in signal_ids])

    def postpone(self, target: str, until: datetime) -> None:
        """Nothing that waits for this receiver, and that nobody holds, is tried before ``until``: its order is kept."""
        self._link.run(_POSTPONE, {"whose": target, "next": until})

    def queue(self, target: str, limit: int) -> list[tuple[Signal, bytes]]:
        """What is kept for a receiver, the oldest first."""
        return [(_signal(row), row[7]) for row in self._link.all(_QUEUE, {"whose": target, "limit": limit})]

    def acknowledge(self, target: str, signal_ids: Sequence[str]) -> int:
        """The receiver has these; those of others are not touched. Returns how many were its own."""
        return sum(self._link.count(_ACKNOWLEDGE, {"one": one, "whose": target}) for one in signal_ids)

    def refused(self, target: str, errors: Mapping[str, str]) -> None:
        """The receiver cannot use these."""
        for one, why in errors.items():
            self._link.run(_REFUSED, {"one": one, "whose": target, "why": cleaned(why)})

    def hold(self, target: str) -> None:
        """What was to be pushed waits until it is released or polled."""
        self._link.run(_MOVE, {"whose": target, "before": "waiting", "after": "held"})

    def release(self, target: str) -> None:
        """What was held is due."""
        self._link.run(_MOVE, {"whose": target, "before": "held", "after": "waiting"})

    def drop(self, target: str) -> int:
        """Nothing more is told to this receiver of what has happened."""
        return self._link.count(_DROP, {"whose": target})

    def depth(self) -> dict[str, int]:
        """How many signals are ``waiting``, ``held`` and ``dead``."""
        counted = {row[0]: int(row[1]) for row in self._link.all(_COUNTS, {})}
        return {state: counted.get(state, 0) for state in ("waiting", "held", "dead")}


def _facts(stream: Stream) -> dict[str, Any]:
    members = {
        "events": stream.events,
        "reason": stream.reason,
        "description": stream.description,
        "push_url": stream.push_url,
    }
    return {
        "client_id": stream.client_id,
        "status": stream.status.value,
        "document": encode(members),
        "authorization": stream.authorization,
        "verified_at": stream.verified_at,
    }


def _waiting_row(signal: Signal, body: bytes, held: bool) -> dict[str, Any]:
    return {
        "id": signal.id,
        "kind": signal.kind.value,
        "target": signal.target,
        "body": body,
        "created_at": signal.created_at,
        "not_after": signal.not_after,
        "attempts": signal.attempts,
        "account_id": signal.account_id,
        "state": "held" if held else "waiting",
        "next_try_at": signal.created_at,
    }


def _stream(row: Row) -> Stream:
    id_, client_id, status, document, authorization, created_at, verified_at = row
    members = decode(document)
    return Stream(
        id=id_,
        client_id=client_id,
        events=tuple(members["events"]),
        created_at=created_at,
        status=StreamStatus(status),
        reason=members["reason"],
        description=members["description"],
        push_url=members["push_url"],
        authorization=None if authorization is None else bytes(authorization),
        verified_at=verified_at,
    )


def _signal(row: Row) -> Signal:
    id_, kind, target, created_at, not_after, attempts, account_id = row[:7]
    return Signal(id_, SignalKind(kind), target, {}, created_at, not_after, attempts, account_id)
