"""How each step is answered: the shape of its form, the one use case that takes it, and where a fault of it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema

from idp.flows import acting, agree, enrol, extra, leave, reactivate, recover, register, second_factor, sign_in
from idp.flows.choosing import Faulty
from idp.flows.facts import Looked
from idp.flows.requested import Result as Requested
from idp.flows.second_factor import Enrolled
from idp.flows.sign_in import Gone
from idp.flows.world import World
from idp.policies.steps import (
    AcceptTerms,
    AnswerPurposes,
    AnswerToRecover,
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    ChooseCapacity,
    ChoosePassword,
    ChooseQuestion,
    ConfirmRegistration,
    CreatePin,
    EnrolSecondFactor,
    EnterCode,
    ExtraProof,
    ExtraProofByCode,
    GiveConsent,
    KeepAccount,
    MailSent,
    Reactivate,
    ReactivateByCode,
    ReplacePassword,
    ReplacePin,
    ResetByCode,
    Step,
)
from idp.web import forms

Values = dict[str, Any]
Result = (
    Looked | sign_in.Wrong | recover.Wrong | second_factor.Wrong | Requested | Enrolled | Faulty | agree.Answer | Gone | None
)
_MISMATCH = ("mismatch",)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one step is answered; ``wrong`` names the one error of a failed proof."""

    schema: Schema
    run: Callable[[World, Looked, Values], Result]
    wrong: str = "wrong"


def field_of(step: Step, fault: str) -> str:
    """The field under which a fault is shown."""
    match step:
        case ChoosePassword() | ReplacePassword() | ResetByCode():
            return "password_again" if fault == "mismatch" else "password"
        case CreatePin() | ReplacePin():
            return "pin_again" if fault == "mismatch" else "pin"
        case ChooseCapacity():
            return "capacity"
        case _:
            return "question" if fault == "question_unknown" else "answer"


# Signing in


def _password(world: World, looked: Looked, values: Values) -> Result:
    return sign_in.password(world, looked, values["username"], values["password"], remember=bool(values["remember"]))


def _pin(world: World, looked: Looked, values: Values) -> Result:
    return sign_in.pin(world, looked, values["pin"])


def _question(world: World, looked: Looked, values: Values) -> Result:
    return sign_in.answer(world, looked, values["answer"])


def _reactivation_answer(world: World, looked: Looked, values: Values) -> Result:
    return reactivate.answer(world, looked, values["answer"])


def _reactivation_code(world: World, looked: Looked, values: Values) -> Result:
    if values["send"]:
        return reactivate.send(world, looked)
    return reactivate.code(world, looked, values["code"])


def _extra_code(world: World, looked: Looked, values: Values) -> Result:
    if values["send"]:
        return extra.send(world, looked)
    return extra.code(world, looked, values["code"])


def _consent(world: World, looked: Looked, values: Values) -> Result:  # noqa: ARG001 - "deny" never comes here
    return sign_in.consent(world, looked)


# Agreeing


def _terms(world: World, looked: Looked, values: Values) -> Result:
    return agree.accept(world, looked, values["seen"])


def _purposes(world: World, looked: Looked, values: Values) -> Result:
    return agree.answer(world, looked, values["seen"], values["answers"])


def _keep(world: World, looked: Looked, values: Values) -> Result:  # noqa: ARG001 - a button alone
    return leave.keep(world, looked)


def _capacity(world: World, looked: Looked, values: Values) -> Result:
    return acting.choose(world, looked, values["capacity"])


# The second factor


def _second_factor(world: World, looked: Looked, values: Values) -> Result:
    way = second_factor.app_code if values["way"] == "totp" else second_factor.recovery_code
    return way(world, looked, values["code"])


def _enrol_app(world: World, looked: Looked, values: Values) -> Result:
    return second_factor.enrol_app(world, looked, values["code"])


def _passkey(world: World, looked: Looked, values: Values) -> Result:
    return second_factor.passkey(world, looked, values["passkey"])


