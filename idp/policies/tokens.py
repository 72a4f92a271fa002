"""The law of codes and tokens: who may have one, for whom it is, what it says and how long it lives."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from idp.model import Account, AuthorizationCode, Client, Grant, KeyUse, Resource, Rotation, Session, SigningKey
from idp.policies import capacities, proving
from idp.policies.lifecycle import Standing, standing
from idp.policies.policy import Policy

# Scopes of OpenID Connect Core 5.4 and 11: they speak of the person, and belong to no resource.
PEOPLE_SCOPES: Mapping[str, tuple[str, ...]] = {
    "openid": (),
    "profile": ("name", "given_name", "family_name", "preferred_username", "locale", "zoneinfo"),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "offline_access": (),
}
# Scopes of the service itself, for clients that act for themselves: reading and changing who is told of what happens.
SERVICE_SCOPES = ("ssf.read", "ssf.manage")
SCOPE_OF_CLAIM = {claim: scope for scope, claims in PEOPLE_SCOPES.items() for claim in claims}
# Clocks of resource servers may be this far off before a key that signed for them is gone.
LEEWAY = timedelta(seconds=60)
MOST_RESOURCES = 10


class Error(StrEnum):
    """The names RFC 6749 5.2, RFC 8707 2 and, for devices, RFC 8628 3.5 give to refusals at the token endpoint."""

    GRANT = "invalid_grant"
    SCOPE = "invalid_scope"
    TARGET = "invalid_target"
    REQUEST = "invalid_request"
    CLIENT = "unauthorized_client"
    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    ACCESS = "access_denied"
    EXPIRED = "expired_token"


@dataclass(frozen=True, slots=True)
class Denied:
    """No token. ``error`` is told to the client; ``why`` is told to the log only, where it could help a thief."""

    error: Error
    why: str


# What is asked for


def meant(asked: Iterable[str], client: Client, resources: Mapping[str, Resource]) -> tuple[str, ...]:
    """The resource that scopes point at where the client named none and they leave no doubt (RFC 8707 2), else none."""
    scopes = set(asked)
    found = tuple(name for name in client.resources if name in resources and scopes & resources[name].scopes.keys())
    return found if len(found) == 1 else ()


def grantable(asked: Iterable[str], client: Client, named: Iterable[Resource]) -> tuple[str, ...]:
    """What a client may be granted of the scopes it asks for: never more than it is registered for, or a resource offers.

    The rest is left out in silence (RFC 6749 3.3, OpenID Connect Core 3.1.2.1); the answer names what was granted.
    """
    offered = set(PEOPLE_SCOPES).union(*(resource.scopes for resource in named))
    return tuple(dict.fromkeys(scope for scope in asked if scope in offered and scope in client.scope))


def sought(
    asked: Sequence[str], named: Sequence[str], client: Client, resources: Mapping[str, Resource]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The resources a request is for and what may be granted there; None where one that it names is not the client's."""
    if len(named) > MOST_RESOURCES or any(name not in client.resources or name not in resources for name in named):
        return None
    there = tuple(named) or meant(asked, client, resources)
    return there, grantable(asked, client, [resources[name] for name in there])


def levels(asked: tuple[str, ...], essential: bool, named: Iterable[Resource]) -> tuple[tuple[str, ...], bool]:
    """The acceptable levels and whether they are insisted on: a resource's own demand raises what the client asked.

    What is only wished for may come to nothing, so that it takes the place of no demand.
    """
    known = proving.wanted_level(asked)
    if known is None and essential and asked:
        return asked, True
    needed = max((resource.acr for resource in named), key=_rank, default="pwd")
    demanded = _rank(needed) > 0
    if known is not None and proving.reaches(known, needed) and (essential or not demanded):
        return asked, essential
    return ((needed,), True) if demanded else ((), False)


def _rank(level: str) -> int:
    return proving.LEVELS.index(level) if level in proving.LEVELS else len(proving.LEVELS)


# For whom a token is


