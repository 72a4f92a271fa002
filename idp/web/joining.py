"""The pages of the steps about coming and going: what is confirmed, agreed to, chosen to act as, or taken back."""

from typing import Any, assert_never

from idp.flows.facts import Looked
from idp.policies.agreeing import TERMS
from idp.policies.policy import Policy
from idp.policies.steps import AcceptTerms, AnswerPurposes, ChooseCapacity, ConfirmRegistration, JoiningStep, KeepAccount


def joining_page(step: JoiningStep, looked: Looked, policy: Policy) -> tuple[str, dict[str, Any]]:
    """Template and context of one of these steps."""
    match step:
        case ConfirmRegistration(channel, to, length, again):
            minutes = int(policy.registration.code_lifetime.total_seconds()) // 60
            shown = {"channel": channel, "to": to, "length": length, "again": again, "minutes": minutes}
            return "confirm_registration.html", shown
        case KeepAccount(until):
            return "keep_account.html", {"until": until}
        case AcceptTerms(_, must):
            renewed = looked.account is not None and looked.account.answer_to(TERMS) is not None
            return "terms.html", {"must": must, "renewed": renewed}
        case AnswerPurposes():
            return "purposes.html", {}
        case ChooseCapacity():
            return "choose_capacity.html", {}
        case _:
            assert_never(step)
