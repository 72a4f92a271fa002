"""My Profile: someone signed in changes a secret, an address or a detail of their own.

The present secret is proved first, on the same counter as at sign-in; of what is to come nothing is said before, so that
neither the history of passwords nor the list of numbers that can be reached tells a stranger anything. A new address or
number counts once the code sent to it came back; the one it replaces is told, with the link for "this wasn't me". Details
are no secret, and open nothing: they are changed without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from idp.flows import codes, keeping, reminding
from idp.flows.resident import Resident, proved, stay, unchanged
from idp.flows.world import World
from idp.language import zones
from idp.model import Account, Changed, Factor, Purpose
from idp.policies import details as particulars
from idp.policies import sessions
from idp.post import addresses
from idp.store import Transaction

_DETAILS: Final = (*particulars.NAMES, "locale", "zone")


class NotDone(Enum):
    """Why nothing was changed. WRONG_SECRET is also said where no more tries are taken."""

    WRONG_SECRET = auto()
    WRONG_CODE = auto()
    TOO_MANY_CODES = auto()
    SIGNED_OUT = auto()


@dataclass(frozen=True, slots=True)
class Faulty:
    """What was chosen may not be; ``faults`` are names, of ``policies.credentials`` or of an address."""

    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """It is changed. ``session`` is the value of the new cookie where the session has a new identifier."""

    session: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A code is on its way to the new address; nothing is changed yet."""


Outcome = Done | Sent | Faulty | NotDone


def password(world: World, who: Resident, current: str, new: str, *, end_others: bool) -> Outcome:
    """Replace the password, proved by the present one."""
    return _Secret(world, who, Factor.PASSWORD, Factor.PASSWORD, end_others).replace(current, new)


def pin(world: World, who: Resident, current: str, new: str, *, end_others: bool) -> Outcome:
    """Replace the PIN, proved by the present one."""
    return _Secret(world, who, Factor.PIN, Factor.PIN, end_others).replace(current, new)


def question(world: World, who: Resident, current: str, chosen: str, answer: str, *, end_others: bool) -> Outcome:
    """Replace the security question and its answer (or choose the first), proved by the password."""
    return _Secret(world, who, Factor.PASSWORD, Factor.ANSWER, end_others).replace(current, answer, chosen)


def email(world: World, who: Resident, current: str, typed: str) -> Outcome:
    """Send a code to a new address, proved by the password. Whether others use the address makes no difference."""
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_SECRET
    new = addresses.canonical(typed)
    if new is None:
        return Faulty(("email_form",))
    return Faulty(("email_same",)) if new == who.account.email else _send(world, who, Purpose.EMAIL, new)


def mobile(world: World, who: Resident, current: str, typed: str) -> Outcome:
    """Send a code to a new number, proved by the password; one that the gateway cannot reach is refused."""
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_SECRET
    new = world.numbers.canonical(typed)
    if new is None:
        return Faulty(("mobile_form",))
    if new == who.account.mobile:
        return Faulty(("mobile_same",))
    if world.numbers.reachable(new) is False:
        return Faulty(("mobile_unreachable",))
    return _send(world, who, Purpose.MOBILE, new)


def remove_mobile(world: World, who: Resident, current: str) -> Outcome:
    """Take the number away, proved by the password."""
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_SECRET
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None:
            return NotDone.SIGNED_OUT
        tx.one_time_codes.drop(before.id, Purpose.MOBILE)
        if before.mobile is not None:
            _readdress(world, tx, who, before, purpose=Purpose.MOBILE, new=None)
    return Done()


def details(world: World, who: Resident, said: Mapping[str, str]) -> Outcome:
    """Write names, language and time zone; of names on the operator's records nothing said is taken."""
    with world.store.begin() as tx:
        before = unchanged(world, tx, who)
        if before is None:
            return NotDone.SIGNED_OUT
        after = particulars.judge(before, said, world.policy.registration, languages=world.languages, zones=zones())
        if not isinstance(after, Account):
            return Faulty(after)
        fields = [name for name in _DETAILS if getattr(before, name) != getattr(after, name)]
        if fields:
            tx.particulars.set_details(after)
            world.record(tx, who.now, "details.set", "done", account=before, source=who.source, fields=fields)
    return Done()


def pending(world: World, who: Resident, purpose: Purpose) -> str | None:
    """The new address or number that waits for its code."""
    with world.store.read() as tx:
        held = tx.one_time_codes.live(who.account.id, purpose, who.now)
    return world.vault.open(held.value).decode() if held is not None else None


