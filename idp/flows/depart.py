"""Going away: a person sees where they are signed in, and ends it there, everywhere else, or everywhere.

Beside it the devices on which they are known, each of which can be forgotten: it counts as any stranger's then, with no
counter of its own, and nobody is remembered or welcomed there. Who is signed in there stays so.

Nothing has to be proved for it: it only takes away, and whoever finds a browser open may well shut it.
"""

from typing import Any

from idp.flows import closing
from idp.flows.keeping import cut
from idp.flows.resident import Resident
from idp.flows.world import World
from idp.model import Device, Session
from idp.policies import sessions
from idp.store import Transaction
from idp.vault import digest


def places(world: World, who: Resident) -> tuple[Session, ...]:
    """The account's sessions that still count: the one at hand, then the others by their last use."""
    rules = world.policy.session
    held = world.store.sessions.of_account(who.account.id, who.now)
    counting = [one for one in held if sessions.counts(one, who.account, rules, who.now)]
    counting.sort(key=lambda one: (one.id != who.session.id, who.now - one.last_seen_at))
    return tuple(counting)


def end(world: World, who: Resident, public_id: str) -> bool:
    """End one of the account's sessions by the id that its page shows; False where the account has none of that id.

    The session ends first, so that it opens nothing more; what it had opened ends in the same transaction as is told.
    """
    with world.store.begin() as tx:
        ended = world.store.sessions.end_by_public_id(who.account.id, public_id)
        if ended is None:
            return False
        closing.close_one(world, tx, who.now, ended, source=who.source, why="chosen")
    return True


def end_others(world: World, who: Resident) -> None:
    """End everything but this browser: sessions, grants (those of apps too), and devices that were known.

    The session at hand goes on as it is. Its longest time is not begun anew, since nothing was proved.
    """
    with world.store.begin() as tx:
        ended = world.store.sessions.end_all(who.account.id, keep=who.session.id)
        revoked = tx.grants.revoke_elsewhere(who.account.id, who.session.public_id, who.now)
        tx.devices.forget_all(who.account.id, who.aim.device)
        # What was opened by a session that ended by its time ends here too.
        sids = {session.public_id for session in ended} | {grant.sid for grant in revoked if grant.sid is not None}
        told = sorted(sids - {who.session.public_id})
        facts: dict[str, Any] = {"sessions": len(ended), "grants": len(revoked), "sids": told}
        world.record(tx, who.now, "sessions.ended", "others", account=who.account, source=who.source, **facts)


def end_every(world: World, who: Resident) -> None:
    """End everything that is open, here too; a session that began before now counts no more, also if it is only now written."""
    with world.store.begin() as tx:
        account = tx.accounts.locked(who.account.id)
        if account is None:
            return
        cut(world, tx, account, now=who.now, by=who.by())
        ended = world.store.sessions.end_all(account.id)
        world.record(tx, who.now, "sessions.ended", "all", account=account, source=who.source, sessions=len(ended))


def devices(world: World, who: Resident) -> tuple[tuple[Device, ...], str]:
    """The devices on which the account is known, the one at hand first; and the id of that one, "" where it is not known."""
    with world.store.read() as tx:
        known = tx.devices.of_account(who.account.id, who.now, world.policy.lockout.known_device_lifetime)
        here = _at_hand(world, tx, who)
    return tuple(sorted(known, key=lambda one: one.id != here)), here


def forget(world: World, who: Resident, device_id: str) -> bool:
    """Forget one of the account's devices by the id that its page shows; False where the account has none of that id."""
    with world.store.begin() as tx:
        if not tx.devices.forget(who.account.id, device_id):
            return False
        world.record(tx, who.now, "devices.forgotten", "one", account=who.account, source=who.source, device=device_id)
    return True


def forget_others(world: World, who: Resident) -> None:
    """Forget every device but the one at hand."""
    with world.store.begin() as tx:
        tx.devices.forget_all(who.account.id, _at_hand(world, tx, who))
        world.record(tx, who.now, "devices.forgotten", "others", account=who.account, source=who.source)


def _at_hand(world: World, tx: Transaction, who: Resident) -> str:
    """The id of the known device at hand, whether or not policy counts its failures apart."""
    if who.source.device is None:
        return ""
    lifetime = world.policy.lockout.known_device_lifetime
    known = tx.devices.known(who.account.id, digest(who.source.device), who.now, lifetime)
    return known.id if known is not None else ""
