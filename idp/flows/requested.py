"""Codes that a person asks for within a sign-in: sent to the address or number on file, as often as policy lets, and used once.

Such a code works in the sign-in that asked for it, and nowhere else. Which journey wants it is told by its purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from idp.flows import codes
from idp.flows.facts import Looked, advance, look, see
from idp.flows.world import World
from idp.model import Factor, OneTimeCode, Purpose
from idp.store import Transaction

_LETTERS: Final[Mapping[Purpose, str]] = {Purpose.REACTIVATION: "reactivation_code", Purpose.EXTRA: "extra_code"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was given proves nothing. ``looked`` is where the sign-in stands now."""

    looked: Looked


@dataclass(frozen=True, slots=True)
class TooMany:
    """No further code goes out today."""

    looked: Looked


Result = Looked | Wrong | TooMany | None


def send(world: World, looked: Looked, purpose: Purpose, channel: str) -> Result:
    """Send a code by "email" or "sms"; the one before it is dead. None where the sign-in is gone."""
    now, lifetime = looked.now, world.policy.recovery.code_lifetime
    if looked.account is None:
        return looked
    with world.store.begin() as tx:
        account = tx.accounts.locked(looked.account.id)
        to = None if account is None else account.mobile if channel == "sms" else account.email
        if account is None or not to:
            # Taken away in another window: what is asked now is derived anew.
            return look(world, looked.visit)
        code = codes.make(world, tx, account, purpose, now=now, value=looked.sign_in.id)
        outcome = "sent" if code is not None else "refused"
        world.record(tx, now, f"{purpose}.asked", outcome, account=account, source=looked.visit.source, channel=channel)
        if code is None:
            return TooMany(looked)
        context = {"name": account.called, "code": code, "expires": (now + lifetime).isoformat()}
        by = "sms" if channel == "sms" else "mail"
        world.send(tx, now, _LETTERS[purpose], account, context, lifetime=lifetime, channel=by, to=to)
    # Time enough to find the letter. Of two who ask at once the second finds that a code is on its way.
    ends = max(looked.sign_in.expires_at, now + lifetime)
    return advance(world, looked, code_sent=True, expires_at=ends) or look(world, looked.visit)


def tried(world: World, looked: Looked, purpose: Purpose, typed: str) -> OneTimeCode | None:
    """The code that was sent, if ``typed`` is it: one try is counted first. It is not used up yet."""
    account = looked.account
    return codes.attempt(world, account.id, purpose, typed, now=looked.now) if account is not None else None


def spent(world: World, tx: Transaction, looked: Looked, held: OneTimeCode | None) -> bool:
    """Whether the code opens this sign-in, which uses it up; written down either way.

    One that was asked for in another sign-in, however it was come by, opens nothing here.
    """
    right = held is not None and _asked_here(world, looked, held) and tx.one_time_codes.spend(held)
    outcome, source = "right" if right else "wrong", looked.visit.source
    world.record(tx, looked.now, "attempt", outcome, account=looked.account, source=source, factor=Factor.CODE)
    return right


def refused(world: World, looked: Looked) -> Wrong:
    """Where the sign-in stands after a wrong try, which may have closed something."""
    return Wrong(see(world, looked.visit, looked.sign_in, looked.now))


def _asked_here(world: World, looked: Looked, held: OneTimeCode) -> bool:
    return world.vault.open(held.value).decode() == looked.sign_in.id
