"""The short-lived state in SQL tables. Within a thread's write transaction these join it; else each stands alone."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, text, update

from idp.model import Session, SignIn, Slip
from idp.store.codec import session_document, session_from, sign_in_document, sign_in_from
from idp.store.database import Database, Lease, Turn, joined
from idp.store.statements import Statement, conflicting
from idp.store.tables import sessions, sign_ins, slips, used

_i, _s, _u, _p = sign_ins.c, sessions.c, used.c, slips.c

_PUT_SIGN_IN = Statement(insert(sign_ins))
_this_sign_in = (_i.id == bindparam("one"), _i.expires_at > bindparam("now"))
_GET_SIGN_IN = Statement(select(_i.id, _i.version, _i.document).where(*_this_sign_in))
_SWAP_SIGN_IN = Statement(update(sign_ins).where(_i.id == bindparam("one"), _i.version == bindparam("seen")))
_TAKE_SIGN_IN = Statement(delete(sign_ins).where(*_this_sign_in).returning(_i.id, _i.version, _i.document))

# In the order of ``Slip``.
_SLIP_COLUMNS = (_p.key, _p.document, _p.expires_at, _p.version)
_this_slip = (_p.key == bindparam("one"), _p.expires_at > bindparam("now", type_=_p.expires_at.type))
_PUT_SLIP = Statement(insert(slips))
_GET_SLIP = Statement(select(*_SLIP_COLUMNS).where(*_this_slip))
_SWAP_SLIP = Statement(
    update(slips)
    .where(*_this_slip, _p.version == bindparam("seen"))
    .values(document=bindparam("document"), version=bindparam("version"))
)
_TAKE_SLIP = Statement(delete(slips).where(*_this_slip).returning(*_SLIP_COLUMNS))

# In the order of ``session_from``.
SESSION_COLUMNS = (_s.id, _s.document, _s.last_seen_at, _s.expires_at)
_of_account = _s.account_id == bindparam("account")
_PUT_SESSION = Statement(insert(sessions))
_ONE_AT_A_TIME = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended(:account, 0))"))
_GET_SESSION = Statement(select(*SESSION_COLUMNS).where(_s.id == bindparam("one"), _s.expires_at > bindparam("now")))
_TOUCH = Statement(
    update(sessions)
    .where(_s.id == bindparam("one"))
    .values(
        last_seen_at=bindparam("seen", type_=_s.last_seen_at.type),
        expires_at=bindparam("until", type_=_s.expires_at.type),
    )
)
_REPLACE = Statement(update(sessions).where(_s.id == bindparam("one")))
_END = Statement(delete(sessions).where(_s.id == bindparam("one")).returning(*SESSION_COLUMNS))
_END_PUBLIC = Statement(delete(sessions).where(_of_account, _s.public_id == bindparam("public")).returning(*SESSION_COLUMNS))
_OF_ACCOUNT = Statement(
    select(*SESSION_COLUMNS).where(_of_account, _s.expires_at > bindparam("now")).order_by(_s.created_at, _s.id)
)
_END_ALL = Statement(delete(sessions).where(_of_account, _s.id != bindparam("keep")).returning(*SESSION_COLUMNS))
_newest = (
    select(_s.id)
    .where(_of_account, _s.expires_at > bindparam("now"))
    # The one just begun is the newest whatever the clocks of two nodes say.
    .order_by((_s.id == bindparam("one")).desc(), _s.created_at.desc(), _s.id)
    .limit(bindparam("limit"))
)
_PRUNE = Statement(delete(sessions).where(_of_account, _s.id.not_in(_newest.scalar_subquery())).returning(*SESSION_COLUMNS))

_FIRST_TIME = conflicting(
    lambda into: (statement := into(used)).on_conflict_do_update(
        index_elements=[_u.digest],
        set_={"until": statement.excluded.until},
        where=_u.until <= bindparam("now", type_=_u.until.type),
    )
)


class SqlSignIns:
    """``SignIns`` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, sign_in: SignIn) -> None:
        """Record a new one."""
        with Turn(self._database) as link:
            link.run(_PUT_SIGN_IN, _sign_in_row(sign_in, sign_in.version))

    def get(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """The sign-in, unless it is over."""
        with Lease(self._database) as link:
            row = link.first(_GET_SIGN_IN, {"one": sign_in_id, "now": now})
        return None if row is None else sign_in_from(*row)

    def swap(self, before: SignIn, after: SignIn) -> bool:
        """Store ``after`` as the next version if ``before`` still stands."""
        values = {"one": before.id, "seen": before.version, **_sign_in_row(after, before.version + 1)}
        with Turn(self._database) as link:
            return link.count(_SWAP_SIGN_IN, values) == 1

    def take(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """Get and delete: of all who try, one gets it."""
        with Turn(self._database) as link:
            row = link.first(_TAKE_SIGN_IN, {"one": sign_in_id, "now": now})
        return None if row is None else sign_in_from(*row)


class SqlSessions:
    """``Sessions`` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, session: Session, limit: int) -> list[Session]:
        """Record a new one; the oldest beyond ``limit`` end and are returned.

        PostgreSQL is told to do one of an account at a time: of two at once, each would see only its own.
        """
        now = session.last_seen_at
        bounds = {"account": session.account_id, "one": session.id, "now": now, "limit": limit}
        with joined(self._database) as link:
            if link.dialect == "postgresql":
                link.run(_ONE_AT_A_TIME, {"account": session.account_id})
            link.run(_PUT_SESSION, _session_row(session))
            ended = _sessions(link.all(_PRUNE, bounds))
        return [old for old in ended if old.expires_at > now]

    def get(self, session_id: str, now: datetime) -> Session | None:
        """The session, unless it is over."""
        with Lease(self._database) as link:
            row = link.first(_GET_SESSION, {"one": session_id, "now": now})
        return None if row is None else session_from(*row)

    def touch(self, session_id: str, last_seen_at: datetime, expires_at: datetime) -> None:
        """Move its end; one that has ended stays ended."""
        with Turn(self._database) as link:
            link.run(_TOUCH, {"one": session_id, "seen": last_seen_at, "until": expires_at})

    def replace(self, old_id: str, session: Session) -> bool:
        """Give it a new id, the old one being dead; False where it had ended."""
        with Turn(self._database) as link:
            return link.count(_REPLACE, {"one": old_id, **_session_row(session)}) == 1

    def end(self, session_id: str) -> Session | None:
        """End it; None where it had ended."""
        return next(iter(self._end(_END, {"one": session_id})), None)

    def end_by_public_id(self, account_id: str, public_id: str) -> Session | None:
        """End one of the account's sessions by the id that people and clients see."""
        return next(iter(self._end(_END_PUBLIC, {"account": account_id, "public": public_id})), None)

    def of_account(self, account_id: str, now: datetime) -> list[Session]:
        """The account's live sessions, the oldest first."""
        with Lease(self._database) as link:
            return _sessions(link.all(_OF_ACCOUNT, {"account": account_id, "now": now}))

    def end_all(self, account_id: str, keep: str | None = None) -> list[Session]:
        """End the account's sessions, but for the one with the id ``keep``; returns those ended."""
        return self._end(_END_ALL, {"account": account_id, "keep": keep or ""})

    def _end(self, statement: Statement, values: dict[str, Any]) -> list[Session]:
        with Turn(self._database) as link:
            return _sessions(link.all(statement, values))


class SqlSlips:
    """``Slips`` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, slip: Slip, now: datetime) -> None:  # noqa: ARG002 - for Redis, which counts from now
        """Record a new one."""
        row = {"key": slip.key, "version": slip.version, "document": slip.document, "expires_at": slip.expires_at}
        with Turn(self._database) as link:
            link.run(_PUT_SLIP, row)

    def get(self, key: str, now: datetime) -> Slip | None:
        """The slip, unless it is over."""
        with Lease(self._database) as link:
            row = link.first(_GET_SLIP, {"one": key, "now": now})
        return None if row is None else Slip(*row)

    def swap(self, before: Slip, document: str, now: datetime) -> bool:
        """Write ``document`` as the next version if ``before`` still stands."""
        values = {"one": before.key, "seen": before.version, "now": now, "document": document, "version": before.version + 1}
        with Turn(self._database) as link:
            return link.count(_SWAP_SLIP, values) == 1

    def take(self, key: str, now: datetime) -> Slip | None:
        """Get and delete: of all who try, one gets it."""
        with Turn(self._database) as link:
            row = link.first(_TAKE_SLIP, {"one": key, "now": now})
        return None if row is None else Slip(*row)


class SqlUsed:
    """``Used`` in a table, by digest: an identifier is a stranger's text of any length."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_time(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether nobody has used ``key``; it counts as used until ``until``."""
        values = {"digest": used_digest(key), "until": until, "now": now}
        with Turn(self._database) as link:
            return link.count(_FIRST_TIME, values) == 1


def used_digest(key: str) -> str:
    """The name under which a one-time identifier is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _sign_in_row(sign_in: SignIn, version: int) -> dict[str, Any]:
    return {
        "id": sign_in.id,
        "version": version,
        "document": sign_in_document(sign_in),
        "expires_at": sign_in.expires_at,
    }


def _session_row(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "account_id": session.account_id,
        "public_id": session.public_id,
        "document": session_document(session),
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
    }


def _sessions(rows: Any) -> list[Session]:
    return [session_from(*row) for row in rows]
