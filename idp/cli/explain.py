"""``idp explain``: one account at one moment, rule by rule. It reads, changes nothing, and shows no secret."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.app.composition import as_in_force, make_world
from idp.cli.moments import read_moment
from idp.flows.attempt import REMINDER
from idp.flows.world import World
from idp.model import Account, Ending, Factor, Role
from idp.policies.credentials import canonical_username
from idp.policies.explaining import (
    Coming,
    CounterState,
    EndingState,
    Event,
    Explanation,
    FactorState,
    Next,
    ReminderState,
    Rule,
)
from idp.policies.explaining import explain as law
from idp.policies.inactivity import Act, Course, Due, Notice, Since, foreseen
from idp.policies.lifecycle import Standing
from idp.settings import from_environment
from idp.settings.durations import format_duration
from idp.settings.reader import plain
from idp.store import Transaction

_PIPED: Final = 160
_COLOURS: Final = {Standing.ACTIVE: "green", Standing.PENDING: "cyan", Standing.INVITED: "cyan", Standing.SUSPENDED: "yellow"}
_STANDS: Final = {
    Standing.ACTIVE: "in use",
    Standing.INVITED: "has not finished the first sign-in",
    Standing.PENDING: "has registered and not confirmed it with the code",
    Standing.BLOCKED: "staff blocked it; only staff opens it again",
    Standing.SUSPENDED: "unused too long; a correct sign-in with a further proof wakes it",
    Standing.EXPIRED: "unused too long; staff can reactivate it until its data goes",
    Standing.LEAVING: "cancelled by its person, who can take it back by signing in until the data goes",
    Standing.CLOSED: "closed for ever",
}
_SINCE: Final = {
    "created": "the account was made",
    "enrolled": "the first sign-in was finished",
    "signed_in": "the last sign-in",
    "refreshed": "the last refresh of a token",
    "stepped_up": "the last extra proof",
    "reactivated": "the access was reactivated",
    "in_force": "the rules took effect",
}
_COMES: Final[dict[Event, str]] = {
    Event.SUSPEND_REMINDER: "a reminder is due, {ahead} before suspension",
    Event.SUSPENDS: "the access is suspended",
    Event.EXPIRE_REMINDER: "a reminder is due, {ahead} before expiry",
    Event.EXPIRES: "the access expires",
    Event.PURGED: "the data may be purged",
    Event.INVITATION_ENDS: "the invitation's link stops working",
    Event.PASSWORD_AGES: "the password must be replaced",
    Event.CREDENTIAL_ENDS: "the {factor} that was mailed stops working",
    Event.WINDOW_ENDS: "failures at the {factor} count no more, {device}",
    Event.LOCK_ENDS: "the lock of the {factor} ends, {device}",
}
_ENDINGS: Final = {Ending.SUSPENSION: "suspended", Ending.EXPIRY: "expired"}
_DOES: Final = {
    Act.REMIND: "it asks for the reminder {ahead} before {ending}",
    Act.SUSPEND: "it writes down that the access is suspended",
    Act.EXPIRE: "it writes down that the access has expired",
    Act.PURGE: "it deletes the account's data",
}
_ROLES: Final = {Role.CONSUMER: "consumer", Role.BUSINESS: "business customer", Role.ON_BEHALF: "on behalf of"}
_FACTORS: Final = {
    Factor.ANSWER: "security answer",
    Factor.TOTP: "authenticator app",
    Factor.TEMPORARY: "temporary password",
    Factor.PIN: "PIN",
}


@click.command()
@click.argument("account")
@click.option("--at", "moment", help="A date or moment in ISO 8601, UTC where it names no zone (default: now).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def explain(account: str, moment: str | None, as_json: bool) -> None:
    """Explain ACCOUNT, a username or an account id: which rules apply, how far each counter is, and what comes next."""
    world = as_in_force(make_world(from_environment()))
    now = world.clock()
    at = now if moment is None else read_moment(moment)
    try:
        with world.store.read() as tx:
            found = _found(tx, account)
            # What is to come is told as it will be if upkeep and the mail server go on.
            seen = foreseen(found, world.policy, now, at) if at > now else found
            explained = _explained(world, tx, seen, at)
    finally:
        world.store.close()
    if as_json:
        click.echo(json.dumps({**_document(world, found, explained), "foreseen": at > now}, indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED
    _print(console, world, found, explained, now)


def _found(tx: Transaction, typed: str) -> Account:
    """By id first: no username given later can stand in the place of an account's id."""
    by_id = tx.accounts.by_id(typed) if typed.isascii() and typed.isprintable() else None
    account = by_id or tx.accounts.by_username(canonical_username(typed))
    if account is None:
        raise click.ClickException("There is no account of that name or id.")
    return account


