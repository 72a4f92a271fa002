"""The proof beyond the sign-in by a code, to a confirmed address or number, where what is asked for is better protected."""

from idp.flows import requested
from idp.flows.facts import Looked, advance
from idp.flows.requested import Result
from idp.flows.world import World
from idp.model import Factor, Proof, Purpose
from idp.policies.steps import ExtraProofByCode


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
