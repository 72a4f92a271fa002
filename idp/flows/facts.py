"""What every step of a sign-in starts from: the stored facts, and the step the policy derives from them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from idp.flows.attempt import Target, target
from idp.flows.world import World
from idp.model import Account, Ask, Factor, Proof, SignIn, Source
from idp.policies import entry, proving, recovery
from idp.policies.steps import Step
from idp.store import Transaction
from idp.vault import digest

_WHO = (Factor.PASSWORD, Factor.TEMPORARY, Factor.PASSKEY, Factor.INVITATION)


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at the door: the sign-in its address names, the value of its cookie, and where it comes from."""

    transaction: str
    browser: str
    source: Source


@dataclass(frozen=True, slots=True)
class Looked:
    """A sign-in as it stood at ``now``: its facts, the account if one is known, the attempt's target, what comes next."""

    visit: Visit
    now: datetime
    sign_in: SignIn
    account: Account | None
    aim: Target
    step: Step


def look(world: World, visit: Visit) -> Looked | None:
    """Where a sign-in stands; None if it is unknown, over, or another browser's. The clock of the use case is read here."""
    now = world.clock()
    sign_in = world.store.sign_ins.get(digest(visit.transaction), now)
    if sign_in is None or sign_in.browser != digest(visit.browser):
        return None
    return see(world, visit, sign_in, now)


def under_way(world: World, visit: Visit, client_id: str | None, now: datetime) -> tuple[Visit, SignIn]:
    """The sign-in that the visit names, or a new one that ends at ``client_id``'s portal."""
    found = world.store.sign_ins.get(digest(visit.transaction), now) if visit.transaction else None
    if found is not None and found.browser == digest(visit.browser):
        return visit, found
    visit = replace(visit, transaction=world.vault.token())
    ends = now + world.policy.session.sign_in_lifetime
    sign_in = SignIn(digest(visit.transaction), digest(visit.browser), now, ends, Ask(client_id=client_id))
    world.store.sign_ins.put(sign_in)
    return visit, sign_in


def see(world: World, visit: Visit, sign_in: SignIn, now: datetime) -> Looked:
    """Derive the step of a sign-in from the account as it is now: the one proved, or the one that a recovery names."""
    subject = sign_in.account_id or (sign_in.recovering.subject if sign_in.recovering else None)
    if subject is None:
        nobody = Target("", None, visit.source)
        return Looked(visit, now, sign_in, None, nobody, entry.next_step(sign_in, None, world.policy, now))
    with world.store.read() as tx:
        account = tx.accounts.by_id(subject)
        sign_in = with_consent(world, tx, sign_in, now)
        if account is not None and sign_in.recovering is not None:
            sign_in = replace(sign_in, recovering=recovery.still_proved(sign_in.recovering, account))
        aim = target(world, tx, account or subject, visit.source, now)
    step = entry.next_step(sign_in, account, world.policy, now, aim.counters)
    return Looked(visit, now, sign_in, account, aim, step)


def turned(sign_in: SignIn, account_id: str) -> SignIn:
    """The sign-in turned to the account just proved; what others proved, ticked, asked and allowed is left behind."""
    if sign_in.account_id == account_id:
        return sign_in
    return replace(sign_in, account_id=account_id, proofs=(), remember=None, code_sent=False, capacity="", consented=False)


def with_consent(world: World, tx: Transaction, sign_in: SignIn, now: datetime) -> SignIn:
    """The sign-in, knowing what its person has agreed to before; ``prompt=consent`` asks again all the same."""
    ask = sign_in.ask
    asks_again = any(name == "prompt" and "consent" in value.split() for name, value in ask.parameters)
    if ask.consent_given or sign_in.consented or asks_again or sign_in.account_id is None or ask.client_id is None:
        return sign_in
    since = now - world.policy.consent.client_consent_lifetime
    agreed = tx.client_consents.scopes(sign_in.account_id, ask.client_id, since)
    return replace(sign_in, consented=agreed.issuperset(ask.scope))


def advance(world: World, looked: Looked, proof: Proof | None = None, **changes: Any) -> Looked | None:
    """Add a proof to the sign-in under a swap; None where another answer was faster.

    A proof of who someone is moves the sign-in to a new identifier: the one before it is dead. The account is taken as
    ``looked`` has it, changed by the use case or not; the page that follows derives everything again.
    """
    before, visit = looked.sign_in, looked.visit
    if proof is not None and proof.factor in _WHO:
        visit = replace(visit, transaction=world.vault.token())
    proofs = before.proofs if proof is None else (*before.proofs, proving.dated(proof, looked.account))
    after = replace(before, **{"id": digest(visit.transaction), "proofs": proofs, **changes})
    if not world.store.sign_ins.swap(before, after):
        return None
    after = replace(after, version=before.version + 1)
    step = entry.next_step(after, looked.account, world.policy, looked.now)
    return replace(looked, visit=visit, sign_in=after, step=step)
