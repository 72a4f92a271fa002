"""Entry where there are second factors: who is asked, who sets one up, what stands for what, and who is awake again."""

from dataclasses import replace

import pytest

from idp.model import Account, Ask, Counter, Factor, Proof
from idp.policies import proving
from idp.policies.entry import next_step
from idp.policies.policy import Policy
from idp.policies.steps import (
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    Done,
    EnrolSecondFactor,
    Reactivate,
    ReactivateByCode,
    Refusal,
    Refused,
)
from tests.policies.values import ALL_THREE, DAY, MINUTE, NOW, account, credential, policy, reminded, sign_in

PASSWORD, PIN, TOTP, PASSKEY, RECOVERY = (
    Factor.PASSWORD,
    Factor.PIN,
    Factor.TOTP,
    Factor.PASSKEY,
    Factor.RECOVERY_CODE,
)
HARD = policy(
    pin={"enabled": False},
    security_question={"enabled": False},
    registration={"enrolment": ("password",)},
    second_factor={"required": True, "passkey": "sign_in"},
    inactivity={"reactivate_by": ("totp", "passkey")},
    step_up={"sign_in": "mfa"},
)
SOFT = policy(second_factor={"passkey": "second"})


def having(*factors: Factor, **changes: object) -> Account:
    return account(credentials=(*ALL_THREE, *(credential(factor) for factor in factors)), **changes)


CASES: dict[str, tuple[Policy, tuple[Factor, ...], Account, object]] = {
    "offered is not demanded": (SOFT, (PASSWORD, PIN), having(), Done),
    "who has an app is asked": (SOFT, (PASSWORD, PIN), having(TOTP), AskSecondFactor(("totp", "recovery_code"))),
    "after the PIN, not before": (SOFT, (PASSWORD,), having(TOTP), AskPin(6)),
    "both are asked for": (HARD, (PASSWORD,), having(TOTP, PASSKEY), AskSecondFactor(("totp", "passkey", "recovery_code"))),
    "an app's code": (SOFT, (PASSWORD, PIN, TOTP), having(TOTP), Done),
    "a recovery code": (SOFT, (PASSWORD, PIN, RECOVERY), having(TOTP), Done),
    "a passkey after the rest": (SOFT, (PASSWORD, PIN, PASSKEY), having(PASSKEY), Done),
    "a passkey alone, where it is only the second": (SOFT, (PASSKEY,), having(PASSKEY), AskUsernameAndPassword("Maria.Rossi")),
    "a passkey alone, where it is the sign-in": (HARD, (PASSKEY,), having(PASSKEY), Done),
    "an app alone is no sign-in": (HARD, (TOTP,), having(TOTP), AskUsernameAndPassword("Maria.Rossi")),
    "a recovery code alone is no sign-in": (HARD, (RECOVERY,), having(TOTP), AskUsernameAndPassword("Maria.Rossi")),
    "demanded and not there": (HARD, (PASSWORD,), having(), EnrolSecondFactor(("totp", "passkey"))),
    "an app taken away proves nothing": (HARD, (PASSWORD, TOTP), having(), EnrolSecondFactor(("totp", "passkey"))),
}


@pytest.mark.parametrize("case", CASES)
def test_the_second_factor(case: str) -> None:
    rules, factors, who, wanted = CASES[case]
    step = next_step(sign_in(*factors), who, rules, NOW)
    assert step == wanted if not isinstance(wanted, type) else isinstance(step, wanted)


def test_a_passkey_passes_the_pin_over_where_it_is_the_sign_in() -> None:
    rules = policy(second_factor={"passkey": "sign_in"})
    step = next_step(sign_in(PASSKEY), having(PASSKEY), rules, NOW)
    assert isinstance(step, Done)
    assert proving.acr(step.proofs, rules, NOW) == "mfa"


def test_a_proof_older_than_the_factor_is_none() -> None:
    who = account(credentials=(*ALL_THREE, credential(TOTP, set_at=NOW + MINUTE)))
    assert isinstance(next_step(sign_in(PASSWORD, PIN, TOTP), who, SOFT, NOW), AskSecondFactor)


def test_a_fresh_sign_in_asks_the_second_factor_again() -> None:
    stale = replace(sign_in(PASSWORD, ask=Ask(fresh_since=NOW)), proofs=(Proof(PASSWORD, NOW), Proof(TOTP, NOW - MINUTE)))
    assert isinstance(next_step(stale, having(TOTP), HARD, NOW), AskSecondFactor)


def test_one_counter_closes_every_way_of_the_second_factor() -> None:
    locked = (Counter("acc_maria", TOTP, locked_until=NOW + MINUTE),)
    for factors in ((TOTP,), (PASSKEY,), (TOTP, PASSKEY)):
        step = next_step(sign_in(PASSWORD, PIN), having(*factors), SOFT, NOW, locked)
        assert step == Refused(Refusal.LOCKED, NOW + MINUTE)
    assert isinstance(next_step(sign_in(PASSWORD, PIN, RECOVERY), having(TOTP), SOFT, NOW, locked), Done)


ASLEEP = {"last_sign_in_at": NOW - 121 * DAY, "created_at": NOW - 300 * DAY, "enrolled_at": NOW - 299 * DAY}


@pytest.mark.parametrize(
    ("by", "factors", "wanted"),
    [
        (("totp",), (PASSWORD, PIN, TOTP), Done),
        (("totp",), (PASSWORD, PIN, RECOVERY), Done),
        (("passkey",), (PASSWORD, PIN, PASSKEY), Done),
        (("passkey",), (PASSWORD, PIN, TOTP), Refused),
        (("answer",), (PASSWORD, PIN, TOTP), Reactivate),
        (("answer", "totp"), (PASSWORD, PIN, TOTP), Done),
        (("answer",), (PASSWORD, PIN, RECOVERY), Reactivate),
        (("email_code",), (PASSWORD, PIN, TOTP), ReactivateByCode),
        (("email_code", "totp"), (PASSWORD, PIN, TOTP), Done),
    ],
)
def test_a_second_factor_wakes_where_policy_says_so(by: tuple[str, ...], factors: tuple[Factor, ...], wanted: type) -> None:
    rules = policy(inactivity={"reactivate_by": by})
    step = next_step(sign_in(*factors), reminded(having(TOTP, PASSKEY, **ASLEEP)), rules, NOW)
    assert isinstance(step, wanted)


def test_it_wakes_the_suspended_and_nobody_else() -> None:
    expired = {**ASLEEP, "last_sign_in_at": NOW - 181 * DAY}
    step = next_step(sign_in(PASSWORD, TOTP), reminded(having(TOTP, **expired)), HARD, NOW)
    assert step == Refused(Refusal.EXPIRED)
