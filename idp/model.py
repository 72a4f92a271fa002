"""The nouns of the house: frozen values that every room may speak of and none may change in place.

Instants are aware UTC datetimes, durations are timedeltas, identifiers are opaque strings. Secrets appear here only as
hashes or digests, and never in a ``repr``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Factor(StrEnum):
    """What a person can prove: the first three are secrets with a counter each, the rest arrive by another channel."""

    PASSWORD = "password"
    PIN = "pin"
    ANSWER = "answer"
    INVITATION = "invitation"
    CODE = "code"
    TOTP = "totp"
    PASSKEY = "passkey"


class AccountState(StrEnum):
    """What was decided about an account. Suspension and expiry by inactivity are derived, see ``policies.lifecycle``."""

    INVITED = "invited"
    ACTIVE = "active"
    BLOCKED = "blocked"
    CLOSED = "closed"


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
    """One secret of an account. ``hash`` is the verifier; ``question`` is the chosen question's key, for answers only."""

    factor: Factor
    hash: str = field(repr=False)
    set_at: datetime
    must_change: bool = False
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A person's access. ``id`` is the OpenID Connect subject and is never used again; the username never changes."""

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

    def credential(self, factor: Factor) -> Credential | None:
        """The account's credential for ``factor``, or None where it has not been chosen yet."""
        return next((held for held in self.credentials if held.factor is factor), None)

    @property
    def full_name(self) -> str:
        """Given and family name as they are shown to the person."""
        return f"{self.given_name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class Counter:
    """Failed attempts at one factor of one subject from one device class, as stored.

    ``subject`` is an account id or a decoy; ``device`` is a known device's id, or "" for every unknown device together.
    ``failures`` counts since ``window_from``; ``consecutive`` counts since the last success. ``version`` guards the swap.
    """

    subject: str
    factor: Factor
    device: str = ""
    failures: int = 0
    consecutive: int = 0
    window_from: datetime | None = None
    locked_until: datetime | None = None
    disabled_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What the client asked for at the authorization endpoint, as facts for the policy.

    ``parameters`` is the request as it came, to be judged again on return. ``fresh_since`` is the moment before which
    proofs do not count (``prompt=login`` and ``max_age``); ``acr`` lists acceptable levels, best first, and
    ``acr_essential`` says whether none of them will do; ``subject`` is the only account that may answer.
    """

    client_id: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    scope: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()
    acr_essential: bool = False
    fresh_since: datetime | None = None
    subject: str | None = None
    consent_given: bool = True
    login_hint: str = ""
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in under way: facts only, the next step is derived from them at each request.

    ``id`` is the digest of the identifier in the address, ``browser`` the digest of the cookie it is bound to.
    ``version`` guards the swap: of two answers at once, one is told to look again. ``finished``: a session came of it.
    """

    id: str
    browser: str
    started_at: datetime
    expires_at: datetime
    ask: Ask = Ask()
    account_id: str | None = None
    proofs: tuple[Proof, ...] = ()
    invitation: str | None = field(default=None, repr=False)
    consented: bool = False
    finished: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A browser signed in. ``id`` is the digest of the cookie's value, ``public_id`` the ``sid`` that clients see."""

    id: str = field(repr=False)
    public_id: str
    account_id: str
    proofs: tuple[Proof, ...]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    device: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that completed a sign-in for an account; ``digest`` is that of its cookie."""

    id: str
    account_id: str
    digest: str = field(repr=False)
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time way into enrolment, alive until used, replaced or expired."""

    digest: str = field(repr=False)
    account_id: str
    created_at: datetime
    expires_at: datetime
    client_id: str | None = None
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person let a client do: the family to which a code, its refresh tokens and access tokens belong.

    ``session`` is the ``sid`` the grant ends with, or None where it outlives the browser (``offline_access``).
    ``proofs`` are those of the sign-in: a refresh never freshens them.
    """

    id: str
    account_id: str
    client_id: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    proofs: tuple[Proof, ...]
    created_at: datetime
    expires_at: datetime
    session: str | None = None
    sid: str | None = None
    claims: tuple[str, ...] = ()
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code as stored: everything the token endpoint must hold it against (RFC 6749 4.1.3, RFC 7636 4.6)."""

    digest: str = field(repr=False)
    grant_id: str
    redirect_uri: str
    redirect_uri_given: bool
    code_challenge: str | None
    nonce: str | None
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """The refresh state of a grant: the live token's digest, the one before it, and when they changed places."""

    handle: str = field(repr=False)
    grant: Grant
    current: str = field(repr=False)
    previous: str | None = field(repr=False, default=None)
    rotated_at: datetime | None = None


class KeyUse(StrEnum):
    """Where a signing key is in its life: published ahead, signing, or kept until its last token is dead."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key. ``public`` is its JWK; ``sealed`` the private JWK, encrypted at rest."""

    kid: str
    alg: str
    use: KeyUse
    public: Mapping[str, Any]
    sealed: bytes = field(repr=False)
    created_at: datetime
    current_from: datetime | None = None
    drop_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 7591 names). ``secret_digests`` hold SHA-256 digests of 256-bit random secrets."""

    id: str
    name: str
    grant_types: tuple[str, ...] = ("authorization_code",)
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    auth_method: str = "client_secret_basic"
    secret_digests: tuple[str, ...] = field(default=(), repr=False)
    jwks: Mapping[str, Any] | None = None
    scope: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    response_modes: tuple[str, ...] = ("query", "form_post")
    require_pkce: bool = True
    id_token_alg: str = "RS256"
    consent: bool = False
    disabled: bool = False
    # The resource whose tokens this client may introspect, as a resource server.
    introspects: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether the client can keep no secret (RFC 6749 2.1)."""
        return self.auth_method == "none"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource server, named by the audience of its tokens (``identifier``, RFC 8707).

    ``scopes`` maps a scope to the entitlement an account needs for it, or to "" where every account may have it.
    """

    name: str
    identifier: str
    scopes: Mapping[str, str]
    token_lifetime: timedelta
    acr: str = "pwd"


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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent: a template's name and what it needs.

    ``context`` may hold a secret and is encrypted at rest; nothing is sent after ``not_after``.
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


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from, as far as policy may know: an address bucket (/24 or /64) and the device."""

    bucket: str = ""
    device: str | None = field(default=None, repr=False)
    agent: str = ""
