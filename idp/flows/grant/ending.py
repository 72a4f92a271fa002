"""Grants and sessions end, and clients that cannot prove who they are are turned away."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from idp.flows import announcing
from idp.flows.closing import close_one
from idp.flows.grant.facts import record
from idp.flows.grant.worth import family
from idp.flows.world import World
from idp.model import Client, Session
from idp.vault import digest
from idp.vault.signing import KeyRing


def revoke(world: World, keys: KeyRing, client: Client, token: str) -> None:
    """End an access token, or with a refresh token the whole grant (RFC 7009 2.1); another client's stay alive."""
    now = world.clock()
    claims = keys.verify(token, "at+jwt")
    if claims is not None:
        if claims["client_id"] == client.id and claims["exp"] > now.timestamp():
            _deny(world, client, claims, now)
        return
    rotation, _ = family(world, token)
    if rotation is None or rotation.grant.client_id != client.id:
        return
    with world.store.begin() as tx:
        if tx.grants.revoke(rotation.grant.id, now) is not None:
            record(world, tx, now, "grant.revoked", rotation.grant, actor="client")


def _deny(world: World, client: Client, claims: Mapping[str, Any], now: datetime) -> None:
    """The account is the grant's: what a token calls its person may be a name for one client's eyes only."""
    jti: str = claims["jti"]
    grant_id, dot, _ = jti.partition(".")
    with world.store.begin() as tx:
        found = tx.grants.alive(grant_id, None, now) if dot else None
        account = client.id if not dot else None if found is None else found[0].account_id
        tx.denied.deny(digest(jti), datetime.fromtimestamp(claims["exp"], UTC))
        world.record(tx, now, "token.revoked", "done", account=account, actor="client", client=client.id)


def end_session(world: World, session: Session, *, actor: str = "person") -> list[Client]:
    """Sign a browser out, and end the grants that end with it; returns the clients that it went to.

    The session ends first, so that it lets nobody in anew who hears of its end at once.
    """
    now = world.clock()
    with world.store.begin() as tx:
        world.store.sessions.end(session.id)
        gone_to = announcing.taking_part(world, tx, now, session.account_id, session.public_id)
        close_one(world, tx, now, session, actor=actor)
    return gone_to


def turned_away(world: World, client_id: str, why: str) -> None:
    """Record a failed client authentication; the name it gave is kept only where it is one of ours."""
    now = world.clock()
    known = client_id if client_id in world.clients else None
    with world.store.begin() as tx:
        world.record(tx, now, "client.authentication", "refused", actor="client", client=known, why=why)
