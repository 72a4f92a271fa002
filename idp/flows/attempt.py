"""One attempt at a secret: count it, verify it, refund it. Every journey that asks for a secret goes through here.

The count is committed before any hash is computed, so that parallel guesses can never verify more than the threshold.
Whoever has nothing to verify (unknown, locked, without that secret) costs one hash all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto

from idp.flows.world import World
from idp.model import Account, AccountState, Counter, Credential, DeviceClass, Factor, Source
from idp.policies import lockout
from idp.policies.credentials import plausible, prepare
from idp.store import Transaction
from idp.vault import Busy, digest

# Unknown names share this many counters: the work of counting is done, and no flood of names fills the table.
DECOYS = 4096
# The counter, beside those of devices, of passwords typed where a username reminder is asked for: it locks nothing else.
REMINDER = "reminder"
_SWAPS = 200
_LONGEST = 4096


class Verdict(Enum):
    """How an attempt ended. People see the same words for WRONG and SHUT."""

    RIGHT = auto()
    WRONG = auto()
    SHUT = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """Whose secret is tried, and from where: ``device`` is a known device's id, "" for any other.

    ``counters`` are those of the subject for that device as they were read.
    """

    subject: str
    account: Account | None
    source: Source
    device: str = ""
    counters: tuple[Counter, ...] = ()

    def counter(self, factor: Factor) -> Counter:
        """The counter of a factor, as read; a new one where nothing has been counted yet."""
        found = next((counter for counter in self.counters if counter.factor is factor), None)
        return found or Counter(self.subject, factor, self.device)


def decoy(world: World, name: str) -> str:
    """The subject that attempts at a name without account fall on."""
    return f"decoy-{world.vault.chance('decoy', name) % DECOYS}"


def stand_in(subject: str, now: datetime) -> Account:
    """Nobody, as an account: what is written of it is not kept, and a letter to it goes nowhere, at the same cost."""
    return Account(subject, "", "", "", "", AccountState.ACTIVE, now)


def target(world: World, tx: Transaction, who: Account | str, source: Source, now: datetime) -> Target:
    """The counter that an attempt falls on: the account's, its known device's, or that of a decoy's subject."""
    account = who if isinstance(who, Account) else None
    subject = who.id if isinstance(who, Account) else who
    rules, known = world.policy.lockout, None
    if source.device is not None and rules.known_device_counter:
        known = tx.devices.known(subject, digest(source.device), now, rules.known_device_lifetime)
    device = known.id if known is not None else ""
    counters = tuple(counter for counter in tx.counters.of(subject) if counter.device == device)
    return Target(subject, account, source, device, counters)


def prove(world: World, now: datetime, aim: Target, factor: Factor, typed: str) -> Verdict:
    """Try ``typed`` as the target's secret. Raises ``vault.Busy`` before anything is counted where the pool is full."""
    return _Attempt(world, now, aim, factor).run(typed)


def prove_by(world: World, now: datetime, aim: Target, factor: Factor, right: Callable[[], bool]) -> Verdict:
    """Try something that is not hashed (a code of an app, a recovery code): counted first, then ``right`` is asked once."""
    return _Attempt(world, now, aim, factor).ask(right)


