"""The temporary password: mailed to the address on file, used once at the sign-in page, for the choice of a new one only."""

from datetime import datetime, timedelta

from idp.flows.attempt import Target, stand_in
from idp.flows.keeping import spoken_digest
from idp.flows.world import World
from idp.model import Credential, Factor
from idp.policies import recovery
from idp.store import Transaction

HOUR = timedelta(hours=1)


def mail(world: World, tx: Transaction, account_id: str, *, now: datetime, names_username: bool = False) -> bool:
    """Mail a fresh one, the one before it being dead; the password itself is not touched.

    False, and nothing is sent, where there is no such account (a decoy, at the same cost), it may not recover, or too many
    went this hour.
    """
    found, rules = tx.accounts.locked(account_id), world.policy.temporary_password
    account = found or stand_in(account_id, now)
    if not recovery.may_recover(account, world.policy, now):
        return False
    if not recovery.may_issue(tx.issuances.since(account.id, "temporary", now - HOUR), rules.per_hour, HOUR, now):
        return False
    tx.issuances.add(account.id, "temporary", now)
    password, ends = world.vault.spoken(rules.bits), now + rules.lifetime
    tx.accounts.set_credential(account.id, Credential(Factor.TEMPORARY, spoken_digest(world, password), now, expires_at=ends))
    context = {
        "name": account.called,
        "username": account.username if names_username else None,
        "password": password,
        "expires": ends.isoformat(),
        "link": f"{world.issuer}/sign-in",
    }
    world.send(tx, now, "temporary_password", account, context, lifetime=rules.lifetime)
    return found is not None


def used(world: World, aim: Target, typed: str, now: datetime) -> bool:
    """Whether the password typed is the one that was mailed; it is used up by this, whatever comes next.

    Chance made it too long to be guessed, so it is neither counted nor locked: who was locked out comes back by it.
    """
    told = spoken_digest(world, typed)
    held = aim.account.credential(Factor.TEMPORARY) if aim.account is not None else None
    if aim.account is None or held is None or not world.vault.same(held.hash, told):
        return False
    with world.vault.place():
        world.vault.verify_nothing(told)
    with world.store.begin() as tx:
        spent = tx.accounts.spend_credential(aim.subject, Factor.TEMPORARY, held.hash, now)
        outcome = "right" if spent else "wrong"
        world.record(tx, now, "attempt", outcome, account=aim.account, source=aim.source, factor=Factor.TEMPORARY)
    return spent
