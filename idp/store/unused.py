"""Accounts that nobody uses: found by how long they have been quiet, reminded, and in the end gone."""

from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, bindparam, delete, func, insert, literal_column, select, tuple_, update

from idp.model import Account, AccountState, Quiet
from idp.store.accounts import ACCOUNT_COLUMNS, account_of
from idp.store.codec import quiet_document
from idp.store.statements import Repository, Statement
from idp.store.tables import accounts, counters, outbox, tombstones

_a = accounts.c
BEGINNING: Final = datetime.fromtimestamp(0, UTC)


class Use(Enum):
    """A use of an account beside signing in, which policy may count as activity."""

    REFRESH = auto()
    STEP_UP = auto()


class Watched(NamedTuple):
    """An account that upkeep looks at, and its place in the order in which it does."""

    since: datetime
    account: Account


_this = _a.id == bindparam("account")
# What becomes of an account otherwise is no matter of use: who cancelled meanwhile was told a date, and it stays.
_in_use = (_this, _a.state == literal_column("'active'"))
_SET_QUIET = Statement(update(accounts).where(_this).values(quiet=bindparam("to")))
_now = bindparam("now", type_=_a.created_at.type)
# As any use does, it forgets what was done about the account; it stays where it was in the order, should policy cease to
# count it.
_USED = {
    Use.REFRESH: Statement(update(accounts).where(*_in_use).values(last_refresh_at=_now, quiet=None)),
    Use.STEP_UP: Statement(update(accounts).where(*_in_use).values(last_step_up_at=_now, quiet=None)),
}
_watched = (
    _a.state == bindparam("state"),
    _a.quiet_since <= bindparam("until"),
    tuple_(_a.quiet_since, _a.id) > tuple_(bindparam("since", type_=_a.quiet_since.type), bindparam("after")),
)
_WATCHED = Statement(
    select(_a.quiet_since, *ACCOUNT_COLUMNS).where(*_watched).order_by(_a.quiet_since, _a.id).limit(bindparam("limit"))
)
_UNADDRESSED = Statement(
    select(_a.quiet_since, *ACCOUNT_COLUMNS)
    .where(*_watched, _a.email == literal_column("''"))
    .order_by(_a.quiet_since, _a.id)
    .limit(bindparam("limit"))
)
_COUNT = Statement(select(func.count()).select_from(accounts).where(*_watched))
_BURY = Statement(insert(tombstones))
_PURGE = (
    # What has no foreign key to go by: letters, sent ones too, and counters.
    Statement(delete(outbox).where(outbox.c.account_id == bindparam("account"))),
    Statement(delete(counters).where(counters.c.subject == bindparam("account"))),
    Statement(delete(accounts).where(_this)),
)


_o = outbox.c
# Written out, as the partial indexes have them: sent letters are kept for months, and none of them is looked at.
_DEAD: ColumnElement[bool] = literal_column("outbox.state = 'dead'")
_WAITING: ColumnElement[bool] = literal_column("outbox.state = 'waiting' AND NOT outbox.urgent")


def _undelivered(those: ColumnElement[Any], at: Column[Any]) -> Statement:
    """Letters in the order of their index."""
    return Statement(
        select(at, _o.id, func.coalesce(_o.error, ""), *ACCOUNT_COLUMNS)
        .select_from(outbox.join(accounts, _o.account_id == _a.id))
        .where(
            those,
            _o.template == bindparam("template"),
            tuple_(at, _o.id) > tuple_(bindparam("since", type_=at.type), bindparam("after")),
        )
        .order_by(at, _o.id)
        .limit(bindparam("limit"))
    )


_UNDELIVERED = {True: _undelivered(_DEAD, _o.state_at), False: _undelivered(_WAITING, _o.next_try_at)}
_CAME_BACK = Statement(
    update(outbox)
    .where(_o.id == bindparam("one"), _o.state == literal_column("'sent'"))
    .values(state="dead", state_at=bindparam("now", type_=_o.state_at.type), error=bindparam("why"))
)
_REFUSAL = Statement(
    select(func.coalesce(_o.error, "")).where(_o.id == bindparam("one"), literal_column("outbox.state = 'dead'"))
)


class Undelivered(NamedTuple):
    """A letter that was not accepted yet, or never will be, with the mail server's last words and whose it is.

    ``at`` is its place in the order: when it was given up, or is tried again.
    """

    at: datetime
    letter: str
    words: str
    account: Account


class Unused(Repository):
    """What upkeep asks and does about accounts."""

    __slots__ = ()

    def watched(
        self,
        state: AccountState,
        until: datetime,
        *,
        since: datetime = BEGINNING,
        after: str = "",
        limit: int = 500,
        unaddressed: bool = False,
    ) -> list[Watched]:
        """The accounts of a state, without credentials, that have been quiet since ``until`` or longer, the longest first.

        ``since`` and ``after`` are the place, and the id, of the last one seen; ``unaddressed``: only those without an address.
        """
        values = {"state": state.value, "until": until, "since": since, "after": after, "limit": limit}
        chosen = _UNADDRESSED if unaddressed else _WATCHED
        return [Watched(row[0], account_of(row[1:])) for row in self._link.all(chosen, values)]

    def count(self, state: AccountState, until: datetime, *, since: datetime = BEGINNING, after: str = "") -> int:
        """How many ``watched`` would find in the end."""
        row = self._link.first(_COUNT, {"state": state.value, "until": until, "since": since, "after": after})
        return 0 if row is None else int(row[0])

    def used(self, account_id: str, use: Use, now: datetime) -> None:
        """The account was used otherwise than by signing in."""
        self._link.run(_USED[use], {"account": account_id, "now": now})

    def set_quiet(self, account_id: str, quiet: Quiet) -> None:
        """Write down what was done about the account since it was last used."""
        self._link.run(_SET_QUIET, {"account": account_id, "to": quiet_document(quiet)})

    def undelivered(
        self, template: str, *, dead: bool, since: datetime = BEGINNING, after: str = "", limit: int = 500
    ) -> list[Undelivered]:
        """The letters of a template that wait, or are dead; ``since`` and ``after`` are the place and id of the last one seen.

        Those that are urgent are no letters to look for: their time is short. Accounts lack credentials.
        """
        values = {"template": template, "since": since, "after": after, "limit": limit}
        return [Undelivered(row[0], row[1], row[2], account_of(row[3:])) for row in self._link.all(_UNDELIVERED[dead], values)]

    def refusal(self, letter_id: str) -> str | None:
        """The words with which a letter was refused for good; None where it was not."""
        row = self._link.first(_REFUSAL, {"one": letter_id})
        return None if row is None else str(row[0])

    def came_back(self, letter_id: str, why: str, now: datetime) -> None:
        """A letter that was accepted is known to have reached nobody."""
        self._link.run(_CAME_BACK, {"one": letter_id, "why": why, "now": now})

    def purge(self, account_id: str, now: datetime) -> None:
        """Delete everything held about the person; the subject identifier stays, so that nobody else is ever given it."""
        for statement in _PURGE:
            self._link.run(statement, {"account": account_id})
        self._link.run(_BURY, {"subject": account_id, "purged_at": now})
