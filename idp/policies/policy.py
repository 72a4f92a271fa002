"""The whole policy as frozen dataclasses: what the security team may tune, with defaults, floors and sources.

Each field carries its own documentation: ``docs/policy.md``, ``idp policy show`` and the judgement at load are made from
it. Cross-field contradictions are in ``policies.judgement``. Durations are timedeltas, written "30m" or "120d" in TOML.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from idp.model import Period
from idp.policies.joining import Consent, Leaving, Naming, Registration
from idp.policies.rule import DAYS, HOURS, MINUTES, rule
from idp.policies.terms import RateLimits, Retention, Tokens

Proving = Literal["answer", "email_code", "sms_code", "totp", "passkey"]
Activity = Literal["sign_in", "refresh", "step_up"]
Level = Literal["pwd", "pwd+pin", "extra", "mfa"]


@dataclass(frozen=True, slots=True)
class Password:
    """What a password may be, and how long it lasts."""

    min_length: int = rule(8, "Fewest characters of a password.", floor=8, source="NIST SP 800-63B-4 3.1.1.2; ASVS 6.2.1")
    max_length: int = rule(
        128, "Most characters accepted; nothing is ever cut off.", floor=64, ceiling=1024, source="ASVS 6.2.9"
    )
    require_letters_and_digits: bool = rule(
        False, "Demand at least one letter and one digit; NIST advises against.", source="NIST SP 800-63B-4 3.1.1.2"
    )
    refuse_breached: bool = rule(
        True, "Refuse passwords on the list of known breached ones (checked offline).", source="ASVS 6.2.4, 6.2.12"
    )
    refuse_personal: bool = rule(
        True, "Refuse passwords that contain the username, name, email or number.", source="ASVS 6.2.11"
    )
    history: int = rule(5, "How many former passwords may not be chosen again.", floor=0, ceiling=24)
    max_age: timedelta | None = rule(
        None, "Age at which a new password is demanded; unset: never.", floor=30 * DAYS, source="ASVS 6.2.10"
    )


@dataclass(frozen=True, slots=True)
class Pin:
    """The six-digit PIN asked on its own page after a correct password; it is never accepted alone."""

    enabled: bool = rule(True, "Ask for the PIN at sign-in and demand one at enrolment.")
    length: int = rule(6, "Digits of the PIN.", floor=6, ceiling=12, source="NIST SP 800-63B-4 3.1.1.2")
    refuse_weak: bool = rule(
        True, "Refuse runs, repeats, pairs, the birth date and digits of the person's numbers.", source="ASVS 6.2.4"
    )
    history: int = rule(1, "How many former PINs may not be chosen again.", floor=0, ceiling=24)
    change_after_reset: bool = rule(True, "Whether a PIN sent by mail must be changed at the next sign-in.")
    mailed_lifetime: timedelta = rule(
        24 * HOURS,
        "How long a mailed PIN that must be changed works.",
        floor=5 * MINUTES,
        ceiling=24 * HOURS,
        source="ASVS 6.4.1",
    )


@dataclass(frozen=True, slots=True)
class SecurityQuestion:
    """The question and answer that support recovery and reactivation, never alone."""

    enabled: bool = rule(
        True, "Have people choose a question at enrolment.", source="ASVS 6.4.2 and NIST SP 800-63B-4 3.1.1.2(8) advise against"
    )
    questions: tuple[str, ...] = rule(
        (
            "first_school",
            "first_concert",
            "childhood_street",
            "first_employer",
            "favourite_teacher",
            "first_film",
            "oldest_cousin",
            "first_trip",
        ),
        "The questions offered, by key; their words are in the translations.",
    )
    min_answer_length: int = rule(3, "Fewest characters of an answer, after normalising.", floor=2)


@dataclass(frozen=True, slots=True)
class Lockout:
    """How many wrong tries lock a factor, and for how long. One counter each for password, PIN and answer."""

    threshold: int = rule(5, "Failures within the window that lock the factor.", floor=3, ceiling=100, source="ASVS 6.3.1")
    window: timedelta = rule(30 * MINUTES, "Failures further apart than this do not add up.", floor=1 * MINUTES)
    duration: timedelta = rule(
        30 * MINUTES,
        "How long the factor stays locked; tries meanwhile do not prolong it.",
        floor=1 * MINUTES,
        ceiling=24 * HOURS,
    )
    cumulative_cap: int = rule(
        50,
        "Consecutive failures, however slow, that disable the factor until recovery.",
        floor=10,
        ceiling=100,
        source="NIST SP 800-63B-4 3.2.2",
    )
    known_device_counter: bool = rule(
        True, "Give a device that has signed in before its own counter, so that strangers cannot lock its owner out."
    )
    known_device_threshold: int = rule(5, "Threshold of the counter of a known device.", floor=3, ceiling=100)
    known_device_lifetime: timedelta = rule(
        180 * DAYS, "How long a device stays known after its last sign-in.", floor=1 * DAYS, ceiling=400 * DAYS
    )
    tell_owner: bool = rule(True, "Mail the owner when a factor locks.", source="ASVS 6.3.5")


@dataclass(frozen=True, slots=True)
class TemporaryPassword:
    """The mailed password that opens only "choose a new password"."""

    lifetime: timedelta = rule(
        1 * HOURS, "How long it works.", floor=5 * MINUTES, ceiling=24 * HOURS, source="NIST SP 800-63B-4 4.2.1.2"
    )
    bits: int = rule(80, "Randomness of it, in bits.", floor=64, ceiling=256, source="ASVS 6.4.1")
    per_hour: int = rule(3, "How many an account may be sent in an hour.", floor=1, ceiling=20)


@dataclass(frozen=True, slots=True)
class Inactivity:
    """What happens to access that nobody uses. Suspension and expiry are derived at read, never set by a timer."""

    suspend_after: timedelta | None = rule(
        120 * DAYS, "Time without sign-in after which access is suspended; unset: never.", floor=1 * DAYS
    )
    expire_after: timedelta | None = rule(
        180 * DAYS, "Time without sign-in after which access has expired; unset: never.", floor=2 * DAYS
    )
    purge_after: timedelta | None = rule(
        30 * DAYS, "Time after expiry during which staff can reactivate; then the data goes.", floor=0 * DAYS
    )
    suspend_reminders: tuple[timedelta, ...] = rule(
        (30 * DAYS, 14 * DAYS, 3 * DAYS), "How long before suspension each reminder is mailed."
    )
    expire_reminders: tuple[timedelta, ...] = rule(
        (30 * DAYS, 14 * DAYS, 3 * DAYS), "How long before expiry each reminder is mailed."
    )
    require_reminders: bool = rule(True, "Suspend and expire only those whose reminders the mail server accepted.")
    activity: tuple[Activity, ...] = rule(("sign_in",), "What counts as activity.")
    reactivate_by: tuple[Proving, ...] = rule(
        ("answer",), "Proofs, one of which reactivates a suspended account after the correct password."
    )
    in_force_since: str = rule("", "Date (YYYY-MM-DD) at which these rules took effect: inactivity before it does not count.")


@dataclass(frozen=True, slots=True)
class Session:
    """How long a browser stays signed in."""

    idle: timedelta = rule(
        30 * MINUTES,
        "Time without activity after which a session ends.",
        floor=1 * MINUTES,
        ceiling=30 * DAYS,
        source="ASVS 7.3.1",
    )
    absolute: timedelta = rule(
        12 * HOURS,
        "Time after which a session ends whatever happens.",
        floor=5 * MINUTES,
        ceiling=90 * DAYS,
        source="ASVS 7.3.2",
    )
    warn_before: timedelta = rule(
        2 * MINUTES, "How long before the end the person is warned.", floor=20 * timedelta(seconds=1), source="WCAG 2.2.1"
    )
    sign_in_lifetime: timedelta = rule(
        10 * MINUTES, "How long a sign-in may be under way.", floor=2 * MINUTES, ceiling=1 * HOURS
    )
    per_account: int = rule(
        10, "Sessions of one account at once; the oldest ends when one more begins.", floor=1, ceiling=1000, source="ASVS 7.1.2"
    )
    remember_me: Literal["off", "username", "password_on_known_device"] = rule(
        "off", "What a ticked “remember me” skips next time: typing the username. A device that skips the password is refused."
    )
    welcome_cookie: bool = rule(
        False, "Greet a returning person by name on the same device, which tells the given name to whoever uses it."
    )


@dataclass(frozen=True, slots=True)
class RecoveryMethod:
    """One way back: whether it is open, what it identifies by and what it must be proved with."""

    enabled: bool = rule(True, "Whether this way is open.")
    identify_by: tuple[Literal["username", "email", "name"], ...] = rule(
        ("username", "email"), "What the person types to be found."
    )
    prove_by: tuple[Proving, ...] = rule(
        ("answer",), "What must be proved before anything is sent or changed: the first of these that the person has."
    )
    then: Literal["mail_temporary", "mail_new", "mail_username", "choose_new"] = rule(
        "mail_temporary", "What a valid proof leads to."
    )


@dataclass(frozen=True, slots=True)
class Recovery:
    """Forgotten things. Asking never changes, locks or ends anything; only a valid proof does."""

    username: RecoveryMethod = field(
        default=RecoveryMethod(identify_by=("name", "email"), prove_by=(), then="mail_username"),
        metadata={"doc": "Forgotten username."},
    )
    password: RecoveryMethod = field(default=RecoveryMethod(), metadata={"doc": "Forgotten password."})
    username_and_password: RecoveryMethod = field(
        default=RecoveryMethod(enabled=False, identify_by=("name", "email")),
        metadata={"doc": "Both forgotten, on one page; the letter names the username too."},
    )
    pin: RecoveryMethod = field(
        default=RecoveryMethod(identify_by=("username",), then="mail_new"),
        metadata={"doc": "Forgotten PIN, after a correct password only."},
    )
    answer_needs_mailbox: bool = rule(
        True,
        "Whether an answer that leads to choosing a new password or PIN needs a mailed code beside it.",
        source="ASVS 6.4.2; NIST SP 800-63B-4 3.1.1.2(8)",
    )
    code_length: int = rule(6, "Digits of a mailed code.", floor=4, ceiling=12, source="NIST SP 800-63B-4 3.1.3.2")
    code_lifetime: timedelta = rule(10 * MINUTES, "How long a mailed code works.", floor=2 * MINUTES, ceiling=24 * HOURS)
    code_tries: int = rule(3, "Tries for one code.", floor=1, ceiling=5)
    codes_per_day: int = rule(
        5,
        "Codes an account, or an address that registers, may be sent in a day; a resend never resets the tries.",
        floor=1,
        ceiling=20,
    )
    lifts_lockout: bool = rule(True, "Whether a finished reset lifts the lock.")
    sign_in_after: bool = rule(False, "Whether the person is signed in at the end.")


@dataclass(frozen=True, slots=True)
class Change:
    """What follows when a person changes a secret or an address in My Profile, or resets it."""

    end_others: Literal["always", "choose"] = rule(
        "always",
        "Whether other sessions, refresh tokens and remembered devices always end, or the person chooses.",
        source="ASVS 7.4.3",
    )
    alarm_lifetime: timedelta = rule(
        72 * HOURS, "How long the link “this wasn't me” in the letter about a change works.", floor=1 * HOURS, ceiling=30 * DAYS
    )


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Factors stronger than the PIN: an authenticator app (TOTP) and passkeys. Who has set one up is always asked for it."""

    required: bool = rule(False, "Whether everyone must set one up before the first session.", source="ASVS 6.3.3")
    totp: bool = rule(True, "Whether an authenticator app is offered.")
    passkey: Literal["off", "second", "sign_in"] = rule(
        "second",
        "Whether passkeys are offered: as a second factor, or also as the whole sign-in.",
        source="NIST SP 800-63B-4 3.1.7",
    )
    recovery_codes: int = rule(
        10, "One-time codes given with the first second factor, for the day it is lost.", floor=4, ceiling=20
    )


