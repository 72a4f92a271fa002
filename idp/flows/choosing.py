"""A secret chosen within a sign-in: at enrolment, when one must be replaced, and at the end of a recovery."""

from dataclasses import dataclass, replace

from idp.flows import arriving, keeping
from idp.flows.facts import Looked, advance, turned
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, Factor, Lost, Proof
from idp.policies import entry, proving
from idp.policies.lifecycle import missing_pieces
from idp.store import Transaction


@dataclass(frozen=True, slots=True)
class Faulty:
    """The choice may not be made; ``faults`` are names of ``policies.credentials``."""

    looked: Looked
    faults: tuple[str, ...]


def choose(world: World, looked: Looked, factor: Factor, typed: str, question: str = "") -> Looked | Faulty | None:
    """Judge a secret, keep it and go on; None where the sign-in is gone. The step at hand must ask for this factor.

    The credential, what follows from it and the end of enrolment, if this was the last piece, are one transaction.
    """
    before = looked.account
    if before is None:
        return None
    with world.vault.place():
        judged = keeping.judge(world, before, factor, typed, question)
        if not isinstance(judged, keeping.Choice):
            return Faulty(looked, judged)
        held = keeping.credential(world, judged, looked.now)
    by = By(looked.visit.source, looked.aim.device)
    with world.store.begin() as tx:
        if not _may_still(tx, looked, before, factor):
            return None
        after = keeping.keep(world, tx, before, held, now=looked.now, by=by)
        if before.enrolled_at is None and not missing_pieces(after, world.policy):
            after = arriving.enrolled(world, tx, after, now=looked.now, source=looked.visit.source)
        if looked.sign_in.recovering is not None:
            facts = {"lost": looked.sign_in.recovering.lost}
            world.record(tx, looked.now, "recovery", "finished", account=before, source=looked.visit.source, **facts)
    if before.credential(factor) is not None:
        world.store.sessions.end_all(before.id)
    return _onward(world, replace(looked, account=after), factor, temporary=_by_temporary(looked, before))


def _by_temporary(looked: Looked, before: Account) -> bool:
    """Whether a temporary password alone led here; a password proved longer ago than the client accepts does not count."""
    counting = proving.still_true(entry.counting(looked.sign_in.proofs, looked.sign_in.ask), before)
    return {proof.factor for proof in counting} & {Factor.TEMPORARY, Factor.PASSWORD} == {Factor.TEMPORARY}


def _onward(world: World, looked: Looked, factor: Factor, *, temporary: bool) -> Looked | None:
    """Where a choice leads: to the next step, or after a reset back to the sign-in page where policy does not sign in."""
    sign_in, now = looked.sign_in, looked.now
    recovering = sign_in.recovering is not None and sign_in.recovering.lost is not Lost.PIN
    if factor is Factor.PASSWORD and (recovering or temporary):
        if not world.policy.recovery.sign_in_after:
            nobody = replace(looked, account=None)
            # Who has just chosen the password finds the name filled in.
            ask = replace(sign_in.ask, login_hint=looked.account.username if looked.account else "")
            return advance(world, nobody, account_id=None, proofs=(), recovering=None, told="password_replaced", ask=ask)
        theirs = replace(looked, sign_in=turned(sign_in, looked.account.id)) if looked.account else looked
        return advance(world, theirs, Proof(factor, now), recovering=None)
    proof = None if factor is Factor.ANSWER else Proof(factor, now)
    return advance(world, looked, proof, recovering=None)


def _may_still(tx: Transaction, looked: Looked, before: Account, factor: Factor) -> bool:
    """Under the lock: nothing about the account has changed; a first password takes the invitation, which works once."""
    account = tx.accounts.locked(before.id)
    if account is None or account.state is not before.state or account.credential(factor) != before.credential(factor):
        return False
    if account.sessions_valid_from != before.sessions_valid_from:
        return False
    if factor is Factor.PASSWORD and before.credential(factor) is None:
        if looked.sign_in.invitation is None or not tx.invitations.spend(looked.sign_in.invitation, looked.now):
            return False
        # It came by letter, so the letter arrived.
        tx.particulars.confirm_email(before.id, looked.now)
    return True
