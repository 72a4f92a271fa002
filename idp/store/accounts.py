"""Accounts and their credentials, with the hashes that may not come back."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal_column, or_, select, update

from idp.model import Account, AccountState, Credential, Factor
from idp.store.codec import (
    agreed_document,
    agreed_from,
    capacities_document,
    capacities_from,
    decode,
    encode,
    quiet_document,
    quiet_from,
    storable,
)
from idp.store.errors import Taken
from idp.store.somebody import of_someone
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import accounts, credential_history, credentials, tombstones

_a, _c, _h = accounts.c, credentials.c, credential_history.c

# In the order of ``account_of``.
ACCOUNT_COLUMNS = (
    _a.id,
    _a.username,
    _a.email,
    _a.given_name,
    _a.family_name,
    _a.state,
    _a.created_at,
    _a.mobile,
    _a.locale,
    _a.zone,
    _a.entitlements,
    _a.enrolled_at,
    _a.last_sign_in_at,
    _a.reactivated_at,
    _a.sessions_valid_from,
    _a.state_at,
    _a.last_refresh_at,
    _a.last_step_up_at,
    _a.quiet,
    _a.email_confirmed_at,
    _a.capacities,
    _a.agreed,
)
_WIDTH = len(ACCOUNT_COLUMNS)
CREDENTIAL_COLUMNS = (_c.factor, _c.hash, _c.set_at, _c.must_change, _c.question, _c.expires_at, _c.last_step)
_CHANGING = ("hash", "set_at", "must_change", "question", "expires_at", "last_step")
_STATES = {state.value: state for state in AccountState}
_FACTORS = {factor.value: factor for factor in Factor}

_with_credentials = select(*ACCOUNT_COLUMNS, *CREDENTIAL_COLUMNS).select_from(
    accounts.outerjoin(credentials, _c.account_id == _a.id)
)
_BY_ID = Statement(_with_credentials.where(_a.id == bindparam("id")))
_BARE = Statement(select(*ACCOUNT_COLUMNS).where(_a.id == bindparam("id")))
_BY_USERNAME = Statement(_with_credentials.where(_a.username_key == bindparam("key")))
_BY_EMAIL = Statement(_with_credentials.where(_a.email_key == bindparam("key")).order_by(_a.id))
_PAGE = Statement(
    _with_credentials.where(
        _a.id.in_(select(_a.id).where(_a.id > bindparam("after")).order_by(_a.id).limit(bindparam("limit")).scalar_subquery())
    ).order_by(_a.id)
)

_ADD = conflicting(lambda into: into(accounts).on_conflict_do_nothing(index_elements=[_a.username_key]))
_ADD_CREDENTIAL = Statement(insert(credentials))
_SET_CREDENTIAL = conflicting(
    lambda into: (statement := of_someone(into(credentials))).on_conflict_do_update(
        index_elements=[_c.account_id, _c.factor],
        set_={name: statement.excluded[name] for name in _CHANGING},
    )
)
_this_one = (_c.account_id == bindparam("account")) & (_c.factor == bindparam("kind"))
_KEEP_FORMER = Statement(
    insert(credential_history).from_select(
        ["account_id", "factor", "hash", "replaced_at"],
        select(_c.account_id, _c.factor, _c.hash, bindparam("now", type_=_h.replaced_at.type)).where(_this_one),
    )
)
_former = (
    select(_h.hash)
    .where(_h.account_id == bindparam("account"), _h.factor == bindparam("kind"))
    .order_by(_h.id.desc())
    .limit(bindparam("limit"))
)
_FORMER = Statement(_former)
_FORGET_FORMER = Statement(
    delete(credential_history).where(
        _h.account_id == bindparam("account"),
        _h.factor == bindparam("kind"),
        _h.id.not_in(_former.with_only_columns(_h.id).scalar_subquery()),
    )
)
_DROP = Statement(delete(credentials).where(_this_one))
_SPEND = Statement(
    update(credentials)
    .where(_this_one, _c.hash == bindparam("old"), _c.expires_at > bindparam("now"))
    # Not the moment of use: whoever read the clock a little earlier would find it alive once more.
    .values(expires_at=datetime.fromtimestamp(0, UTC))
)
_USE_STEP = Statement(
    update(credentials)
    .where(_this_one, or_(_c.last_step.is_(None), _c.last_step < bindparam("step")))
    .values(last_step=bindparam("step"))
)
_LOCK = Statement(select(_a.id).where(_a.id == bindparam("id")).with_for_update())
_REHASH = Statement(update(credentials).where(_this_one, _c.hash == bindparam("old")).values(hash=bindparam("new")))


def setting(**columns: str) -> Statement:
    """An UPDATE of one account's columns to the bound values named."""
    changes = {name: bindparam(bound, type_=accounts.c[name].type) for name, bound in columns.items()}
    return Statement(update(accounts).where(_a.id == bindparam("account")).values(changes))


