"""Waking access that sleeps, at a sign-in, behind everything else that it asks: by the answer, or by a code on its way.

A code goes out when the person asks for it, to the address or number on file, and works in this sign-in alone.
"""

from dataclasses import dataclass, replace

from idp.flows import codes, waking
from idp.flows.attempt import Verdict, prove
from idp.flows.facts import Looked, advance, look, see
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, Factor, OneTimeCode, Proof, Purpose
from idp.policies.steps import Reactivate, ReactivateByCode


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was given wakes nothing. ``looked`` is where the sign-in stands now."""

    looked: Looked


@dataclass(frozen=True, slots=True)
class TooMany:
    """No further code goes out today."""

    looked: Looked


Result = Looked | Wrong | TooMany | None


def answer(world: World, looked: Looked, typed: str) -> Result:
    """Answer the security question. None where the sign-in is gone."""
    account = looked.account
    if not isinstance(looked.step, Reactivate) or account is None:
        return looked
    if prove(world, looked.now, looked.aim, Factor.ANSWER, typed) is not Verdict.RIGHT:
        return Wrong(see(world, looked.visit, looked.sign_in, looked.now))
    with world.store.begin() as tx:
        account = waking.wake(world, tx, account, now=looked.now, by=_by(looked))
    return advance(world, replace(looked, account=account), Proof(Factor.ANSWER, looked.now))


def send(world: World, looked: Looked) -> Result:
    """Send a code, within the day's limit; the one before it is dead. None where the sign-in is gone."""
    step, now = looked.step, looked.now
    if not isinstance(step, ReactivateByCode) or looked.account is None:
        return looked
    lifetime = world.policy.recovery.code_lifetime
    with world.store.begin() as tx:
        account = tx.accounts.locked(looked.account.id)
        if account is None:
            return None
        code = codes.make(world, tx, account, Purpose.REACTIVATION, now=now, value=looked.sign_in.id)
        outcome = "sent" if code is not None else "refused"
        world.record(tx, now, "reactivation.asked", outcome, account=account, source=looked.visit.source, channel=step.channel)
        if code is None:
            return TooMany(looked)
        context = {"name": account.called, "code": code, "expires": (now + lifetime).isoformat()}
        channel, to = ("sms", account.mobile) if step.channel == "sms" else ("mail", account.email)
        world.send(tx, now, "reactivation_code", account, context, lifetime=lifetime, channel=channel, to=to)
    # Time enough to find the letter. Of two who ask at once the second finds that a code is on its way.
    ends = max(looked.sign_in.expires_at, now + lifetime)
    return advance(world, looked, code_sent=True, expires_at=ends) or look(world, looked.visit)


def code(world: World, looked: Looked, typed: str) -> Result:
    """Enter the code that was sent. None where the sign-in is gone."""
    account, now = looked.account, looked.now
    if not isinstance(looked.step, ReactivateByCode) or account is None:
        return looked
    held = codes.attempt(world, account.id, Purpose.REACTIVATION, typed, now=now)
    with world.store.begin() as tx:
        right = held is not None and _asked_here(world, looked, held) and tx.one_time_codes.spend(held)
        outcome = "right" if right else "wrong"
        world.record(tx, now, "attempt", outcome, account=account, source=looked.visit.source, factor=Factor.CODE)
        awake: Account | None = waking.wake(world, tx, account, now=now, by=_by(looked)) if right else None
    if awake is None:
        return Wrong(see(world, looked.visit, looked.sign_in, now))
    return advance(world, replace(looked, account=awake), Proof(Factor.CODE, now))


def _asked_here(world: World, looked: Looked, held: OneTimeCode) -> bool:
    """Whether the code was asked for in this sign-in: one from elsewhere, however it was come by, opens nothing here."""
    return world.vault.open(held.value).decode() == looked.sign_in.id


def _by(looked: Looked) -> By:
    return By(looked.visit.source, looked.aim.device)
