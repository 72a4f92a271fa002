"""What people agree to: new terms, purposes answered yes or no in a sign-in, and an answer changed later in My Profile.

Each answer is a row of a ledger that never changes. A page carries a mark of all that it shows, in which language and in
which versions: what was not shown just so is not recorded as agreed, and the page is shown again.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from idp.flows.facts import Looked, see
from idp.flows.resident import Resident, unchanged
from idp.flows.world import World
from idp.model import Account, Agreed, Agreement, Source, Text
from idp.policies import entry
from idp.policies.agreeing import TERMS, in_force
from idp.policies.steps import AcceptTerms, AnswerPurposes
from idp.store import Transaction
from idp.vault import digest


@dataclass(frozen=True, slots=True)
class Stale:
    """What the page showed is not what is asked (any more): nothing was recorded."""

    looked: Looked


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Some of the purposes have no answer, and nothing was recorded."""

    looked: Looked
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """Answers to texts as they were shown in a language."""

    answers: tuple[tuple[Text, bool], ...]
    locale: str
    now: datetime
    source: Source


Answer = Looked | Stale | Unanswered


def texts(world: World, names: Iterable[str]) -> tuple[Text, ...]:
    """The texts of these names in the versions in force, in policy's order."""
    wanted = set(names)
    return tuple(world.texts[name, version] for name, version in in_force(world.policy) if name in wanted)


def mark(shown: Iterable[Text], locale: str) -> str:
    """What a page carries that shows these texts in this language."""
    return digest(json.dumps([locale, *((one.name, one.version, one.words[locale]) for one in shown)]))


def accept(world: World, looked: Looked, seen: str) -> Answer:
    """Accept the terms, or take notice of them where policy asks no more; ``seen`` is the mark of the page."""
    if not isinstance(looked.step, AcceptTerms):
        return looked
    return _answered(world, looked, seen, {TERMS: looked.step.must})


def answer(world: World, looked: Looked, seen: str, answers: Mapping[str, bool]) -> Answer:
    """Answer the purposes asked, every one of them; what was not asked is passed over."""
    if not isinstance(looked.step, AnswerPurposes):
        return looked
    missing = tuple(name for name in looked.step.purposes if name not in answers)
    if missing:
        return Unanswered(looked, missing)
    return _answered(world, looked, seen, {name: answers[name] for name in looked.step.purposes})


def change(world: World, who: Resident, seen: str, answers: Mapping[str, bool]) -> bool | None:
    """Answer purposes anew in My Profile; those not named stay as they are.

    False where the page showed something else than what is asked, None where the session has ended meanwhile.
    """
    shown = texts(world, world.policy.consent.purposes)
    locale = _language(world, shown, seen)
    if locale is None:
        return False
    given = tuple((one, answers[one.name]) for one in shown if one.name in answers)
    with world.store.begin() as tx:
        account = unchanged(world, tx, who)
        if account is None:
            return None
        _record(world, tx, account, _Given(given, locale, who.now, who.source))
    return True


def ledger(world: World, account: Account) -> list[Agreement]:
    """Every answer that the person ever gave, the oldest first."""
    with world.store.read() as tx:
        return tx.particulars.ledger(account.id)


def _answered(world: World, looked: Looked, seen: str, answers: Mapping[str, bool]) -> Answer:
    """Record the answers where the page showed what is in force and, under the lock, the same is still asked."""
    shown = texts(world, answers)
    locale = _language(world, shown, seen)
    if locale is None or looked.account is None:
        return Stale(looked)
    given = _Given(tuple((one, answers[one.name]) for one in shown), locale, looked.now, looked.visit.source)
    with world.store.begin() as tx:
        account = tx.accounts.locked(looked.account.id)
        step = entry.next_step(looked.sign_in, account, world.policy, looked.now, looked.aim.counters)
        if account is not None and step == looked.step:
            _record(world, tx, account, given)
    return see(world, looked.visit, looked.sign_in, looked.now)


def _language(world: World, shown: tuple[Text, ...], seen: str) -> str | None:
    """The language of the page that carried this mark; None where no page of these texts carries it."""
    return next((locale for locale in world.languages if mark(shown, locale) == seen), None)


def _record(world: World, tx: Transaction, account: Account, given: _Given) -> None:
    """Write the answers of a locked account that differ from what was answered last."""
    for text, yes in given.answers:
        before = account.answer_to(text.name)
        if before == Agreed(text.name, text.version, yes):
            continue
        shown = digest(text.words[given.locale])
        agreement = Agreement(account.id, text.name, text.version, yes, given.locale, shown, given.now)
        account = replace(account, agreed=tx.particulars.agree(account, agreement))
        facts = {"text": text.name, "version": text.version, "language": given.locale}
        world.record(tx, given.now, _event(text, before, yes=yes), "done", account=account, source=given.source, **facts)


def _event(text: Text, before: Agreed | None, *, yes: bool) -> str:
    if text.name == TERMS:
        return "terms.accepted" if yes else "terms.noticed"
    if yes:
        return "purpose.given"
    return "purpose.withdrawn" if before is not None and before.given else "purpose.refused"
