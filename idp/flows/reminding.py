"""Reminders to come back: asked for by upkeep, and written down as accepted once the mail server took them.

Asking for a letter and noting that it was asked for are one transaction, and so are its delivery and the note of that: no
reminder is written twice, and none counts that was not taken.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from idp.flows.world import World
from idp.model import Account, Ending, Letter
from idp.policies.inactivity import ASK_AGAIN, Due, after, course
from idp.store import Transaction

TEMPLATES: Final = {Ending.SUSPENSION: "suspension_reminder", Ending.EXPIRY: "expiry_reminder"}
_REMINDERS: Final = frozenset(TEMPLATES.values())


def ask(world: World, tx: Transaction, account: Account, due: Due, now: datetime) -> Account:
    """Write the letter of the reminder that is due; the caller holds the account.

    It tells the earliest moment at which the ending comes.
    """
    if due.notice is None:
        return account
    ending, ahead = due.notice.ending, course(account, world.policy, accepted_at=now)
    ends = ahead.suspends_at if ending is Ending.SUSPENSION else ahead.expires_at
    context = {
        "name": account.called,
        "username": account.username,
        "ends": ends.isoformat() if ends is not None else None,
        "last_used": ahead.since.at.isoformat(),
        "link": f"{world.issuer}/sign-in",
    }
    letter = world.send(tx, now, TEMPLATES[ending], account, context, lifetime=ASK_AGAIN)
    account = after(account, due, world.policy, now, letter)
    tx.unused.set_quiet(account.id, account.quiet)
    facts: dict[str, Any] = {"ending": ending, "ahead": str(due.notice.ahead), "due": due.at.isoformat(), "letter": letter}
    world.record(tx, now, "reminder.asked", "done", account=account, actor="policy", **facts)
    return account


def is_void(world: World, letter: Letter) -> bool:
    """Whether a reminder is of an ending that comes no more: its person has come back, or is gone."""
    if letter.template not in _REMINDERS or letter.account_id is None:
        return False
    with world.store.read() as tx:
        account = tx.accounts.bare(letter.account_id)
    return account is None or all(one.letter != letter.id for one in account.quiet.reminders)


def accepted(world: World, tx: Transaction, taken: Iterable[tuple[Letter, datetime]]) -> None:
    """Write down which reminders are among the letters that the mail server took, and when it did."""
    reminders = [(letter, at) for letter, at in taken if letter.template in _REMINDERS and letter.account_id is not None]
    # Whoever locks several accounts locks them in this order: no two wait for each other.
    for letter, at in sorted(reminders, key=lambda one: str(one[0].account_id)):
        account = tx.accounts.locked(str(letter.account_id))
        if account is None or all(one.letter != letter.id for one in account.quiet.reminders):
            # Whoever came back meanwhile, or is gone, is reminded of nothing.
            continue
        dated = tuple(
            replace(one, accepted_at=max(at, one.asked_at)) if one.letter == letter.id else one
            for one in account.quiet.reminders
        )
        tx.unused.set_quiet(account.id, replace(account.quiet, reminders=dated))
        world.record(tx, at, "reminder.accepted", "done", account=account, actor="policy", letter=letter.id)


def readdressed(tx: Transaction, account: Account) -> None:
    """Letters go to another address now: reminders that were not accepted at the former one are asked for anew at once."""
    accepted_ones = tuple(one for one in account.quiet.reminders if one.accepted_at is not None)
    if accepted_ones != account.quiet.reminders:
        tx.unused.set_quiet(account.id, replace(account.quiet, reminders=accepted_ones))
