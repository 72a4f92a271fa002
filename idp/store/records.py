"""What happened and what must be sent: the audit log, the outbox, and the policies that decided."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, case, delete, func, insert, literal_column, or_, select, union_all, update

from idp.model import AuditEntry, Letter, Period
from idp.store.codec import cleaned
from idp.store.statements import Repository, Row, Statement, conflicting
from idp.store.tables import audit, outbox, policies, policy_periods

_a, _o, _p = audit.c, outbox.c, policies.c

_ENTRY_COLUMNS = (_a.at, _a.actor, _a.event, _a.outcome, _a.account_id, _a.facts, _a.policy)
_WRITE = Statement(insert(audit).inline())

_FILTERS = {
    "account": _a.account_id == bindparam("account"),
    "kind": _a.event == bindparam("kind"),
    "since": _a.at > bindparam("since"),
}


@cache
def _reading(asked: frozenset[str]) -> Statement:
    """One statement for each set of filters, so that each can use its index."""
    chosen = select(*_ENTRY_COLUMNS).where(*(_FILTERS[name] for name in sorted(asked)))
    return Statement(chosen.order_by(_a.id.desc()).limit(bindparam("limit")))


_LETTER_COLUMNS = (
    _o.id,
    _o.channel,
    _o.recipient,
    _o.template,
    _o.locale,
    _o.created_at,
    _o.not_after,
    _o.attempts,
    _o.account_id,
    _o.body,
)
_put = tuple(column for column in outbox.c if column.name not in ("leased_until", "error"))
# One row, or none for a letter to nobody.
_PUT = Statement(
    insert(outbox).from_select(
        [column.name for column in _put],
        select(*(bindparam(column.name, type_=column.type) for column in _put)).where(
            func.length(bindparam("recipient", type_=_o.recipient.type)) > 0
        ),
    )
)
_now = bindparam("now", type_=_o.state_at.type)
_until = bindparam("until", type_=_o.leased_until.type)
# Written out: a parameter would keep both databases from seeing that a partial index holds what is asked for.
_waiting: ColumnElement[bool] = literal_column("outbox.state = 'waiting'")
_dead: ColumnElement[bool] = literal_column("outbox.state = 'dead'")
_QUEUES: tuple[ColumnElement[bool], ColumnElement[bool]] = (
    literal_column("outbox.urgent"),
    literal_column("NOT outbox.urgent"),
)
_still_wanted = or_(_o.not_after.is_(None), _o.not_after > _now)
# A code that works for minutes must not queue behind a hundred thousand reminders.
_URGENT = timedelta(hours=1)


def _claiming(queue: ColumnElement[bool]) -> Statement:
    """Take the due letters of one of the two queues, each by its own index."""
    due = (
        select(_o.id)
        .where(_waiting, queue, _o.next_try_at <= _now, or_(_o.leased_until.is_(None), _o.leased_until <= _now), _still_wanted)
        .order_by(_o.next_try_at)
        .limit(bindparam("limit"))
        # SQLite leaves this out: there the statement holds the only write lock.
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = update(outbox).where(_o.id.in_(select(due.c.id))).values(leased_until=_until, attempts=_o.attempts + 1)
    return Statement(taken.returning(*_LETTER_COLUMNS))


# Statistics tell PostgreSQL that next to nothing waits, as is true on most days; when a hundred thousand letters do, it
# would sort them all for each batch. For this transaction it may only walk the index, which has them in order.
_IN_ORDER = Statement(select(func.set_config("enable_sort", "off", literal_column("true"))))
_CLAIMS = tuple(_claiming(queue) for queue in _QUEUES)
_this = (_o.id == bindparam("one"), _waiting)
_GIVE_BACK = Statement(
    update(outbox).where(*_this, _o.leased_until == _until).values(leased_until=None, attempts=_o.attempts - 1)
)
_SENT = Statement(update(outbox).where(*_this).values(state="sent", state_at=_now, body=None, leased_until=None, error=None))
_WITHDRAW = Statement(delete(outbox).where(*_this))
_RETRY = Statement(
    update(outbox)
    .where(*_this)
    .values(next_try_at=bindparam("next", type_=_o.next_try_at.type), leased_until=None, error=bindparam("why"), state_at=_now)
)
_BURY = Statement(update(outbox).where(*_this).values(state="dead", state_at=_now, leased_until=None, error=bindparam("why")))
_EXPIRE = Statement(
    update(outbox)
    .where(_o.not_after <= _now, _o.body.is_not(None))
    .values(
        body=None,
        state="dead",
        leased_until=None,
        state_at=case((_waiting, _now), else_=_o.state_at),
        error=func.coalesce(_o.error, "expired"),
    )
)
_counted = (("waiting", _QUEUES[0] & _waiting), ("waiting", _QUEUES[1] & _waiting), ("dead", _dead))
_DEPTH = Statement(
    union_all(*(select(literal_column(f"'{name}'"), func.count()).select_from(outbox).where(rows) for name, rows in _counted))
)
_can_rise = _o.body.is_not(None) & _still_wanted
_DEAD = Statement(
    select(*_LETTER_COLUMNS, _o.error, _o.state_at, _can_rise)
    .where(_dead)
    .order_by(_o.state_at.desc(), _o.id)
    .limit(bindparam("limit"))
)
_rise = (
    update(outbox)
    .where(_dead, _can_rise)
    .values(state="waiting", state_at=_now, next_try_at=_now, leased_until=None, attempts=0)
)
_RISE = Statement(_rise.where(_o.id == bindparam("one")))
_RISE_ALL = Statement(_rise)

_RECORD = conflicting(lambda into: into(policies).on_conflict_do_nothing(index_elements=[_p.digest]))
_versions = select(_p.digest, _p.name, _p.document, _p.recorded_at)
_GET = Statement(_versions.where(_p.digest == bindparam("one")))
_ALL = Statement(_versions.order_by(_p.recorded_at.desc(), _p.digest))


_SPANS = ("suspend_after", "expire_after", "purge_after")
_d = policy_periods.c
_BEGAN = Statement(insert(policy_periods).inline())
_PERIODS = Statement(select(_d.began_at, _d.spans).order_by(_d.id))
_LAST_PERIOD = Statement(select(_d.digest).order_by(_d.id.desc()).limit(literal_column("1")))


class PolicyVersion(NamedTuple):
    """A policy as it was in force, whole, under the digest that audit rows name."""

    digest: str
    name: str
    document: str
    recorded_at: datetime


class DeadLetter(NamedTuple):
    """A letter that was given up: why, when, and whether it could still be sent."""

    letter: Letter
    error: str
    at: datetime
    sendable: bool


class Audit(Repository):
    """The log of what happened. Entries are added and read; only retention takes them away."""

    __slots__ = ()

    def write(self, entry: AuditEntry) -> None:
        """Add an entry, in the transaction of what it tells of."""
        self._link.run(
            _WRITE,
            {
                "at": entry.at,
                "actor": cleaned(entry.actor),
                "event": entry.event,
                "outcome": entry.outcome,
                "account_id": entry.account_id,
                "facts": _cleaned(entry.facts),
                "policy": entry.policy,
            },
        )

    def read(
        self, account_id: str | None = None, event: str | None = None, after: datetime | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """The newest entries first, those later than ``after`` where it is given."""
        asked = {"account": account_id, "kind": event, "since": after}
        given = {name: value for name, value in asked.items() if value is not None}
        return [AuditEntry(*row) for row in self._link.all(_reading(frozenset(given)), {**given, "limit": limit})]


class Outbox(Repository):
    """Letters to be sent. ``body`` is the letter's context, sealed by the caller; letters read here have none of it."""

    __slots__ = ()

    def put(self, letter: Letter, body: bytes) -> None:
        """Accept a letter, in the transaction of what it tells of; it is due at once, and urgent if its time is short.

        A letter to nobody ("") is not kept: whoever has none to be sent costs the same statement.
        """
        self._link.run(
            _PUT,
            {
                "id": letter.id,
                "channel": letter.channel,
                "recipient": letter.to,
                "template": letter.template,
                "locale": letter.locale,
                "body": body,
                "created_at": letter.created_at,
                "not_after": letter.not_after,
                "attempts": letter.attempts,
                "account_id": letter.account_id,
                "state": "waiting",
                "state_at": letter.created_at,
                "next_try_at": letter.created_at,
                "urgent": letter.not_after is not None and letter.not_after - letter.created_at <= _URGENT,
            },
        )

    def claim(self, now: datetime, lease: timedelta, limit: int) -> list[tuple[Letter, bytes]]:
        """Take letters that are due, urgent ones first, for ``lease``: no other worker gets them meanwhile.

        ``attempts`` counts this try already, so that a letter which kills its worker does not do so for ever.
        """
        if self._link.dialect == "postgresql":
            self._link.all(_IN_ORDER, {})
        rows: list[Row] = []
        for claim in _CLAIMS:
            if len(rows) < limit:
                rows += self._link.all(claim, {"now": now, "until": now + lease, "limit": limit - len(rows)})
        return [(_letter(row), row[9] or b"") for row in rows]

    def give_back(self, letter_id: str, leased_until: datetime) -> None:
        """The letter was claimed until then and not tried: it is due at once, as if it had not been taken."""
        self._link.run(_GIVE_BACK, {"one": letter_id, "until": leased_until})

    def sent(self, letter_id: str, now: datetime) -> None:
        """The letter was accepted: its body is wiped."""
        self._link.run(_SENT, {"one": letter_id, "now": now})

    def failed(self, letter_id: str, now: datetime, error: str, next_try_at: datetime | None) -> None:
        """The letter was not accepted: it is tried again at ``next_try_at``, or laid with the dead where that is None."""
        values = {"one": letter_id, "now": now, "why": cleaned(error)}
        if next_try_at is None:
            self._link.run(_BURY, values)
        else:
            self._link.run(_RETRY, {**values, "next": next_try_at})

    def withdraw(self, letter_id: str) -> None:
        """The letter is not to be sent any more."""
        self._link.run(_WITHDRAW, {"one": letter_id})

    def expire(self, now: datetime) -> int:
        """Wipe the letters past their time, dead ones too; returns how many."""
        return self._link.count(_EXPIRE, {"now": now})

    def depth(self) -> dict[str, int]:
        """How many letters are ``waiting`` and how many ``dead``."""
        depth = {"waiting": 0, "dead": 0}
        for state, count in self._link.all(_DEPTH, {}):
            depth[state] += count
        return depth

    def dead(self, now: datetime, limit: int = 100) -> list[DeadLetter]:
        """The letters that were given up, the latest first."""
        rows = self._link.all(_DEAD, {"now": now, "limit": limit})
        return [DeadLetter(_letter(row), row[10] or "", row[11], bool(row[12])) for row in rows]

    def rise(self, now: datetime, letter_id: str | None = None) -> int:
        """Let a dead letter (or every one) wait again, as if new, while its time lasts and its body is kept."""
        if letter_id is None:
            return self._link.count(_RISE_ALL, {"now": now})
        return self._link.count(_RISE, {"now": now, "one": letter_id})


