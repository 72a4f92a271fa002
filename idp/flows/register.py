"""Registering: who says what of themselves, whether it matches, and the account that waits for its code, or nobody's.

Of what somebody else has already (the address that names an account, the customer) nothing is told here: the page and the
work are those of a registration that waits for its code, and the owner gets a letter in the place of the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from idp.flows import belonging, confirming, joining, keeping
from idp.flows.attempt import Target, Verdict, decoy, prove, target
from idp.flows.facts import Looked, Visit, advance, look, turned, under_way
from idp.flows.joining import Joining, NotMade
from idp.flows.requested import Result, TooMany, Wrong
from idp.flows.world import World
from idp.model import Account, Customer, Factor, Proof, Registering, Source
from idp.policies import credentials, naming, registration
from idp.policies.credentials import canonical_username
from idp.policies.recovery import same_address
from idp.policies.registration import Claimed
from idp.policies.steps import AskUsernameAndPassword, ConfirmRegistration
from idp.post import addresses

# How long the page that asks for the code stays open at least, where the code works for longer.
_OPEN: Final = timedelta(hours=1)
_NAMES: Final = ("given_name", "family_name")


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, by the names of policy's fields, and in which language. The password is typed twice."""

    fields: Mapping[str, str] = field(repr=False)
    password: str = field(repr=False)
    again: str = field(repr=False)
    locale: str


@dataclass(frozen=True, slots=True)
class Faults:
    """What may not be as it is, by field."""

    by_field: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What was typed is not what the records say, whatever of it; or it is somebody's already, where no code tells whose."""


_NOT_MADE: Final = {
    NotMade.NAME_TAKEN: Faults({"username": ("username_taken",)}),
    NotMade.ADDRESS_FULL: Faults({"email": ("email_often",)}),
}


def begin(world: World, visit: Visit, form: Form) -> Looked | Faults | Unmatched | None:
    """Register, within the sign-in at hand or one of its own. None where nobody may, or the sign-in is gone."""
    if not world.policy.registration.open:
        return None
    now = world.clock()
    claimed, faults = _claimed(world, form)
    account = joining.somebody(world, claimed, form.locale, now)
    judged = keeping.judge(world, account, Factor.PASSWORD, form.password)
    if not isinstance(judged, keeping.Choice):
        faults |= {"password": judged if form.password else ("required",)}
    if form.password != form.again:
        faults |= {"password_again": ("mismatch",)}
    if faults or not isinstance(judged, keeping.Choice):
        return Faults(faults)
    matched = _matched(world, claimed)
    if isinstance(matched, Unmatched):
        with world.store.begin() as tx:
            world.record(tx, now, "account.registered", "unmatched", source=visit.source)
        return matched
    channel = registration.channel(claimed, world.policy.registration, world.channels)
    if channel == "sms" and world.numbers.reachable(claimed.mobile or "") is False:
        return Faults({"number": ("mobile_unreachable",)})
    with world.vault.place():
        held = keeping.credential(world, judged, now)
    # A number is kept only where its code will confirm it.
    account = replace(account, credentials=(held,), mobile=account.mobile if channel == "sms" else None)
    account = joining.customer_of(world, account, matched)
    new = Joining(world, now, visit.source, claimed, matched, account, channel)
    return _at_once(world, visit, new) if channel is None else _waiting(world, visit, new, channel)


def code(world: World, looked: Looked, typed: str) -> Result:
    """Enter the code that was sent. None where the sign-in is gone."""
    registering = looked.sign_in.registering
    if registering is None:
        return looked
    account = confirming.confirm(world, registering.subject, typed, now=looked.now, source=looked.visit.source)
    return Wrong(looked) if account is None else _entered(world, looked, account)