# Registering


def _registration_code(world: World, looked: Looked, values: Values) -> Result:
    if values["send"]:
        return register.send(world, looked)
    return register.code(world, looked, values["code"])


# Choosing


def _new_password(world: World, looked: Looked, values: Values) -> Result:
    if values["password"] != values["password_again"]:
        return Faulty(looked, _MISMATCH)
    return enrol.choose_password(world, looked, values["password"])


def _new_pin(world: World, looked: Looked, values: Values) -> Result:
    if values["pin"] != values["pin_again"]:
        return Faulty(looked, _MISMATCH)
    return enrol.choose_pin(world, looked, values["pin"])


def _new_question(world: World, looked: Looked, values: Values) -> Result:
    return enrol.choose_question(world, looked, values["question"], values["answer"])


# Recovering


def _recovery_answer(world: World, looked: Looked, values: Values) -> Result:
    return recover.answer(world, looked, values["answer"])


def _recovery_code(world: World, looked: Looked, values: Values) -> Result:
    return recover.code(world, looked, values["code"])


def _reset(world: World, looked: Looked, values: Values) -> Result:
    # Told before the code is looked at: two fields that differ cost no try and say nothing of anyone.
    if values["password"] != values["password_again"]:
        return Faulty(looked, _MISMATCH)
    return recover.reset(world, looked, values["code"], values["password"])


def _to_sign_in(world: World, looked: Looked, values: Values) -> Result:  # noqa: ARG001 - a button alone
    return recover.abandon(world, looked)


_CHOSEN_PASSWORD: Final = Answer(forms.NewPassword(), _new_password)
_CHOSEN_PIN: Final = Answer(forms.NewPin(), _new_pin)

ANSWERS: Final[Mapping[type[Step], Answer]] = MappingProxyType(
    {
        AskUsernameAndPassword: Answer(forms.UsernameAndPassword(), _password),
        ConfirmRegistration: Answer(forms.CodeOrSend(), _registration_code, "wrong_code"),
        AskPin: Answer(forms.OnePin(), _pin, "wrong_pin"),
        ChoosePassword: _CHOSEN_PASSWORD,
        ReplacePassword: _CHOSEN_PASSWORD,
        CreatePin: _CHOSEN_PIN,
        ReplacePin: _CHOSEN_PIN,
        ChooseQuestion: Answer(forms.NewQuestion(), _new_question),
        Reactivate: Answer(forms.OneAnswer(), _reactivation_answer, "wrong_answer"),
        ReactivateByCode: Answer(forms.CodeOrSend(), _reactivation_code, "wrong_code"),
        ExtraProof: Answer(forms.OneAnswer(), _question, "wrong_answer"),
        ExtraProofByCode: Answer(forms.CodeOrSend(), _extra_code, "wrong_code"),
        AskSecondFactor: Answer(forms.SecondFactor(), _second_factor, "wrong_second_factor"),
        EnrolSecondFactor: Answer(forms.Code(), _enrol_app, "wrong_app_code"),
        AcceptTerms: Answer(forms.Seen(), _terms),
        AnswerPurposes: Answer(forms.Purposes(), _purposes),
        KeepAccount: Answer(forms.Nothing(), _keep),
        ChooseCapacity: Answer(forms.OneCapacity(), _capacity),
        GiveConsent: Answer(forms.Decision(), _consent),
        AnswerToRecover: Answer(forms.OneAnswer(), _recovery_answer, "wrong_answer"),
        EnterCode: Answer(forms.Code(), _recovery_code, "wrong_code"),
        ResetByCode: Answer(forms.CodeAndPassword(), _reset, "wrong_code"),
        MailSent: Answer(forms.Nothing(), _to_sign_in),
    }
)
# Another form on the same pages, which only a browser with passkeys fills in.
PASSKEY: Final = Answer(forms.Passkey(), _passkey, "wrong_passkey")
