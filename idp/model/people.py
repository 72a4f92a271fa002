"""People: their accounts, what they can prove, and what is remembered of their devices."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Factor(StrEnum):
    """What a person can prove: the first three are secrets with a counter each, the rest arrive or are held elsewhere.

    ``TEMPORARY`` is the mailed password that opens only "choose a new password".
    """

    PASSWORD = "password"
    PIN = "pin"
    ANSWER = "answer"
    INVITATION = "invitation"
    CODE = "code"
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"
    PASSKEY = "passkey"
    TEMPORARY = "temporary"


class AccountState(StrEnum):
    """What was decided about an account. Suspension and expiry by inactivity are derived, see ``policies.lifecycle``.

    PENDING has registered and not confirmed yet; INVITED may come in and has not finished the first sign-in; LEAVING has
    cancelled, and can take it back for a while.
    """

    PENDING = "pending"
    INVITED = "invited"
    ACTIVE = "active"
    BLOCKED = "blocked"
    LEAVING = "leaving"
    CLOSED = "closed"


class Ending(StrEnum):
    """What becomes of access that nobody uses."""

    SUSPENSION = "suspension"
    EXPIRY = "expiry"


class DeviceClass(StrEnum):
    """Whether a device has completed a sign-in for the account that it now tries to open."""

    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence that a factor was shown at a moment; acr, amr and auth_time are computed from proofs alone."""

    factor: Factor
    at: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret of an account. ``hash`` is the verifier; ``question`` is the chosen question's key, for answers only.

    Of an authenticator app (TOTP) ``hash`` is the sealed key and ``last_step`` the last time step that was used, so that
    no code works twice. From ``expires_at`` on it is as though the credential were not there.
    """

    factor: Factor
    hash: str = field(repr=False)
    set_at: datetime
    must_change: bool = False
    question: str | None = None
    expires_at: datetime | None = None
    last_step: int | None = None


@dataclass(frozen=True, slots=True)
class Reminder:
    """A letter that asks a person to come back ``ahead`` of an ending: by its id, and when the mail server took it."""

    ending: Ending
    ahead: timedelta
    letter: str
    asked_at: datetime
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """What was done about an account since it was last used; the next use forgets it.

    ``suspended_at`` and ``expired_at`` are when upkeep wrote down that it had come to that; nothing waits for them.
    ``goes_at`` is when the data of a person who cancelled everything goes, as they were told.
    """

    reminders: tuple[Reminder, ...] = ()
    suspended_at: datetime | None = None
    expired_at: datetime | None = None
    goes_at: datetime | None = None


class Role(StrEnum):
    """In which capacity a person acts: as themselves, as a business, or on behalf of one."""

    CONSUMER = "consumer"
    BUSINESS = "business"
    ON_BEHALF = "on_behalf"


@dataclass(frozen=True, slots=True)
class Capacity:
    """One of the capacities in which an account may act. ``id`` is opaque and means nothing outside the account.

    ``reference`` is the billing account number behind it, sealed by the vault, or empty; ``organisation`` is for whom.
    ``customer`` is the keyed digest by which the accounts of that customer are found, "" where it is none of the records.
    """

    id: str
    role: Role
    organisation: str = ""
    reference: bytes = field(default=b"", repr=False)
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a person answered last to a text: to the terms, or to a purpose that was asked yes or no."""

    to: str
    version: str
    given: bool


