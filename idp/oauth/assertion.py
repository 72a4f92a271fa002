"""The law of client assertions (RFC 7523 3): signed by the client, about itself, for us, soon over, used once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = timedelta(minutes=5)
LEEWAY = timedelta(seconds=60)
_TYPES = (None, "JWT", "jwt", "client-authentication+jwt")
_LONGEST_JTI = 256


@dataclass(frozen=True, slots=True)
class Once:
    """What must not have been seen before, and until when it is worth remembering."""

    key: str
    until: datetime


def judge(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    *,
    client_id: str,
    audiences: frozenset[str],
    now: datetime,
    exact: bool = False,
) -> Once | None:
    """What to remember of an assertion that is good at ``now``; None for any other. The signature is verified before.

    ``exact``: the audience is one string, and no list of one (FAPI 2.0 5.3.2.1).
    """
    if header.get("typ") not in _TYPES or not claims.get("iss") == claims.get("sub") == client_id:
        return None
    audience, jti = claims.get("aud"), claims.get("jti")
    if isinstance(audience, list) and len(audience) == 1 and not exact:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in audiences:
        return None
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI or not (jti.isascii() and jti.isprintable()):
        return None
    expires = moment_of(claims.get("exp"))
    begins = [moment_of(claims[name]) for name in ("nbf", "iat") if name in claims]
    if expires is None or not now - LEEWAY < expires <= now + LONGEST + LEEWAY:
        return None
    if any(moment is None or moment > now + LEEWAY for moment in begins):
        return None
    return Once(f"assertion:{client_id}:{jti}", expires + LEEWAY)


def moment_of(value: object) -> datetime | None:
    """The instant of a NumericDate (RFC 7519 2), or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
