"""Where machines are made: the only place that opens the store, seats the vault and reads the clock."""

import os
from datetime import UTC, datetime

from idp.flows.world import World
from idp.post import Numbers, SmsGateway
from idp.settings import Settings, canonical
from idp.store import Store, open_store
from idp.vault import Hasher, HashPool, Vault


def clock() -> datetime:
    """Now, in UTC; a use case reads it once."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def desks(settings: Settings) -> int:
    """How many hashes are computed at once: what settings say, or one a core."""
    return settings.hashing.concurrent or os.cpu_count() or 1


def make_vault(settings: Settings) -> Vault:
    """The vault under the master key."""
    hashing = settings.hashing
    hasher = Hasher(hashing.memory_kib, hashing.iterations, hashing.parallelism)
    pool = HashPool(desks(settings), hashing.queue)
    return Vault(settings.secrets.master_key, hasher, pool)


def make_world(settings: Settings, store: Store | None = None) -> World:
    """The World of these settings, over a store that is given or opened."""
    opened = store or open_store(settings.database.url, settings.redis.url, pool_size=settings.database.pool_size)
    return World(
        store=opened,
        vault=make_vault(settings),
        policy=settings.policy,
        clients=settings.clients,
        resources=settings.resources,
        issuer=settings.issuer,
        clock=clock,
        languages=settings.languages,
        channels=frozenset({"mail", "sms"} if settings.sms.url is not None else {"mail"}),
        numbers=make_numbers(settings),
    )


def make_numbers(settings: Settings) -> Numbers:
    """What may be a mobile number here; the gateway is asked where settings say that it can be."""
    sms = settings.sms
    if sms.url is None or sms.reach_url is None:
        return Numbers(settings.region)
    return Numbers(settings.region, SmsGateway(sms.url, sms.sender, sms.token, reach_url=sms.reach_url).reach)


def record_policy(world: World) -> None:
    """Keep the text of the policy in force under its digest, so that every audit row can be read against it."""
    with world.store.begin() as tx:
        tx.policies.record(world.policy.digest, world.policy.name, canonical(world.policy), world.clock())
