"""What clients are allowed: grants, codes, refresh tokens, and the keys that sign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from idp.model.people import Proof


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
    # The id of the capacity in which the person acts.
    capacity: str = ""
    # Thumbprint of the key to which the code, and a public client's refresh token, are bound (RFC 9449 5 and 10).
    jkt: str | None = None


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
    """A registered client (RFC 7591 names). ``secret_digests`` hold SHA-256 digests of 256-bit random secrets.

    Proofs older than ``default_max_age`` and sessions unused for longer than ``session_idle`` do not suffice for it.
    ``sector`` is that of its pairwise subjects (OpenID Connect Core 8.1), "" where it sees public ones. ``exchanges`` says for
    which resources, by identifier, and with which scopes it may exchange a person's token that was made for it (RFC 8693).
    ``fapi`` implies ``require_par`` and ``dpop``, which say so themselves. ``secret_ends`` says of digests until when they are
    good, where another has taken their place.
    """

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
    default_max_age: timedelta | None = None
    session_idle: timedelta | None = None
    jwks_uri: str | None = None
    request_uris: tuple[str, ...] = ()
    require_signed_request: bool = False
    require_par: bool = False
    dpop: bool = False
    fapi: bool = False
    sector: str = ""
    backchannel_logout_uri: str | None = None
    frontchannel_logout_uri: str | None = None
    exchanges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secret_ends: Mapping[str, datetime] = field(default_factory=dict, repr=False)

    @property
    def public(self) -> bool:
        """Whether the client can keep no secret (RFC 6749 2.1)."""
        return self.auth_method == "none"


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who may register clients over the protocol (RFC 7591 1.2), by digests of initial access tokens, and which scopes."""

    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource server, named by the audience of its tokens (``identifier``, RFC 8707).

    ``scopes`` maps a scope to the entitlement an account needs for it, or to "" where every account may have it.
    ``account_number``: its tokens, and no others, name the billing account in whose capacity the person acts.
    """

    name: str
    identifier: str
    scopes: Mapping[str, str]
    token_lifetime: timedelta
    acr: str = "pwd"
    account_number: bool = False


@dataclass(frozen=True, slots=True)
class Slip:
    """Something short-lived, kept under the digest of the token that names it: a pushed request, a device's wait."""

    key: str
    document: str
    expires_at: datetime
    version: int = 0
