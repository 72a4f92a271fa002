"""Values that the policy tests share: one account with everything, and a fixed moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.model import Account, AccountState, Ask, Credential, Factor, Proof, Quiet, Reminder, SignIn
from idp.policies.inactivity import course
from idp.policies.policy import Policy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
POLICY = Policy()


def credential(factor: Factor, **changes: Any) -> Credential:
    question = "first_school" if factor is Factor.ANSWER else None
    return replace(Credential(factor, f"hash of {factor}", NOW - 10 * DAY, question=question), **changes)


ALL_THREE = (credential(Factor.PASSWORD), credential(Factor.PIN), credential(Factor.ANSWER))
MARIA = Account(
    id="acc_maria",
    username="Maria.Rossi",
    email="maria@example.com",
    given_name="Maria",
    family_name="Rossi",
    state=AccountState.ACTIVE,
    created_at=NOW - 20 * DAY,
    mobile="+39 333 280 5719",
    credentials=ALL_THREE,
    enrolled_at=NOW - 10 * DAY,
    last_sign_in_at=NOW - DAY,
    email_confirmed_at=NOW - 20 * DAY,
)


def account(**changes: Any) -> Account:
    return replace(MARIA, **changes)


def policy(**sections: Any) -> Policy:
    """The default policy with fields of its sections changed: ``policy(pin={"enabled": False})``."""
    return replace(POLICY, **{name: replace(getattr(POLICY, name), **fields) for name, fields in sections.items()})


def sign_in(*factors: Factor, at: datetime = NOW, ask: Ask | None = None, **changes: Any) -> SignIn:
    proofs = tuple(Proof(factor, at) for factor in factors)
    return replace(SignIn("id", "browser", NOW - MINUTE, NOW + 9 * MINUTE, ask or Ask(), "acc_maria", proofs), **changes)


def reminded(who: Account, rules: Policy = POLICY) -> Account:
    """The account, each of its reminders having been asked for and accepted the moment it fell due."""
    notices = course(who, rules, accepted_at=who.created_at).notices
    reminders = tuple(Reminder(one.ending, one.ahead, "letter", one.due_at, one.due_at) for one in notices)
    return replace(who, quiet=Quiet(reminders))