@dataclass(frozen=True, slots=True)
class StepUp:
    """Extra proof beyond the sign-in, and for how long it counts."""

    sign_in: Level = rule("pwd+pin", "The level a complete sign-in reaches, and the least any token carries.")
    extra_by: tuple[Proving, ...] = rule(("answer",), "Proofs, one of which makes the level “extra”.")
    fresh_for: timedelta = rule(10 * MINUTES, "How long an extra proof counts.", floor=1 * MINUTES, ceiling=12 * HOURS)


@dataclass(frozen=True, slots=True)
class Policy:
    """One portal's law, whole. ``digest`` names it in every audit record.

    ``periods`` are the spans of inactivity that were ever in force, the earliest first and the present ones last; none
    where nothing is known of what was before.
    """

    name: str = rule("my-account", "Name of the profile.")
    about: str = rule("", "What the profile is for, in a sentence.")
    password: Password = field(default_factory=Password)
    pin: Pin = field(default_factory=Pin)
    security_question: SecurityQuestion = field(default_factory=SecurityQuestion)
    lockout: Lockout = field(default_factory=Lockout)
    temporary_password: TemporaryPassword = field(default_factory=TemporaryPassword)
    inactivity: Inactivity = field(default_factory=Inactivity)
    session: Session = field(default_factory=Session)
    sign_in: Naming = field(default_factory=Naming)
    recovery: Recovery = field(default_factory=Recovery)
    registration: Registration = field(default_factory=Registration)
    change: Change = field(default_factory=Change)
    second_factor: SecondFactor = field(default_factory=SecondFactor)
    step_up: StepUp = field(default_factory=StepUp)
    consent: Consent = field(default_factory=Consent)
    leaving: Leaving = field(default_factory=Leaving)
    retention: Retention = field(default_factory=Retention)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    tokens: Tokens = field(default_factory=Tokens)
    digest: str = field(default="", compare=False, metadata={"derived": True})
    periods: tuple[Period, ...] = field(default=(), compare=False, metadata={"derived": True})
