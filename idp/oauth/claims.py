"""The ``claims`` parameter (OpenID Connect Core 5.5): which single claims a client asks for, and where."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp.model import Client
from idp.policies.tokens import SCOPE_OF_CLAIM

_LONGEST = 8192
_PLACES = ("id_token", "userinfo")


@dataclass(frozen=True, slots=True)
class ClaimsAsked:
    """What is understood of the parameter. ``single`` are "place:claim"; the rest is ignored (5.5)."""

    single: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()
    acr_essential: bool = False
    subject: str | None = None


def read(text: str, client: Client) -> ClaimsAsked | None:
    """The parameter, or None where it is malformed. A claim is told only to clients registered for its scope."""
    members = _object(text)
    if members is None:
        return None
    places = {place: members.get(place) for place in _PLACES}
    if not all(_is_wishes(wishes) for wishes in places.values()):
        return None
    wished = {place: wishes or {} for place, wishes in places.items()}
    single = tuple(
        f"{place}:{claim}"
        for place in _PLACES
        for claim in members.get(place) or {}
        if SCOPE_OF_CLAIM.get(claim) in client.scope
    )
    identity: Mapping[str, Any] = wished["id_token"]
    level = identity.get("acr") or {}
    acr = _values(level)
    subject = _values(identity.get("sub") or {})
    return ClaimsAsked(single, acr, bool(acr) and level.get("essential") is True, subject[0] if subject else None)


def _object(text: str) -> dict[str, Any] | None:
    try:
        members = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _is_wishes(wishes: Any) -> bool:
    """Whether a member maps claims to null or to an object (5.5.1)."""
    return wishes is None or (
        isinstance(wishes, dict) and all(wish is None or isinstance(wish, dict) for wish in wishes.values())
    )


def _values(wish: Mapping[str, Any]) -> tuple[str, ...]:
    """The acceptable values of one claim."""
    many = wish.get("values")
    values = [*(many if isinstance(many, list) else []), wish.get("value")]
    return tuple(value for value in values if isinstance(value, str))
