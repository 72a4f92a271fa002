"""Subject access: all that is held about a person, for that person alone, behind an extra proof given not long ago.

Long lists are read a page at a time, however long they are. Each time is written down; the owner is told once for each
proof. No verifier, digest, code or answer is among it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from idp.flows.resident import Resident, unchanged
from idp.flows.world import World
from idp.model import Account, Capacity, Session
from idp.policies import proving
from idp.store.holdings import COUNTED, SECTIONS, Row

# Of the shape (docs/export.md): with a member more it is the same, with one that is gone or means something else the next.
FORMAT: Final = 1
_ACTORS: Final = frozenset({"person", "policy", "client"})
_KIND: Final = "export"
# What is told of the account itself; what lies elsewhere in it has a member of its own.
TOLD: Final = (
    "username",
    "email",
    "email_confirmed_at",
    "mobile",
    "given_name",
    "family_name",
    "locale",
    "zone",
    "state",
    "state_at",
    "created_at",
    "enrolled_at",
    "last_sign_in_at",
    "last_refresh_at",
    "last_step_up_at",
    "reactivated_at",
    "sessions_valid_from",
)

Value = Any
Pages = Iterator[list[Row]]


def show(world: World, who: Resident, form: str) -> bool:
    """Write down that everything is shown as ``form`` ("page" or "file"), and tell the owner, unless that was done just now.

    False where the session, or the proof that opens this, does not count any more.
    """
    with world.store.begin() as tx:
        account = unchanged(world, tx, who)
        if account is None or not proving.shown_lately(who.session.proofs, account, world.policy, who.now):
            return False
        world.record(tx, who.now, "data.shown", "done", account=account, source=who.source, form=form)
        if not tx.issuances.since(account.id, _KIND, who.now - world.policy.step_up.fresh_for):
            tx.issuances.add(account.id, _KIND, who.now)
            context = {"name": account.called, "at": who.now.isoformat(), "link": f"{world.issuer}/profile"}
            world.send(tx, who.now, "exported", account, context)
    return True


def whole(world: World, who: Resident) -> Iterator[tuple[str, Value | Pages]]:
    """The members of the document one after the other; a list of rows as an iterator of its pages."""
    yield from _about(world, who).items()
    for name in SECTIONS:
        yield name, _pages(world, name, who.account.id)


def glance(world: World, who: Resident, most: int) -> Mapping[str, Value]:
    """The same, of each list no more than the newest ``most`` rows."""
    with world.store.read() as tx:
        lists = {name: _told(world, name, tx.holdings.page(name, who.account.id, limit=most).rows) for name in SECTIONS}
    return {**_about(world, who), **lists}


def _about(world: World, who: Resident) -> dict[str, Value]:
    """What is not a list of rows without end."""
    with world.store.read() as tx:
        account = tx.accounts.by_id(who.account.id) or who.account
        counted = {name: tx.holdings.count(name, account.id) for name in COUNTED}
    sessions = world.store.sessions.of_account(account.id, who.now)
    return {
        "format": FORMAT,
        "issuer": world.issuer,
        "subject": account.id,
        "generated_at": who.now,
        "account": _account(account),
        "capacities": [_capacity(world, one) for one in account.capacities],
        "reminders": [asdict(one) for one in account.quiet.reminders],
        "sessions": [_session(one) for one in sessions],
        **counted,
    }


def _pages(world: World, name: str, account_id: str) -> Pages:
    after = None
    while True:
        with world.store.read() as tx:
            page = tx.holdings.page(name, account_id, after)
        if page.rows:
            yield _told(world, name, page.rows)
        if page.last is None:
            return
        after = page.last


def _told(world: World, name: str, rows: list[Row]) -> list[Row]:
    """Rows as their person reads them: an address that waits for its code opened, and of staff no names."""
    if name == "one_time_codes":
        return [{"to": _opened(world, row.pop("sealed")), **row} for row in rows]
    if name == "log":
        return [{**row, "actor": row["actor"] if row["actor"] in _ACTORS else "staff"} for row in rows]
    return rows


def _opened(world: World, sealed: bytes | None) -> str:
    return world.vault.open(bytes(sealed)).decode() if sealed else ""


def _account(account: Account) -> dict[str, Value]:
    told = {name: getattr(account, name) for name in TOLD}
    quiet = {"suspended_at": account.quiet.suspended_at, "expired_at": account.quiet.expired_at}
    return {**told, "entitlements": sorted(account.entitlements), **quiet}


def _capacity(world: World, one: Capacity) -> dict[str, Value]:
    """A capacity, with the whole number: it is the person's own, and nowhere else shown."""
    return {
        "id": one.id,
        "role": one.role.value,
        "organisation": one.organisation,
        "account_number": _opened(world, one.reference),
    }


def _session(session: Session) -> dict[str, Value]:
    return {
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "agent": session.agent,
        "capacity": session.capacity,
        "proofs": [{"factor": proof.factor.value, "at": proof.at} for proof in session.proofs],
    }
