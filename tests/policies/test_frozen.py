"""Once the password is disabled, what was proved before opens nothing: whoever was half-way in goes no further."""

from dataclasses import replace

import pytest

from idp.model import Counter, Factor, Proof
from idp.policies.entry import next_step
from idp.policies.steps import AskPin, AskUsernameAndPassword, Done, ReplacePassword
from tests.policies.values import MARIA, MINUTE, NOW, POLICY, credential, policy, sign_in

FROZEN = (Counter("acc_maria", Factor.PASSWORD, disabled_at=NOW),)
TEMPORARY = replace(MARIA, credentials=(*MARIA.credentials, credential(Factor.TEMPORARY)))


@pytest.mark.parametrize("factors", [(Factor.PASSWORD,), (Factor.PASSWORD, Factor.PIN), (Factor.TEMPORARY,)])
def test_what_was_proved_before_counts_for_nothing(factors: tuple[Factor, ...]) -> None:
    before = sign_in(*factors, at=NOW - MINUTE)
    assert not isinstance(next_step(before, TEMPORARY, POLICY, NOW), AskUsernameAndPassword)
    assert next_step(before, TEMPORARY, POLICY, NOW, FROZEN) == AskUsernameAndPassword()


def test_what_is_proved_after_counts() -> None:
    assert next_step(sign_in(Factor.PASSWORD), MARIA, POLICY, NOW, FROZEN) == AskPin(6)
    assert isinstance(next_step(sign_in(Factor.TEMPORARY), TEMPORARY, POLICY, NOW, FROZEN), ReplacePassword)


@pytest.mark.parametrize("other", [Factor.PIN, Factor.ANSWER])
def test_another_factor_s_end_leaves_the_password_as_proved(other: Factor) -> None:
    closed = (Counter("acc_maria", other, disabled_at=NOW),)
    step = next_step(sign_in(Factor.PASSWORD, at=NOW - MINUTE), MARIA, POLICY, NOW, closed)
    assert not isinstance(step, AskUsernameAndPassword)


def test_a_frozen_passkey_is_no_sign_in() -> None:
    rules = policy(second_factor={"passkey": "sign_in"})
    shown = replace(sign_in(), proofs=(Proof(Factor.PASSKEY, NOW),))
    maria = replace(MARIA, credentials=(*MARIA.credentials, credential(Factor.PASSKEY)))
    assert isinstance(next_step(shown, maria, rules, NOW), Done)
    closed = (Counter("acc_maria", Factor.PASSKEY, disabled_at=NOW),)
    assert next_step(shown, maria, rules, NOW, closed) == AskUsernameAndPassword("Maria.Rossi")
