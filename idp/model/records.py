"""What happened, what must be sent, and how the pages look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """A labelled address shown to people: contact, feedback, help. ``label`` is keyed by language."""

    label: Mapping[str, str]
    href: str


@dataclass(frozen=True, slots=True)
class Brand:
    """The one block that makes the pages the operator's own: name, logo, colours, contacts."""

    name: str
    logo: str = ""
    accent: str = "#2b4acb"
    accent_dark: str = "#9db2ff"
    links: tuple[Link, ...] = ()
    phone: str = ""
    home: str = ""
    tested_browsers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened, with the facts it was decided on and the digest of the policy that decided (never a secret)."""

    at: datetime
    actor: str
    event: str
    outcome: str
    account_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""


class Kept(StrEnum):
    """The kinds of data that are kept for a while: each goes when its own period is over."""

    AUDIT = "audit"
    LETTERS = "letters"
    SIGNALS = "signals"
    COUNTERS = "counters"
    ISSUANCES = "issuances"
    FORMER_CREDENTIALS = "former_credentials"
    CLOSED_ACCOUNTS = "closed_accounts"
    CANCELLED_ACCOUNTS = "cancelled_accounts"
    EXPIRED_ACCOUNTS = "expired_accounts"
    UNCONFIRMED_ACCOUNTS = "unconfirmed_accounts"
    GRANTS = "grants"
    INVITATIONS = "invitations"
    ONE_TIME_CODES = "one_time_codes"
    ALARMS = "alarms"
    TEMPORARY_PASSWORDS = "temporary_passwords"
    DEVICES = "devices"
    CLIENT_CONSENTS = "client_consents"
    SIGN_INS = "sign_ins"
    SESSIONS = "sessions"
    USED = "used"
    DENIED = "denied"
    THROTTLES = "throttles"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent: a template's name and what it needs.

    ``context`` may hold a secret and is encrypted at rest; nothing is sent after ``not_after``. ``account_id`` is whose
    letter it is, so that it goes with the account.
    """

    id: str
    channel: str
    to: str
    template: str
    locale: str
    context: Mapping[str, Any] = field(repr=False)
    created_at: datetime
    not_after: datetime | None = None
    attempts: int = 0
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """A line of the operator's customer records, in the forms in which it is compared.

    ``account_number`` and ``customer_code`` are references, of which a record has one or both; ``surname`` is a key,
    ``numbers`` are those of the account, mobile or landline, in international form.
    """

    account_number: str = field(repr=False)
    customer_code: str = field(repr=False)
    surname: str
    numbers: frozenset[str] = field(default=frozenset(), repr=False)
    given_name: str = ""
    family_name: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that people agree to, in one of its versions: its words and, where there is more to read, where, by language."""

    name: str
    version: str
    words: Mapping[str, str]
    href: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One answer to a text, as it is kept for good: which version, in which language, and the digest of the words shown."""

    account_id: str
    to: str
    version: str
    given: bool
    locale: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """The spans of inactivity that were in force from ``began_at`` on, so that stricter ones count from there only."""

    began_at: datetime
    suspend_after: timedelta | None
    expire_after: timedelta | None
    purge_after: timedelta | None