def _explained(world: World, tx: Transaction, account: Account, at: datetime) -> Explanation:
    waiting = [one.letter for one in account.quiet.reminders if one.accepted_at is None]
    refusals = {letter: words for letter in waiting if (words := tx.unused.refusal(letter)) is not None}
    invitation = tx.invitations.waiting(account.id)
    return law(account, tx.counters.of(account.id), world.policy, at, invitation=invitation, refusals=refusals)


# For machines


def _document(world: World, account: Account, explained: Explanation) -> dict[str, Any]:
    """The explanation as JSON has it: moments in ISO 8601, spans as the policy file writes them, null for never."""
    acts = [{"role": one.role.value, "organisation": one.organisation} for one in account.capacities]
    who = {"id": account.id, "username": account.username, "capacities": acts}
    policy = {"name": world.policy.name, "digest": world.policy.digest}
    return {"account": who, "policy": policy, **_bare(asdict(explained))}


def _bare(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Course | Due | Next | Notice | Since):
        return _bare(value._asdict())
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_bare(inner) for inner in value]
    return value


# For people


def _print(console: Console, world: World, account: Account, explained: Explanation, now: datetime) -> None:
    name = escape(f"{account.full_name} ({account.username}, {account.id})")
    console.print(f"[bold]{name}[/bold]", highlight=False)
    told = f"at {_shown(explained.at)}, by the policy {world.policy.name} ({world.policy.digest[:12]})"
    console.print(escape(told), highlight=False)
    if explained.at < now:
        console.print("[yellow]That moment is past: it is judged by today's facts and today's policy.[/yellow]")
    if explained.at > now:
        console.print(
            "[yellow]That moment is to come: told as it will be if nobody comes and each reminder is accepted.[/yellow]"
        )
    console.print()
    for line in _standing_lines(explained):
        console.print(line, highlight=False)
    if account.capacities:
        console.print(f"Acts as {escape(_acting(account))}.", highlight=False)
    if any(one.asked_at is not None or one.due_at <= explained.at for one in explained.reminders):
        console.line()
        console.print(_reminder_table(explained))
    if explained.factors:
        console.line()
        console.print(_factor_table(explained.factors))
    if explained.counters:
        console.line()
        console.print(_counter_table(explained.counters))
        # The same few rules for all of them: each is named once.
        rules = {rule.key: rule for one in explained.counters for rule in one.rules}
        console.print(f"By {escape(_ruled(rules.values()))}.", highlight=False)
    console.line()
    console.print(_coming_table(explained))


def _acting(account: Account) -> str:
    """The capacities, without what is behind them."""
    named = (f"{_ROLES[one.role]} {one.organisation}".strip() for one in account.capacities)
    return ", ".join(named)


def _standing_lines(explained: Explanation) -> Iterable[str]:
    why = explained.why
    colour = _COLOURS.get(why.standing, "red")
    since = f" since {_shown(why.at)}" if why.at is not None else ""
    yield f"[bold {colour}]{why.standing.value}[/bold {colour}]{since}: {_STANDS[why.standing]}."
    if why.frozen_at is not None:
        yield (
            f"[bold red]frozen[/bold red] since {_shown(why.frozen_at)}: "
            "the owner said that a change was not theirs; a reset of the password opens it."
        )
    if explained.ends is not None:
        quiet = max(explained.at - why.since.at, timedelta(0))
        yield f"Inactivity counts from {_shown(why.since.at)} ({_SINCE[why.since.what]}): {_span(quiet)}."
        yield from _waits(explained)
    if why.missing:
        yield f"Still to choose: {', '.join(why.missing)}."
    if why.rules:
        yield f"By {_ruled(why.rules)}."
    if explained.upkeep is not None:
        yield f"Upkeep, next: {_next(explained.upkeep, explained.at)}."


def _waits(explained: Explanation) -> Iterable[str]:
    """What an ending waits for, and rules that count from when they took effect."""
    for one in explained.endings:
        if one.took_effect_at is not None:
            told = f"{_ruled((one.rule,))} counts from {_shown(one.took_effect_at)}, when it took effect"
            yield f"{escape(told)}: whoever was away before is given its time."
        if one.missing and one.not_before is not None and _fallen(explained, one):
            reminders = "1 reminder" if one.missing == 1 else f"{one.missing} reminders"
            colour = "yellow" if one.not_before > explained.at else "red"
            told = f"{_ENDINGS[one.ending]} not before {_shown(one.not_before)}: waits for {reminders}"
            yield f"[{colour}]{escape(told)} to be accepted by the mail server.[/{colour}]"
        elif one.missing and _fallen(explained, one):
            yield f"[yellow]{_ENDINGS[one.ending]} waits: there is no address that a reminder could go to.[/yellow]"


