"""The law of token exchange (RFC 8693): which backend may act for a person at which other, with what, and for how long.

A backend that was called with a person's token may call another one in that person's name, where its registration says so
(``Client.exchanges``). It never gets more than is written there and the person has, and nothing that outlives the token shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idp.model import Account, Client, Grant, Resource
from idp.policies import proving, tokens
from idp.policies.tokens import Denied, Error

# So many backends may stand between a person and the last one.
LONGEST_CHAIN = 5
NOT_GOOD = Denied(Error.REQUEST, "The subject_token is not a person's token made for this client.")


@dataclass(frozen=True, slots=True)
class Subject:
    """The token shown, which is good now: what it says, the grant it belongs to, whose it is, and the level as it is now."""

    claims: Mapping[str, Any]
    grant: Grant
    account: Account
    level: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is given: for one resource, these scopes, and who acts (RFC 8693 4.1), the last one outermost."""

    resource: Resource
    scope: tuple[str, ...]
    act: dict[str, Any]


def judge(
    client: Client, subject: Subject, targets: Sequence[str], scope: Sequence[str] | None, resources: Mapping[str, Resource]
) -> Exchange | Denied:
    """What a client gets for a token: of what its registration allows, as much as it asks for and the person has."""
    if client.public or not client.exchanges:
        return Denied(Error.CLIENT, "The client may not exchange tokens.")
    if subject.claims["aud"] not in client.introspects:
        return NOT_GOOD
    act = _acting(client, subject.claims.get("act"))
    if act is None:
        return Denied(Error.REQUEST, "The token has been exchanged too often.")
    target = _target(client, targets, resources, subject.level)
    if isinstance(target, Denied):
        return target
    kept = tokens.token_scope(client.exchanges[target.identifier], scope, target, subject.account.entitlements)
    if isinstance(kept, Denied):
        return kept
    return Exchange(target, kept, act) if kept else Denied(Error.SCOPE, "The person may use nothing of this resource.")


def _target(client: Client, targets: Sequence[str], resources: Mapping[str, Resource], level: str) -> Resource | Denied:
    """The one resource meant: that named, or the only one there is. It gets no token that says less than it needs."""
    named = tuple(dict.fromkeys(targets)) or tuple(client.exchanges)
    if len(named) != 1:
        return Denied(Error.TARGET, "An access token has one audience: name one resource.")
    if named[0] not in client.exchanges or named[0] not in resources:
        return Denied(Error.TARGET, "The resource is not one the client may exchange a token for.")
    target = resources[named[0]]
    if not proving.reaches(level, target.acr):
        return Denied(Error.TARGET, "The resource needs a stronger sign-in than the token's.")
    return target


def _acting(client: Client, before: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The chain of those who act, with the client before all; None where it would be too long."""
    length, one = 1, before
    while one is not None:
        length, one = length + 1, one.get("act")
    if length > LONGEST_CHAIN:
        return None
    return {"sub": client.id} | ({"act": dict(before)} if before is not None else {})
