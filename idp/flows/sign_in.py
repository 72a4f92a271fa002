"""Signing in: begin, look, answer, finish. Each answer proves one thing and comes back to the derived step."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from idp.flows import activity, closing, remembered, temporary, waking
from idp.flows.attempt import Verdict, decoy, prove, target
from idp.flows.facts import Looked, advance, see, turned, with_consent
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, AccountState, Ask, Device, DeviceClass, Factor, Proof, Session, SignIn
from idp.policies import capacities, entry, proving, sessions
from idp.policies.credentials import canonical_username
from idp.policies.lifecycle import Standing, standing
from idp.policies.steps import AskPin, AskUsernameAndPassword, Done, ExtraProof, GiveConsent, Step
from idp.post import addresses
from idp.store import Transaction
from idp.store.unused import Use
from idp.vault import digest

_PRIMARY = (Factor.PASSWORD, Factor.PASSKEY)


@dataclass(frozen=True, slots=True)
class Gone:
    """No such sign-in for this browser: over, expired, or answered faster in another window."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """The answer did not prove anything. ``looked`` is where the sign-in stands now."""

    looked: Looked


Answer = Looked | Wrong | Gone


@dataclass(frozen=True, slots=True)
class Opened:
    """A finished sign-in: the values of the new cookies, which are stored only as digests.

    ``remember`` is "" where that cookie is to be taken back, None where it stays as it is.
    """

    session: str
    device: str
    remember: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A finished sign-in, taken from the store once, with the session that came of it."""

    sign_in: SignIn
    session: Session
    account: Account


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A sign-in that is not done: where it stands."""

    sign_in: SignIn
    step: Step


def begin(world: World, ask: Ask, browser: str, held: tuple[Session, Account] | None = None) -> str:
    """Store a sign-in bound to the browser and return its identifier.

    Proofs of a session at hand are carried over if they still count for what is asked; otherwise it starts afresh.
    """
    now = world.clock()
    transaction = world.vault.token()
    proofs = entry.counting(held[0].proofs, ask) if held is not None else ()
    if held is not None and not proofs and not ask.login_hint:
        # Who has to sign in anew finds the name filled in; another may be typed over it.
        ask = replace(ask, login_hint=held[1].username)
    account_id = held[1].id if held is not None and proofs else None
    acting = held[0].capacity if held is not None and proofs else ""
    ends = now + world.policy.session.sign_in_lifetime
    world.store.sign_ins.put(SignIn(digest(transaction), digest(browser), now, ends, ask, account_id, proofs, capacity=acting))
    return transaction


def password(world: World, looked: Looked, username: str, typed: str, *, remember: bool | None = None) -> Answer:
    """Answer the sign-in page. Unknown, locked, invited and suspended names cost the same and are told the same.

    ``remember`` is whether "remember me" is ticked.
    """
    now = looked.now
    if not isinstance(looked.step, AskUsernameAndPassword):
        return looked
    name = canonical_username(addresses.sought(username))
    with world.store.read() as tx:
        account = _named(world, tx, name)
        aim = target(world, tx, account or decoy(world, name), looked.visit.source, now)
    factor = Factor.TEMPORARY if temporary.used(world, aim, typed, now) else Factor.PASSWORD
    verdict = Verdict.RIGHT if factor is Factor.TEMPORARY else prove(world, now, aim, factor, typed)
    # Of a registration that waits for its code nothing is told but where it is confirmed: nor whether there is one.
    if verdict is not Verdict.RIGHT or account is None or account.state is AccountState.PENDING:
        return Wrong(looked)
    theirs = replace(looked, account=account, aim=aim, sign_in=turned(looked.sign_in, account.id))
    return advance(world, theirs, Proof(factor, now), told="", remember=remember) or Gone()


def pin(world: World, looked: Looked, typed: str) -> Answer:
    """Answer the PIN page, which only a correct password opens."""
    return _proved(world, looked, Factor.PIN, typed) if isinstance(looked.step, AskPin) else looked


def answer(world: World, looked: Looked, typed: str) -> Answer:
    """Answer the security question as the extra proof a client asked for."""
    return _proved(world, looked, Factor.ANSWER, typed) if isinstance(looked.step, ExtraProof) else looked


def consent(world: World, looked: Looked) -> Answer:
    """Allow a third-party client what it asked for; the grant is remembered for as long as policy says."""
    if not isinstance(looked.step, GiveConsent) or looked.account is None:
        return looked
    client, scope = looked.step.client_id, looked.step.scope
    with world.store.begin() as tx:
        tx.client_consents.record(looked.account.id, client, frozenset(scope), looked.now)
        facts = {"client": client, "scope": " ".join(scope)}
        world.record(tx, looked.now, "consent.given", "done", account=looked.account, source=looked.visit.source, **facts)
    return advance(world, looked, consented=True) or Gone()


def finish(world: World, looked: Looked, held: Session | None = None) -> Opened | None:
    """Turn a sign-in whose every proof is given into a session under a new identifier, once.

    None if it is not done, or if another answer has finished it: of two at once one gets the session.
    """
    if not isinstance(looked.step, Done) or looked.account is None or looked.sign_in.finished:
        return None
    if not world.store.sign_ins.swap(looked.sign_in, replace(looked.sign_in, finished=True)):
        return None
    now, account, source = looked.now, looked.account, looked.visit.source
    secret, device = world.vault.token(), source.device or world.vault.token()
    session = _session(world, looked, digest(secret))
    with world.store.begin() as tx:
        known = looked.aim.device
        tx.devices.remember(Device(known or world.vault.token(16), account.id, digest(device), now, now, agent=source.agent))
        if standing(account, world.policy, now) is Standing.SUSPENDED:
            # Woken by a second factor that policy accepts for it: without one this sign-in would not be done.
            account = waking.wake(world, tx, account, now=now, by=By(source, looked.aim.device))
        anew = any(proof.at >= looked.sign_in.started_at and proof.factor in _PRIMARY for proof in looked.step.proofs)
        if anew and not tx.accounts.signed_in(account.id, now):
            return None
        if not anew and any(proof.at >= looked.sign_in.started_at for proof in looked.step.proofs):
            activity.note(world, tx, account, Use.STEP_UP, now)
        remember = remembered.keep(world, tx, looked.sign_in, account.id, digest(device))
        facts: dict[str, Any] = {
            "proofs": [proof.factor for proof in looked.step.proofs],
            "device_class": DeviceClass.KNOWN if known else DeviceClass.UNKNOWN,
            "client": looked.sign_in.ask.client_id,
            **_levels(world, session, held, now),
        }
        world.record(tx, now, "sign_in", "done", account=account, source=source, **facts)
    _keep(world, looked, session, held)
    return Opened(secret, device, remember)


def finished(world: World, transaction: str, browser: str, held: tuple[Session, Account] | None) -> Taken | Unfinished | None:
    """Take a finished sign-in for the authorization endpoint, once; None if it is gone or this browser has no session of it."""
    now = world.clock()
    sign_in = world.store.sign_ins.get(digest(transaction), now)
    if sign_in is None or sign_in.browser != digest(browser):
        return None
    mine = held is not None and held[0].account_id == sign_in.account_id
    with world.store.read() as tx:
        account = held[1] if held is not None and mine else tx.accounts.by_id(sign_in.account_id or "")
        step = entry.next_step(with_consent(world, tx, sign_in, now), account, world.policy, now)
    if not isinstance(step, Done):
        return Unfinished(sign_in, step)
    if held is None or account is None or not mine:
        return None
    taken = world.store.sign_ins.take(sign_in.id, now)
    return Taken(taken, held[0], account) if taken is not None else None


def usable_session(
    world: World, cookie: str, *, active: bool = True, within: timedelta | None = None
) -> tuple[Session, Account] | None:
    """The session a cookie opens and its account, if both still count; activity moves the session's end.

    Looking only, which is not being ``active``, moves nothing. Nor does activity where the session rested for longer than
    ``within``: whoever asks so will not take it for enough.
    """
    now = world.clock()
    entered = world.store.entered(digest(cookie), now)
    if entered is None:
        return None
    (session, account), rules = entered, world.policy.session
    if not sessions.counts(session, account, rules, now):
        return None
    if standing(account, world.policy, now) is not Standing.ACTIVE:
        return None
    if active and not sessions.rested(session, within, now):
        session = _moved(world, session, now)
    return session, account


def used(world: World, held: tuple[Session, Account]) -> tuple[Session, Account]:
    """A session that was only looked at, used after all: activity moves its end."""
    return _moved(world, held[0], world.clock()), held[1]


def _moved(world: World, session: Session, now: datetime) -> Session:
    rules = world.policy.session
    if not sessions.worth_touching(session, rules, now):
        return session
    session = replace(session, last_seen_at=now, expires_at=sessions.expires_at(session.created_at, now, rules))
    world.store.sessions.touch(session.id, session.last_seen_at, session.expires_at)
    return session


def _named(world: World, tx: Transaction, name: str) -> Account | None:
    """The account that a name at the sign-in page means: by email first, where policy takes it and it is one account's only.

    Who chose another's address as a username is not found by it, and everybody is looked for in the same statements.
    """
    ways = world.policy.sign_in.identify_by
    by_email = [one for one in tx.accounts.by_email(name) if one.state is not AccountState.PENDING] if "email" in ways else []
    by_username = tx.accounts.by_username(name)
    return by_email[0] if len(by_email) == 1 else by_username


def _proved(world: World, looked: Looked, factor: Factor, typed: str) -> Answer:
    if prove(world, looked.now, looked.aim, factor, typed) is not Verdict.RIGHT:
        # Derived anew: it may have closed the factor.
        return Wrong(see(world, looked.visit, looked.sign_in, looked.now))
    return advance(world, looked, Proof(factor, looked.now)) or Gone()


def _levels(world: World, session: Session, held: Session | None, now: datetime) -> dict[str, Any]:
    """The level before and now, where the session at hand goes on: clients that know it are told where it is another."""
    if held is None or held.account_id != session.account_id:
        return {}
    before, after = (proving.acr(one.proofs, world.policy, now) for one in (held, session))
    return {"sid": held.public_id, "acr_before": before, "acr": after}


def _keep(world: World, looked: Looked, session: Session, held: Session | None) -> None:
    """Keep the session, in the place of the one at hand: the same person's goes on, another's ends.

    Where the account has more than policy allows, the oldest ends. What was bound to a session that ends, ends with it.
    """
    if held is not None and held.account_id == session.account_id:
        going_on = replace(session, public_id=held.public_id, created_at=held.created_at)
        if world.store.sessions.replace(held.id, going_on):
            return
    replaced = world.store.sessions.end(held.id) if held is not None and held.account_id != session.account_id else None
    evicted = world.store.sessions.put(session, world.policy.session.per_account)
    closing.close(world, looked.now, [replaced] if replaced else [], source=looked.visit.source, why="replaced")
    closing.close(world, looked.now, evicted, actor="policy", source=looked.visit.source, why="too_many")


def _session(world: World, looked: Looked, session_id: str) -> Session:
    now, rules = looked.now, world.policy.session
    account_id = looked.sign_in.account_id or ""
    proofs = proving.still_true(looked.sign_in.proofs, looked.account) if looked.account else ()
    ends, agent = sessions.expires_at(now, now, rules), looked.visit.source.agent
    acting = capacities.acting(looked.account, looked.sign_in.capacity) if looked.account else None
    capacity = acting.id if acting is not None else ""
    return Session(session_id, world.vault.token(20), account_id, proofs, now, now, ends, agent=agent, capacity=capacity)