class Policies(Repository):
    """Every policy that was ever in force."""

    __slots__ = ()

    def record(self, digest: str, name: str, document: str, now: datetime) -> None:
        """Keep a policy; of one kept already, the first moment stands."""
        values = {"digest": digest, "name": name, "document": document, "recorded_at": now}
        self._link.run(_RECORD, values)

    def get(self, digest: str) -> PolicyVersion | None:
        """The policy of a digest."""
        row = self._link.first(_GET, {"one": digest})
        return None if row is None else PolicyVersion(*row)

    def list(self) -> list[PolicyVersion]:
        """All policies, the latest first."""
        return [PolicyVersion(*row) for row in self._link.all(_ALL, {})]

    def began(self, digest: str, period: Period) -> None:
        """Write down since when the spans of a policy have been in force, unless they are those of the last entry."""
        last = self._link.first(_LAST_PERIOD, {})
        if last is None or last[0] != digest:
            spans = {name: _seconds(getattr(period, name)) for name in _SPANS}
            self._link.run(_BEGAN, {"digest": digest, "began_at": period.began_at, "spans": spans})

    def in_force(self) -> str | None:
        """The digest of the policy that was put in force last."""
        last = self._link.first(_LAST_PERIOD, {})
        return None if last is None else str(last[0])

    def periods(self) -> tuple[Period, ...]:
        """The spans of inactivity that were ever in force, the earliest first."""
        rows = self._link.all(_PERIODS, {})
        return tuple(Period(began, *(_span(spans[name]) for name in _SPANS)) for began, spans in rows)


def _letter(row: Sequence[Any]) -> Letter:
    id_, channel, to, template, locale, created_at, not_after, attempts, account_id = row[:9]
    return Letter(id_, channel, to, template, locale, {}, created_at, not_after, attempts, account_id)


def _cleaned(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that JSONB takes: a stranger's text may hold what PostgreSQL refuses."""
    return {name: cleaned(value) if isinstance(value, str) else value for name, value in facts.items()}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
