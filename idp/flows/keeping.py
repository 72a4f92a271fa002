"""Keeping a secret that a person chose or was given: whether it may be, and what follows once it is.

Every journey that sets a secret goes through here. Hashes are computed before the transaction, so that none is held while
a core works; the account is locked within it, so that of two changes at once the second sees the first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from idp.flows.world import World
from idp.model import Account, Alarm, Changed, Counter, Credential, Factor, Purpose, Source
from idp.policies import credentials, lockout
from idp.store import Transaction
from idp.vault import Busy, digest

_SWAPS = 50
CHANGED = {Factor.PASSWORD: Changed.PASSWORD, Factor.PIN: Changed.PIN, Factor.ANSWER: Changed.ANSWER}


@dataclass(frozen=True, slots=True)
class Choice:
    """A secret in the form in which it is hashed, that passed every rule; ``question`` for answers only."""

    factor: Factor
    secret: str
    question: str | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Choice({self.factor})"


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something and from where: ``device`` is the known device that stays known, "" for none."""

    source: Source
    device: str = ""
    actor: str = "person"
    end_others: bool = True


def judge(world: World, account: Account, factor: Factor, typed: str, question: str = "") -> Choice | tuple[str, ...]:
    """The choice to be kept, or the names of its faults. Call it within a place of the hash pool.

    Whether a secret was used before is looked up here: only someone who has proved enough may ask.
    """
    policy, prepared = world.policy, credentials.prepare(factor, typed)
    faults: tuple[str, ...]
    if factor is Factor.PASSWORD:
        rules = policy.password
        short_enough = len(prepared) <= rules.max_length
        reused = short_enough and _reused(world, account, factor, prepared, rules.history)
        breached = short_enough and rules.refuse_breached and world.vault.breached(prepared)
        faults = credentials.password_faults(prepared, account, rules, breached=breached, reused=reused)
    elif factor is Factor.PIN:
        used = credentials.is_pin(typed, policy.pin) and _reused(world, account, factor, prepared, policy.pin.history)
        faults = credentials.pin_faults(typed, account, policy.pin, reused=used)
    else:
        faults = credentials.answer_faults(typed, question, account, policy.security_question)
    return faults or Choice(factor, prepared, question or None)


def credential(world: World, choice: Choice, now: datetime, *, must_change: bool = False) -> Credential:
    """The credential of a choice, hashed."""
    return Credential(choice.factor, world.vault.hash(choice.secret), now, must_change, choice.question)


def keep(world: World, tx: Transaction, before: Account, held: Credential, *, now: datetime, by: By) -> Account:
    """Write the credential and what follows from it: the audit, and where it replaces one, the end of what began before."""
    others = tuple(one for one in before.credentials if one.factor is not held.factor)
    replaces = len(others) < len(before.credentials)
    history = world.policy.pin.history if held.factor is Factor.PIN else world.policy.password.history
    tx.accounts.set_credential(before.id, held, keep_history=0 if held.factor is Factor.ANSWER else history)
    # What is None is left out of the audit.
    facts = {"factor": held.factor, "reopened": (replaces and reopen(world, tx, before, held.factor)) or None}
    outcome = "replaced" if replaces else "created"
    world.record(tx, now, "credential.set", outcome, account=before, actor=by.actor, source=by.source, **facts)
    if held.factor is Factor.PASSWORD:
        tx.accounts.drop_credential(before.id, Factor.TEMPORARY)
        others = tuple(one for one in others if one.factor is not Factor.TEMPORARY)
    after = replace(before, credentials=(*others, held))
    if not replaces:
        return after
    return changed(world, tx, after, CHANGED[held.factor], now=now, by=by)


def reopen(world: World, tx: Transaction, account: Account, factor: Factor) -> bool:
    """A reset is finished: the factor's counters open, as far as policy says; passkeys froze with the password.

    True where one of them had been shut for good.
    """
    was_shut = False
    lifts = world.policy.recovery.lifts_lockout
    opened = (factor, Factor.PASSKEY) if factor is Factor.PASSWORD else (factor,)
    for counter in tx.counters.of(account.id):
        if counter.factor in opened:
            was_shut = was_shut or counter.disabled_at is not None
            _turn(tx, counter, lambda current: lockout.recovered(current, lifts))
    return was_shut


