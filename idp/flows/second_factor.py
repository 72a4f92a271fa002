"""The second factor in a sign-in, asked or set up, and a passkey as the whole sign-in.

A challenge is bound to the sign-in and works once.
"""

from dataclasses import dataclass, replace
from typing import Any

from idp.flows import strong
from idp.flows.attempt import Target, Verdict, prove_by, target
from idp.flows.facts import Looked, advance, see, turned
from idp.flows.keeping import By
from idp.flows.strong import Kept
from idp.flows.world import World
from idp.model import Account, Factor, Passkey, Proof
from idp.policies import proving
from idp.policies.steps import AskSecondFactor, AskUsernameAndPassword, EnrolSecondFactor
from idp.store import Transaction
from idp.vault import passkeys


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was given proves nothing. ``looked`` is where the sign-in stands now."""

    looked: Looked


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A second factor was set up: the sign-in goes on, and the recovery codes are shown this once."""

    looked: Looked
    codes: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the codes."""
        return f"Enrolled({self.looked.sign_in.id})"


Answer = Looked | Wrong | None


# What the person has


def app_code(world: World, looked: Looked, typed: str) -> Answer:
    """The code that the authenticator app shows; each works once. None where the sign-in is gone."""
    account = _asked(looked, "totp")
    if account is None:
        return looked
    verdict = prove_by(world, looked.now, looked.aim, Factor.TOTP, lambda: strong.app_code(world, account, typed, looked.now))
    return _judged(world, looked, verdict, Factor.TOTP)


def recovery_code(world: World, looked: Looked, typed: str) -> Answer:
    """One of the recovery codes, each of which works once. None where the sign-in is gone."""
    account, source = _asked(looked, "recovery_code"), looked.visit.source
    if account is None:
        return looked

    def right() -> bool:
        return strong.recovery_code(world, account, typed, looked.now, source)

    return _judged(world, looked, prove_by(world, looked.now, looked.aim, Factor.TOTP, right), Factor.RECOVERY_CODE)


def _asked(looked: Looked, way: str) -> Account | None:
    """The account, where the step at hand asks for this way."""
    return looked.account if isinstance(looked.step, AskSecondFactor) and way in looked.step.ways else None


def _judged(world: World, looked: Looked, verdict: Verdict, factor: Factor) -> Answer:
    if verdict is not Verdict.RIGHT:
        return Wrong(see(world, looked.visit, looked.sign_in, looked.now))
    return advance(world, looked, Proof(factor, looked.now), challenge="")


# Passkeys


def options(world: World, looked: Looked, brand: str) -> dict[str, Any] | None:
    """What to ask the browser for at this step, under a fresh challenge; None where no passkey is wanted, or it is gone.

    Only whoever has proved a password is told which passkeys an account has.
    """
    if not _wants_passkey(world, looked):
        return None
    challenge = world.vault.token()
    if advance(world, looked, challenge=challenge) is None:
        return None
    account = looked.account
    if account is None or isinstance(looked.step, AskUsernameAndPassword):
        return passkeys.request(world.issuer, challenge, ())
    with world.store.read() as tx:
        known = [one.id for one in tx.passkeys.of(account.id)]
    if isinstance(looked.step, AskSecondFactor):
        return passkeys.request(world.issuer, challenge, known)
    who = (account.id, account.username, account.full_name)
    whole = world.policy.second_factor.passkey == "sign_in"
    return passkeys.creation(world.issuer, brand, who, challenge, known, discoverable=whole)


def passkey(world: World, looked: Looked, sent: str) -> Answer | Enrolled:
    """What the browser answered to ``options``. None where the sign-in is gone, or another answer was faster.

    A right answer uses the challenge up in the same swap that adds the proof, a wrong one before anything is shown again.
    """
    if not _wants_passkey(world, looked):
        return looked
    challenge = looked.sign_in.challenge
    if not challenge:
        return Wrong(looked)
    match looked.step:
        case EnrolSecondFactor():
            result = _enrol_passkey(world, looked, challenge, sent)
        case AskSecondFactor():
            result = _second(world, looked, challenge, sent)
        case _:
            result = _whole(world, looked, challenge, sent)
    if not isinstance(result, Wrong):
        return result
    spent = advance(world, looked, challenge="")
    return Wrong(see(world, spent.visit, spent.sign_in, looked.now)) if spent is not None else None


def _wants_passkey(world: World, looked: Looked) -> bool:
    match looked.step:
        case AskUsernameAndPassword():
            return world.policy.second_factor.passkey == "sign_in"
        case AskSecondFactor(ways) | EnrolSecondFactor(ways):
            return "passkey" in ways
        case _:
            return False


def _second(world: World, looked: Looked, challenge: str, sent: str) -> Answer:
    """A passkey after the password; a wrong one falls on the counter of the second factor."""
    account, source = looked.account, looked.visit.source
    with world.store.read() as tx:
        held = _known(tx, sent)

    def right() -> bool:
        if held is None or account is None or held.account_id != account.id:
            return False
        return strong.signature(world, held, challenge, sent, now=looked.now, source=source)

    return _judged(world, looked, prove_by(world, looked.now, looked.aim, Factor.TOTP, right), Factor.PASSKEY)


def _whole(world: World, looked: Looked, challenge: str, sent: str) -> Answer:
    """A passkey instead of username and password. It has a counter of its own, which an alarm closes with the password's."""
    now, source = looked.now, looked.visit.source
    with world.store.begin() as tx:
        held = _known(tx, sent)
        account = tx.accounts.by_id(held.account_id) if held is not None else None
        if held is None or account is None:
            world.record(tx, now, "attempt", "wrong", source=source, factor=Factor.PASSKEY)
            return Wrong(looked)
        aim: Target = target(world, tx, account, source, now)

    def right() -> bool:
        return strong.signature(world, held, challenge, sent, now=now, source=source, discovered=True)

    if prove_by(world, now, aim, Factor.PASSKEY, right) is not Verdict.RIGHT:
        return Wrong(looked)
    theirs = replace(looked, account=account, aim=aim, sign_in=turned(looked.sign_in, account.id))
    return advance(world, theirs, Proof(Factor.PASSKEY, now), told="", challenge="")


