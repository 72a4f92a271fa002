"""What a token is worth now: for the resource servers that ask, and for the person's own information."""

from dataclasses import dataclass
from typing import Any

from idp.flows.world import World
from idp.model import Account, Client, Grant, Rotation
from idp.policies import tokens
from idp.vault import digest
from idp.vault.signing import KeyRing


@dataclass(frozen=True, slots=True)
class Worth:
    """An access token that is good now, and whose it is. A client that acts for itself has neither grant nor account."""

    claims: dict[str, Any]
    client: Client
    grant: Grant | None = None
    account: Account | None = None


def weigh(world: World, keys: KeyRing, token: str) -> Worth | None:
    """Verify an access token and ask, in one statement, whether it still counts."""
    claims = keys.verify(token, "at+jwt")
    now = world.clock()
    if claims is None or claims["exp"] <= now.timestamp():
        return None
    client = world.clients.get(claims["client_id"])
    if client is None or client.disabled or (client.dpop and "cnf" not in claims):
        return None
    jti: str = claims["jti"]
    grant_id, dot, _ = jti.partition(".")
    with world.store.read() as tx:
        if not dot:
            return None if tx.denied.is_denied(digest(jti)) else Worth(claims, client)
        found = tx.grants.alive(grant_id, digest(jti), now)
    if found is None or found[1] is None or tokens.alive(found[0], found[1], world.policy, now) is not None:
        return None
    # Of a token that was exchanged, the client that the person signed in at is another.
    opened_by = world.clients.get(found[0].client_id)
    if opened_by is None or opened_by.disabled:
        return None
    # A service that was cancelled since is worth nothing, in a token of before neither.
    scope = tokens.still_entitled(claims["scope"].split(), world.resources.get(claims["aud"]), found[1].entitlements)
    return None if scope is None else Worth({**claims, "scope": " ".join(scope)}, client, *found)


_TOLD = (
    *("iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti"),
    *("acr", "amr", "auth_time", "sid", "capacity", "organisation", "cnf", "act"),
)
# For the backend whose token it is, and not for the client that carries it there.
_TOLD_TO_BACKENDS = (*_TOLD, "account_number")


def introspect(world: World, keys: KeyRing, client: Client, token: str) -> dict[str, Any] | None:
    """What a token says and that it is active, or None (RFC 7662 2.2) for whatever is no business of the client's.

    A resource server sees the tokens meant for it, and every client its own.
    """
    worth = weigh(world, keys, token)
    if worth is not None:
        claims = worth.claims
        backend = claims["aud"] in client.introspects
        if not backend and claims["client_id"] != client.id:
            return None
        told = _TOLD_TO_BACKENDS if backend else _TOLD
        kind = "DPoP" if "cnf" in claims else "Bearer"
        return {"active": True, "token_type": kind} | {name: claims[name] for name in told if name in claims}
    rotation, account = family(world, token)
    if rotation is None or account is None or rotation.grant.client_id != client.id or rotation.current != digest(token):
        return None
    now, grant = world.clock(), rotation.grant
    if tokens.alive(grant, account, world.policy, now) is not None:
        return None
    return {
        "active": True,
        "iss": world.issuer,
        "sub": world.subject(client, grant.account_id),
        "client_id": client.id,
        "scope": " ".join(grant.scope),
        "iat": int(grant.created_at.timestamp()),
        "exp": int(grant.expires_at.timestamp()),
    }


def family(world: World, token: str) -> tuple[Rotation | None, Account | None]:
    """The family that a string which looks like a refresh token belongs to, and its person."""
    handle, dot, _ = token.partition(".")
    if not dot or token.count(".") != 1:
        return None, None
    with world.store.read() as tx:
        rotation = tx.grants.rotation(digest(handle))
        return rotation, None if rotation is None else tx.accounts.bare(rotation.grant.account_id)


def userinfo(worth: Worth) -> dict[str, Any] | None:
    """What a token tells of its person (OpenID Connect Core 5.3.2); None without ``openid``, as in a backend's token."""
    scope = worth.claims["scope"].split()
    if worth.grant is None or worth.account is None or "openid" not in scope:
        return None
    return {"sub": worth.claims["sub"]} | tokens.person(worth.account, scope, tokens.wanted(worth.grant, "userinfo"))
