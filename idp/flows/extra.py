"""The proof beyond the sign-in by a code, to a confirmed address or number, where what is asked for is better protected."""

from dataclasses import replace

from idp.flows import requested
from idp.flows.facts import Looked, advance
from idp.flows.requested import Result
from idp.flows.world import World
from idp.model import Account, Ask, Factor, Proof, Purpose, Session
from idp.policies import proving
from idp.policies.steps import ExtraProofByCode


def lately(world: World, held: tuple[Session, Account]) -> bool:
    """Whether the session at hand opens what wants such a proof, given not long ago."""
    session, account = held
    return proving.shown_lately(session.proofs, account, world.policy, world.clock())


def asked(world: World, ask: Ask, held: tuple[Session, Account] | None) -> Ask:
    """``ask`` on the way to a page of ours that wants such a proof: whoever has none of the kind proves the password anew."""
    since = proving.fresh_since(held[0].proofs, held[1], world.policy, world.clock()) if held is not None else None
    return replace(ask, acr=("extra",), fresh_since=since)


def send(world: World, looked: Looked) -> Result:
    """Send a code, within the day's limit; the one before it is dead. None where the sign-in is gone."""
    step = looked.step
    return requested.send(world, looked, Purpose.EXTRA, step.channel) if isinstance(step, ExtraProofByCode) else looked


def code(world: World, looked: Looked, typed: str) -> Result:
    """Enter the code that was sent. None where the sign-in is gone."""
    if not isinstance(looked.step, ExtraProofByCode):
        return looked
    held = requested.tried(world, looked, Purpose.EXTRA, typed)
    with world.store.begin() as tx:
        right = requested.spent(world, tx, looked, held)
    if not right:
        return requested.refused(world, looked)
    return advance(world, looked, Proof(Factor.CODE, looked.now), code_sent=False)
