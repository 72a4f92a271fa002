"""Where machines are made: the only place that opens the store, seats the vault and reads the clock."""

import os
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from idp.flows import customers
from idp.flows.known_clients import KnownClients
from idp.flows.world import World
from idp.model import Customer, Registrar
from idp.policies.inactivity import period
from idp.policies.policy import Policy
from idp.post import CustomerGateway, Numbers, Outbound, SmsGateway
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
    numbers = make_numbers(settings)
    channels = frozenset({"mail", "sms"} if settings.sms.url is not None else {"mail"})
    return World(
        store=opened,
        vault=make_vault(settings),
        policy=_sendable(settings.policy, channels),
        clients=KnownClients(settings.clients, opened, time.monotonic),
        resources=settings.resources,
        issuer=settings.issuer,
        clock=clock,
        languages=settings.languages,
        channels=channels,
        numbers=numbers,
        texts=settings.texts,
        records=make_records(settings, numbers),
        outbound=Outbound(settings.outbound.networks, settings.outbound.timeout.total_seconds()),
        registrar=Registrar(frozenset(settings.registration.initial_access_tokens), tuple(settings.registration.scope.split())),
    )


def _sendable(policy: Policy, channels: Collection[str]) -> Policy:
    """The policy without the extra proof that nothing here can carry: whoever has a number is asked for another."""
    ways = tuple(way for way in policy.step_up.extra_by if way != "sms_code" or "sms" in channels)
    return replace(policy, step_up=replace(policy.step_up, extra_by=ways))


def make_numbers(settings: Settings) -> Numbers:
    """What may be a mobile number here; the gateway is asked where settings say that it can be."""
    sms = settings.sms
    if sms.url is None or sms.reach_url is None:
        return Numbers(settings.region)
    return Numbers(settings.region, SmsGateway(sms.url, sms.sender, sms.token, reach_url=sms.reach_url).reach)


def make_records(settings: Settings, numbers: Numbers) -> Callable[[str, str], Customer | None] | None:
    """Where customer records are asked for one by one; None where those brought in are in the store."""
    asked = settings.customers
    if asked.url is None:
        return None
    gateway = CustomerGateway(asked.url, asked.token, asked.timeout.total_seconds())

    def find(reference: str, key: str) -> Customer | None:
        fields = gateway.ask(reference, key)
        return None if fields is None else customers.answered(numbers, reference, key, fields)

    return find


def put_in_force(world: World) -> World:
    """The World with its policy in force: its text is kept under its digest, which audit rows name, and since when it is."""
    policy, now = world.policy, world.clock()
    with world.store.begin() as tx:
        tx.policies.record(policy.digest, policy.name, canonical(policy), now)
        tx.policies.began(policy.digest, period(policy, now))
        periods = tx.policies.periods()
    return replace(world, policy=replace(policy, periods=periods))


def is_in_force(world: World) -> bool:
    """Whether the World's policy is still the one that was put in force last."""
    with world.store.read() as tx:
        return tx.policies.in_force() == world.policy.digest


def as_in_force(world: World) -> World:
    """The World as it would be were its policy put in force now; nothing is written."""
    with world.store.read() as tx:
        periods = tx.policies.periods()
    present = period(world.policy, world.clock())
    known = bool(periods) and replace(periods[-1], began_at=present.began_at) == present
    return replace(world, policy=replace(world.policy, periods=periods if known else (*periods, present)))