def audience(offered: Sequence[str], named: str | None, issuer: str, scope: Iterable[str]) -> str | Denied:
    """The one audience of an access token: the resource named, or the only one, or the issuer for its userinfo."""
    people = "openid" in scope
    if named is not None:
        good = named in offered or (named == issuer and (people or not offered))
        return named if good else Denied(Error.TARGET, "the resource is not one of the grant's")
    if len(offered) == 1:
        return offered[0]
    if offered and not people:
        return Denied(Error.TARGET, "the grant has several resources: name one")
    return issuer


def own_audience(client: Client, named: str | None, asked: Sequence[str] | None, issuer: str) -> str | Denied:
    """The one audience of the token of a client that acts for itself: the issuer where it asks for the service's own scopes."""
    ours = bool(asked) and set(asked or ()) <= set(SERVICE_SCOPES)
    if named == issuer or (named is None and (ours or not client.resources)):
        return issuer
    return audience(client.resources, named, issuer, ())


def token_scope(
    granted: Sequence[str], asked: Sequence[str] | None, resource: Resource | None, entitlements: frozenset[str] | None
) -> tuple[str, ...] | Denied:
    """The scopes of one access token: granted, not more than asked, of its own audience, within the entitlements.

    A token for a resource carries that resource's scopes alone, one for the issuer (``resource`` None) those that speak
    of the person: a backend cannot take its token to userinfo. Where a person may use nothing of a resource the token
    says so with an empty scope, and the sign-in stands. ``entitlements`` is None for a client that acts for itself: it
    has nothing of a person, and may have the service's own.
    """
    if asked is not None and not set(asked) <= set(granted):
        return Denied(Error.SCOPE, "wider than what was granted")
    wanted = granted if asked is None else tuple(dict.fromkeys(asked))
    issuers = SERVICE_SCOPES if entitlements is None else PEOPLE_SCOPES
    offered = dict.fromkeys(issuers, "") if resource is None else resource.scopes
    kept = tuple(scope for scope in wanted if scope in offered and _entitled(offered[scope], entitlements))
    if not kept and (asked is not None or entitlements is None):
        return Denied(Error.SCOPE, "nothing is left of the scope for this person and resource")
    return kept


def still_entitled(scope: Iterable[str], resource: Resource | None, entitlements: frozenset[str]) -> tuple[str, ...] | None:
    """What a token's scope is worth now that the entitlements may be fewer than when it was issued; None: nothing any more.

    A token that never gave anything of its resource stays what it is.
    """
    had, offered = tuple(scope), resource.scopes if resource is not None else {}
    left = tuple(one for one in had if _entitled(offered.get(one, ""), entitlements))
    return left if left or not had else None


def _entitled(needed: str, entitlements: frozenset[str] | None) -> bool:
    return entitlements is None or not needed or needed in entitlements


# Whether a token may be had


def alive(grant: Grant, account: Account, policy: Policy, now: datetime) -> Denied | None:
    """Why a grant gives no token any more; asked again each time one is issued or introspected."""
    if grant.revoked_at is not None:
        return Denied(Error.GRANT, "revoked")
    if now >= grant.expires_at:
        return Denied(Error.GRANT, "the grant is over")
    if account.sessions_valid_from is not None and grant.created_at < account.sessions_valid_from:
        return Denied(Error.GRANT, "begun before the account's last cut")
    if grant.capacity and capacities.held(account, grant.capacity) is None:
        return Denied(Error.GRANT, "the capacity was taken away")
    found = standing(account, policy, now)
    return Denied(Error.GRANT, f"the account is {found}") if found is not Standing.ACTIVE else None


class CodeVerdict(StrEnum):
    """What a code that fits its request deserves."""

    REDEEM = "redeem"
    REPLAYED = "replayed"


