"""Tokens are issued: for a code, for a refresh token, or to a client for itself.

Each use case gathers the facts, asks ``policies.tokens``, applies its decision in one transaction and signs afterwards.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp.flows import activity
from idp.flows.grant.facts import Issued, Presented, Wish
from idp.flows.world import World
from idp.model import Account, Client, Grant, Resource, Rotation
from idp.policies import capacities, tokens
from idp.policies.tokens import CodeVerdict, Denied, Error, RefreshVerdict
from idp.store import Transaction
from idp.store.unused import Use
from idp.vault import digest
from idp.vault.signing import KeyRing, at_hash

_HANDLE_BYTES, _SECRET_BYTES = 24, 32
_GONE = Denied(Error.GRANT, "the account is gone")


@dataclass(frozen=True, slots=True)
class _Draft:
    """An access token decided on, not signed yet, and whether an ID token goes with it."""

    audience: str
    resource: Resource | None
    scope: tuple[str, ...]
    identity: bool = False


@dataclass(frozen=True, slots=True)
class _Decided:
    """A grant, its person and what to sign for them."""

    grant: Grant
    account: Account
    draft: _Draft
    refresh_token: str | None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """One token request under decision, within its transaction."""

    world: World
    tx: Transaction
    client: Client
    event: str
    now: datetime

    def deny(self, denied: Denied, grant: Grant | None = None) -> Denied:
        """Record why there is no token, and pass it on."""
        account = grant.account_id if grant is not None else None
        client = self.client.id
        self.world.record(
            self.tx, self.now, self.event, "refused", account=account, actor="client", client=client, why=denied.why
        )
        return denied

    def draft(self, grant: Grant, account: Account | None, wish: Wish) -> _Draft | Denied:
        """What a grant gives now: the account, the client and the resources are asked again each time."""
        if account is None:
            return _GONE
        dead = tokens.alive(grant, account, self.world.policy, self.now)
        if dead is not None:
            return dead
        offered = tuple(name for name in grant.resources if name in self.world.resources and name in self.client.resources)
        audience = tokens.audience(offered, wish.resource, self.world.issuer, grant.scope)
        if isinstance(audience, Denied):
            return audience
        resource = self.world.resources.get(audience)
        granted = tuple(scope for scope in grant.scope if scope in self.client.scope)
        scope = tokens.token_scope(granted, wish.scope, resource, account.entitlements)
        identity = "openid" in grant.scope and (wish.scope is None or "openid" in wish.scope)
        return scope if isinstance(scope, Denied) else _Draft(audience, resource, scope, identity)


def redeem(world: World, keys: KeyRing, client: Client, presented: Presented, wish: Wish) -> Issued | Denied:
    """Exchange a code. Of all who present it rightly one gets tokens; a second right use ends the grant (RFC 6749 10.5)."""
    now = world.clock()
    with world.store.begin() as tx:
        decided = _redeemed(_Case(world, tx, client, "token.code", now), presented, wish)
    return decided if isinstance(decided, Denied) else _signed(world, keys, client, decided, now)


def _redeemed(case: _Case, presented: Presented, wish: Wish) -> _Decided | Denied:
    hashed = digest(presented.code)
    found = case.tx.grants.find_code(hashed)
    if found is None:
        return case.deny(Denied(Error.GRANT, "no such code"))
    code, grant = found
    verdict = tokens.judge_code(
        code, grant, case.now, client_id=case.client.id, redirect_uri=presented.redirect_uri, verifier=presented.verifier
    )
    if isinstance(verdict, Denied):
        return case.deny(verdict, grant)
    if verdict is CodeVerdict.REPLAYED:
        return _replayed(case, grant)
    account = case.tx.accounts.bare(grant.account_id)
    drafted = case.draft(grant, account, wish)
    if isinstance(drafted, Denied) or account is None:
        return case.deny(drafted if isinstance(drafted, Denied) else _GONE, grant)
    if not case.tx.grants.spend_code(hashed, case.now):
        return _replayed(case, grant)
    return _Decided(grant, account, drafted, _first_refresh(case, grant), code.nonce)


def _replayed(case: _Case, grant: Grant) -> Denied:
    case.tx.grants.revoke(grant.id, case.now)
    return case.deny(Denied(Error.GRANT, "the code was used before: its grant is revoked"), grant)


def _first_refresh(case: _Case, grant: Grant) -> str | None:
    if "refresh_token" not in case.client.grant_types:
        return None
    handle = case.world.vault.token(_HANDLE_BYTES)
    refresh = f"{handle}.{case.world.vault.token(_SECRET_BYTES)}"
    until = tokens.refresh_expires_at(grant, case.world.policy, case.now)
    return refresh if case.tx.grants.start_refresh(grant.id, digest(handle), digest(refresh), case.now, until) else None


def rotate(world: World, keys: KeyRing, client: Client, refresh_token: str, wish: Wish) -> Issued | Denied:
    """Exchange a refresh token for its successor; one that was replaced before ends the family (RFC 9700 4.14.2)."""
    now = world.clock()
    with world.store.begin() as tx:
        decided = _rotated(_Case(world, tx, client, "token.refresh", now), refresh_token, wish)
    return decided if isinstance(decided, Denied) else _signed(world, keys, client, decided, now)


def _rotated(case: _Case, presented: str, wish: Wish) -> _Decided | Denied:
    handle, hashed = presented.partition(".")[0], digest(presented)
    rotation = case.tx.grants.rotation(digest(handle))
    if rotation is None:
        return case.deny(Denied(Error.GRANT, "no such refresh token"))
    grant = rotation.grant
    verdict = tokens.judge_refresh(rotation, hashed, case.client.id, case.world.policy, case.now)
    if isinstance(verdict, Denied):
        return case.deny(verdict, grant)
    account = case.tx.accounts.bare(grant.account_id)
    if verdict is RefreshVerdict.REUSED:
        return _reused(case, grant, account)
    drafted = case.draft(grant, account, wish)
    if isinstance(drafted, Denied) or account is None:
        return case.deny(drafted if isinstance(drafted, Denied) else _GONE, grant)
    successor = f"{handle}.{case.world.vault.token(_SECRET_BYTES)}"
    if not _replace(case, rotation, hashed, digest(successor)):
        return case.deny(Denied(Error.GRANT, "expired or replaced"), grant)
    activity.note(case.world, case.tx, account, Use.REFRESH, case.now)
    return _Decided(grant, account, drafted, successor)


def _replace(case: _Case, rotation: Rotation, presented: str, fresh: str) -> bool:
    """One statement decides; who comes second with the same token is a retry within the grace, if there is one."""
    policy, now = case.world.policy, case.now
    until = tokens.refresh_expires_at(rotation.grant, policy, now)
    if case.tx.grants.rotate(rotation.handle, presented, fresh, now, until) is not None:
        return True
    grace = policy.tokens.reuse_grace
    return bool(grace) and case.tx.grants.rotate_again(rotation.handle, presented, fresh, now, now - grace) is not None


def _reused(case: _Case, grant: Grant, account: Account | None) -> Denied:
    """The family dies and its owner is told, once."""
    if case.tx.grants.revoke(grant.id, case.now) is not None and account is not None:
        context = {"name": account.called, "client": case.client.name}
        case.world.send(case.tx, case.now, "token_reuse", account, context)
    return case.deny(Denied(Error.GRANT, "a refresh token was used again: its family is revoked"), grant)


def act(world: World, keys: KeyRing, client: Client, wish: Wish) -> Issued | Denied:
    """A token for a client that acts for itself (RFC 6749 4.4). Signed facts suffice: nothing is stored."""
    audience = tokens.own_audience(client, wish.resource, wish.scope, world.issuer)
    if isinstance(audience, Denied):
        return audience
    resource = world.resources.get(audience)
    own = tuple(scope for scope in client.scope if scope in (tokens.SERVICE_SCOPES if resource is None else resource.scopes))
    scope = tokens.token_scope(own, wish.scope, resource, None)
    if isinstance(scope, Denied):
        return scope
    bearer = _Bearer(client.id, client.id, world.vault.token(16))
    return _access(world, keys, _Draft(audience, resource, scope), bearer, world.clock())


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Whose an access token is, which one it is, and what more it says."""

    subject: str
    client_id: str
    jti: str
    more: dict[str, Any] = field(default_factory=dict)


