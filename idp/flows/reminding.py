"""Reminders to come back: asked for by upkeep, and written down as accepted once the mail server took them.

Asking for a letter and noting that it was asked for are one transaction, and so are its delivery and the note of that: no
reminder is written twice, and none counts that was not taken.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from idp.flows.world import World
from idp.model import Account, Ending, Letter, Reminder
from idp.policies.inactivity import ASK_AGAIN, Notice, course
from idp.store import Transaction

TEMPLATES: Final = {Ending.SUSPENSION: "suspension_reminder", Ending.EXPIRY: "expiry_reminder"}
_REMINDERS: Final = frozenset(TEMPLATES.values())


def ask(world: World, tx: Transaction, account: Account, notice: Notice, now: datetime) -> Account:
    """Write the letter of a reminder; the caller holds the account. It tells the earliest day on which the ending comes."""
    ahead = course(account, world.policy, accepted_at=now)
    ends = ahead.suspends_at if notice.ending is Ending.SUSPENSION else ahead.expires_at
    context = {
        "name": account.given_name,
        "username": account.username,
        "ends": ends.isoformat() if ends is not None else None,
        "last_used": ahead.since.at.isoformat(),
        "link": f"{world.issuer}/sign-in",
    }
    letter = world.send(tx, now, TEMPLATES[notice.ending], account, context, lifetime=ASK_AGAIN)
    asked = Reminder(notice.ending, notice.ahead, letter, now)
    # Those of an earlier quiet period, and the one that this replaces, are of no further use.
    others = tuple(
        one
        for one in account.quiet.reminders
        if one.asked_at >= ahead.since.at and (one.ending, one.ahead) != (notice.ending, notice.ahead)
    )
    account = replace(account, quiet=replace(account.quiet, reminders=(*others, asked)))
    tx.unused.set_quiet(account.id, account.quiet)
    world.record(
        tx, now, "reminder.asked", "done", account=account, actor="policy", ending=notice.ending, ahead=notice.ahead.days
    )
    return account


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
