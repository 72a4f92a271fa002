"""Registering: what must be given, whether it matches the operator's records, and how the account is confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from idp.model import Customer, Registering, Role
from idp.policies.joining import Field, Registration
from idp.policies.matching import name_key, reference_key
from idp.policies.policy import Policy
from idp.policies.steps import ConfirmRegistration

REFERENCES: tuple[Field, ...] = ("account_number", "customer_code")


@dataclass(frozen=True, slots=True)
class Claimed:
    """What somebody who registers says of themselves, in the forms in which it is compared and kept; "" where not given.

    ``number`` is a number of the account as it is compared, ``mobile`` the same as messages go to it, None for a landline.
    """

    account_number: str = field(default="", repr=False)
    customer_code: str = field(default="", repr=False)
    given_name: str = ""
    family_name: str = ""
    number: str = field(default="", repr=False)
    mobile: str | None = field(default=None, repr=False)
    email: str = ""
    username: str = ""


def next_step(registering: Registering, policy: Policy) -> ConfirmRegistration:
    """The one step of a registration that waits for its code: made of what was typed, whether or not anything came of it."""
    again = registering.sent < policy.recovery.codes_per_day
    return ConfirmRegistration(registering.channel, registering.to, policy.registration.code_length, again)


def missing(typed: Mapping[str, str], rules: Registration) -> tuple[Field, ...]:
    """The fields left empty that may not be. Whoever gives a reference gives also what it is matched by."""
    needed = set(rules.fields) - set(rules.optional)
    if any(typed.get(name, "").strip() for name in REFERENCES):
        needed |= set(rules.match_customer) - set(REFERENCES)
    return tuple(name for name in rules.fields if name in needed and not typed.get(name, "").strip())


def reference(claimed: Claimed) -> tuple[Field, str] | None:
    """By what the operator's records are asked: the first reference that was given, and its key."""
    given = ((name, reference_key(getattr(claimed, name))) for name in REFERENCES if getattr(claimed, name))
    return next(given, None)


def matches(customer: Customer | None, claimed: Claimed, rules: Registration) -> bool:
    """Whether all that policy names is what the records say: forgiving in form, strict in substance. Nobody matches nothing."""
    if customer is None:
        return False
    same = {
        "account_number": reference_key(claimed.account_number) == customer.account_number,
        "customer_code": reference_key(claimed.customer_code) == customer.customer_code,
        "given_name": name_key(claimed.given_name) == name_key(customer.given_name),
        "family_name": name_key(claimed.family_name) == customer.surname,
        "number": bool(claimed.number) and claimed.number in customer.numbers,
    }
    return all(same[name] for name in rules.match_customer)


def role(customer: Customer) -> Role:
    """In which capacity the account of a customer acts."""
    return Role.BUSINESS if customer.organisation else Role.CONSUMER


def channel(claimed: Claimed, rules: Registration, offered: frozenset[str]) -> str | None:
    """The channel that the code goes by, the first of policy's that the person has and letters can take; None: no code."""
    has = {"email": bool(claimed.email), "sms": claimed.mobile is not None and "sms" in offered}
    return next((way for way in rules.confirm_by if has[way]), None)


def username(claimed: Claimed) -> str:
    """The name that the account is given: the one chosen, or the email address where none is asked."""
    return claimed.username or claimed.email