def send(world: World, looked: Looked) -> Result:
    """Send a new code, within the day's limit; the one before it is dead. None where the sign-in is gone."""
    registering, step = looked.sign_in.registering, looked.step
    if registering is None or not isinstance(step, ConfirmRegistration):
        return looked
    if not step.again:
        return TooMany(looked)
    counted = replace(registering, sent=registering.sent + 1)
    on = advance(world, looked, registering=counted, expires_at=_open_until(world, looked.sign_in.expires_at, looked.now))
    if on is None:
        return look(world, looked.visit)
    allowed = belonging.may_write(world, registering.channel, same_address(registering.to))
    _send(world, registering.subject if allowed else confirming.NOBODY, looked.now, looked.visit.source)
    return on


def abandon(world: World, looked: Looked) -> Looked | None:
    """Back to the sign-in page; the code that was sent goes on working elsewhere."""
    return advance(world, looked, registering=None, told="") if looked.sign_in.registering is not None else looked


def elsewhere(world: World, visit: Visit, name: str, password: str, typed: str) -> Looked | None:
    """Confirm in another browser, by name, password and code together. None, whatever of it was wrong."""
    now = world.clock()
    account = _proved(world, visit, name, password, now)
    subject = account.id if account is not None else confirming.NOBODY
    confirmed = confirming.confirm(world, subject, typed, now=now, source=visit.source)
    if confirmed is None:
        return None
    visit, sign_in = under_way(world, visit, None, now)
    return _entered(world, Looked(visit, now, sign_in, None, _nobody(visit), AskUsernameAndPassword()), confirmed)


def send_elsewhere(world: World, visit: Visit, name: str, password: str) -> None:
    """Send a new code to whoever knows the name and the password; nobody is told whether one went out."""
    now = world.clock()
    account = _proved(world, visit, name, password, now)
    # Without the password nothing goes out, and nothing is used up of what may go to an address.
    what, to = "nobody", name
    if account is not None:
        what, to = ("sms", account.mobile) if account.mobile else ("email", account.email)
    allowed = belonging.may_write(world, what, same_address(to))
    _send(world, account.id if allowed and account is not None else confirming.NOBODY, now, visit.source)


# What was typed


def _claimed(world: World, form: Form) -> tuple[Claimed, dict[str, tuple[str, ...]]]:
    """What was typed in the forms in which it is compared and kept, and the faults of its form, by field."""
    rules = world.policy.registration
    typed: dict[str, str] = {name: form.fields.get(name, "").strip() for name in rules.fields}
    faults: dict[str, tuple[str, ...]] = dict.fromkeys(registration.missing(typed, rules), ("required",))
    given = {name: text for name, text in typed.items() if text}
    names = {name: naming.settled(given.get(name, "")) for name in _NAMES}
    email = addresses.canonical(given["email"]) if "email" in given else ""
    number, mobile = world.numbers.key(given.get("number", "")), world.numbers.canonical(given.get("number", ""))
    found = {
        **{name: () if naming.may_be(names[name]) else (f"{name}_form",) for name in _NAMES},
        "email": ("email_form",) if email is None else (),
        "number": _number_faults(world, number, mobile),
        "username": _username_faults(world, given.get("username", "")),
    }
    faults |= {name: found[name] for name in given if found.get(name)}
    references = {name: given.get(name, "") for name in registration.REFERENCES}
    claimed = Claimed(**names, **references, number=number, mobile=mobile, email=email or "")
    return replace(claimed, username=given.get("username", "")), faults


def _number_faults(world: World, number: str, mobile: str | None) -> tuple[str, ...]:
    """A number that is held against records may be any that somebody has; another is for messages."""
    if "number" in world.policy.registration.match_customer:
        return () if number else ("number_form",)
    return () if mobile is not None else ("mobile_form",)


def _username_faults(world: World, chosen: str) -> tuple[str, ...]:
    if "email" in world.policy.sign_in.identify_by and "@" in canonical_username(chosen):
        return ("username_address",)
    return credentials.username_faults(chosen)


