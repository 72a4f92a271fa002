"""Who lives in the demo: one person in every state of life that a policy has, and what a visitor will see of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from idp.flows.assist import Act
from idp.policies.lifecycle import required_pieces
from idp.policies.policy import Policy
from idp.policies.proving import offered_second_factors

_DAY: Final = timedelta(days=1)
# How long before an ending somebody is still as usual, and how long after one they come.
_BEFORE: Final = 5 * _DAY
_ASLEEP: Final = 10 * _DAY
_ENDED: Final = 20 * _DAY
_TIMES: Final = ("never", "once", "twice", "three times")
_TO_DO: Final = {
    "pin": "creates a PIN",
    "question": "chooses a question",
    "second": "sets up an app",
    "terms": "accepts the terms",
    "purposes": "says yes or no",
}
_WAKES: Final = {
    "answer": "the answer",
    "email_code": "a mailed code",
    "sms_code": "a texted code",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One person: how long ago they last came, how far they are, and what was done by them or to them since.

    ``steps`` is how many of the first sign-in's they have taken, None for all of them.
    """

    username: str
    name: str
    stands: str
    shows: str
    away: timedelta = _DAY
    steps: int | None = None
    language: str = "en"
    mobile: str | None = None
    entitlements: frozenset[str] = frozenset({"billing", "service"})
    wrong_passwords: int = 0
    wrong_pins: int = 0
    organisations: tuple[str, ...] = ()
    leaves: bool = False
    act: Act | None = None


def first_steps(policy: Policy) -> tuple[str, ...]:
    """What is to be done before the first token: the pieces, and what follows them."""
    second = ("second",) if policy.second_factor.required and offered_second_factors(policy) else ()
    terms = ("terms",) if policy.consent.terms != "off" else ()
    return (*required_pieces(policy), *second, *terms, *(("purposes",) if policy.consent.purposes else ()))


def cast(policy: Policy) -> tuple[Sample, ...]:
    """The people who show what this policy does."""
    return (*_usual(policy), *_away(policy), *_shut(policy))


def _usual(policy: Policy) -> Iterator[Sample]:
    steps, asked = first_steps(policy), _asked(policy)
    yield Sample("maria", "Maria Rossi", "active", f"{asked}, then her bill and her fault", mobile="+447700900123")
    billing = frozenset({"billing"})
    yield Sample("john", "John Smith", "active", "may use billing only: the portal shows no fault", entitlements=billing)
    now = timedelta(0)
    yield Sample("anna", "Anna Keller", "invited", "follow the link in her letter: see the inbox", away=now, steps=0)
    yield Sample("luca", "Luca Conti", "invited", "the same in Italian", away=now, steps=0, language="it")
    if len(steps) > 1:
        yield Sample("hugo", "Hugo Half", "half enrolled", f"chose a password, then left: {_TO_DO[steps[1]]}", steps=1)
    if policy.registration.match_customer:
        both = ("Harbour Books", "Keller & Figli")
        yield Sample("dora", "Dora Double", "active", "acts for two companies: says for which", organisations=both)


def _away(policy: Policy) -> Iterator[Sample]:
    rules = policy.inactivity
    ending, reminders = rules.suspend_after, rules.suspend_reminders
    if ending is None:
        ending, reminders = rules.expire_after, rules.expire_reminders
    if ending is not None:
        away = ending - _BEFORE
        times = _TIMES[min(sum(ahead > _BEFORE for ahead in reminders), len(_TIMES) - 1)]
        yield Sample("sofia", "Sofia Soon", "active", f"{away.days} days away, reminded {times}: as usual", away=away)
    if rules.suspend_after is not None:
        yield Sample("sven", "Sven Sleeper", "suspended", _waking(policy), away=rules.suspend_after + _ASLEEP)
    if rules.expire_after is not None:
        kept = _ENDED if rules.purge_after is None else min(_ENDED, rules.purge_after / 2)
        shows = "told after the password: only staff can help"
        yield Sample("elsa", "Elsa Ended", "expired", shows, away=rules.expire_after + kept)


def _shut(policy: Policy) -> Iterator[Sample]:
    most = policy.lockout.threshold
    shows = "the words of a wrong password; a letter tells her"
    yield Sample("lena", "Lena Locked", "password locked", shows, wrong_passwords=most)
    if policy.pin.enabled:
        yield Sample("paul", "Paul Pin", "PIN locked", "after the password, that his PIN is locked", wrong_pins=most)
    if policy.leaving.enabled and policy.leaving.grace > _DAY:
        yield Sample("lara", "Lara Leaving", "leaving", "cancelled yesterday: asked whether to stay", leaves=True)
    yield Sample("bea", "Bea Blocked", "blocked by staff", "told so after the password", act=Act.BLOCK)
    yield Sample("carl", "Carl Closed", "closed", "told so after the password", act=Act.CLOSE)


def _waking(policy: Policy) -> str:
    """What wakes somebody who has the secrets of the first sign-in and no others."""
    ways = policy.inactivity.reactivate_by
    if {"totp", "passkey"} & set(ways):
        return "whoever signs in whole is awake again"
    held = [way for way in ways if way != "answer" or "question" in required_pieces(policy)]
    return f"after the {_last(policy)}, {_WAKES[held[0]]} wakes his access"


def _asked(policy: Policy) -> str:
    """What a later sign-in asks."""
    return "password, " + _last(policy) if _last(policy) != "password" else "password"


def _last(policy: Policy) -> str:
    if policy.second_factor.required:
        return "app's code"
    return "PIN" if policy.pin.enabled else "password"
