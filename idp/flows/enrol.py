"""The first sign-in: password, PIN, question and answer, each kept at once, so that leaving half-way loses nothing.

The same steps replace a password or PIN whose change is demanded.
"""

from dataclasses import dataclass, replace

from idp.flows.facts import Looked, advance
from idp.flows.world import World
from idp.model import Account, AccountState, Credential, Factor, Proof
from idp.policies import credentials
from idp.policies.lifecycle import missing_pieces
from idp.policies.steps import ChoosePassword, ChooseQuestion, CreatePin, ReplacePassword, ReplacePin
from idp.store import Transaction


@dataclass(frozen=True, slots=True)
class Faulty:
    """The choice may not be made; ``faults`` are names of ``policies.credentials``."""

    looked: Looked
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A secret that passed every rule, ready to be kept."""

    factor: Factor
    secret: str
    question: str | None = None


def choose_password(world: World, looked: Looked, chosen: str) -> Looked | Faulty | None:
    """Keep a password; None where the sign-in is gone. An invitation is spent by it, once."""
    if looked.account is None or not isinstance(looked.step, ChoosePassword | ReplacePassword):
        return looked
    prepared = credentials.prepare_password(chosen)
    rules = world.policy.password
    with world.vault.place():
        short_enough = len(prepared) <= rules.max_length
        reused = short_enough and _reused(world, looked.account, Factor.PASSWORD, prepared, rules.history)
        breached = short_enough and rules.refuse_breached and world.vault.breached(prepared)
        faults = credentials.password_faults(prepared, looked.account, rules, breached=breached, reused=reused)
        if faults:
            return Faulty(looked, faults)
        return _keep(world, looked, _Choice(Factor.PASSWORD, prepared))


def choose_pin(world: World, looked: Looked, chosen: str) -> Looked | Faulty | None:
    """Keep a PIN; None where the sign-in is gone."""
    if looked.account is None or not isinstance(looked.step, CreatePin | ReplacePin):
        return looked
    rules = world.policy.pin
    with world.vault.place():
        reused = credentials.is_pin(chosen, rules) and _reused(world, looked.account, Factor.PIN, chosen, rules.history)
        faults = credentials.pin_faults(chosen, looked.account, rules, reused=reused)
        if faults:
            return Faulty(looked, faults)
        return _keep(world, looked, _Choice(Factor.PIN, chosen))


def choose_question(world: World, looked: Looked, question: str, given: str) -> Looked | Faulty | None:
    """Keep a question and its answer; None where the sign-in is gone."""
    if looked.account is None or not isinstance(looked.step, ChooseQuestion):
        return looked
    faults = credentials.answer_faults(given, question, looked.account, world.policy.security_question)
    if faults:
        return Faulty(looked, faults)
    with world.vault.place():
        return _keep(world, looked, _Choice(Factor.ANSWER, credentials.prepare_answer(given), question))


def _reused(world: World, account: Account, factor: Factor, secret: str, history: int) -> bool:
    """Whether the secret is the present one or one of the last ``history``."""
    held = account.credential(factor)
    if held is None:
        return False
    with world.store.read() as tx:
        former = tx.accounts.former_hashes(account.id, factor, history)
    return any(world.vault.verify(secret, known) for known in (held.hash, *former))


def _keep(world: World, looked: Looked, choice: _Choice) -> Looked | None:
    """Write the credential, the end of enrolment if this was the last piece, and the audit of both, in one transaction."""
    before, factor, now = looked.account, choice.factor, looked.now
    if before is None:
        return None
    credential = Credential(factor, world.vault.hash(choice.secret), now, question=choice.question)
    others = tuple(held for held in before.credentials if held.factor is not factor)
    after = replace(before, credentials=(*others, credential))
    outcome = "created" if len(others) == len(before.credentials) else "replaced"
    with world.store.begin() as tx:
        if not _may_still(tx, looked, before, factor):
            return None
        history = world.policy.password.history if factor is Factor.PASSWORD else world.policy.pin.history
        tx.accounts.set_credential(before.id, credential, keep_history=history)
        world.record(tx, now, "credential.set", outcome, account=before, source=looked.visit.source, factor=factor)
        if before.enrolled_at is None and not missing_pieces(after, world.policy):
            after = _enrolled(world, tx, looked, after)
    proof = None if factor is Factor.ANSWER else Proof(factor, now)
    return advance(world, replace(looked, account=after), proof)


def _enrolled(world: World, tx: Transaction, looked: Looked, account: Account) -> Account:
    """The last piece was given: access begins, and a letter says so."""
    tx.accounts.enrolled(account.id, looked.now)
    world.record(tx, looked.now, "account.enrolled", "done", account=account, source=looked.visit.source)
    world.send(tx, looked.now, "enrolled", account, {"name": account.given_name, "username": account.username})
    return replace(account, state=AccountState.ACTIVE, enrolled_at=looked.now)


def _may_still(tx: Transaction, looked: Looked, before: Account, factor: Factor) -> bool:
    """Under the transaction: nothing about the account has changed; a first password takes the invitation, which works once."""
    account = tx.accounts.by_id(before.id)
    if account is None or account.state is not before.state or account.credential(factor) != before.credential(factor):
        return False
    if factor is Factor.PASSWORD and before.credential(factor) is None:
        return looked.sign_in.invitation is not None and tx.invitations.spend(looked.sign_in.invitation, looked.now)
    return True
