"""Someone signed in who changes something of their own: what every change in My Profile starts from and ends with.

The present secret is proved again for each change, counted like any other try. Afterwards this browser stays signed in
under a new identifier, and what else was open ends.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from idp.flows.attempt import Target, Verdict, prove, target
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, Factor, Proof, Session, Source
from idp.policies import proving, sessions
from idp.policies.lifecycle import Standing, standing
from idp.store import Transaction
from idp.vault import digest


@dataclass(frozen=True, slots=True)
class Resident:
    """A person at a browser that is signed in, as they stood at ``now``."""

    session: Session
    account: Account
    now: datetime
    aim: Target

    @property
    def source(self) -> Source:
        """Where the request came from."""
        return self.aim.source

    def by(self, *, end_others: bool = True) -> By:
        """This person, as whoever changes something; the device at hand stays known."""
        return By(self.aim.source, self.aim.device, end_others=end_others)


def resident(world: World, session: Session, account: Account, source: Source) -> Resident:
    """Read the clock and the counters for someone whose session still counts."""
    now = world.clock()
    with world.store.read() as tx:
        aim = target(world, tx, account, source, now)
    return Resident(session, account, now, aim)


def proved(world: World, who: Resident, factor: Factor, typed: str) -> bool:
    """Whether the present secret is this one: one more try on its counter."""
    return prove(world, who.now, who.aim, factor, typed) is Verdict.RIGHT


def unchanged(world: World, tx: Transaction, who: Resident, *factors: Factor) -> Account | None:
    """The account under the lock, where the session still counts and the secrets are those just proved or replaced.

    A hash may have been renewed by the proof itself; the moment at which the secret was set tells that it is the same.
    """
    account = tx.accounts.locked(who.account.id)
    if account is None or standing(account, world.policy, who.now) is not Standing.ACTIVE:
        return None
    if not sessions.counts(who.session, account, world.policy.session, who.now):
        return None
    same = all(_set_at(account, factor) == _set_at(who.account, factor) for factor in factors)
    return account if same else None


def _set_at(account: Account, factor: Factor) -> datetime | None:
    held = account.credential(factor)
    return held.set_at if held is not None else None


def stay(world: World, who: Resident, account: Account, *shown: Factor, end_others: bool = True) -> str | None:
    """Stay signed in after a change, under a new identifier, and end the other sessions; the value of the new cookie.

    ``shown`` are the factors just proved or set, whose proofs take the place of older ones. None where the session has
    ended meanwhile.
    """
    kept = tuple(proof for proof in who.session.proofs if proof.factor not in shown)
    # A secret that was not a proof of this session does not become one by being chosen; what the person has was shown.
    counted = {proof.factor for proof in who.session.proofs} | proving.STRONG
    fresh = tuple(Proof(factor, who.now) for factor in shown if factor in counted)
    rules, secret = world.policy.session, world.vault.token()
    if end_others:
        world.store.sessions.end_all(account.id, keep=who.session.id)
    renewed = replace(
        who.session,
        id=digest(secret),
        proofs=kept + fresh,
        created_at=who.now,
        last_seen_at=who.now,
        expires_at=sessions.expires_at(who.now, who.now, rules),
    )
    return secret if world.store.sessions.replace(who.session.id, renewed) else None
