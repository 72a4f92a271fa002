"""“This wasn't me”: the link in the letter about a change. It takes the account back to before that change, and closes it.

Of changes in a row the link of the earliest one wins: it undoes what was changed since, and the later links die with it. So
a stranger who moved the address twice cannot move it back by the letter that went to their own mailbox, while the letter
that the owner got first still works.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from idp.flows import keeping, reminding, strong
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, AccountState, Alarm, Changed, Factor, Purpose, Source
from idp.policies.recovery import same_address
from idp.store import Transaction
from idp.vault import digest

_LONGEST_CODE = 64
# What a stranger may have chosen themselves: closed as well, where it was set since.
_SUSPECT = (Factor.PIN, Factor.ANSWER, Factor.TOTP)


@dataclass(frozen=True, slots=True)
class Raised:
    """A link that works: what was changed and when, and whose account it was."""

    account: Account
    changed: Changed
    at: datetime
    now: datetime


def look(world: World, code: str) -> Raised | None:
    """What the link is about; None for one that is unknown, used, replaced or expired. Looking consumes nothing."""
    now = world.clock()
    with world.store.read() as tx:
        alarm = tx.alarms.live(_digest(code), now)
        account = tx.accounts.bare(alarm.account_id) if alarm is not None else None
    if alarm is None or account is None or account.state is AccountState.CLOSED:
        return None
    return Raised(account, alarm.changed, alarm.created_at, now)


def freeze(world: World, code: str, source: Source) -> Account | None:
    """Undo what was changed since, end all that is open, and close the account until a reset; once. None as in ``look``."""
    now = world.clock()
    with world.store.begin() as tx:
        alarm = tx.alarms.live(_digest(code), now)
        before = tx.accounts.locked(alarm.account_id) if alarm is not None else None
        # Of all who press the button at once one gets past this line.
        taken = alarm is not None and before is not None and before.state is not AccountState.CLOSED
        if alarm is None or before is None or not taken or not tx.alarms.spend(alarm.digest, now):
            world.record(tx, now, "alarm.raised", "refused", source=source)
            return None
        after = _restored(tx, before, alarm, now)
        tx.alarms.end_since(before.id, alarm.created_at, now)
        _close(tx, after, alarm, now)
        after = keeping.cut(world, tx, after, now=now, by=By(source))
        facts: dict[str, Any] = {"changed": alarm.changed, "restored": _differences(before, after)}
        world.record(tx, now, "account.frozen", "done", account=after, source=source, **facts)
        _tell(world, tx, now, before, after)
    world.store.sessions.end_all(after.id)
    return after


def _digest(code: str) -> str:
    prepared = code.strip().upper()
    return digest(prepared if len(prepared) <= _LONGEST_CODE else "")


def _restored(tx: Transaction, account: Account, alarm: Alarm, now: datetime) -> Account:
    """The account with the address and number that stood before the earliest change since; a new number may have had none."""
    first: dict[Changed, str] = {}
    for one in tx.alarms.since(account.id, alarm.created_at):
        first.setdefault(one.changed, one.before)
    if first.get(Changed.EMAIL, account.email) not in ("", account.email):
        account = replace(account, email=first[Changed.EMAIL])
        tx.accounts.set_email(account.id, account.email, now)
        reminding.readdressed(tx, account)
    if Changed.MOBILE in first and first[Changed.MOBILE] != (account.mobile or ""):
        account = replace(account, mobile=first[Changed.MOBILE] or None)
        tx.accounts.set_mobile(account.id, account.mobile)
    return account


def _close(tx: Transaction, account: Account, alarm: Alarm, now: datetime) -> None:
    """The password and passkeys open nothing until a reset, nor does what was set since; codes under way are dead.

    A second factor that was set since is closed, not taken away: a mailbox alone is never a way round one. A passkey that
    was added since goes, for it could be a whole sign-in.
    """
    for purpose in Purpose:
        tx.one_time_codes.drop(account.id, purpose)
    strong.forget_passkeys(tx, account, alarm.created_at)
    keeping.shut(tx, account, Factor.PASSWORD, now)
    keeping.shut(tx, account, Factor.PASSKEY, now)
    for factor in _SUSPECT:
        held = account.credential(factor)
        if held is not None and held.set_at >= alarm.created_at:
            keeping.shut(tx, account, factor, now)


def _differences(before: Account, after: Account) -> list[str]:
    """What was put back, by name; the audit holds no address."""
    changed = {Changed.EMAIL: before.email != after.email, Changed.MOBILE: before.mobile != after.mobile}
    return [name.value for name in changed if changed[name]]


def _tell(world: World, tx: Transaction, now: datetime, before: Account, after: Account) -> None:
    """Every address on file learns of it, also one that was just replaced: it may be the owner's after all."""
    context = {"name": after.called, "at": now.isoformat(), "link": f"{world.issuer}/recover"}
    world.tell(tx, now, "frozen", after, context)
    if same_address(before.email) != same_address(after.email):
        world.send(tx, now, "frozen", after, context, to=before.email)
    if before.mobile and before.mobile != after.mobile and "sms" in world.channels:
        world.send(tx, now, "frozen", after, context, to=before.mobile, channel="sms")