def judge_code(
    code: AuthorizationCode,
    grant: Grant,
    now: datetime,
    *,
    client_id: str,
    redirect_uri: str | None,
    verifier: str | None,
    jkt: str | None = None,
) -> CodeVerdict | Denied:
    """Hold a code against the request that presents it (RFC 6749 4.1.3, RFC 7636 4.6), and the key it proves (RFC 9449 10).

    Only a request that fits it in everything counts as a use: a stranger's try neither spends a code nor revokes what
    it gave (OAuth 2.1 7.5.2).
    """
    if grant.client_id != client_id:
        return Denied(Error.GRANT, "another client's code")
    if redirect_uri != code.redirect_uri and (redirect_uri is not None or code.redirect_uri_given):
        return Denied(Error.GRANT, "another redirect_uri")
    if not _pkce(code.code_challenge, verifier):
        return Denied(Error.GRANT, "the code_verifier does not fit")
    if grant.jkt not in {None, jkt}:
        return Denied(Error.GRANT, "the code is bound to another key")
    if code.used_at is not None:
        return CodeVerdict.REPLAYED
    return CodeVerdict.REDEEM if now < code.expires_at else Denied(Error.GRANT, "the code has expired")


def _pkce(challenge: str | None, verifier: str | None) -> bool:
    """S256 only; a verifier without a challenge is a sign of a downgrade (RFC 9700 4.8.2)."""
    if challenge is None or verifier is None:
        return challenge is verifier
    computed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("utf-8", "replace")).digest()).rstrip(b"=")
    return hmac.compare_digest(computed, challenge.encode())


class RefreshVerdict(StrEnum):
    """What a refresh token deserves: a successor, one once more for a lost answer, or the end of its family."""

    ROTATE = "rotate"
    AGAIN = "again"
    REUSED = "reused"


def judge_refresh(  # noqa: PLR0917 - the token, who presents it with which key, and the law
    rotation: Rotation, presented: str, client: Client, jkt: str | None, policy: Policy, now: datetime
) -> RefreshVerdict | Denied:
    """Judge a presented digest against its family (RFC 9700 4.14.2): anything but the live token is taken for theft.

    The live one is worth nothing without the key that a public client's family is bound to (RFC 9449 5); an old one is a
    sign of theft with or without.
    """
    if rotation.grant.client_id != client.id:
        return Denied(Error.GRANT, "another client's refresh token")
    live = hmac.compare_digest(rotation.current, presented)
    previous = rotation.previous is not None and hmac.compare_digest(rotation.previous, presented)
    lately = rotation.rotated_at is not None and now - rotation.rotated_at < policy.tokens.reuse_grace
    if not live and not (previous and lately):
        return RefreshVerdict.REUSED
    if client.public and rotation.grant.jkt not in {None, jkt}:
        return Denied(Error.GRANT, "the refresh token is bound to another key")
    return RefreshVerdict.ROTATE if live else RefreshVerdict.AGAIN


# How long things live


def grant_expires_at(session: Session, offline: bool, policy: Policy, now: datetime) -> datetime:
    """The end of a grant's family; one bound to the browser's session never outlives it."""
    end = now + policy.tokens.refresh_absolute
    return end if offline else min(end, max(session.created_at + policy.session.absolute, now + policy.tokens.code))


def code_lifetime(client: Client, policy: Policy) -> timedelta:
    """The life of a code; with FAPI 2.0 never more than a minute (FAPI 2.0 Security Profile 5.3.2.1)."""
    return min(policy.tokens.code, timedelta(seconds=60)) if client.fapi else policy.tokens.code


def refresh_expires_at(grant: Grant, policy: Policy, now: datetime) -> datetime:
    """The end of a refresh token that is not used."""
    return min(now + policy.tokens.refresh_idle, grant.expires_at)


def access_lifetime(resource: Resource | None, policy: Policy) -> timedelta:
    """The life of an access token: what its resource asks, within what policy allows."""
    longest = policy.tokens.access_token
    return longest if resource is None else min(longest, resource.token_lifetime)


def key_dropped_at(policy: Policy, signed_until: datetime) -> datetime:
    """When the last token that a key has signed is dead everywhere."""
    return signed_until + max(policy.tokens.access_token, policy.tokens.id_token) + LEEWAY