def shut(tx: Transaction, account: Account, factor: Factor, now: datetime) -> None:
    """Nobody gets on by this factor until it is reset, from whichever device."""
    fresh = tx.counters.read(account.id, factor, "")
    known = [counter for counter in tx.counters.of(account.id) if counter.factor is factor and counter.device]
    for counter in (fresh, *known):
        _turn(tx, counter, lambda current: lockout.disable(current, now))


def _turn(tx: Transaction, counter: Counter, change: Callable[[Counter], Counter]) -> None:
    """Change a counter under a swap; a lost one means that an attempt was counted meanwhile."""
    for _ in range(_SWAPS):
        if tx.counters.swap(counter, change(counter)):
            return
        counter = tx.counters.read(counter.subject, counter.factor, counter.device)
    raise Busy


def changed(
    world: World, tx: Transaction, account: Account, what: Changed, *, now: datetime, by: By, before: str = ""
) -> Account:
    """A secret or a factor has changed: what began before is dead, and every address on file is told.

    ``before`` is the address that a change replaced: it is told too, and an alarm brings it back.
    """
    account = cut(world, tx, account, now=now, by=by) if by.end_others else recall(tx, account)
    lifetime = world.policy.change.alarm_lifetime
    code = world.vault.code()
    tx.alarms.put(Alarm(digest(code), account.id, what, before, now, now + lifetime))
    context = {
        "name": account.called,
        "changed": what,
        "at": now.isoformat(),
        "link": f"{world.issuer}/not-me?{urlencode({'code': code})}",
        "expires": (now + lifetime).isoformat(),
    }
    world.tell(tx, now, "changed", account, context, lifetime=lifetime)
    if before and what is Changed.EMAIL:
        world.send(tx, now, "changed", account, context, lifetime=lifetime, to=before)
    if before and what is Changed.MOBILE and "sms" in world.channels:
        world.send(tx, now, "changed", account, context, lifetime=lifetime, to=before, channel="sms")
    return account


def cut(world: World, tx: Transaction, account: Account, *, now: datetime, by: By) -> Account:
    """Sessions and grants that began before now are dead, and devices forgotten but for the one at hand."""
    account = recall(tx, account)
    tx.accounts.sessions_valid_from(account.id, now)
    tx.devices.forget_all(account.id, by.device)
    ended = tx.grants.revoke_account(account.id, now)
    world.record(tx, now, "account.cut", "done", account=account, actor=by.actor, source=by.source, grants=len(ended))
    return replace(account, sessions_valid_from=now)


def recall(tx: Transaction, account: Account) -> Account:
    """What was sent to prove or recover by is dead: who read it before the change, or at an address replaced, has nothing."""
    tx.accounts.drop_credential(account.id, Factor.TEMPORARY)
    for purpose in (Purpose.RECOVERY, Purpose.EXTRA):
        tx.one_time_codes.drop(account.id, purpose)
    kept = tuple(held for held in account.credentials if held.factor is not Factor.TEMPORARY)
    return replace(account, credentials=kept)


def _reused(world: World, account: Account, factor: Factor, secret: str, history: int) -> bool:
    """Whether the secret is the present one, the temporary one, or one of the last ``history``."""
    held = account.credential(factor)
    if held is None:
        return False
    temporary = account.credential(Factor.TEMPORARY) if factor is Factor.PASSWORD else None
    if temporary is not None and world.vault.same(temporary.hash, spoken_digest(world, secret)):
        return True
    with world.store.read() as tx:
        former = tx.accounts.former_hashes(account.id, factor, history)
    return any(world.vault.verify(secret, known) for known in (held.hash, *former))


def spoken_digest(world: World, typed: str) -> str:
    """The verifier of a temporary password or recovery code: a keyed digest, since chance made it long enough."""
    return world.vault.keyed("spoken", credentials.prepare_spoken(typed))
