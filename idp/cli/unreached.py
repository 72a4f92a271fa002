"""`idp accounts unreached` and `bounced`: people whom reminders do not reach, and what waits for them. No address is shown."""

import getpass
import json
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from idp.app.composition import as_in_force, make_world
from idp.flows import unreached as law
from idp.flows.unreached import Unreached
from idp.post import addresses
from idp.settings import from_environment
from idp.settings.durations import format_duration

_PIPED = 160


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
def unreached(as_json: bool) -> None:
    """List the people whom a reminder did not reach, and what is held back until one does."""
    world = as_in_force(make_world(from_environment()))
    now = world.clock()
    try:
        found = law.unreached(world)
        if as_json:
            for one in found:
                click.echo(json.dumps(_document(one)))
            return
        table = Table(Column("username", overflow="fold"), "address", "reminder", "asked", "waits", "mail server", box=None)
        for one in found:
            table.add_row(*map(escape, _row(one, now)))
    finally:
        world.store.close()
    if not table.row_count:
        click.echo("Every reminder that was asked for more than a day ago was accepted.")
        return
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED
    console.print(table)


@click.command()
@click.argument("username")
def bounced(username: str) -> None:
    """Say that reminders to USERNAME came back: they count no more, and are asked for anew in a week."""
    world = as_in_force(make_world(from_environment()))
    try:
        back = law.bounced(world, username, f"cli:{getpass.getuser()}")
    finally:
        world.store.close()
    if back is None:
        raise click.ClickException("There is no account of that name.")
    click.echo(f"{back} reminder(s) count no more." if back else "There was no reminder to take back.")


def _row(one: Unreached, now: datetime) -> tuple[str, ...]:
    asked = f"{one.notice.reminder.asked_at:%Y-%m-%d}" if one.notice.reminder is not None else "never"
    held = f"{one.notice.ending} {'since' if one.ends_at <= now else 'from'} {one.ends_at:%Y-%m-%d}"
    kind = f"{format_duration(one.notice.ahead)} before {one.notice.ending}"
    words = one.words or "no answer yet"
    return one.account.username, _masked(one) or "none", kind, asked, held, words


def _masked(one: Unreached) -> str:
    return addresses.masked(one.account.email) if one.account.email else ""


def _document(one: Unreached) -> dict[str, Any]:
    reminder = one.notice.reminder
    return {
        "account": one.account.id,
        "username": one.account.username,
        "address": _masked(one),
        "ending": one.notice.ending,
        "ahead": format_duration(one.notice.ahead),
        "due_at": one.notice.due_at.isoformat(),
        "asked_at": reminder.asked_at.isoformat() if reminder is not None else None,
        "waits_from": one.ends_at.isoformat(),
        "words": one.words or None,
    }
