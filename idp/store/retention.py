"""What has been kept long enough: counted and deleted, a few rows a statement, each by an index."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, bindparam, delete, func, literal_column, or_, select, tuple_

from idp.model import Kept
from idp.store.signals import signals
from idp.store.statements import Repository, Statement
from idp.store.tables import (
    alarms,
    client_consents,
    counters,
    credential_history,
    credentials,
    denied,
    devices,
    grants,
    invitations,
    issuances,
    one_time_codes,
    outbox,
    sessions,
    sign_ins,
    used,
)

_before = bindparam("before", type_=grants.c.expires_at.type)


class _Rows(NamedTuple):
    """Rows that may go once the moment in a column has passed, as far as the other conditions hold."""

    moment: Column[datetime]
    conditions: tuple[ColumnElement[bool], ...] = ()


def _written(condition: str) -> ColumnElement[bool]:
    """Written out: a parameter would keep both databases from seeing that a partial index holds what is asked for."""
    return literal_column(condition)


# No counter that is closed, or that counts towards the cumulative cap: whoever guesses slowly gets no fresh start.
_idle = _written("counters.consecutive = 0 AND counters.disabled_at IS NULL")
_open = or_(counters.c.locked_until.is_(None), counters.c.locked_until < _before)

_ROWS: Final[Mapping[Kept, Sequence[_Rows]]] = {
    Kept.LETTERS: (
        _Rows(outbox.c.state_at, (_written("outbox.state = 'sent'"),)),
        _Rows(outbox.c.state_at, (_written("outbox.state = 'dead'"),)),
    ),
    Kept.SIGNALS: (_Rows(signals.c.created_at),),
    Kept.COUNTERS: (_Rows(counters.c.touched_at, (_idle, _open)),),
    Kept.ISSUANCES: (_Rows(issuances.c.at),),
    Kept.FORMER_CREDENTIALS: (_Rows(credential_history.c.replaced_at),),
    # The codes go with them.
    Kept.GRANTS: (
        _Rows(grants.c.expires_at),
        _Rows(grants.c.revoked_at, (_written("grants.revoked_at IS NOT NULL"), grants.c.expires_at >= _before)),
    ),
    Kept.INVITATIONS: (_Rows(invitations.c.expires_at),),
    Kept.ONE_TIME_CODES: (_Rows(one_time_codes.c.expires_at),),
    Kept.ALARMS: (_Rows(alarms.c.expires_at),),
    Kept.TEMPORARY_PASSWORDS: (_Rows(credentials.c.expires_at, (_written("credentials.factor = 'temporary'"),)),),
    Kept.DEVICES: (_Rows(devices.c.last_seen_at),),
    Kept.CLIENT_CONSENTS: (_Rows(client_consents.c.given_at),),
    Kept.SIGN_INS: (_Rows(sign_ins.c.expires_at),),
    Kept.SESSIONS: (_Rows(sessions.c.expires_at),),
    Kept.USED: (_Rows(used.c.until),),
    Kept.DENIED: (_Rows(denied.c.until),),
}


def _over(rows: _Rows, *columns: Any) -> Select[Any]:
    return select(*columns).where(rows.moment < _before, *rows.conditions)


def _counting(rows: _Rows) -> Statement:
    return Statement(_over(rows, func.count()).select_from(rows.moment.table))


def _forgetting(rows: _Rows) -> Statement:
    """Delete the oldest, and leave to others what others are at."""
    table = rows.moment.table
    key = tuple(table.primary_key.columns)
    oldest = _over(rows, *key).order_by(rows.moment).limit(bindparam("limit")).with_for_update(skip_locked=True)
    return Statement(delete(table).where((key[0] if len(key) == 1 else tuple_(*key)).in_(oldest)))


COUNTS: Final = {kind: tuple(_counting(one) for one in rows) for kind, rows in _ROWS.items()}
FORGETS: Final = {kind: tuple(_forgetting(one) for one in rows) for kind, rows in _ROWS.items()}


class Retention(Repository):
    """Data past its time. What is kept in Redis goes there by itself, and of such a kind there is nothing here."""

    __slots__ = ()

    def count(self, kind: Kept, before: datetime) -> int:
        """How much of a kind has been kept since before a moment."""
        return sum(int(self._link.all(one, {"before": before})[0][0]) for one in COUNTS.get(kind, ()))

    def forget(self, kind: Kept, before: datetime, limit: int) -> int:
        """Delete what of a kind has been kept since before a moment, at most ``limit`` rows; returns how many."""
        gone = 0
        for one in FORGETS.get(kind, ()):
            if gone < limit:
                gone += self._link.count(one, {"before": before, "limit": limit - gone})
        return gone
