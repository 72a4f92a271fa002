"""The words in which the doors and these use cases speak: what is asked, what is presented, what is issued."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp.flows.world import World
from idp.model import Client, Grant
from idp.store import Transaction


@dataclass(frozen=True, slots=True)
class Asked:
    """What an authorization request that passed every check asks for.

    A ``device`` has no browser: its grant belongs to no session.
    """

    client: Client
    redirect_uri: str
    redirect_uri_given: bool
    scope: tuple[str, ...]
    resources: tuple[str, ...] = ()
    code_challenge: str | None = None
    nonce: str | None = None
    claims: tuple[str, ...] = ()
    device: bool = False
    # Thumbprint of the key to which the code is bound (RFC 9449 10).
    jkt: str | None = None

    @property
    def offline(self) -> bool:
        """Whether the grant is to outlive the browser's session (OpenID Connect Core 11)."""
        return self.device or "offline_access" in self.scope


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token request may narrow: the one resource (RFC 8707), the scope (RFC 6749 6), and who may use the token.

    ``jkt`` is the thumbprint of the key whose possession was proved, to which it is bound (RFC 9449 5); None: to no key.
    """

    resource: str | None = None
    scope: tuple[str, ...] | None = None
    jkt: str | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """An authorization code as the token endpoint got it (RFC 6749 4.1.3, RFC 7636 4.5)."""

    code: str = field(repr=False)
    redirect_uri: str | None
    verifier: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens, as the token endpoint answers them (RFC 6749 5.1); ``bound``: whoever uses it proves possession of a key."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: tuple[str, ...]
    refresh_token: str | None = field(repr=False, default=None)
    id_token: str | None = field(repr=False, default=None)
    bound: bool = False


def record(world: World, tx: Transaction, now: datetime, event: str, grant: Grant, **facts: Any) -> None:
    """Write what became of a grant."""
    world.record(tx, now, event, "done", account=grant.account_id, client=grant.client_id, **facts)
