"""The sections of the policy about coming and going: how people register, are named, what they agree to, how they leave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from idp.policies.rule import DAYS, HOURS, MINUTES, rule

Piece = Literal["password", "pin", "question"]
Field = Literal["customer_code", "account_number", "given_name", "family_name", "number", "email", "username"]


@dataclass(frozen=True, slots=True)
class Naming:
    """What a person types beside the password at the sign-in page."""

    identify_by: tuple[Literal["username", "email"], ...] = rule(
        ("username",), "What names an account there; an email address does where it is one account's only."
    )


@dataclass(frozen=True, slots=True)
class Registration:
    """Who may open an account, what is asked, and in which order the first sign-in goes."""

    open: bool = rule(False, "Whether people may register by themselves.")
    invitation_lifetime: timedelta = rule(
        72 * HOURS, "How long an invitation's one-time link works.", floor=1 * HOURS, ceiling=30 * DAYS
    )
    enrolment: tuple[Piece, ...] = rule(
        ("password", "pin", "question"),
        "The pieces of the first sign-in, in their order; all must be done before any token is issued.",
    )
    fields: tuple[Field, ...] = rule((), "Fields asked at registration beside the password, in their order.")
    optional: tuple[Field, ...] = rule((), "Those of them that may be left empty.")
    match_customer: tuple[Field, ...] = rule(
        (), "Fields that must all match the operator's customer records, where the account number or customer code is given."
    )
    per_customer: int = rule(1, "How many accounts may register for one customer of the operator.", floor=1, ceiling=100)
    guesses: str = rule("5/hour", "Registrations tried for one customer number.")
    confirm_by: tuple[Literal["email", "sms"], ...] = rule(
        ("email",), "Channels of which the first that the person has must be confirmed by a code; none: no code is asked."
    )
    code_length: int = rule(6, "Digits of a confirmation code.", floor=6, ceiling=12, source="NIST SP 800-63B-4 3.1.3.2")
    code_lifetime: timedelta = rule(24 * HOURS, "How long a confirmation code works.", floor=5 * MINUTES, ceiling=7 * DAYS)
    purge_unconfirmed_after: timedelta = rule(30 * DAYS, "When an account never confirmed is purged.", floor=1 * DAYS)
    entitlements: tuple[str, ...] = rule(
        ("billing", "service"), "The tools that an account which registered may use; they decide which scopes its tokens carry."
    )


@dataclass(frozen=True, slots=True)
class Consent:
    """What people are asked to agree to; the words are in `config/consents.toml`, by key and version."""

    purposes: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"doc": "Purposes asked yes or no, and the version of each text in force; none is ever pre-ticked."},
    )
    terms: Literal["accept", "notice", "off"] = rule("off", "What a new version of the terms demands at the next sign-in.")
    terms_version: str = rule("", "Version of the terms in force.")
    client_consent_lifetime: timedelta = rule(
        365 * DAYS, "How long a consent given to a third-party client is remembered.", floor=1 * DAYS
    )


@dataclass(frozen=True, slots=True)
class Leaving:
    """How people cancel by themselves."""

    enabled: bool = rule(True, "Whether My Profile offers to cancel single services, or everything.")
    grace: timedelta = rule(
        14 * DAYS,
        "Time in which who cancelled everything can take it back by signing in; then the data goes, on the date that was told. "
        "0d: at once.",
        floor=0 * DAYS,
        ceiling=90 * DAYS,
    )
