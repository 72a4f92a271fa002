"""Forgotten: username, password, both, or PIN. Name yourself, prove what policy asks, and a letter or a new choice follows.

Asking changes nothing and tells nothing: whoever is not found is led along the same steps, with the same words and the
same work, as a decoy. Letters go to the address on file, never to one that was typed.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from idp.flows import choosing, codes, keeping, strong, temporary
from idp.flows.attempt import REMINDER, Target, Verdict, decoy, prove, prove_by, stand_in, target
from idp.flows.choosing import Faulty
from idp.flows.facts import Looked, Visit, advance, see, under_way
from idp.flows.keeping import By, Choice
from idp.flows.world import World
from idp.model import Account, AccountState, Credential, Factor, Lost, Proof, Purpose, Recovering
from idp.policies import credentials, recovery
from idp.policies.policy import RecoveryMethod
from idp.policies.recovery import Named
from idp.policies.steps import AnswerToRecover, EnterCode, MailSent, ReplacePassword, ResetByCode
from idp.post import addresses
from idp.store import Transaction

# One address may be shared by the people of one company; a letter goes to each of the first few.
_MOST_PEOPLE = 5


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was given proves nothing. ``looked`` is where the recovery stands now."""

    looked: Looked


Result = Looked | Wrong | Faulty | None


def begin(world: World, visit: Visit, lost: Lost, named: Named) -> Looked | None:
    """Begin a recovery, within the sign-in at hand or one of its own. None where policy does not offer it."""
    rules = recovery.method(lost, world.policy)
    if lost is Lost.PIN or not rules.enabled:
        return None
    now = world.clock()
    named = replace(named, username=addresses.sought(named.username), email=addresses.sought(named.email))
    with world.store.read() as tx:
        seen = _seen(tx, lost, named, world)
        matched = [one for one in seen if recovery.matches(one, rules, named, world.policy, now)]
        aim = target(world, tx, matched[0] if matched else decoy(world, _key(rules, named)), visit.source, now)
    if lost is Lost.USERNAME:
        matched = _remembered(world, now, aim, matched, named)
    elif len(seen) > 1:
        matched = []
    recovering = _facts(world, lost, named, seen, matched)
    visit, sign_in = under_way(world, visit, None, now)
    _first_letters(world, now, visit, recovering, matched)
    ends = max(sign_in.expires_at, now + world.policy.recovery.code_lifetime, now + world.policy.session.sign_in_lifetime)
    changes: dict[str, Any] = {"recovering": recovering, "registering": None, "account_id": None, "proofs": (), "told": ""}
    changes["expires_at"] = ends
    found = matched[0] if matched and lost is not Lost.USERNAME else None
    return advance(world, Looked(visit, now, sign_in, found, aim, MailSent(lost)), **changes)


def begin_pin(world: World, looked: Looked) -> Looked | None:
    """Recover a forgotten PIN, only behind a correct password."""
    account, rules = looked.account, world.policy.recovery.pin
    if account is None or not recovery.may_recover_pin(looked.sign_in, account, looked.step, world.policy):
        return looked
    held, ways = account.credential(Factor.ANSWER), recovery.ways(account, rules)
    recovering = Recovering(Lost.PIN, account.id, ways, held.question if held else None)
    asked = recovery.needed(recovering, rules, world.policy)
    if asked and asked[0] in ("email_code", "sms_code"):
        with world.store.begin() as tx:
            _send_code(world, tx, looked.now, account.id, asked[0])
    if not asked:
        return _complete(world, looked, recovering)
    return advance(world, looked, recovering=recovering, told="")


def abandon(world: World, looked: Looked) -> Looked | None:
    """Back to where the recovery began: the sign-in page, or the PIN page."""
    return advance(world, looked, recovering=None, told="") if looked.sign_in.recovering is not None else looked


def answer(world: World, looked: Looked, typed: str) -> Result:
    """Answer the security question. Wrong, locked and unknown are told the same."""
    if not isinstance(looked.step, AnswerToRecover):
        return looked
    verdict = prove(world, looked.now, looked.aim, Factor.ANSWER, typed)
    return _proved(world, looked, Factor.ANSWER) if verdict is Verdict.RIGHT else Wrong(looked)


def code(world: World, looked: Looked, typed: str) -> Result:
    """Enter the code that was sent, or the one that the authenticator app shows."""
    if not isinstance(looked.step, EnterCode):
        return looked
    if looked.step.channel == "totp":
        account = looked.account
        verdict = prove_by(
            world,
            looked.now,
            looked.aim,
            Factor.TOTP,
            lambda: account is not None and strong.app_code(world, account, typed, looked.now),
        )
        return _proved(world, looked, Factor.TOTP) if verdict is Verdict.RIGHT else Wrong(looked)
    return _proved(world, looked, Factor.CODE) if _sent_code(world, looked, typed) else Wrong(looked)


