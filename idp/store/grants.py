"""Grants with their codes and refresh state: what single use and rotation hang on, each decided by one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, insert, literal_column, select, update

from idp.model import Account, AuthorizationCode, Grant, Rotation
from idp.store.accounts import ACCOUNT_COLUMNS, account_of
from idp.store.codec import grant_document, grant_from
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import accounts, client_consents, codes, denied, grants

_g, _c, _d, _k = grants.c, codes.c, denied.c, client_consents.c

# In the order of ``grant_from``.
_GRANT_COLUMNS = (
    _g.id,
    _g.account_id,
    _g.client_id,
    _g.document,
    _g.created_at,
    _g.expires_at,
    _g.session,
    _g.revoked_at,
    _g.jkt,
)
_WIDTH = len(_GRANT_COLUMNS)
_CODE_COLUMNS = (
    _c.digest,
    _c.grant_id,
    _c.redirect_uri,
    _c.redirect_uri_given,
    _c.code_challenge,
    _c.nonce,
    _c.issued_at,
    _c.expires_at,
    _c.used_at,
)
_STATE_COLUMNS = (_g.handle, _g.current, _g.previous, _g.rotated_at)

_unrevoked = _g.revoked_at.is_(None)

_OPEN = Statement(insert(grants))
_ADD_CODE = Statement(insert(codes))
_FIND_CODE = Statement(
    select(*_CODE_COLUMNS, *_GRANT_COLUMNS)
    .select_from(codes.join(grants, _g.id == _c.grant_id))
    .where(_c.digest == bindparam("one"))
)
_SPEND_CODE = Statement(
    update(codes)
    .where(_c.digest == bindparam("one"), _c.used_at.is_(None), _c.expires_at > bindparam("now"))
    .values(used_at=bindparam("now", type_=_c.used_at.type))
)
_START_REFRESH = Statement(
    update(grants)
    .where(_g.id == bindparam("one"), _unrevoked, _g.handle.is_(None))
    .values(
        handle=bindparam("named"),
        current=bindparam("fresh"),
        rotated_at=bindparam("now", type_=_g.rotated_at.type),
        refresh_expires_at=bindparam("until", type_=_g.refresh_expires_at.type),
        jkt=func.coalesce(bindparam("jkt", type_=_g.jkt.type), _g.jkt),
    )
)
_ROTATION = Statement(select(*_STATE_COLUMNS, *_GRANT_COLUMNS).where(_g.handle == bindparam("named")))
_live_family = and_(
    _g.handle == bindparam("named"),
    _unrevoked,
    _g.refresh_expires_at > bindparam("now"),
    _g.expires_at > bindparam("now"),
)
# Whoever proves possession of a key first, has it bound: no later one changes it.
_bind = {"jkt": func.coalesce(_g.jkt, bindparam("key", type_=_g.jkt.type))}
_ROTATE = Statement(
    update(grants)
    .where(_live_family, _g.current == bindparam("presented"))
    .values(
        previous=bindparam("presented"),
        current=bindparam("fresh"),
        rotated_at=bindparam("now", type_=_g.rotated_at.type),
        refresh_expires_at=bindparam("until", type_=_g.refresh_expires_at.type),
        **_bind,
    )
    .returning(*_GRANT_COLUMNS)
)
# The successor that the client never saw dies; the moment stands, so that the grace can't be stretched by using it.
_ROTATE_AGAIN = Statement(
    update(grants)
    .where(_live_family, _g.previous == bindparam("presented"), _g.rotated_at >= bindparam("since"))
    .values(current=bindparam("fresh"), **_bind)
    .returning(*_GRANT_COLUMNS)
)


def _revoking(which: ColumnElement[bool]) -> Statement:
    ended = bindparam("now", type_=_g.revoked_at.type)
    return Statement(update(grants).where(which, _unrevoked).values(revoked_at=ended).returning(*_GRANT_COLUMNS))


_REVOKE = _revoking(_g.id == bindparam("one"))
_REVOKE_BY_HANDLE = _revoking(_g.handle == bindparam("named"))
_REVOKE_SESSION = _revoking(_g.session == bindparam("sid"))
_REVOKE_ACCOUNT = _revoking(_g.account_id == bindparam("account"))
# What may outlive every session (offline access) belongs to none, and so to elsewhere.
_REVOKE_ELSEWHERE = _revoking(
    (_g.account_id == bindparam("account")) & ((_g.session != bindparam("sid")) | _g.session.is_(None))
)
_REVOKE_CLIENT = _revoking((_g.account_id == bindparam("account")) & (_g.client_id == bindparam("client")))
_REVOKE_ALL_OF_CLIENT = Statement(
    update(grants)
    .where(_g.client_id == bindparam("client"), _unrevoked)
    .values(revoked_at=bindparam("now", type_=_g.revoked_at.type))
)

_now = bindparam("now", type_=_g.expires_at.type)
_unexpired = (_g.account_id == bindparam("account"), _g.expires_at > _now)
_LIVING = Statement(select(*_GRANT_COLUMNS).where(*_unexpired, _unrevoked | (_g.revoked_at >= _now)))
# Of what outlives the browser only the document says in which session it began.
_BEGUN_IN = Statement(select(*_GRANT_COLUMNS).where(*_unexpired, (_g.session == bindparam("sid")) | _g.session.is_(None)))
_ALIVE = Statement(
    select(*_GRANT_COLUMNS, *ACCOUNT_COLUMNS)
    .select_from(grants.outerjoin(accounts, accounts.c.id == _g.account_id))
    .where(
        _g.id == bindparam("one"),
        _unrevoked,
        _g.expires_at > bindparam("now"),
        ~exists(select(literal_column("1")).where(_d.digest == bindparam("jti")).correlate(None)),
    )
)

_DENY = conflicting(lambda into: into(denied).on_conflict_do_nothing(index_elements=[_d.digest]))
_IS_DENIED = Statement(select(literal_column("1")).where(_d.digest == bindparam("jti")))

_of_client = (_k.account_id == bindparam("account"), _k.client_id == bindparam("client"))
_SCOPES = Statement(select(_k.scope).where(*_of_client, _k.given_at >= bindparam("since")))
_RECORD = conflicting(
    lambda into: (statement := into(client_consents)).on_conflict_do_update(
        index_elements=[_k.account_id, _k.client_id, _k.scope], set_={"given_at": statement.excluded.given_at}
    )
)
_WITHDRAW = Statement(delete(client_consents).where(*_of_client))
_FORGET = Statement(delete(client_consents).where(_k.client_id == bindparam("client")))


def _grant(row: Sequence[Any]) -> Grant:
    return grant_from(*row)


def _maybe(row: Sequence[Any] | None) -> Grant | None:
    return None if row is None else grant_from(*row)


class Grants(Repository):
    """Families of tokens, from the code that opens one to the moment it is revoked."""

    __slots__ = ()

    def open(self, grant: Grant, code: AuthorizationCode) -> None:
        """Record a grant and the code that will be exchanged for its tokens."""
        self._link.run(
            _OPEN,
            {
                "id": grant.id,
                "account_id": grant.account_id,
                "client_id": grant.client_id,
                "document": grant_document(grant),
                "created_at": grant.created_at,
                "expires_at": grant.expires_at,
                "session": grant.session,
                "revoked_at": grant.revoked_at,
                "jkt": grant.jkt,
            },
        )
        self._link.run(_ADD_CODE, {column.name: getattr(code, column.name) for column in _CODE_COLUMNS})

    def find_code(self, digest: str) -> tuple[AuthorizationCode, Grant] | None:
        """The code as issued, used and expired ones too, with its grant: the caller judges, then spends."""
        row = self._link.first(_FIND_CODE, {"one": digest})
        if row is None:
            return None
        width = len(_CODE_COLUMNS)
        return AuthorizationCode(*row[:width]), grant_from(*row[width:])

    def spend_code(self, digest: str, now: datetime) -> bool:
        """Use the code up: of all who try, one is told True (RFC 6749 4.1.2)."""
        return self._link.count(_SPEND_CODE, {"one": digest, "now": now}) == 1

    def start_refresh(  # noqa: PLR0917 - what the first refresh token hangs on
        self, grant_id: str, handle: str, digest: str, now: datetime, expires_at: datetime, jkt: str | None = None
    ) -> bool:
        """Give the grant its first refresh token, bound to a key or to none; False where it was revoked or has one."""
        values = {"one": grant_id, "named": handle, "fresh": digest, "now": now, "until": expires_at, "jkt": jkt}
        return self._link.count(_START_REFRESH, values) == 1

    def rotation(self, handle: str) -> Rotation | None:
        """The refresh state of a family, dead ones too."""
        row = self._link.first(_ROTATION, {"named": handle})
        if row is None:
            return None
        held, current, previous, rotated_at = row[:4]
        return Rotation(held, _grant(row[4:]), current, previous, rotated_at)

    def rotate(  # noqa: PLR0917 - the old token, the new one, and what it hangs on
        self, handle: str, presented: str, fresh: str, now: datetime, expires_at: datetime, jkt: str | None = None
    ) -> Grant | None:
        """Replace the live refresh token by ``fresh``; None where ``presented`` is not the live one of a live family.

        A family that is bound to no key yet is bound to ``jkt``.
        """
        values = {"named": handle, "presented": presented, "fresh": fresh, "now": now, "until": expires_at, "key": jkt}
        return _maybe(self._link.first(_ROTATE, values))

    def rotate_again(  # noqa: PLR0917 - as above
        self, handle: str, presented: str, fresh: str, now: datetime, since: datetime, jkt: str | None = None
    ) -> Grant | None:
        """Answer once more to the token before the live one, if it was replaced at or after ``since``; bind it likewise."""
        values = {"named": handle, "presented": presented, "fresh": fresh, "now": now, "since": since, "key": jkt}
        return _maybe(self._link.first(_ROTATE_AGAIN, values))

    def revoke(self, grant_id: str, now: datetime) -> Grant | None:
        """End a family; None where it was ended already or never was."""
        return _maybe(self._link.first(_REVOKE, {"one": grant_id, "now": now}))

    def revoke_by_handle(self, handle: str, now: datetime) -> Grant | None:
        """End the family of a refresh token."""
        return _maybe(self._link.first(_REVOKE_BY_HANDLE, {"named": handle, "now": now}))

    def revoke_session(self, sid: str, now: datetime) -> list[Grant]:
        """End the families that end with a browser's session."""
        return self._revoked(_REVOKE_SESSION, {"sid": sid, "now": now})

    def revoke_account(self, account_id: str, now: datetime) -> list[Grant]:
        """End every family of an account."""
        return self._revoked(_REVOKE_ACCOUNT, {"account": account_id, "now": now})

    def revoke_elsewhere(self, account_id: str, sid: str, now: datetime) -> list[Grant]:
        """End every family of an account but those that end with the session ``sid``."""
        return self._revoked(_REVOKE_ELSEWHERE, {"account": account_id, "sid": sid, "now": now})

    def revoke_client(self, account_id: str, client_id: str, now: datetime) -> list[Grant]:
        """End what one client holds of an account: its consent was withdrawn."""
        return self._revoked(_REVOKE_CLIENT, {"account": account_id, "client": client_id, "now": now})

    def revoke_all_of_client(self, client_id: str, now: datetime) -> int:
        """End what a client holds of anybody: it is gone. Returns how many families."""
        return self._link.count(_REVOKE_ALL_OF_CLIENT, {"client": client_id, "now": now})

    def living(self, account_id: str, now: datetime) -> list[Grant]:
        """The families of an account that nothing has ended before now."""
        return [_grant(row) for row in self._link.all(_LIVING, {"account": account_id, "now": now})]

    def begun_in(self, account_id: str, sid: str, now: datetime) -> list[Grant]:
        """The families that began in a session of an account and whose time is not over, those that were ended too."""
        rows = self._link.all(_BEGUN_IN, {"account": account_id, "sid": sid, "now": now})
        return [grant for row in rows if (grant := _grant(row)).sid == sid]

    def alive(self, grant_id: str, jti_digest: str | None, now: datetime) -> tuple[Grant, Account | None] | None:
        """The grant and its account (bare), in one statement; None where the grant is dead or the token denied."""
        row = self._link.first(_ALIVE, {"one": grant_id, "jti": jti_digest, "now": now})
        if row is None:
            return None
        return grant_from(*row[:_WIDTH]), None if row[_WIDTH] is None else account_of(row[_WIDTH:])

    def _revoked(self, statement: Statement, values: dict[str, Any]) -> list[Grant]:
        return [_grant(row) for row in self._link.all(statement, values)]


