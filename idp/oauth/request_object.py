"""Request objects (RFC 9101, OpenID Connect Core 6): the parameters of a request as a JWT that its client signed."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from idp.flows.world import World
from idp.model import Client
from idp.oauth.assertion import moment_of
from idp.oauth.clients import Registered
from idp.policies.client_keys import FAPI_ALGORITHMS
from idp.post import Unreachable
from idp.vault.client_keys import ALGORITHMS

__all__ = ["ALGORITHMS", "Pairs", "fetch", "read"]

Pairs = tuple[tuple[str, str], ...]

_TYPES = (None, "JWT", "jwt", "oauth-authz-req+jwt")
_ACCEPT = "application/oauth-authz-req+jwt, application/jwt"
_LONGEST, _LEEWAY = timedelta(minutes=60), timedelta(seconds=60)
# What a JWT says of itself, and no parameter of the request.
_OF_THE_JWT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_NESTED = frozenset({"request", "request_uri"})


def fetch(world: World, client: Client, address: str) -> str | None:
    """The object that lies at an address the client registered, letter by letter; None where there is none to be had.

    A fragment is the digest of what lies there (OpenID Connect Core 6.2). Nothing is fetched from any other address.
    """
    if address not in client.request_uris:
        return None
    place, _, fragment = address.partition("#")
    try:
        body = world.outbound.get(place, _ACCEPT).body
        token = body.decode("ascii").strip()
    except (Unreachable, UnicodeDecodeError):
        return None
    hashed = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    return token if fragment in {"", hashed} else None


def read(token: str, registered: Registered, issuer: str, now: datetime) -> Pairs | None:
    """The parameters in an object that one of the client's keys has signed, for us, and that is good at ``now``."""
    client = registered.client
    verified = registered.keys.verify(token, FAPI_ALGORITHMS if client.fapi else ALGORITHMS)
    if verified is None or not _genuine(*verified, client, issuer) or not _in_time(verified[1], client, now):
        return None
    return _parameters(verified[1])


def _genuine(header: Mapping[str, Any], claims: Mapping[str, Any], client: Client, issuer: str) -> bool:
    """Whether it is a request object at all, of this client, for us alone (RFC 9101 4 and 10.8)."""
    return (
        header.get("typ") in _TYPES
        and claims.get("iss") == claims.get("client_id") == client.id
        and claims.get("aud") in (issuer, [issuer])
        # With its own name as the subject it would be an assertion (RFC 7523), which proves who a client is.
        and claims.get("sub") != client.id
        and not _NESTED & claims.keys()
    )


def _in_time(claims: Mapping[str, Any], client: Client, now: datetime) -> bool:
    """Whether it ends, within the hour, and has begun (FAPI 2.0 Message Signing 5.3.1: within the last hour, and says so)."""
    expires, begins = moment_of(claims.get("exp")), moment_of(claims.get("nbf"))
    if expires is None or not now - _LEEWAY < expires <= now + _LONGEST + _LEEWAY:
        return False
    if any(moment_of(claims[name]) is None for name in ("nbf", "iat") if name in claims):
        return False
    if begins is None:
        return not client.fapi
    return now - _LONGEST - _LEEWAY < begins <= now + _LEEWAY and expires <= begins + _LONGEST


def _parameters(claims: Mapping[str, Any]) -> Pairs | None:
    """Claims as the parameters they stand for (RFC 9101 4): text, a number, an object in JSON, resources as a list."""
    pairs: list[tuple[str, str]] = []
    for name, value in claims.items():
        if name in _OF_THE_JWT:
            continue
        values = value if name == "resource" and isinstance(value, list) else [value]
        written = [_written(one) for one in values]
        if not _is_text(name) or not all(one is not None and _is_text(one) for one in written):
            return None
        # As in a form: without a value it counts as omitted (RFC 6749 3.1).
        pairs += [(name, one) for one in written if one]
    return tuple(pairs)


def _written(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(value: str) -> bool:
    """Whether it can be stored and sent: no null character, and no half of a character."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