def _known(tx: Transaction, sent: str) -> Passkey | None:
    named = passkeys.named(sent)
    return tx.passkeys.get(named) if named is not None else None


# Setting one up, where policy demands it


def key(world: World, looked: Looked) -> str | None:
    """The key for an authenticator app, the same for this browser until it is confirmed; None where none is wanted."""
    account = _to_enrol(looked, "totp")
    return strong.key_to_confirm(world, account, looked.sign_in.browser, looked.now) if account is not None else None


def enrol_app(world: World, looked: Looked, typed: str) -> Answer | Enrolled:
    """Keep the authenticator app whose first code this is. None where the sign-in is gone."""
    account = _to_enrol(looked, "totp")
    if account is None:
        return looked
    app = strong.confirmed(world, account, looked.sign_in.browser, typed, looked.now)
    if app is None:
        return Wrong(looked)
    with world.store.begin() as tx:
        if not _may_still(tx, account):
            return None
        kept = strong.keep_app(world, tx, account, app, now=looked.now, by=_by(looked))
    return _onward(world, looked, kept, Factor.TOTP)


def _enrol_passkey(world: World, looked: Looked, challenge: str, sent: str) -> Answer | Enrolled:
    account = looked.account
    new = strong.made(world, account.id, challenge, sent, name="", now=looked.now) if account is not None else None
    if account is None or new is None:
        return Wrong(looked)
    with world.store.begin() as tx:
        if not _may_still(tx, account):
            return None
        kept = strong.keep_passkey(world, tx, account, new, now=looked.now, by=_by(looked))
    return _onward(world, looked, kept, Factor.PASSKEY) if kept is not None else Wrong(looked)


def _to_enrol(looked: Looked, way: str) -> Account | None:
    return looked.account if isinstance(looked.step, EnrolSecondFactor) and way in looked.step.ways else None


def _may_still(tx: Transaction, before: Account) -> bool:
    """Under the lock: the account still has none, and nothing was cut off meanwhile."""
    account = tx.accounts.locked(before.id)
    return (
        account is not None
        and account.state is before.state
        and account.sessions_valid_from == before.sessions_valid_from
        and not proving.second_factors(account)
    )


def _by(looked: Looked) -> By:
    return By(looked.visit.source, looked.aim.device)


def _onward(world: World, looked: Looked, kept: Kept, factor: Factor) -> Answer | Enrolled:
    world.store.sessions.end_all(kept.account.id)
    on = advance(world, replace(looked, account=kept.account), Proof(factor, looked.now), challenge="")
    return Enrolled(on, kept.codes) if on is not None else None
