"""Tokens are issued: for a code, for a refresh token, or to a client for itself.

Each use case gathers the facts, asks ``policies.tokens``, applies its decision in one transaction and signs afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
class Draft:
    """An access token decided on, not signed yet, and whether an ID token goes with it."""

    audience: str
    resource: Resource | None
    scope: tuple[str, ...]
    identity: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A grant, its person and what to sign for them.

    ``jkt`` is the thumbprint of the key the access token is bound to, ``more`` what else it says, and ``until`` the moment
    it must not outlive, where there is one.
    """

    grant: Grant
    account: Account
    draft: Draft
    refresh_token: str | None = field(repr=False, default=None)
    nonce: str | None = None
    jkt: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
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

    def draft(self, grant: Grant, account: Account | None, wish: Wish) -> Draft | Denied:
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
        return scope if isinstance(scope, Denied) else Draft(audience, resource, scope, identity)


def redeem(world: World, keys: KeyRing, client: Client, presented: Presented, wish: Wish) -> Issued | Denied:
    """Exchange a code. Of all who present it rightly one gets tokens; a second right use ends the grant (RFC 6749 10.5)."""
    now = world.clock()
    with world.store.begin() as tx:
        decided = _redeemed(Case(world, tx, client, "token.code", now), presented, wish)
    return decided if isinstance(decided, Denied) else sign(world, keys, client, decided, now)


