"""What a policy has people see and do, read from its fields alone: what the tests of every profile expect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from idp.model import Factor, Lost
from idp.policies.policy import Policy, RecoveryMethod

PIECE_STEPS = {"password": "ChoosePassword", "pin": "CreatePin", "question": "ChooseQuestion"}
PIECE_FACTORS = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
# By which pieces of a sign-in somebody is known who has been here before.
ASKED_AGAIN = ("AskUsernameAndPassword", "AskPin", "AskSecondFactor")

Test = TypeVar("Test", bound=Callable[..., None])


def where(applies: Callable[[Policy], object]) -> Callable[[Test], Test]:
    """A test for the profiles alone whose law says so; what holds under the others is a test of its own."""

    def marked(test: Test) -> Test:
        vars(test)["applies"] = applies
        return test

    return marked


def first_steps(law: Policy) -> tuple[str, ...]:
    """The steps of a first sign-in by invitation, in their order."""
    pieces = tuple(PIECE_STEPS[piece] for piece in law.registration.enrolment)
    second = ("EnrolSecondFactor",) if law.second_factor.required else ()
    return (*pieces, *second, *agreeing_steps(law))


def agreeing_steps(law: Policy) -> tuple[str, ...]:
    """What whoever has agreed to nothing yet is asked."""
    terms = ("AcceptTerms",) if law.consent.terms != "off" else ()
    return (*terms, *(("AnswerPurposes",) if law.consent.purposes else ()))


def later_steps(law: Policy) -> tuple[str, ...]:
    """The steps of every later sign-in."""
    pin = ("AskPin",) if law.pin.enabled else ()
    second = ("AskSecondFactor",) if law.second_factor.required else ()
    return ("AskUsernameAndPassword", *pin, *second)


def secrets(law: Policy) -> tuple[Factor, ...]:
    """What everybody has once the first sign-in is over."""
    return tuple(PIECE_FACTORS[piece] for piece in law.registration.enrolment)


def method(law: Policy, lost: Lost) -> RecoveryMethod:
    """What the policy says of something lost."""
    found: RecoveryMethod = getattr(law.recovery, lost.value)
    return found


def offered(law: Policy) -> tuple[Lost, ...]:
    """What can be recovered from the sign-in page."""
    return tuple(lost for lost in Lost if lost is not Lost.PIN and method(law, lost).enabled)


@dataclass(frozen=True)
class Proofs:
    """The proofs that a recovery asks of somebody who holds these factors, in their order."""

    law: Policy
    lost: Lost
    held: tuple[Factor, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        rules = method(self.law, self.lost)
        has = {"answer": Factor.ANSWER in self.held, "email_code": True, "totp": Factor.TOTP in self.held}
        first = tuple(way for way in rules.prove_by if has.get(way, False))[:1]
        beside = rules.then == "choose_new" and self.law.recovery.answer_needs_mailbox
        return (*first, "email_code") if first == ("answer",) and beside else first

    @property
    def steps(self) -> tuple[str, ...]:
        """The pages that ask for them, and the one on which a new secret is chosen or the letter is told of."""
        chosen = method(self.law, self.lost).then == "choose_new"
        on_one_page = chosen and self.lost is not Lost.PIN
        page = {"answer": "AnswerToRecover", "email_code": "ResetByCode" if on_one_page else "EnterCode", "totp": "EnterCode"}
        pages = tuple(page[way] for way in self.asked)
        if not chosen:
            return (*pages, "AskPin" if self.lost is Lost.PIN else "MailSent")
        if pages[-1] == "ResetByCode":
            return pages
        return (*pages, "ReplacePin" if self.lost is Lost.PIN else "ReplacePassword")
