"""The life of the signing keys: made at first start, published ahead, signing, kept until their last token is dead."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from idp.flows.world import World
from idp.model import KeyUse, SigningKey
from idp.policies import tokens
from idp.store import StoreDown, Transaction
from idp.vault.signing import ALGORITHMS, KeyRing, make_key

WANTED = tuple((alg, use) for alg in ALGORITHMS for use in (KeyUse.CURRENT, KeyUse.NEXT))


@dataclass(frozen=True, slots=True)
class TooEarly:
    """No rotation: the next keys have not been published for as long as policy asks. They may sign from ``until``."""

    until: datetime


def ensure_keys(world: World) -> None:
    """Make what is missing of a whole set. Of two processes at once, one makes it and the other finds it made."""
    now = world.clock()
    with world.store.read() as tx:
        missing = _missing(tx.keys.all())
    if not missing:
        return
    # Made side by side and before the lock is taken: an RSA key takes its time.
    with ThreadPoolExecutor() as pool:
        made = dict(zip(missing, pool.map(lambda one: make_key(one[0], one[1], world.vault, now), missing), strict=True))
    with world.store.begin() as tx, tx.keys.lock():
        for wanted in _missing(tx.keys.all()):
            key = made.get(wanted) or make_key(*wanted, world.vault, now)
            tx.keys.add(key)
            _record(world, tx, now, "key.made", key)


def rotate(world: World, *, early: bool = False) -> tuple[SigningKey, ...] | TooEarly:
    """Let the next keys sign, keep the last until its tokens are dead, publish new ones ahead; the keys as they are now.

    ``early`` overrides the time that a key must have been published: resource servers may have to fetch the keys anew.
    """
    ensure_keys(world)
    now = world.clock()
    fresh = [make_key(alg, KeyUse.NEXT, world.vault, now) for alg in ALGORITHMS]
    with world.store.begin() as tx, tx.keys.lock():
        held = tx.keys.all()
        until = max(tokens.may_sign_from(key, world.policy) for key in held if key.use is KeyUse.NEXT)
        if now < until and not early:
            return TooEarly(until)
        for key in held:
            _move_on(world, tx, key, now)
        for key in fresh:
            tx.keys.add(key)
            _record(world, tx, now, "key.made", key)
        return tuple(tx.keys.all())


def listed(world: World) -> tuple[SigningKey, ...]:
    """The keys that are published."""
    now = world.clock()
    with world.store.read() as tx:
        return tuple(key for key in tx.keys.all() if not tokens.dropped(key, now))


def open_ring(world: World, monotonic: Callable[[], float]) -> KeyRing:
    """The key ring of this process, on a whole set of keys; it follows what other processes make of them."""
    ensure_keys(world)

    def load() -> tuple[SigningKey, ...] | None:
        try:
            return listed(world)
        except StoreDown:
            return None

    return KeyRing(load, world.vault, monotonic)


def _missing(held: list[SigningKey]) -> list[tuple[str, KeyUse]]:
    found = {(key.alg, key.use) for key in held}
    return [wanted for wanted in WANTED if wanted not in found]


def _move_on(world: World, tx: Transaction, key: SigningKey, now: datetime) -> None:
    if tokens.dropped(key, now):
        tx.keys.remove(key.kid)
        _record(world, tx, now, "key.dropped", key)
    elif key.use is KeyUse.CURRENT:
        tx.keys.update(replace(key, use=KeyUse.RETIRED, drop_after=tokens.key_dropped_at(world.policy, now)))
        _record(world, tx, now, "key.retired", key)
    elif key.use is KeyUse.NEXT:
        tx.keys.update(replace(key, use=KeyUse.CURRENT, current_from=now))
        _record(world, tx, now, "key.signs", key)


def _record(world: World, tx: Transaction, now: datetime, event: str, key: SigningKey) -> None:
    world.record(tx, now, event, "done", actor="operator", kid=key.kid, alg=key.alg)