def reset(world: World, looked: Looked, typed: str, password: str) -> Result:
    """The code and the new password on one page. Of the password nothing is said before the code was right."""
    if not isinstance(looked.step, ResetByCode):
        return looked
    proved = _proved(world, looked, Factor.CODE) if _sent_code(world, looked, typed) else Wrong(looked)
    if not isinstance(proved, Looked) or not isinstance(proved.step, ReplacePassword):
        return proved
    return choosing.choose(world, proved, Factor.PASSWORD, password)


def _seen(tx: Transaction, lost: Lost, named: Named, world: World) -> list[Account]:
    """The accounts that the first thing typed points to, whether or not the rest matches.

    A registration that waits for its code is nobody's: whoever began it with another's address is in nobody's way.
    """
    if "username" in recovery.method(lost, world.policy).identify_by:
        account = tx.accounts.by_username(credentials.canonical_username(named.username))
        found = [account] if account is not None else []
    else:
        # Whose mailbox it is was shown by some: they are not crowded out by others who gave the address.
        found = sorted(tx.accounts.by_email(named.email), key=lambda one: one.email_confirmed_at is None)
    return [one for one in found if one.state is not AccountState.PENDING][:_MOST_PEOPLE]


def _key(rules: RecoveryMethod, named: Named) -> str:
    """What a decoy is made from: the first thing typed alone, as for somebody found by it, whatever stands beside it."""
    by_name = "username" in rules.identify_by
    return credentials.canonical_username(named.username) if by_name else recovery.same_address(named.email)


def _remembered(world: World, now: datetime, aim: Target, matched: list[Account], named: Named) -> list[Account]:
    """Those of the people matched whose password was typed; all of them where none was (it is not remembered)."""
    if not named.password:
        return matched
    right = []
    people: list[Account | None] = [*matched] or [None]
    for account in people:
        subject = account.id if account is not None else aim.subject
        with world.store.read() as tx:
            counters = (tx.counters.read(subject, Factor.PASSWORD, REMINDER),)
        mine = replace(aim, account=account, subject=subject, device=REMINDER, counters=counters)
        verdict = prove(world, now, mine, Factor.PASSWORD, named.password)
        # Where the counter is closed nothing was verified: then it is as though nothing had been typed.
        if account is not None and verdict is not Verdict.WRONG:
            right.append(account)
    return right


def _facts(world: World, lost: Lost, named: Named, seen: list[Account], matched: list[Account]) -> Recovering:
    """What the steps are derived from. The question shown depends on the name alone, so that it tells nothing else."""
    rules = recovery.method(lost, world.policy)
    key = _key(rules, named)
    shown = seen[0] if len(seen) == 1 else None
    ways = recovery.ways(shown, rules) if shown is not None else ()
    known = shown.credential(Factor.ANSWER) if shown is not None else None
    question = (
        known.question if known is not None else recovery.decoy_question(world.policy, world.vault.chance("question", key))
    )
    if not ways:
        # By a chance of their own: were the two one, some questions would be shown of real people only.
        ways = recovery.decoy_ways(rules, world.policy, world.vault.chance("recovery", key))
    subject = matched[0].id if matched else decoy(world, key)
    return Recovering(lost, subject, ways, question, sent=not rules.prove_by)


def _first_letters(world: World, now: datetime, visit: Visit, recovering: Recovering, matched: list[Account]) -> None:
    """The audit, and what goes out at once: a reminder, a code, or what needs no further proof."""
    rules = recovery.method(recovering.lost, world.policy)
    ways = recovery.needed(recovering, rules, world.policy)
    with world.store.begin() as tx:
        outcome = "matched" if matched else "unknown"
        who = matched[0] if matched else None
        world.record(tx, now, "recovery", outcome, account=who, source=visit.source, lost=recovering.lost, ways=list(ways))
        # Nobody is written to as well, to no effect: time must not tell who has an access.
        for subject in [account.id for account in matched] or [recovering.subject]:
            if recovering.lost is Lost.USERNAME:
                _remind(world, tx, now, subject)
            elif not ways:
                _mail_temporary(world, tx, now, subject, recovering.lost)
            elif ways[0] in ("email_code", "sms_code"):
                _send_code(world, tx, now, subject, ways[0])


def _proved(world: World, looked: Looked, factor: Factor) -> Looked | None:
    """One proof more: then the next one is asked, or the recovery comes to its end."""
    before = looked.sign_in.recovering
    if before is None:
        return looked
    recovering = replace(before, proofs=(*before.proofs, Proof(factor, looked.now)))
    rules = recovery.method(before.lost, world.policy)
    if recovery.proved(recovering, world.policy):
        if rules.then == "choose_new":
            # From here on a secret may be chosen: whoever knew the identifier before is left behind.
            looked = replace(looked, visit=replace(looked.visit, transaction=world.vault.token()))
            return advance(world, looked, recovering=recovering)
        return _complete(world, looked, recovering)
    asked = recovery.missing(recovering, rules, world.policy)[0]
    with world.store.begin() as tx:
        _send_code(world, tx, looked.now, before.subject, asked)
    return advance(world, looked, recovering=recovering)


