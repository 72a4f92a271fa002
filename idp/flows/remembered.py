"""Who is remembered at a device: looked up before anybody has said who they are, and kept or taken back at the end.

Nothing here proves anything. The cookies are opaque; what they lead to is in the store, and dies there with the device.
"""

from datetime import datetime

from idp.flows.world import World
from idp.model import SignIn, Source
from idp.policies.sessions import Recalled, recalled, recalls
from idp.store import Transaction
from idp.vault import digest

NOBODY = Recalled()


def look(world: World, source: Source, cookie: str | None, now: datetime) -> Recalled:
    """What the page may say of whoever signed in last at this device; ``cookie`` is the one that a ticked box gave."""
    rules, lifetime = world.policy.session, world.policy.lockout.known_device_lifetime
    if source.device is None or not recalls(rules):
        return NOBODY
    with world.store.read() as tx:
        last = tx.devices.last(digest(source.device), now, lifetime)
        account = tx.accounts.bare(last.account_id) if last is not None else None
    if last is None or account is None:
        return NOBODY
    ticked = cookie is not None and last.remembered is not None and world.vault.same(last.remembered, digest(cookie))
    return recalled(account, rules, ticked=ticked)


def keep(world: World, tx: Transaction, sign_in: SignIn, account_id: str, device: str) -> str | None:
    """Write what was ticked in a sign-in that is done; ``device`` is the digest of the device's cookie.

    Returns the value of the new cookie, "" where the one at hand is to be taken back, None where it stays as it is.
    """
    if world.policy.session.remember_me == "off":
        return ""
    if sign_in.remember is None:
        return None
    secret = world.vault.token() if sign_in.remember else ""
    tx.devices.fill_in(device, account_id, digest(secret) if secret else None)
    return secret