@dataclass(frozen=True, slots=True)
class Account:
    """A person's access. ``id`` is the OpenID Connect subject and is never used again; the username never changes.

    ``email`` is "" where none was given; ``email_confirmed_at`` is when something sent to it came back, None where it has not.
    """

    id: str
    username: str
    email: str
    given_name: str
    family_name: str
    state: AccountState
    created_at: datetime
    mobile: str | None = None
    locale: str = "en"
    zone: str = "UTC"
    entitlements: frozenset[str] = frozenset()
    credentials: tuple[Credential, ...] = ()
    enrolled_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    # When the account last became reachable again (staff or the person reactivated it): the inactivity clock restarts.
    reactivated_at: datetime | None = None
    # Sessions and grants that began before this moment are dead.
    sessions_valid_from: datetime | None = None
    # When the state was decided; None where it is the one the account was made with.
    state_at: datetime | None = None
    # Uses beside signing in, kept only where policy counts them as activity.
    last_refresh_at: datetime | None = None
    last_step_up_at: datetime | None = None
    quiet: Quiet = Quiet()
    email_confirmed_at: datetime | None = None
    capacities: tuple[Capacity, ...] = ()
    agreed: tuple[Agreed, ...] = ()

    def credential(self, factor: Factor) -> Credential | None:
        """The account's credential for ``factor``, or None where it has not been chosen yet."""
        return next((held for held in self.credentials if held.factor is factor), None)

    @property
    def full_name(self) -> str:
        """Given and family name as they are shown to the person."""
        return f"{self.given_name} {self.family_name}".strip()

    @property
    def called(self) -> str:
        """How letters address the person: the given name, or the username of whoever gave none."""
        return self.given_name or self.username

    def answer_to(self, text: str) -> Agreed | None:
        """What the person answered last to a text, whichever version of it."""
        return next((one for one in self.agreed if one.to == text), None)


@dataclass(frozen=True, slots=True)
class Counter:
    """Failed attempts at one factor of one subject from one device class, as stored.

    ``subject`` is an account id or a decoy; ``device`` is a known device's id, or "" for every unknown device together.
    ``failures`` counts since ``window_from``; ``consecutive`` counts since the last success. ``touched_at`` is
    when the last attempt was counted, or the factor disabled. ``version`` guards the swap.
    """

    subject: str
    factor: Factor
    device: str = ""
    failures: int = 0
    consecutive: int = 0
    window_from: datetime | None = None
    locked_until: datetime | None = None
    disabled_at: datetime | None = None
    touched_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that completed a sign-in for an account; ``digest`` is that of its cookie.

    ``remembered`` is the digest of a second cookie, which the browser has since "remember me" was ticked; None: it was not.
    ``agent`` is the browser's family as it said at the last sign-in, by which the person knows it again; "" of older ones.
    """

    id: str
    account_id: str
    digest: str = field(repr=False)
    first_seen_at: datetime
    last_seen_at: datetime
    remembered: str | None = field(default=None, repr=False)
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time way into enrolment, alive until used, replaced or expired."""

    digest: str = field(repr=False)
    account_id: str
    created_at: datetime
    expires_at: datetime
    client_id: str | None = None
    used_at: datetime | None = None


class Purpose(StrEnum):
    """What a one-time code is for; an account has at most one live code for each."""

    RECOVERY = "recovery"
    EMAIL = "email"
    MOBILE = "mobile"
    TOTP = "totp"
    PASSKEY = "passkey"
    REACTIVATION = "reactivation"
    REGISTRATION = "registration"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A short code that was sent, or a thing to be confirmed by one. ``value`` is what it confirms, sealed by the vault."""

    account_id: str
    purpose: Purpose
    digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    value: bytes = field(default=b"", repr=False)
    tries: int = 0


class Changed(StrEnum):
    """What about an account was changed, as its owner is told."""

    PASSWORD = "password"
    PIN = "pin"
    ANSWER = "answer"
    EMAIL = "email"
    MOBILE = "mobile"
    SECOND_FACTOR = "second_factor"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class Alarm:
    """The link by which an owner says "this wasn't me". ``before`` is the address that the change replaced, or ""."""

    digest: str = field(repr=False)
    account_id: str
    changed: Changed
    before: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential. ``id`` and ``public_key`` are base64url, ``sign_count`` is the authenticator's."""

    id: str
    account_id: str
    public_key: str
    sign_count: int
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
