"""A browser's session with its account: the one read with which every page for someone signed in begins."""

from datetime import datetime

from sqlalchemy import bindparam, select

from idp.model import Account, Session
from idp.store.accounts import ACCOUNT_COLUMNS, CREDENTIAL_COLUMNS, accounts_of
from idp.store.codec import session_from
from idp.store.shortlived_sql import SESSION_COLUMNS
from idp.store.statements import Link, Statement
from idp.store.tables import accounts, credentials, sessions

_ENTERED = Statement(
    select(*SESSION_COLUMNS, *ACCOUNT_COLUMNS, *CREDENTIAL_COLUMNS)
    .select_from(
        sessions.join(accounts, accounts.c.id == sessions.c.account_id).outerjoin(
            credentials, credentials.c.account_id == accounts.c.id
        )
    )
    .where(sessions.c.id == bindparam("one"), sessions.c.expires_at > bindparam("now"))
)
_WIDTH = len(SESSION_COLUMNS)


def entered(link: Link, session_id: str, now: datetime) -> tuple[Session, Account] | None:
    """The session, unless it is over, and its account with the credentials; None where either is gone."""
    rows = link.all(_ENTERED, {"one": session_id, "now": now})
    if not rows:
        return None
    (account,) = accounts_of([row[_WIDTH:] for row in rows])
    return session_from(*rows[0][:_WIDTH]), account
