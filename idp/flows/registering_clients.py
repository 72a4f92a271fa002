"""Registering clients while the service runs, by the operator or by themselves: judged, written down, known at once."""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from idp.flows.known_clients import changed, filed
from idp.flows.world import World
from idp.model import Client
from idp.policies.client_rules import MOST_SECRETS, SECRET_METHODS, Fault, faults
from idp.store import Transaction
from idp.store.clients import StoredClient
from idp.vault import digest

_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 16


class Why(StrEnum):
    """Why nothing was registered or changed."""

    FILED = "filed"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    FAULTY = "faulty"
    MEANWHILE = "meanwhile"
    SECRETLESS = "secretless"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was written; ``faults`` are told where the client is not to be."""

    why: Why
    faults: tuple[Fault, ...] = ()


def make_id(world: World) -> str:
    """A client id that nobody has had."""
    return f"client-{world.vault.token(_ID_BYTES)}"


def make_secret(world: World) -> str:
    """A secret of 256 random bits: only its digest is kept."""
    return world.vault.token(_SECRET_BYTES)


def find(world: World, client_id: str) -> StoredClient | None:
    """A registration as it is stored; None where there is none, and where a client of the file has its id."""
    if filed(world.clients, client_id):
        return None
    with world.store.read() as tx:
        return tx.clients.get(client_id)


def add(world: World, client: Client, actor: str, *, token: str | None = None) -> Refused | StoredClient:
    """Register a client. ``token`` is the digest of what lets it change its registration (RFC 7592)."""
    refused = _judged(world, client) or (Refused(Why.TAKEN) if filed(world.clients, client.id) else None)
    if refused is not None:
        return refused
    with world.store.begin() as tx:
        now = _moment(world, tx)
        stored = StoredClient(client, token, now, now)
        if not tx.clients.add(stored):
            return Refused(Why.TAKEN)
        world.record(tx, now, "client.registered", "done", actor=actor, client=client.id)
    changed(world.clients)
    return stored


def change(
    world: World, before: StoredClient, client: Client, actor: str, *, event: str = "client.changed", token: str | None = None
) -> Refused | StoredClient:
    """Let the registration that was read as ``before`` say ``client``, unless it was changed since.

    Whoever decides by what they read hands that over. ``token``, where it is given, takes the place of the one there was.
    """
    refused = _judged(world, client) or (Refused(Why.FILED) if filed(world.clients, client.id) else None)
    if refused is not None:
        return refused
    after = before._replace(client=client, token=token or before.token)
    with world.store.begin() as tx:
        now = _moment(world, tx)
        after = after._replace(updated_at=now)
        if not tx.clients.change(after, before.updated_at):
            return Refused(Why.MEANWHILE)
        touched = [one.name for one in fields(Client) if getattr(before.client, one.name) != getattr(after.client, one.name)]
        world.record(tx, now, event, "done", actor=actor, client=client.id, fields=touched)
    changed(world.clients)
    return after


def disable(world: World, client_id: str, actor: str, *, disabled: bool = True) -> Refused | StoredClient:
    """Close a client's ways in and what it holds, or open them again: nothing of it is lost."""
    before = find(world, client_id)
    if before is None:
        return _missing(world, client_id)
    event = "client.disabled" if disabled else "client.enabled"
    return change(world, before, replace(before.client, disabled=disabled), actor, event=event)


def renew_secret(world: World, client_id: str, overlap: timedelta, actor: str) -> Refused | str:
    """A new secret; those there were are good for ``overlap`` more, or no longer where it is nothing."""
    before, secret = find(world, client_id), make_secret(world)
    if before is None:
        return _missing(world, client_id)
    if before.client.auth_method not in SECRET_METHODS:
        return Refused(Why.SECRETLESS)
    client = renewing(before.client, digest(secret), world.clock(), overlap)
    renewed = change(world, before, client, actor, event="client.secret_renewed")
    return renewed if isinstance(renewed, Refused) else secret


def renewing(client: Client, fresh: str, now: datetime, overlap: timedelta) -> Client:
    """The client with one more secret, by its digest. An end that was set is never put off."""
    ends = {old: min(client.secret_ends.get(old, now + overlap), now + overlap) for old in client.secret_digests}
    # The youngest are kept where there are many.
    kept = [old for old in client.secret_digests if ends[old] > now][: MOST_SECRETS - 1]
    return replace(client, secret_digests=(fresh, *kept), secret_ends={old: ends[old] for old in kept})


def remove(world: World, client_id: str, actor: str) -> Refused | None:
    """Forget a client and what was granted and agreed to it: another by its name has nothing of it."""
    if filed(world.clients, client_id):
        return Refused(Why.FILED)
    with world.store.begin() as tx:
        now = _moment(world, tx)
        if not tx.clients.remove(client_id):
            return Refused(Why.UNKNOWN)
        ended = tx.grants.revoke_all_of_client(client_id, now)
        tx.client_consents.forget(client_id)
        stream = tx.streams.of(client_id)
        if stream is not None:
            tx.streams.remove(stream.id)
        world.record(tx, now, "client.removed", "done", actor=actor, client=client_id, grants=ended)
    changed(world.clients)
    return None


def _missing(world: World, client_id: str) -> Refused:
    return Refused(Why.FILED if filed(world.clients, client_id) else Why.UNKNOWN)


def _judged(world: World, client: Client) -> Refused | None:
    found = tuple(faults(client, world.resources))
    return Refused(Why.FAULTY, found) if found else None


def _moment(world: World, tx: Transaction) -> datetime:
    """Now, but later than any change before: by the latest of them others see that there is a new one."""
    latest = max((moment for moment in tx.clients.mark() if isinstance(moment, datetime)), default=None)
    now = world.clock()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))