def may_sign_from(following: SigningKey, policy: Policy) -> datetime:
    """When the next key has been published for long enough to sign."""
    return following.created_at + policy.tokens.key_rotation_overlap


def dropped(key: SigningKey, now: datetime) -> bool:
    """Whether a retired key has nothing left to verify."""
    return key.use is KeyUse.RETIRED and key.drop_after is not None and now >= key.drop_after


# What tokens say


def evidence(grant: Grant, policy: Policy, now: datetime) -> dict[str, Any]:
    """acr, amr, auth_time (RFC 9068 2.2.1) and sid: from the proofs of the sign-in, which no refresh freshens."""
    told: dict[str, Any] = {
        "auth_time": int(proving.auth_time(grant.proofs).timestamp()),
        "acr": proving.acr(grant.proofs, policy, now),
        "amr": list(proving.amr(grant.proofs)),
    }
    if grant.sid is not None:
        told["sid"] = grant.sid
    return told


def in_capacity(grant: Grant, account: Account) -> dict[str, Any]:
    """In which capacity the person acts, and for which organisation where there is one; nothing where in none.

    Which billing account is behind it is no part of this: only a token for a backend that needs the number names it.
    """
    capacity = capacities.held(account, grant.capacity)
    if capacity is None:
        return {}
    told = {"capacity": capacity.role.value}
    return told | {"organisation": capacity.organisation} if capacity.organisation else told


def access_claims(
    *,
    issuer: str,
    subject: str,
    audience: str,
    client_id: str,
    scope: Iterable[str],
    jti: str,
    now: datetime,
    lifetime: timedelta,
) -> dict[str, Any]:
    """The claims every access token has (RFC 9068 2.2). The audience is one string, never a list."""
    issued = int(now.timestamp())
    return {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "exp": issued + int(lifetime.total_seconds()),
        "iat": issued,
        "jti": jti,
        "client_id": client_id,
        "scope": " ".join(scope),
    }


def id_claims(
    grant: Grant,
    account: Account,
    policy: Policy,
    now: datetime,
    *,
    issuer: str,
    subject: str,
    nonce: str | None,
    at_hash: str,
) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core 2 and 3.1.3.6), to which ``evidence`` and ``sid`` are added."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": grant.client_id,
        "azp": grant.client_id,
        "exp": issued + int(policy.tokens.id_token.total_seconds()),
        "iat": issued,
        "at_hash": at_hash,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return claims | person(account, grant.scope, wanted(grant, "id_token"))


def wanted(grant: Grant, where: str) -> Iterable[str]:
    """The single claims a client asked to find in ``where``, "id_token" or "userinfo" (OpenID Connect Core 5.5)."""
    prefix = f"{where}:"
    return [claim[len(prefix) :] for claim in grant.claims if claim.startswith(prefix)]


def person(account: Account, scope: Iterable[str], claims: Iterable[str] = ()) -> dict[str, Any]:
    """What is told about a person (OpenID Connect Core 5.4): by scope, and single claims; never what is not known."""
    names = [name for each in scope for name in PEOPLE_SCOPES.get(each, ())]
    told: dict[str, Any] = {}
    for name in (*names, *claims):
        reading = _READINGS.get(name)
        value = reading(account) if reading is not None else None
        if value is not None and value != "":
            told[name] = value
    return told


_READINGS: Mapping[str, Callable[[Account], str | bool | None]] = {
    "name": lambda account: account.full_name,
    "given_name": lambda account: account.given_name,
    "family_name": lambda account: account.family_name,
    "preferred_username": lambda account: account.username,
    "locale": lambda account: account.locale,
    "zoneinfo": lambda account: account.zone,
    "email": lambda account: account.email,
    "email_verified": lambda account: account.email_confirmed_at is not None if account.email else None,
    "phone_number": lambda account: account.mobile,
    "phone_number_verified": lambda account: True if account.mobile else None,
}