def _signed(world: World, keys: KeyRing, client: Client, decided: _Decided, now: datetime) -> Issued:
    grant, draft = decided.grant, decided.draft
    more = tokens.evidence(grant, world.policy, now) | tokens.in_capacity(grant, decided.account)
    # The grant's id in the jti lets introspection find the family by one key.
    jti = f"{grant.id}.{world.vault.token(12)}"
    bearer = _Bearer(grant.account_id, client.id, jti, more | _account_number(world, decided))
    access = _access(world, keys, draft, bearer, now)
    identity = None
    if draft.identity:
        half = at_hash(access.access_token)
        claims = tokens.id_claims(
            grant, decided.account, world.policy, now, issuer=world.issuer, nonce=decided.nonce, at_hash=half
        )
        identity = keys.sign(client.id_token_alg, "JWT", claims | more)
    return Issued(access.access_token, access.expires_in, access.scope, decided.refresh_token, identity)


def _account_number(world: World, decided: _Decided) -> dict[str, str]:
    """The billing account number, unsealed for a backend whose tokens name it, and for no other.

    Nor where the token gives nothing there: the person may use that backend no more.
    """
    resource, capacity = decided.draft.resource, capacities.held(decided.account, decided.grant.capacity)
    if resource is None or not resource.account_number or not decided.draft.scope:
        return {}
    if capacity is None or not capacity.reference:
        return {}
    return {"account_number": world.vault.open(capacity.reference).decode()}


def _access(world: World, keys: KeyRing, draft: _Draft, bearer: _Bearer, now: datetime) -> Issued:
    lifetime = tokens.access_lifetime(draft.resource, world.policy)
    claims = tokens.access_claims(
        issuer=world.issuer,
        subject=bearer.subject,
        audience=draft.audience,
        client_id=bearer.client_id,
        scope=draft.scope,
        jti=bearer.jti,
        now=now,
        lifetime=lifetime,
    )
    return Issued(keys.sign("ES256", "at+jwt", claims | bearer.more), int(lifetime.total_seconds()), draft.scope)