@dataclass(frozen=True, slots=True)
class _Attempt:
    world: World
    now: datetime
    aim: Target
    factor: Factor

    def run(self, typed: str) -> Verdict:
        vault, prepared = self.world.vault, prepare(self.factor, typed[:_LONGEST])
        held = self._held()
        with vault.place():
            counted = self._spend()
            if counted is None:
                vault.verify_nothing(prepared)
                return self._failed(Verdict.SHUT, None)
            if held is None or not plausible(self.factor, typed, self.world.policy):
                vault.verify_nothing(prepared)
                return self._failed(Verdict.WRONG, counted)
            if not vault.verify(prepared, held.hash):
                return self._failed(Verdict.WRONG, counted)
            return self._succeeded(prepared, held, counted)

    def ask(self, right: Callable[[], bool]) -> Verdict:
        counted = self._spend()
        if counted is None:
            return self._failed(Verdict.SHUT, None)
        return self._settled(counted, None) if right() else self._failed(Verdict.WRONG, counted)

    def _held(self) -> Credential | None:
        """The credential, unless its time is over."""
        held = self.aim.account.credential(self.factor) if self.aim.account is not None else None
        over = held is not None and held.expires_at is not None and held.expires_at <= self.now
        return None if over else held

    def _spend(self) -> tuple[Counter, Counter] | None:
        """Count the attempt, committed; None where the factor is closed. A lost swap means that another attempt counted."""
        before = self.aim.counter(self.factor)
        for _ in range(_SWAPS):
            after = lockout.spend(before, self.world.policy.lockout, self.now)
            if isinstance(after, lockout.Locked):
                return None
            with self.world.store.begin() as tx:
                if tx.counters.swap(before, after):
                    return before, replace(after, version=before.version + 1)
                before = tx.counters.read(self.aim.subject, self.factor, self.aim.device)
        raise Busy

    def _succeeded(self, prepared: str, held: Credential, counted: tuple[Counter, Counter]) -> Verdict:
        vault = self.world.vault
        renewed = vault.hash(prepared) if vault.outdated(held.hash) else None
        return self._settled(counted, (held.hash, renewed) if renewed is not None else None)

    def _settled(self, counted: tuple[Counter, Counter], rehash: tuple[str, str] | None) -> Verdict:
        with self.world.store.begin() as tx:
            self._refund(tx, counted[1])
            if rehash is not None:
                tx.accounts.rehash(self.aim.subject, self.factor, *rehash)
            self._audit(tx, Verdict.RIGHT, counted[0])
        return Verdict.RIGHT

    def _refund(self, tx: Transaction, counter: Counter) -> None:
        counted = counter.disabled_at
        for _ in range(_SWAPS):
            if tx.counters.swap(counter, lockout.refund(counter)):
                return
            counter = tx.counters.read(self.aim.subject, self.factor, self.aim.device)
            if counter.disabled_at not in (None, counted):
                # Disabled while this was verified, by its owner perhaps: a success that began before opens it no more.
                return
        raise Busy

    def _failed(self, verdict: Verdict, counted: tuple[Counter, Counter] | None) -> Verdict:
        with self.world.store.begin() as tx:
            self._audit(tx, verdict, counted[0] if counted else None)
            locked = counted is not None and self.aim.device != REMINDER and lockout.just_locked(*counted)
            if locked and counted is not None and self.aim.account is not None:
                self._tell_owner(tx, self.aim.account, counted[1])
        return verdict

    def _tell_owner(self, tx: Transaction, account: Account, after: Counter) -> None:
        closed = "disabled" if after.disabled_at else "locked"
        self.world.record(tx, self.now, "factor.locked", closed, account=account, factor=self.factor)
        # Whoever registered with an address has not shown that it is theirs, and may have written anything for a name.
        if self.world.policy.lockout.tell_owner and account.state is not AccountState.PENDING:
            until = after.locked_until.isoformat() if after.locked_until and not after.disabled_at else None
            context = {"name": account.called, "factor": self.factor, "until": until}
            self.world.send(tx, self.now, "locked", account, context)

    def _audit(self, tx: Transaction, verdict: Verdict, before: Counter | None) -> None:
        aim = self.aim
        self.world.record(
            tx,
            self.now,
            "attempt",
            verdict.name.lower(),
            account=aim.account,
            source=aim.source,
            factor=self.factor,
            failures=before.failures if before else None,
            consecutive=before.consecutive if before else None,
            device_class=DeviceClass.KNOWN if aim.device not in ("", REMINDER) else DeviceClass.UNKNOWN,
            channel=REMINDER if aim.device == REMINDER else None,
            subject=None if aim.account else aim.subject,
        )
