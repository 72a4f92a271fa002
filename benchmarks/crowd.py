"""A crowd of accounts, written straight into the database: most used lately, some about whom something is due.

Each has the rows of a password and a PIN; nothing is hashed, since nobody of them signs in.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from idp.model import AccountState, Ending, Quiet, Reminder
from idp.store import Store
from idp.store.codec import micros, quiet_document
from idp.store.tables import accounts, credentials

DAY: Final = timedelta(days=1)
_AHEAD: Final = (30 * DAY, 14 * DAY, 3 * DAY)
_SUSPENDED, _EXPIRED = 120, 180
_CHUNK: Final = 20_000
_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$" + "x" * 22 + "$" + "y" * 43


class Kind(NamedTuple):
    """Accounts last used so many days ago, ``within`` a span of days, with what was done about them since."""

    days: float
    within: float = 0.9
    suspension: bool = False
    expiry: bool = False


LATELY: Final = Kind(0, within=89)
# Suspended long ago, its next reminder still to come: looked at in every round, and nothing is due.
ASLEEP: Final = Kind(_SUSPENDED + 1, within=28, suspension=True)
# What is due of a hundred: a reminder of suspension, a suspension, a reminder of expiry, an expiry, a purge.
DUE: Final[Mapping[Kind, int]] = {
    Kind(_SUSPENDED - 30): 50,
    Kind(_SUSPENDED, suspension=True): 15,
    Kind(_EXPIRED - 30, suspension=True): 20,
    Kind(_EXPIRED, suspension=True, expiry=True): 12,
    Kind(_EXPIRED + 30, suspension=True, expiry=True): 3,
}
_DUE: Final = [kind for kind, share in DUE.items() for _ in range(share)]


def fill(store: Store, count: int, now: datetime, *, due: float = 0.0, asleep: float = 0.0) -> None:
    """Add so many accounts, of which shares have something due about them, or sleep."""
    columns = [column.name for column in accounts.c]
    held = [column.name for column in credentials.c]
    connection = store.engine.raw_connection()
    try:
        for begin in range(0, count, _CHUNK):
            numbers = range(begin, min(begin + _CHUNK, count))
            people = [_person(number, _kind(number, count, due, asleep), now) for number in numbers]
            _write(connection, store.dialect, accounts, ([one[name] for name in columns] for one in people))
            secrets = (secret for one in people for secret in _secrets(one))
            _write(connection, store.dialect, credentials, ([one[name] for name in held] for one in secrets))
        if store.dialect == "postgresql":
            # What autovacuum does by itself within a minute.
            connection.cursor().execute("VACUUM (ANALYZE) accounts, credentials")
    finally:
        connection.close()


def _kind(number: int, count: int, due: float, asleep: float) -> Kind:
    if number < count * due:
        return _DUE[number % len(_DUE)]
    return ASLEEP if number < count * (due + asleep) else LATELY


def _person(number: int, kind: Kind, now: datetime) -> dict[str, Any]:
    chance = hashlib.blake2b(str(number).encode(), digest_size=14).hexdigest()
    # Neither the order of the identifiers nor that of the rows has to do with who is due.
    used = now - kind.days * DAY - kind.within * DAY * (0.05 + 0.9 * int(chance[:8], 16) / 0xFFFFFFFF)
    name = f"p{number}"
    return dict.fromkeys(column.name for column in accounts.c) | {
        "id": f"acc_{chance[8:]}",
        "username": name,
        "username_key": name,
        "email": f"{name}@customer.example",
        "email_key": f"{name}@customer.example",
        "given_name": "Ada",
        "family_name": "Rossi",
        "state": AccountState.ACTIVE.value,
        "state_at": used - 300 * DAY,
        "created_at": used - 300 * DAY,
        "locale": ("en", "it")[number % 2],
        "zone": "Europe/Rome",
        "entitlements": '["billing","service"]',
        "enrolled_at": used - 300 * DAY,
        "email_confirmed_at": used - 300 * DAY,
        "last_sign_in_at": used,
        "quiet_since": used,
        "quiet": quiet_document(_quiet(kind, used)),
    }


def _quiet(kind: Kind, used: datetime) -> Quiet:
    """Every reminder asked for and accepted in time; what came before the thing that is due is written down."""
    reminders = [
        Reminder(ending, ahead, "b" * 22, at, at)
        for ending, days, there in ((Ending.SUSPENSION, _SUSPENDED, kind.suspension), (Ending.EXPIRY, _EXPIRED, kind.expiry))
        for ahead in (_AHEAD if there else ())
        for at in (used + days * DAY - ahead,)
    ]
    suspended_at = used + _SUSPENDED * DAY if kind.days > _SUSPENDED else None
    expired_at = used + _EXPIRED * DAY if kind.days > _EXPIRED else None
    return Quiet(tuple(reminders), suspended_at, expired_at)


def _secrets(person: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for factor in ("password", "pin"):
        nothing = {"question": None, "expires_at": None, "last_step": None}
        which = {"account_id": person["id"], "factor": factor, "hash": _HASH, "set_at": person["created_at"]}
        yield {**which, "must_change": False, **nothing}


def _write(connection: Any, dialect: str, table: Table, rows: Iterable[list[Any]]) -> None:
    """In bulk, as each driver does it fastest."""
    names, cursor = ", ".join(column.name for column in table.c), connection.cursor()
    if dialect == "postgresql":
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    places = ", ".join("?" * len(table.c))
    cursor.execute("BEGIN IMMEDIATE")
    adding = f"INSERT INTO {table.name} ({names}) VALUES ({places})"  # noqa: S608 - names of columns
    cursor.executemany(adding, ([_plain(value) for value in row] for row in rows))
    cursor.execute("COMMIT")


def _plain(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value
