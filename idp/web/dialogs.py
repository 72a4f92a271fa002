"""The changes of My Profile: of each the page, the shape of its form, its use case and to whom it is open."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema

from idp.flows import change
from idp.flows.change import Faulty, Outcome
from idp.flows.resident import Resident
from idp.flows.world import World
from idp.language import zones
from idp.model import Account, Factor
from idp.policies import details
from idp.web import forms

Values = dict[str, Any]
_MISMATCH = Faulty(("mismatch",))
_FIELDS = {
    "question_unknown": "question",
    "family_name_form": "family_name",
    "locale_unknown": "locale",
    "zone_unknown": "zone",
}


@dataclass(frozen=True, slots=True)
class Dialog:
    """One change, under the present secret unless what is changed is none.

    ``wrong`` names the error of a wrong present secret, ``field`` is where faults of the new value are told, ``kept`` are
    the fields shown again after a fault, ``done`` names the good news at the end.
    """

    template: str
    schema: Schema
    run: Callable[[World, Resident, Values], Outcome]
    field: str
    done: str
    offered: Callable[[World, Account], bool]
    about: Callable[[World, Account], Mapping[str, Any]]
    wrong: str = "wrong_current"
    kept: tuple[str, ...] = ()


def field_of(dialog: Dialog, fault: str) -> str:
    """The field under which a fault is shown."""
    if fault == "mismatch":
        return f"{dialog.field}_again"
    return _FIELDS.get(fault, dialog.field)


# Whose it is


def _everyone(_: World, __: Account) -> bool:
    return True


def _with_pin(world: World, account: Account) -> bool:
    return world.policy.pin.enabled and account.credential(Factor.PIN) is not None


def _with_questions(world: World, _: Account) -> bool:
    return world.policy.security_question.enabled


def _with_gateway(world: World, _: Account) -> bool:
    return "sms" in world.channels


def _with_mobile(_: World, account: Account) -> bool:
    return account.mobile is not None


# What each page tells


def _about_password(world: World, _: Account) -> Mapping[str, Any]:
    rules = world.policy.password
    return {
        "min_length": rules.min_length,
        "max_length": rules.max_length,
        "letters_and_digits": rules.require_letters_and_digits,
    }


def _about_pin(world: World, _: Account) -> Mapping[str, Any]:
    return {"length": world.policy.pin.length}


def _about_question(world: World, account: Account) -> Mapping[str, Any]:
    rules, held = world.policy.security_question, account.credential(Factor.ANSWER)
    return {"questions": rules.questions, "min_length": rules.min_answer_length, "present": held.question if held else None}


def _about_addresses(_: World, account: Account) -> Mapping[str, Any]:
    return {"email": account.email, "mobile": account.mobile}


def _about_details(_: World, account: Account) -> Mapping[str, Any]:
    return {
        "on_record": details.names_on_record(account),
        "full_name": account.full_name,
        "given_name": account.given_name,
        "family_name": account.family_name,
        "spoken_now": account.locale,
        "zone": account.zone,
        "zones": zones(),
        "regions": _regions(),
    }


@cache
def _regions() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The time zones by the region that their names begin with."""
    return tuple((region, tuple(names)) for region, names in groupby(zones(), key=lambda name: name.partition("/")[0]))


# What each does


def _password(world: World, who: Resident, values: Values) -> Outcome:
    if values["password"] != values["password_again"]:
        return _MISMATCH
    return change.password(world, who, values["current"], values["password"], end_others=bool(values["end_others"]))


def _pin(world: World, who: Resident, values: Values) -> Outcome:
    if values["pin"] != values["pin_again"]:
        return _MISMATCH
    return change.pin(world, who, values["current"], values["pin"], end_others=bool(values["end_others"]))


def _question(world: World, who: Resident, values: Values) -> Outcome:
    current, chosen, answer = values["current"], values["question"], values["answer"]
    return change.question(world, who, current, chosen, answer, end_others=bool(values["end_others"]))


def _email(world: World, who: Resident, values: Values) -> Outcome:
    return change.email(world, who, values["current"], values["email"])


def _mobile(world: World, who: Resident, values: Values) -> Outcome:
    return change.mobile(world, who, values["current"], values["mobile"])


def _remove_mobile(world: World, who: Resident, values: Values) -> Outcome:
    return change.remove_mobile(world, who, values["current"])


def _details(world: World, who: Resident, values: Values) -> Outcome:
    return change.details(world, who, values)


DIALOGS: Final[Mapping[str, Dialog]] = MappingProxyType(
    {
        "password": Dialog(
            "change_password.html",
            forms.ChangePassword(),
            _password,
            "password",
            "password_changed",
            _everyone,
            _about_password,
            kept=("end_others",),
        ),
        "pin": Dialog(
            "change_pin.html",
            forms.ChangePin(),
            _pin,
            "pin",
            "pin_changed",
            _with_pin,
            _about_pin,
            wrong="wrong_pin",
            kept=("end_others",),
        ),
        "question": Dialog(
            "change_question.html",
            forms.ChangeQuestion(),
            _question,
            "answer",
            "question_changed",
            _with_questions,
            _about_question,
            kept=("question", "end_others"),
        ),
        "email": Dialog(
            "change_email.html",
            forms.ChangeEmail(),
            _email,
            "email",
            "email_changed",
            _everyone,
            _about_addresses,
            kept=("email",),
        ),
        "mobile": Dialog(
            "change_mobile.html",
            forms.ChangeMobile(),
            _mobile,
            "mobile",
            "mobile_changed",
            _with_gateway,
            _about_addresses,
            kept=("mobile",),
        ),
        "remove-mobile": Dialog(
            "remove_mobile.html",
            forms.Current(),
            _remove_mobile,
            "current",
            "mobile_removed",
            _with_mobile,
            _about_addresses,
        ),
        "details": Dialog(
            "details.html",
            forms.Details(),
            _details,
            "given_name",
            "details_changed",
            _everyone,
            _about_details,
            kept=("given_name", "family_name", "locale", "zone"),
        ),
    }
)