def _matched(world: World, claimed: Claimed) -> Customer | Unmatched | None:
    """The customer whose record matches; None where no reference was given. Tries are counted for each reference."""
    asked = registration.reference(claimed)
    if asked is None:
        return None
    if asked[1] and not belonging.may_guess(world, *asked):
        return Unmatched()
    customer = belonging.record(world, claimed)
    if customer is None or not registration.matches(customer, claimed, world.policy.registration):
        return Unmatched()
    belonging.no_guess(world, *asked)
    return customer


# Joining


def _waiting(world: World, visit: Visit, new: Joining, channel: str) -> Looked | Faults | None:
    """The page that asks for the code comes first: of two forms sent at once, one goes on."""
    now, account = new.now, new.account
    visit, sign_in = under_way(world, visit, None, now)
    registering = Registering(account.id, channel, (account.mobile if channel == "sms" else account.email) or "")
    before = Looked(visit, now, sign_in, None, _nobody(visit), AskUsernameAndPassword())
    changes: dict[str, Any] = {"account_id": None, "proofs": (), "invitation": None, "recovering": None, "told": ""}
    ends = _open_until(world, sign_in.expires_at, now)
    on = advance(world, before, registering=registering, expires_at=ends, **changes)
    if on is None:
        return look(world, visit)
    made = new.run()
    if isinstance(made, NotMade) and made in _NOT_MADE:
        advance(world, on, registering=None)
        return _NOT_MADE[made]
    return _agreed(world, on, made)


def _agreed(world: World, on: Looked, made: Account | NotMade) -> Looked:
    """Two forms sent at once may overtake each other: the page asks for the code of the account that is there."""
    current, registering = world.store.sign_ins.get(on.sign_in.id, on.now), on.sign_in.registering
    if current is None or current.registering == registering or isinstance(made, NotMade):
        return on
    with world.store.read() as tx:
        stands = tx.accounts.by_id(made.id) is not None
    return (advance(world, replace(on, sign_in=current), registering=registering) or on) if stands else on


def _at_once(world: World, visit: Visit, new: Joining) -> Looked | Faults | Unmatched | None:
    """Where no code is asked, the account may come in at once."""
    made = new.run()
    if isinstance(made, NotMade):
        return _NOT_MADE.get(made, Unmatched())
    visit, sign_in = under_way(world, visit, None, new.now)
    return _entered(world, Looked(visit, new.now, sign_in, None, _nobody(visit), AskUsernameAndPassword()), made)


def _entered(world: World, looked: Looked, account: Account) -> Looked | None:
    """The sign-in goes on as that of whoever chose the password just now, under a new identifier."""
    theirs = replace(looked, account=account, sign_in=turned(looked.sign_in, account.id))
    return advance(world, theirs, Proof(Factor.PASSWORD, looked.now), registering=None, recovering=None, told="")


def _proved(world: World, visit: Visit, name: str, password: str, now: datetime) -> Account | None:
    """The registration that waits for its code, of whoever knows its name and password; the try is counted first."""
    key = canonical_username(addresses.sought(name))
    with world.store.read() as tx:
        # Who waits under an address may have another name: the address itself was somebody's before.
        by_email = tx.accounts.by_email(key) if "username" not in world.policy.registration.fields else []
        found = [*filter(confirming.waiting, by_email), tx.accounts.by_username(key)]
        account = found[0]
        aim = target(world, tx, account or decoy(world, key), visit.source, now)
    right = prove(world, now, aim, Factor.PASSWORD, password) is Verdict.RIGHT
    return account if right and confirming.waiting(account) else None


def _send(world: World, subject: str, now: datetime, source: Source) -> None:
    with world.store.begin() as tx:
        account = confirming.send_code(world, tx, subject, now)
        outcome = "sent" if account is not None else "refused"
        world.record(tx, now, "registration.asked", outcome, account=account, source=source)


def _open_until(world: World, ends: datetime, now: datetime) -> datetime:
    """Time enough to find the letter."""
    lifetimes = world.policy.registration.code_lifetime, world.policy.session.sign_in_lifetime
    return max(ends, now + min(lifetimes[0], _OPEN), now + lifetimes[1])


def _nobody(visit: Visit) -> Target:
    return Target("", None, visit.source)
