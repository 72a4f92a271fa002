"""Waking access that sleeps, at a sign-in, behind everything else that it asks: by the answer, or by a code on its way.

A code goes out when the person asks for it, to the address or number on file, and works in this sign-in alone.
"""

from dataclasses import replace

from idp.flows import requested, waking
from idp.flows.attempt import Verdict, prove
from idp.flows.facts import Looked, advance
from idp.flows.keeping import By
from idp.flows.requested import Result
from idp.flows.world import World
from idp.model import Account, Factor, Proof, Purpose
from idp.policies.steps import Reactivate, ReactivateByCode


def answer(world: World, looked: Looked, typed: str) -> Result:
    """Answer the security question. None where the sign-in is gone."""
    account = looked.account
    if not isinstance(looked.step, Reactivate) or account is None:
        return looked
    if prove(world, looked.now, looked.aim, Factor.ANSWER, typed) is not Verdict.RIGHT:
        return requested.refused(world, looked)
    with world.store.begin() as tx:
        account = waking.wake(world, tx, account, now=looked.now, by=_by(looked))
    return advance(world, replace(looked, account=account), Proof(Factor.ANSWER, looked.now), code_sent=False)


def send(world: World, looked: Looked) -> Result:
    """Send a code, within the day's limit; the one before it is dead. None where the sign-in is gone."""
    step = looked.step
    return requested.send(world, looked, Purpose.REACTIVATION, step.channel) if isinstance(step, ReactivateByCode) else looked


def code(world: World, looked: Looked, typed: str) -> Result:
    """Enter the code that was sent. None where the sign-in is gone."""
    account, now = looked.account, looked.now
    if not isinstance(looked.step, ReactivateByCode) or account is None:
        return looked
    held = requested.tried(world, looked, Purpose.REACTIVATION, typed)
    with world.store.begin() as tx:
        right = requested.spent(world, tx, looked, held)
        awake: Account | None = waking.wake(world, tx, account, now=now, by=_by(looked)) if right else None
    if awake is None:
        return requested.refused(world, looked)
    return advance(world, replace(looked, account=awake), Proof(Factor.CODE, now), code_sent=False)


def _by(looked: Looked) -> By:
    return By(looked.visit.source, looked.aim.device)