_SET_STATE = setting(state="to", state_at="now", quiet_since="now", quiet="nothing")
_ENROLLED = setting(state="to", state_at="now", enrolled_at="now", quiet_since="now", quiet="nothing")
_SET_EMAIL = setting(email="to", email_key="key", email_confirmed_at="now")
_SET_MOBILE = setting(mobile="to")
_REACTIVATED = setting(reactivated_at="now", quiet_since="now", quiet="nothing")
_VALID_FROM = setting(sessions_valid_from="now")
_GONE = Statement(select(tombstones.c.subject).where(tombstones.c.subject == bindparam("id")))
_SIGNED_IN = Statement(
    update(accounts)
    .where(
        _a.id == bindparam("account"),
        # Cancelled or blocked while the sign-in was on its last step: nothing opens, and the date that was told stays.
        _a.state == literal_column("'active'"),
        or_(_a.sessions_valid_from.is_(None), _a.sessions_valid_from <= bindparam("now")),
    )
    .values(
        {name: bindparam("now", type_=_a.last_sign_in_at.type) for name in ("last_sign_in_at", "quiet_since")} | {"quiet": None}
    )
)


def email_key(email: str) -> str:
    """The form in which addresses are compared: what two people would take for the same address is one key."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def account_of(values: Sequence[Any], held: tuple[Credential, ...] = ()) -> Account:
    """The account in the values of ``ACCOUNT_COLUMNS``."""
    return Account(
        id=values[0],
        username=values[1],
        email=values[2],
        given_name=values[3],
        family_name=values[4],
        state=_STATES[values[5]],
        created_at=values[6],
        mobile=values[7],
        locale=values[8],
        zone=values[9],
        entitlements=frozenset(decode(values[10])),
        credentials=held,
        enrolled_at=values[11],
        last_sign_in_at=values[12],
        reactivated_at=values[13],
        sessions_valid_from=values[14],
        state_at=values[15],
        last_refresh_at=values[16],
        last_step_up_at=values[17],
        quiet=quiet_from(values[18]),
        email_confirmed_at=values[19],
        capacities=capacities_from(values[20]),
        agreed=agreed_from(values[21]),
    )


def accounts_of(rows: Iterable[Sequence[Any]]) -> list[Account]:
    """The accounts in joined rows, those of one account beside each other."""
    found: list[Account] = []
    first: Sequence[Any] | None = None
    held: list[Credential] = []
    for row in rows:
        if first is not None and row[0] != first[0]:
            found.append(account_of(first, tuple(held)))
            held = []
            first = row
        first = first or row
        if row[_WIDTH] is not None:
            factor, *facts = row[_WIDTH:]
            held.append(Credential(_FACTORS[factor], *facts))
    if first is not None:
        found.append(account_of(first, tuple(held)))
    return found


def _credential_row(account_id: str, credential: Credential) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "factor": credential.factor.value,
        "hash": credential.hash,
        "set_at": credential.set_at,
        "must_change": credential.must_change,
        "question": credential.question,
        "expires_at": credential.expires_at,
        "last_step": credential.last_step,
    }


class Accounts(Repository):
    """Accounts by id, username and address, and what becomes of them."""

    __slots__ = ()

    def add(self, account: Account, key: str) -> None:
        """Add an account with its credentials, ``key`` being its canonical username.

        Raises ``Taken`` where the name is somebody's, or the id was somebody's once.
        """
        if self._link.first(_GONE, {"id": account.id}) is not None:
            raise Taken(account.id)
        added = self._link.count(_ADD, _account_row(account, key))
        if added != 1:
            raise Taken(key)
        for held in account.credentials:
            self._link.run(_ADD_CREDENTIAL, _credential_row(account.id, held))

    def by_id(self, account_id: str) -> Account | None:
        """The account with its credentials."""
        found = accounts_of(self._link.all(_BY_ID, {"id": account_id}))
        return found[0] if found else None

    def bare(self, account_id: str) -> Account | None:
        """The account without its credentials: for those who only ask where it stands."""
        row = self._link.first(_BARE, {"id": account_id})
        return None if row is None else account_of(row)

    def by_username(self, key: str) -> Account | None:
        """The account of a canonical username, with its credentials, in one statement."""
        if not storable(key):
            return None
        found = accounts_of(self._link.all(_BY_USERNAME, {"key": key}))
        return found[0] if found else None

    def by_email(self, email: str) -> list[Account]:
        """The accounts with an address; several people of one company may share it."""
        if not storable(email):
            return []
        return accounts_of(self._link.all(_BY_EMAIL, {"key": email_key(email)}))

    def set_state(self, account_id: str, state: AccountState, now: datetime) -> None:
        """Put the account into a state."""
        self._link.run(_SET_STATE, {"account": account_id, "to": state.value, "now": now, "nothing": None})

    def enrolled(self, account_id: str, now: datetime) -> None:
        """Enrolment is whole: the account is active."""
        self._link.run(_ENROLLED, {"account": account_id, "to": AccountState.ACTIVE.value, "now": now, "nothing": None})

    def signed_in(self, account_id: str, now: datetime) -> bool:
        """A sign-in was completed: the inactivity clock restarts. False where nothing that begins at ``now`` opens any more."""
        return self._link.count(_SIGNED_IN, {"account": account_id, "now": now}) == 1

    def reactivated(self, account_id: str, now: datetime) -> None:
        """The account became reachable again."""
        self._link.run(_REACTIVATED, {"account": account_id, "now": now, "nothing": None})

    def sessions_valid_from(self, account_id: str, now: datetime) -> None:
        """Whatever began before ``now`` is dead."""
        self._link.run(_VALID_FROM, {"account": account_id, "now": now})

    def locked(self, account_id: str) -> Account | None:
        """The account as it is now, and nobody else may change it until the transaction ends."""
        # On SQLite the transaction holds the only write lock already, and the statement is a read like any other.
        self._link.first(_LOCK, {"id": account_id})
        return self.by_id(account_id)

    def set_email(self, account_id: str, email: str, confirmed_at: datetime) -> None:
        """Change the address that letters go to, from which something came back at a moment."""
        values = {"account": account_id, "to": email, "key": email_key(email), "now": confirmed_at}
        self._link.run(_SET_EMAIL, values)

    def set_mobile(self, account_id: str, mobile: str | None) -> None:
        """Change the number that text messages go to."""
        self._link.run(_SET_MOBILE, {"account": account_id, "to": mobile})

    def drop_credential(self, account_id: str, factor: Factor) -> bool:
        """Take one secret away; False where there was none."""
        return self._link.count(_DROP, {"account": account_id, "kind": factor.value}) == 1

    def spend_credential(self, account_id: str, factor: Factor, hash_: str, now: datetime) -> bool:
        """Use up a secret that works once, by ending its time: of all who try, one is told True."""
        values = {"account": account_id, "kind": factor.value, "old": hash_, "now": now}
        return self._link.count(_SPEND, values) == 1

    def use_step(self, account_id: str, factor: Factor, step: int) -> bool:
        """Use up a time step of an authenticator app: neither it nor an earlier one works again."""
        return self._link.count(_USE_STEP, {"account": account_id, "kind": factor.value, "step": step}) == 1

    def set_credential(self, account_id: str, credential: Credential, keep_history: int = 0) -> None:
        """Set one secret, if there is such an account; the hash it replaces joins the last ``keep_history`` former ones."""
        which = {"account": account_id, "kind": credential.factor.value}
        if keep_history:
            self._link.run(_KEEP_FORMER, {**which, "now": credential.set_at})
            self._link.run(_FORGET_FORMER, {**which, "limit": keep_history})
        self._link.run(_SET_CREDENTIAL, _credential_row(account_id, credential))

    def former_hashes(self, account_id: str, factor: Factor, limit: int) -> list[str]:
        """Hashes of former secrets, the latest first."""
        which = {"account": account_id, "kind": factor.value, "limit": limit}
        return [row[0] for row in self._link.all(_FORMER, which)]

    def rehash(self, account_id: str, factor: Factor, old_hash: str, new_hash: str) -> bool:
        """Replace a hash by a stronger one of the same secret, unless the secret was changed meanwhile."""
        values = {"account": account_id, "kind": factor.value, "old": old_hash, "new": new_hash}
        return self._link.count(_REHASH, values) == 1

    def list(self, after: str = "", limit: int = 100) -> list[Account]:
        """A page of all accounts by id, those behind ``after``."""
        return accounts_of(self._link.all(_PAGE, {"after": after, "limit": limit}))


def _account_row(account: Account, key: str) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "username_key": key,
        "email": account.email,
        "email_key": email_key(account.email),
        "given_name": account.given_name,
        "family_name": account.family_name,
        "state": account.state.value,
        "state_at": account.state_at or account.created_at,
        "created_at": account.created_at,
        "mobile": account.mobile,
        "locale": account.locale,
        "zone": account.zone,
        "entitlements": encode(sorted(account.entitlements)),
        "enrolled_at": account.enrolled_at,
        "last_sign_in_at": account.last_sign_in_at,
        "reactivated_at": account.reactivated_at,
        "sessions_valid_from": account.sessions_valid_from,
        "last_refresh_at": account.last_refresh_at,
        "last_step_up_at": account.last_step_up_at,
        "quiet_since": _quiet_since(account),
        "quiet": quiet_document(account.quiet),
        "email_confirmed_at": account.email_confirmed_at,
        "capacities": capacities_document(account.capacities),
        "agreed": agreed_document(account.agreed),
    }


def _quiet_since(account: Account) -> datetime:
    """The latest moment at which anything happened to the account as it is added."""
    moments = (account.enrolled_at, account.last_sign_in_at, account.reactivated_at, account.state_at)
    return max((moment for moment in moments if moment is not None), default=account.created_at)
