"""When a factor locks: spend an attempt before it is verified, refund it on success. Pure; the store swaps the result in.

Sources: NIST SP 800-63B-4 3.2.2 (at most 100 consecutive failures), ASVS 5.0 6.3.1.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from idp.model import Counter
from idp.policies.policy import Lockout


@dataclass(frozen=True, slots=True)
class Locked:
    """The attempt may not be verified. ``until`` is None where only recovery opens the factor again."""

    until: datetime | None


def state(counter: Counter, now: datetime) -> Locked | None:
    """Whether the factor is closed at ``now``; a lock ends at its moment exactly."""
    if counter.disabled_at is not None:
        return Locked(None)
    if counter.locked_until is not None and now < counter.locked_until:
        return Locked(counter.locked_until)
    return None


def spend(counter: Counter, rules: Lockout, now: datetime) -> Counter | Locked:
    """Count an attempt as though it failed. Tries while locked neither count nor prolong the lock."""
    closed = state(counter, now)
    if closed is not None:
        return closed
    anew = window_over(counter, rules, now)
    failures = 1 if anew else counter.failures + 1
    consecutive = counter.consecutive + 1
    return replace(
        counter,
        failures=failures,
        consecutive=consecutive,
        window_from=now if anew else counter.window_from,
        locked_until=now + rules.duration if failures >= threshold(counter, rules) else None,
        disabled_at=now if consecutive >= rules.cumulative_cap else None,
        touched_at=now,
    )


def threshold(counter: Counter, rules: Lockout) -> int:
    """How many failures in the window lock the factor: known devices have a threshold of their own."""
    return rules.known_device_threshold if counter.device else rules.threshold


def window_over(counter: Counter, rules: Lockout, now: datetime) -> bool:
    """Whether the next failure is the first of a new window: none is open, it is over, or it ended in a lock that passed."""
    ends = counter.locked_until if counter.locked_until is not None else window_ends(counter, rules)
    return ends is None or now >= ends


def window_ends(counter: Counter, rules: Lockout) -> datetime | None:
    """The moment from which the failures of the window that is open count no more."""
    return counter.window_from + rules.window if counter.window_from is not None else None


def refund(counter: Counter) -> Counter:
    """Forget the failures after a success: those in the window and the consecutive ones."""
    return replace(counter, failures=0, consecutive=0, window_from=None, locked_until=None, disabled_at=None)


def unlock(counter: Counter) -> Counter:
    """Lift a timed lock by hand. The consecutive failures stay, so that unlocking is no way round the cumulative cap."""
    return replace(counter, failures=0, window_from=None, locked_until=None)


def recovered(counter: Counter, lifts: bool) -> Counter:
    """The counter after a finished reset: opened altogether, or, where policy says so, only if it was disabled."""
    return refund(counter) if lifts else replace(counter, disabled_at=None, consecutive=0)


def disable(counter: Counter, now: datetime) -> Counter:
    """Close the factor until a reset: its owner has said that somebody else is at it."""
    return replace(counter, disabled_at=now, touched_at=now)


def just_locked(before: Counter, after: Counter) -> bool:
    """Whether this attempt is the one that closed the factor, so that the owner is told once."""
    return (before.locked_until, before.disabled_at) != (after.locked_until, after.disabled_at) and (
        after.locked_until is not None or after.disabled_at is not None
    )
