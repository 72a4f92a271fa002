"""One-time codes: sent within their daily limit, tried a few times, used once.

A try is counted before it is compared, in one statement; asking again brings a new code but never more codes a day.
"""

from datetime import datetime, timedelta

from idp.flows.world import World
from idp.model import Account, OneTimeCode, Purpose
from idp.policies import recovery
from idp.store import Transaction

DAY = timedelta(days=1)


def issued(world: World, tx: Transaction, account: Account, kind: str, now: datetime) -> bool:
    """Note that one more code goes out, where the day's limit allows it. The account must be locked by the caller."""
    most = world.policy.recovery.codes_per_day
    if not recovery.may_issue(tx.issuances.since(account.id, kind, now - DAY), most, DAY, now):
        return False
    tx.issuances.add(account.id, kind, now)
    return True


def make(
    world: World,
    tx: Transaction,
    account: Account,
    purpose: Purpose,
    *,
    now: datetime,
    value: str = "",
    length: int | None = None,
    lifetime: timedelta | None = None,
) -> str | None:
    """A fresh code for one purpose, the one before it being dead; None where too many were sent today.

    ``value`` is what the code confirms (a new address), kept sealed. Asking again while there are tries left brings no
    more of them. Length and lifetime are those of recovery, unless they are given.
    """
    before, most = tx.one_time_codes.live(account.id, purpose, now), world.policy.recovery.code_tries
    tries = before.tries if before is not None and before.tries < most else 0
    if not issued(world, tx, account, f"code:{purpose}", now):
        return None
    code = world.vault.digits(length or world.policy.recovery.code_length)
    ends = now + (lifetime or world.policy.recovery.code_lifetime)
    sealed = world.vault.seal(value.encode())
    tx.one_time_codes.put(
        OneTimeCode(account.id, purpose, digest_of(world, account.id, purpose, code), now, ends, sealed, tries)
    )
    return code


def attempt(world: World, subject: str, purpose: Purpose, typed: str, *, now: datetime) -> OneTimeCode | None:
    """The live code if ``typed`` is it, one try being counted first; a decoy has none. It is not used up yet."""
    with world.store.begin() as tx:
        held = tx.one_time_codes.attempt(subject, purpose, world.policy.recovery.code_tries, now)
    compared = digest_of(world, subject, purpose, "".join(typed[:64].split()))
    return held if held is not None and world.vault.same(held.digest, compared) else None


def digest_of(world: World, subject: str, purpose: Purpose, code: str) -> str:
    """The keyed digest of a code: bound to its account and purpose, and worth nothing without the master key."""
    return world.vault.keyed("code", f"{subject}|{purpose}|{code}")