def _redeemed(case: Case, presented: Presented, wish: Wish) -> Decided | Denied:
    hashed = digest(presented.code)
    found = case.tx.grants.find_code(hashed)
    if found is None:
        return case.deny(Denied(Error.GRANT, "no such code"))
    code, grant = found
    verdict = tokens.judge_code(
        code,
        grant,
        case.now,
        client_id=case.client.id,
        redirect_uri=presented.redirect_uri,
        verifier=presented.verifier,
        jkt=wish.jkt,
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
    return Decided(grant, account, drafted, first_refresh(case, grant, wish.jkt), code.nonce, wish.jkt)


def _replayed(case: Case, grant: Grant) -> Denied:
    case.tx.grants.revoke(grant.id, case.now)
    return case.deny(Denied(Error.GRANT, "the code was used before: its grant is revoked"), grant)


def first_refresh(case: Case, grant: Grant, jkt: str | None) -> str | None:
    """The first refresh token of a grant, where its client may have one.

    A public client's is bound to the key whose possession it proved; another proves who it is each time, and may change
    its key (RFC 9449 5).
    """
    if "refresh_token" not in case.client.grant_types:
        return None
    handle = case.world.vault.token(_HANDLE_BYTES)
    refresh = f"{handle}.{case.world.vault.token(_SECRET_BYTES)}"
    until = tokens.refresh_expires_at(grant, case.world.policy, case.now)
    bound = jkt if case.client.public else None
    started = case.tx.grants.start_refresh(grant.id, digest(handle), digest(refresh), case.now, until, bound)
    return refresh if started else None


def rotate(world: World, keys: KeyRing, client: Client, refresh_token: str, wish: Wish) -> Issued | Denied:
    """Exchange a refresh token for its successor; one that was replaced before ends the family (RFC 9700 4.14.2)."""
    now = world.clock()
    with world.store.begin() as tx:
        decided = _rotated(Case(world, tx, client, "token.refresh", now), refresh_token, wish)
    return decided if isinstance(decided, Denied) else sign(world, keys, client, decided, now)


def _rotated(case: Case, presented: str, wish: Wish) -> Decided | Denied:
    handle, hashed = presented.partition(".")[0], digest(presented)
    rotation = case.tx.grants.rotation(digest(handle))
    if rotation is None:
        return case.deny(Denied(Error.GRANT, "no such refresh token"))
    grant = rotation.grant
    verdict = tokens.judge_refresh(rotation, hashed, case.client, wish.jkt, case.world.policy, case.now)
    if isinstance(verdict, Denied):
        return case.deny(verdict, grant)
    account = case.tx.accounts.bare(grant.account_id)
    if verdict is RefreshVerdict.REUSED:
        return _reused(case, grant, account)
    drafted = case.draft(grant, account, wish)
    if isinstance(drafted, Denied) or account is None:
        return case.deny(drafted if isinstance(drafted, Denied) else _GONE, grant)
    successor = f"{handle}.{case.world.vault.token(_SECRET_BYTES)}"
    if not _replace(case, rotation, hashed, digest(successor), wish.jkt):
        return case.deny(Denied(Error.GRANT, "expired or replaced"), grant)
    activity.note(case.world, case.tx, account, Use.REFRESH, case.now)
    return Decided(grant, account, drafted, successor, jkt=wish.jkt)


def _replace(case: Case, rotation: Rotation, presented: str, fresh: str, jkt: str | None) -> bool:
    """One statement decides; who comes second with the same token is a retry within the grace, if there is one.

    A public client that proves possession of a key only now binds its family to it from now on (RFC 9449 5).
    """
    policy, now = case.world.policy, case.now
    bound = jkt if case.client.public else None
    until = tokens.refresh_expires_at(rotation.grant, policy, now)
    if case.tx.grants.rotate(rotation.handle, presented, fresh, now, until, bound) is not None:
        return True
    grace = policy.tokens.reuse_grace
    return bool(grace) and case.tx.grants.rotate_again(rotation.handle, presented, fresh, now, now - grace, bound) is not None


def _reused(case: Case, grant: Grant, account: Account | None) -> Denied:
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
    offered = tuple(
        scope for scope in client.scope if scope in (tokens.SERVICE_SCOPES if resource is None else resource.scopes)
    )
    scope = tokens.token_scope(offered, wish.scope, resource, None)
    if isinstance(scope, Denied):
        return scope
    now, own = world.clock(), _Subject(client.id, client.id, world.vault.token(16), _bound(wish.jkt))
    return _access(world, keys, Draft(audience, resource, scope), own, now)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose an access token is, which one it is, what more it says, and when it ends at the latest."""

    subject: str
    client_id: str
    jti: str
    more: Mapping[str, Any]
    until: datetime | None = None


def sign(world: World, keys: KeyRing, client: Client, decided: Decided, now: datetime) -> Issued:
    """Sign what was decided, after its transaction: the access token, and the ID token where one goes with it."""
    grant, draft = decided.grant, decided.draft
    told = tokens.evidence(grant, world.policy, now) | tokens.in_capacity(grant, decided.account)
    told |= {} if grant.sid is None else {"sid": world.alias(client, grant.sid)}
    more = told | _account_number(world, decided) | _bound(decided.jkt) | dict(decided.more)
    subject = world.subject(client, grant.account_id)
    # The grant's id in the jti lets introspection find the family by one key.
    jti = f"{grant.id}.{world.vault.token(12)}"
    access = _access(world, keys, draft, _Subject(subject, client.id, jti, more, decided.until), now)
    identity = None
    if draft.identity:
        half = at_hash(access.access_token)
        claims = tokens.id_claims(
            grant, decided.account, world.policy, now, issuer=world.issuer, subject=subject, nonce=decided.nonce, at_hash=half
        )
        identity = keys.sign(client.id_token_alg, "JWT", claims | told)
    return replace(access, refresh_token=decided.refresh_token, id_token=identity)


def _bound(jkt: str | None) -> dict[str, Any]:
    """The claim that binds a token to a key (RFC 9449 6.1)."""
    return {} if jkt is None else {"cnf": {"jkt": jkt}}


def _account_number(world: World, decided: Decided) -> dict[str, str]:
    """The billing account number, unsealed for a backend whose tokens name it, and for no other.

    Nor where the token gives nothing there: the person may use that backend no more.
    """
    resource, capacity = decided.draft.resource, capacities.held(decided.account, decided.grant.capacity)
    if resource is None or not resource.account_number or not decided.draft.scope:
        return {}
    if capacity is None or not capacity.reference:
        return {}
    return {"account_number": world.vault.open(capacity.reference).decode()}


def _access(world: World, keys: KeyRing, draft: Draft, whose: _Subject, now: datetime) -> Issued:
    lifetime = tokens.access_lifetime(draft.resource, world.policy)
    if whose.until is not None:
        lifetime = min(lifetime, whose.until - now)
    claims = tokens.access_claims(
        issuer=world.issuer,
        subject=whose.subject,
        audience=draft.audience,
        client_id=whose.client_id,
        scope=draft.scope,
        jti=whose.jti,
        now=now,
        lifetime=lifetime,
    )
    signed = keys.sign("ES256", "at+jwt", {**claims, **whose.more})
    return Issued(signed, int(lifetime.total_seconds()), draft.scope, bound="cnf" in whose.more)