def _complete(world: World, looked: Looked, recovering: Recovering) -> Looked | None:
    """Everything is proved: the letter goes out. The sign-in moves first, so that two answers at once bring one letter."""
    pin = recovering.lost is Lost.PIN
    changes: dict[str, Any] = (
        {"recovering": None, "told": "pin_sent"} if pin else {"recovering": replace(recovering, sent=True)}
    )
    on = advance(world, looked, **changes)
    if on is None:
        return None
    held = _new_pin(world, looked) if pin else None
    with world.store.begin() as tx:
        if held is not None:
            _send_pin(world, tx, looked, *held)
        else:
            _mail_temporary(world, tx, looked.now, recovering.subject, recovering.lost)
        world.record(
            tx, looked.now, "recovery", "sent", account=looked.account, source=looked.visit.source, lost=recovering.lost
        )
    return see(world, on.visit, on.sign_in, looked.now) if pin else on


def _remind(world: World, tx: Transaction, now: datetime, subject: str) -> None:
    account = tx.accounts.locked(subject) or stand_in(subject, now)
    if codes.issued(world, tx, account, "username", now):
        context = {"name": account.called, "username": account.username, "link": f"{world.issuer}/sign-in"}
        world.send(tx, now, "username_reminder", account, context)


def _send_code(world: World, tx: Transaction, now: datetime, subject: str, way: str) -> None:
    """A code to the address or number on file; nothing for a decoy, at the same cost, or beyond the day's limit."""
    account = tx.accounts.locked(subject) or stand_in(subject, now)
    lifetime = world.policy.recovery.code_lifetime
    made = codes.make(world, tx, account, Purpose.RECOVERY, now=now)
    if made is None:
        return
    context = {"name": account.called, "code": made, "expires": (now + lifetime).isoformat()}
    channel, to = ("sms", account.mobile) if way == "sms_code" else ("mail", account.email)
    world.send(tx, now, "recovery_code", account, context, lifetime=lifetime, channel=channel, to=to)


def _mail_temporary(world: World, tx: Transaction, now: datetime, subject: str, lost: Lost) -> None:
    temporary.mail(world, tx, subject, now=now, names_username=lost is Lost.USERNAME_AND_PASSWORD)


def _new_pin(world: World, looked: Looked) -> tuple[str, Credential] | None:
    """A PIN that nobody would guess first, hashed before the transaction begins."""
    if looked.account is None:
        return None
    rules = world.policy.pin
    pin = next(
        made
        for made in iter(lambda: world.vault.digits(rules.length), "")
        if not credentials.pin_faults(made, looked.account, rules, reused=False)
    )
    with world.vault.place():
        held = keeping.credential(world, Choice(Factor.PIN, pin), looked.now, must_change=rules.change_after_reset)
    return pin, replace(held, expires_at=looked.now + rules.mailed_lifetime if rules.change_after_reset else None)


def _send_pin(world: World, tx: Transaction, looked: Looked, pin: str, held: Credential) -> None:
    account, now, rules = tx.accounts.locked(looked.aim.subject), looked.now, world.policy.temporary_password
    if account is None or not recovery.may_issue(
        tx.issuances.since(account.id, "pin", now - temporary.HOUR), rules.per_hour, temporary.HOUR, now
    ):
        return
    tx.issuances.add(account.id, "pin", now)
    keeping.keep(world, tx, account, held, now=now, by=By(looked.visit.source, looked.aim.device))
    context = {
        "name": account.called,
        "pin": pin,
        "must_change": held.must_change,
        "expires": held.expires_at.isoformat() if held.expires_at else None,
    }
    world.send(tx, now, "new_pin", account, context, lifetime=world.policy.pin.mailed_lifetime)


def _sent_code(world: World, looked: Looked, typed: str) -> bool:
    """Whether this is the code that was sent; it is used up by this."""
    held = codes.attempt(world, looked.aim.subject, Purpose.RECOVERY, typed, now=looked.now)
    with world.store.begin() as tx:
        right = held is not None and tx.one_time_codes.spend(held)
        outcome = "right" if right else "wrong"
        world.record(tx, looked.now, "attempt", outcome, account=looked.account, source=looked.visit.source, factor=Factor.CODE)
        by_mail = isinstance(looked.step, EnterCode | ResetByCode) and looked.step.channel == "email"
        if right and by_mail and looked.account is not None and looked.account.email_confirmed_at is None:
            tx.particulars.confirm_email(looked.account.id, looked.now)
    return right