def _fallen(explained: Explanation, ending: EndingState) -> bool:
    """Whether a reminder of an ending is due already: before that, all of them are still to come."""
    return any(one.due_at <= explained.at for one in explained.reminders if one.ending is ending.ending)


def _next(coming: Next, at: datetime) -> str:
    what, notice = coming.due, coming.due.notice
    ahead, ending = ("", "") if notice is None else (format_duration(notice.ahead), notice.ending.value)
    when = f"at once, due since {_shown(what.at)}" if coming.at <= at else _shown(coming.at)
    return f"{when}, {_DOES[what.act].format(ahead=ahead, ending=ending)}"


def _reminder_table(explained: Explanation) -> Table:
    table = _table("Reminders", "of", "ahead", "due", "asked", "mail server")
    for one in explained.reminders:
        asked = _shown(one.asked_at) if one.asked_at is not None else "not yet"
        table.add_row(one.ending.value, format_duration(one.ahead), _shown(one.due_at), asked, _reminder_told(one))
    return table


def _reminder_told(one: ReminderState) -> str:
    if one.accepted_at is not None:
        return f"[green]accepted {_shown(one.accepted_at)}[/green]"
    if one.asked_at is None:
        return ""
    if one.refused is None:
        return f"waits for the mail server; asked again {_shown(one.asked_again_at)}"
    return f"[red]was refused: asked again {_shown(one.asked_again_at)}[/red] ({escape(one.refused)})"


def _factor_table(factors: Iterable[FactorState]) -> Table:
    table = _table("Secrets", "secret", "set", "state", "by")
    for one in factors:
        table.add_row(_named(one.factor), _shown(one.set_at), _factor_told(one), escape(_ruled(one.rules)))
    return table


def _factor_told(one: FactorState) -> str:
    if one.over is not None:
        return "was used" if one.over == "used" else f"stopped working {_shown(one.expires_at)}"
    told = ["must be replaced" if one.must_change else "good"]
    if one.ages_at is not None and not one.must_change:
        told.append(f"until {_shown(one.ages_at)}")
    if one.expires_at is not None:
        told.append(f"works until {_shown(one.expires_at)}")
    return ", ".join(told)


def _counter_table(counters: Iterable[CounterState]) -> Table:
    table = _table("Failures", "secret", "from", "in the window", "in a row", "state")
    for one in counters:
        failures, row = f"{one.failures} of {one.threshold}", f"{one.consecutive} of {one.cap}"
        table.add_row(_named(one.factor), _device(one.device), failures, row, _counter_told(one))
    return table


def _counter_told(one: CounterState) -> str:
    if one.disabled_at is not None:
        why = "the cap was reached" if one.disabled_by == "cap" else "its owner said so"
        return f"[red]disabled {_shown(one.disabled_at)} until a reset: {why}[/red]"
    if one.locked_until is not None:
        return f"[yellow]locked until {_shown(one.locked_until)}[/yellow]"
    return "open" if one.window_ends_at is None else f"open; the window ends {_shown(one.window_ends_at)}"


def _coming_table(explained: Explanation) -> Table:
    table = _table("What comes next, if nobody does anything", "when", "in", "what", "by")
    for one in explained.coming:
        table.add_row(_shown(one.at), _span(one.at - explained.at), _event(one), escape(_ruled((one.rule,))))
    if not explained.coming:
        table.add_row("nothing by itself", "", "", "")
    return table


def _event(one: Coming) -> str:
    facts = {
        "ahead": format_duration(one.ahead) if one.ahead is not None else "",
        "factor": _named(one.factor) if one.factor is not None else "",
        "device": _device(one.device or ""),
    }
    return _COMES[one.event].format(**facts)


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _ruled(rules: Iterable[Rule]) -> str:
    return ", ".join(f"{rule.key} = {_value(rule.value)}" for rule in rules)


def _value(value: Any) -> str:
    written = plain(value)
    return ", ".join(map(str, written)) if isinstance(written, list) else str(written)


def _named(factor: Factor) -> str:
    return _FACTORS.get(factor, factor.value)


def _device(device: str) -> str:
    if device == REMINDER:
        return "username reminders"
    return "a known device" if device else "other devices"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment is not None else "never"


def _span(span: timedelta) -> str:
    """The two largest units of a span: what a person reckons with."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if count]
    return " ".join(units[:2]) or "0 s"
