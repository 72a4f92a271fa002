"""Which page shows which step. A step without a page does not pass the type checker."""

from collections.abc import Mapping
from typing import Any, assert_never

from idp.flows.facts import Looked
from idp.model import Client
from idp.policies.lifecycle import missing_pieces, required_pieces
from idp.policies.policy import Policy
from idp.policies.steps import (
    AskPin,
    AskUsernameAndPassword,
    ChoosePassword,
    ChooseQuestion,
    CreatePin,
    Done,
    ExtraProof,
    GiveConsent,
    Reactivate,
    Refused,
    ReplacePassword,
    ReplacePin,
)

Page = tuple[str, dict[str, Any]]


def page_for(looked: Looked, policy: Policy, clients: Mapping[str, Client]) -> Page:  # noqa: C901, PLR0911 - a table
    """Template and context of a sign-in's present step."""
    step, done = looked.step, {"progress": _progress(looked, policy)}
    match step:
        case AskUsernameAndPassword(username):
            values = {"username": username or looked.sign_in.ask.login_hint[:128]}
            return "sign_in.html", {"known": bool(username), "values": values}
        case AskPin(length):
            return "pin.html", {"length": length}
        case ChoosePassword(username, shortest, longest) | ReplacePassword(username, shortest, longest):
            rules = {
                "min_length": shortest,
                "max_length": longest,
                "letters_and_digits": policy.password.require_letters_and_digits,
            }
            return "choose_password.html", {
                "username": username,
                "replacing": isinstance(step, ReplacePassword),
                **done,
                **rules,
            }
        case CreatePin(length) | ReplacePin(length):
            return "create_pin.html", {"length": length, "replacing": isinstance(step, ReplacePin), **done}
        case ChooseQuestion(questions, shortest):
            return "choose_question.html", {"questions": questions, "min_length": shortest, **done}
        case Reactivate(question):
            return "answer.html", {"kind": "reactivate", "question": question}
        case ExtraProof(question):
            return "answer.html", {"kind": "extra", "question": question}
        case GiveConsent(client_id, scope):
            client = clients.get(client_id)
            return "consent.html", {"client_name": client.name if client else client_id, "scope": scope}
        case Refused(why, until):
            return "refused.html", {"why": why.value, "until": until}
        case Done():
            return "error.html", {"status": 200, "name": "expired"}
        case _:
            assert_never(step)


def name_of(looked: Looked) -> str:
    """The step's name, which its form carries: an answer to another step is not taken for this one's."""
    return type(looked.step).__name__


def _progress(looked: Looked, policy: Policy) -> tuple[int, int] | None:
    """Which of the enrolment's pieces this is; None where nothing is being enrolled."""
    if looked.account is None or looked.account.enrolled_at is not None:
        return None
    total = len(required_pieces(policy))
    return total - len(missing_pieces(looked.account, policy)) + 1, total
