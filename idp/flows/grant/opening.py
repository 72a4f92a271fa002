"""A grant begins: recorded with its code, bound to all that the token endpoint will hold it against."""

from collections.abc import Iterable

from idp.flows.grant.facts import Asked, record
from idp.flows.world import World
from idp.model import Account, AuthorizationCode, Client, Grant, Proof, Session
from idp.policies import capacities, tokens
from idp.vault import digest


def open_grant(world: World, asked: Asked, session: Session, account: Account, proofs: tuple[Proof, ...]) -> str:
    """Record the grant and return its code, bound to all that the token endpoint will hold it against."""
    code = world.vault.token()
    open_for(world, asked, session, account, proofs, hashed=digest(code))
    return code


def open_for(world: World, asked: Asked, session: Session, account: Account, proofs: tuple[Proof, ...], *, hashed: str) -> None:
    """The same for a code of which only the digest is known."""
    now, rules = world.clock(), world.policy
    lifetime = rules.tokens.device_code if asked.device else tokens.code_lifetime(asked.client, rules)
    capacity = capacities.acting(account, session.capacity)
    grant = Grant(
        id=world.vault.token(16),
        account_id=account.id,
        client_id=asked.client.id,
        scope=asked.scope,
        resources=asked.resources,
        proofs=proofs,
        created_at=now,
        expires_at=tokens.grant_expires_at(session, asked.offline, world.policy, now),
        session=None if asked.offline else session.public_id,
        sid=None if asked.device else session.public_id,
        claims=asked.claims,
        capacity=capacity.id if capacity is not None else "",
        jkt=asked.jkt,
    )
    stored = AuthorizationCode(
        digest=hashed,
        grant_id=grant.id,
        redirect_uri=asked.redirect_uri,
        redirect_uri_given=asked.redirect_uri_given,
        code_challenge=asked.code_challenge,
        nonce=asked.nonce,
        issued_at=now,
        expires_at=now + lifetime,
    )
    with world.store.begin() as tx:
        tx.grants.open(grant, stored)
        facts = tokens.evidence(grant, world.policy, now)
        told = {"acr": facts.get("acr"), "amr": facts.get("amr"), "capacity": capacity.role if capacity is not None else None}
        record(world, tx, now, "grant.opened", grant, scope=" ".join(grant.scope), **told)


def consented(world: World, account: Account, client: Client, scope: Iterable[str]) -> bool:
    """Whether a person has already agreed that a client may have all this, not too long ago."""
    since = world.clock() - world.policy.consent.client_consent_lifetime
    with world.store.read() as tx:
        return tx.client_consents.scopes(account.id, client.id, since).issuperset(scope)