def confirm(world: World, who: Resident, purpose: Purpose, typed: str) -> Outcome:
    """Try the code, which is counted first; right, it is used up, and what it was sent to is the account's from now on."""
    held = codes.attempt(world, who.account.id, purpose, typed, now=who.now)
    with world.store.begin() as tx:
        before = unchanged(world, tx, who)
        if before is None:
            return NotDone.SIGNED_OUT
        right = held is not None and tx.one_time_codes.spend(held)
        outcome = "right" if right else "wrong"
        world.record(tx, who.now, "attempt", outcome, account=before, source=who.source, factor=Factor.CODE)
        if held is None or not right:
            return NotDone.WRONG_CODE
        _readdress(world, tx, who, before, purpose=purpose, new=world.vault.open(held.value).decode())
    return Done()


@dataclass(frozen=True, slots=True)
class _Secret:
    """A change of the secret ``factor``, proved by ``by``."""

    world: World
    who: Resident
    by: Factor
    factor: Factor
    end_others: bool

    def replace(self, current: str, new: str, question: str = "") -> Outcome:
        world, who = self.world, self.who
        if not proved(world, who, self.by, current):
            return NotDone.WRONG_SECRET
        with world.vault.place():
            judged = keeping.judge(world, who.account, self.factor, new, question)
            if not isinstance(judged, keeping.Choice):
                return Faulty(judged)
            held = keeping.credential(world, judged, who.now)
        ends = sessions.ends_others(world.policy.change, wished=self.end_others)
        by = who.by(end_others=ends)
        with world.store.begin() as tx:
            before = unchanged(world, tx, who, self.by, self.factor)
            if before is None:
                return NotDone.SIGNED_OUT
            after = keeping.keep(world, tx, before, held, now=who.now, by=by)
            if before.credential(self.factor) is None:
                # The first of its kind is told like any other: it opens what was closed before.
                after = keeping.changed(world, tx, after, keeping.CHANGED[self.factor], now=who.now, by=by)
        return self._stay(after, ends=ends)

    def _stay(self, account: Account, *, ends: bool) -> Outcome:
        """Go on under a new identifier. An extra proof by the former answer is over: choosing a new one proves nothing."""
        who, shown = self.who, {self.by, self.factor} - {Factor.ANSWER}
        if self.factor is Factor.ANSWER:
            kept = tuple(proof for proof in who.session.proofs if proof.factor is not Factor.ANSWER)
            who = replace(who, session=replace(who.session, proofs=kept))
        session = stay(self.world, who, account, *shown, end_others=ends)
        return Done(session) if session is not None else NotDone.SIGNED_OUT


def _send(world: World, who: Resident, purpose: Purpose, new: str) -> Outcome:
    """A code to the new address or number, which is kept sealed with the code until it comes back."""
    lifetime, now = world.policy.recovery.code_lifetime, who.now
    with world.store.begin() as tx:
        account = unchanged(world, tx, who, Factor.PASSWORD)
        if account is None:
            return NotDone.SIGNED_OUT
        code = codes.make(world, tx, account, purpose, now=now, value=new)
        outcome = "sent" if code is not None else "refused"
        world.record(tx, now, "address.asked", outcome, account=account, source=who.source, what=purpose)
        if code is None:
            return NotDone.TOO_MANY_CODES
        context = {"name": account.called, "code": code, "expires": (now + lifetime).isoformat()}
        channel = "sms" if purpose is Purpose.MOBILE else "mail"
        world.send(tx, now, "confirm_address", account, context, lifetime=lifetime, to=new, channel=channel)
    return Sent()


def _readdress(world: World, tx: Transaction, who: Resident, before: Account, *, purpose: Purpose, new: str | None) -> None:
    """Write the new address or number, or that there is none; the new one and the one it replaces are told.

    An address is no secret: what is open elsewhere goes on. What was sent to the former one to recover by is dead.
    """
    if purpose is Purpose.EMAIL and new is not None:
        former, after, what = before.email, replace(before, email=new), Changed.EMAIL
        tx.accounts.set_email(before.id, new, who.now)
        reminding.readdressed(tx, before)
    else:
        former, after, what = before.mobile or "", replace(before, mobile=new), Changed.MOBILE
        tx.accounts.set_mobile(before.id, new)
    outcome = "removed" if new is None else "replaced" if former else "created"
    world.record(tx, who.now, "address.set", outcome, account=before, source=who.source, what=what)
    keeping.changed(world, tx, after, what, now=who.now, by=who.by(end_others=False), before=former)