class Denied(Repository):
    """Access tokens revoked one by one, by the digest of their ``jti``, until they would have expired."""

    __slots__ = ()

    def deny(self, jti_digest: str, until: datetime) -> None:
        """Deny a token; twice is as good as once."""
        self._link.run(_DENY, {"digest": jti_digest, "until": until})

    def is_denied(self, jti_digest: str) -> bool:
        """Whether a token was denied."""
        return self._link.first(_IS_DENIED, {"jti": jti_digest}) is not None


class ClientConsents(Repository):
    """What a person agreed that a client may have, scope by scope, with the moment of each."""

    __slots__ = ()

    def scopes(self, account_id: str, client_id: str, since: datetime) -> frozenset[str]:
        """The scopes agreed to at ``since`` or later."""
        sought = {"account": account_id, "client": client_id, "since": since}
        return frozenset(row[0] for row in self._link.all(_SCOPES, sought))

    def record(self, account_id: str, client_id: str, scopes: frozenset[str], now: datetime) -> None:
        """Add scopes to what was agreed to; those agreed to before are fresh again."""
        for scope in sorted(scopes):
            given = {"account_id": account_id, "client_id": client_id, "scope": scope, "given_at": now}
            self._link.run(_RECORD, given)

    def withdraw(self, account_id: str, client_id: str) -> None:
        """The client has no consent any more."""
        self._link.run(_WITHDRAW, {"account": account_id, "client": client_id})

    def forget(self, client_id: str) -> None:
        """Nobody has agreed to anything of a client that is gone: another by its name starts anew."""
        self._link.run(_FORGET, {"client": client_id})
