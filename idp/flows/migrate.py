"""Accounts of an older system: brought in with the hashes they have, which are replaced at each person's first sign-in.

Nothing is hashed here. Everything is judged first, to the end of the file; then the good ones are added, some at a time.
Whoever is here already stays as they are, so that an import may be repeated, and goes on where it was cut off.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import available_timezones

from idp.flows.world import World
from idp.model import Account, AccountState, Credential, Factor
from idp.policies import credentials
from idp.post import addresses
from idp.store import Taken, Transaction
from idp.vault import digest, legacy

FIELDS: Final = (
    "username",
    "password_hash",
    "email",
    "given_name",
    "family_name",
    "mobile",
    "language",
    "zone",
    "entitlements",
    "subject",
    "created_at",
    "last_sign_in_at",
)
NEEDED: Final = (("username",), ("password_hash",), ("email",))
BATCH: Final = 200
_LONGEST: Final = 128
_SUBJECT_LONGEST: Final = 255

Lines = Iterable[tuple[int, Mapping[str, str] | None]]


class Fault(NamedTuple):
    """A record that will not come in: the line that it ends on, and the name of why."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of the file: how many come in, by the scheme of their hashes, and those that do not."""

    schemes: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def good(self) -> int:
        """How many come in."""
        return sum(self.schemes.values())


class _Judged(NamedTuple):
    line: int
    account: Account
    key: str
    scheme: str


def rehearse(world: World, lines: Lines) -> Iterator[Batch]:
    """What would come in and what would not, and why; nothing is written."""
    seen: set[int] = set()
    judge = _Judge(world)
    source = iter(lines)
    while read := list(islice(source, BATCH)):
        good, faults = judge.all(read)
        with world.store.read() as tx:
            for one in good[:]:
                why = _known(tx, one) or ("duplicate" if _mark(one.key) in seen else "")
                seen.add(_mark(one.key))
                if why:
                    good.remove(one)
                    faults.append(Fault(one.line, why))
        yield _batch(good, faults)


def bring_in(world: World, lines: Lines, actor: str) -> Iterator[Batch]:
    """Add the accounts, a batch at a time; each batch is whole or not there."""
    judge = _Judge(world)
    source = iter(lines)
    while read := list(islice(source, BATCH)):
        good, faults = judge.all(read)
        with world.store.begin() as tx:
            for one in good[:]:
                if not _added(tx, one):
                    good.remove(one)
                    faults.append(Fault(one.line, "here_already"))
            if good:
                world.record(tx, judge.now, "accounts.imported", "done", actor=actor, accounts=len(good))
        yield _batch(good, faults)


class _Judge:
    """What makes an account of a record, or names what is wrong with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.clock()
        self._zones = available_timezones()
        self._entitlements = {name for one in world.resources.values() for name in one.scopes.values() if name}

    def all(self, read: Iterable[tuple[int, Mapping[str, str] | None]]) -> tuple[list[_Judged], list[Fault]]:
        """The good records, and the faults of the others."""
        good: list[_Judged] = []
        faults: list[Fault] = []
        for line, fields in read:
            made = "columns" if fields is None else self._account(line, {name: text.strip() for name, text in fields.items()})
            if isinstance(made, str):
                faults.append(Fault(line, made))
            else:
                good.append(made)
        return good, faults

    def _account(self, line: int, fields: Mapping[str, str]) -> _Judged | str:
        username, found = fields["username"], legacy.understand(fields["password_hash"])
        if credentials.username_faults(username):
            return "username_form"
        if isinstance(found, str):
            return f"hash_{found}"
        why = self._wrong(fields)
        if why:
            return why
        email, mobile = addresses.canonical(fields["email"]), fields.get("mobile", "")
        number = self.world.numbers.canonical(mobile) if mobile else None
        if email is None or (mobile and number is None):
            return "email" if email is None else "mobile"
        created, last = self._moment(fields.get("created_at", "")), self._moment(fields.get("last_sign_in_at", ""))
        if isinstance(created, str) or isinstance(last, str):
            return "moment"
        account = Account(
            id=fields.get("subject") or f"acc_{self.world.vault.token(20)}",
            username=username,
            email=email,
            given_name=fields.get("given_name", ""),
            family_name=fields.get("family_name", ""),
            state=AccountState.ACTIVE,
            created_at=created or self.now,
            mobile=number,
            email_confirmed_at=created or self.now,
            locale=fields.get("language") or self.world.languages[0],
            zone=fields.get("zone") or "UTC",
            entitlements=frozenset(fields.get("entitlements", "").split()),
            credentials=(Credential(Factor.PASSWORD, found.kept, created or self.now),),
            last_sign_in_at=last,
            # Whoever was never asked to come back here has all of their time from now on.
            reactivated_at=self.now,
        )
        return _Judged(line, account, credentials.canonical_username(username), found.scheme)

    def _wrong(self, fields: Mapping[str, str]) -> str:
        """The name of the first thing that cannot be as it is."""
        judged = {
            "language": fields.get("language", "") in ("", *self.world.languages),
            "zone": fields.get("zone", "") in {"", *self._zones} if fields.get("zone") else True,
            "entitlements": set(fields.get("entitlements", "").split()) <= self._entitlements,
            "too_long": all(len(fields.get(name, "")) <= _LONGEST for name in ("given_name", "family_name")),
            "subject": _is_subject(fields.get("subject", "")),
        }
        return next((name for name, good in judged.items() if not good), "")

    def _moment(self, text: str) -> datetime | str | None:
        """A moment in ISO 8601, UTC where it names no zone; never one to come."""
        if not text:
            return None
        try:
            read = datetime.fromisoformat(text)
            moment = (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return "moment"
        return min(moment, self.now)


def _is_subject(text: str) -> bool:
    """OpenID Connect Core 2: at most 255 ASCII characters."""
    return len(text) <= _SUBJECT_LONGEST and text.isascii() and text.isprintable() and " " not in text


def _known(tx: Transaction, one: _Judged) -> str:
    here = tx.accounts.by_username(one.key) is not None or tx.accounts.bare(one.account.id) is not None
    return "here_already" if here else ""


def _added(tx: Transaction, one: _Judged) -> bool:
    """Add an account, unless its name or subject is somebody's."""
    if tx.accounts.bare(one.account.id) is not None:
        return False
    try:
        tx.accounts.add(one.account, one.key)
    except Taken:
        return False
    return True


def _mark(key: str) -> int:
    """Enough of a name to tell it from a million others, in the memory of a number."""
    return int(digest(key)[:16], 16)


def _batch(good: Iterable[_Judged], faults: Iterable[Fault]) -> Batch:
    schemes: dict[str, int] = {}
    for one in good:
        schemes[one.scheme] = schemes.get(one.scheme, 0) + 1
    return Batch(schemes, tuple(sorted(faults)))
