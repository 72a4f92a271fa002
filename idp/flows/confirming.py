"""Registrations that wait for their code: it is sent, sent again, and the account of the right one may come in.

Of nobody's registration the same is done, to no effect: neither the page nor the time it takes tells whether there is one.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from idp.flows import arriving, belonging, codes
from idp.flows.attempt import stand_in
from idp.flows.world import World
from idp.model import Account, AccountState, Factor, OneTimeCode, Purpose, Source
from idp.store import Transaction

# The subject of what is sent to no end; no account has such an id.
NOBODY: Final = "nobody"


def waiting(account: Account | None) -> bool:
    """Whether there is a registration that waits for its code."""
    return account is not None and account.state is AccountState.PENDING


def send_code(world: World, tx: Transaction, subject: str, now: datetime) -> Account | None:
    """Send a fresh code to whoever waits for one, the one before it being dead. None where nothing went out.

    Nothing does for nobody, for those who confirmed already, and beyond the day's limit.
    """
    found, rules = tx.accounts.locked(subject), world.policy.registration
    account = found if found is not None and waiting(found) else stand_in(NOBODY, now)
    channel, to = ("sms", account.mobile) if account.mobile else ("mail", account.email)
    length, lifetime = rules.code_length, rules.code_lifetime
    code = codes.make(world, tx, account, Purpose.REGISTRATION, now=now, value=to or "", length=length, lifetime=lifetime)
    if code is None:
        return None
    # Nothing that was typed stands in the letter: it may go to somebody who knows nothing of it.
    context = {"code": code, "expires": (now + lifetime).isoformat(), "link": f"{world.issuer}/register/confirm"}
    world.send(tx, now, "registration_code", account, context, lifetime=lifetime, channel=channel, to=to)
    return account if account is found else None


def confirm(world: World, subject: str, typed: str, *, now: datetime, source: Source) -> Account | None:
    """Try the code, which is counted first; right, it is used up, and the account may come in. None where not."""
    held = codes.attempt(world, subject, Purpose.REGISTRATION, typed, now=now)
    with world.store.begin() as tx:
        account = tx.accounts.locked(subject)
        right = held is not None and waiting(account) and tx.one_time_codes.spend(held)
        outcome = "right" if right else "wrong"
        world.record(tx, now, "attempt", outcome, account=account, source=source, factor=Factor.CODE)
        if account is None or held is None or not right:
            return None
        if not may_act(world, tx, account):
            world.record(tx, now, "account.confirmed", "refused", account=account, source=source, why="too_many")
            return None
        return _confirmed(world, tx, account, held, now=now, source=source)


def may_act(world: World, tx: Transaction, account: Account) -> bool:
    """Whether there is room for the account with its customers; those who wait for their code hold none."""
    return all(belonging.has_room(world, tx, one.customer) for one in account.capacities if one.customer)


def _confirmed(world: World, tx: Transaction, account: Account, held: OneTimeCode, *, now: datetime, source: Source) -> Account:
    if world.vault.open(held.value).decode() == account.email:
        tx.particulars.confirm_email(account.id, now)
        account = replace(account, email_confirmed_at=now)
    world.record(tx, now, "account.confirmed", "done", account=account, source=source)
    return join(world, tx, account, now=now, source=source)


def join(world: World, tx: Transaction, account: Account, *, now: datetime, source: Source) -> Account:
    """The account acts for its customers from now on, and may come in."""
    for one in account.capacities:
        if one.customer:
            tx.particulars.act_for(account.id, one.customer)
    return arriving.let_in(world, tx, account, now=now, source=source)
