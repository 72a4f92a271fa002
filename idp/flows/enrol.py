"""The first sign-in: password, PIN, question and answer, each kept at once, so that leaving half-way loses nothing.

The same steps replace a password or PIN whose change is demanded.
"""

from idp.flows.choosing import Faulty, choose
from idp.flows.facts import Looked
from idp.flows.world import World
from idp.model import Factor
from idp.policies.steps import ChoosePassword, ChooseQuestion, CreatePin, ReplacePassword, ReplacePin


def choose_password(world: World, looked: Looked, chosen: str) -> Looked | Faulty | None:
    """Keep a password; None where the sign-in is gone. An invitation is spent by it, once."""
    if not isinstance(looked.step, ChoosePassword | ReplacePassword):
        return looked
    return choose(world, looked, Factor.PASSWORD, chosen)


def choose_pin(world: World, looked: Looked, chosen: str) -> Looked | Faulty | None:
    """Keep a PIN; None where the sign-in is gone."""
    return choose(world, looked, Factor.PIN, chosen) if isinstance(looked.step, CreatePin | ReplacePin) else looked


def choose_question(world: World, looked: Looked, question: str, given: str) -> Looked | Faulty | None:
    """Keep a question and its answer; None where the sign-in is gone."""
    return choose(world, looked, Factor.ANSWER, given, question) if isinstance(looked.step, ChooseQuestion) else looked
