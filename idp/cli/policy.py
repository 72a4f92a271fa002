"""``idp policy``: the security team's desk. Judges and shows policies; starts nothing and changes nothing."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.settings import profile_comparison
from idp.settings.policy_file import PolicyFile, read_policy
from idp.settings.policy_reference import Entry, reference, sections
from idp.settings.problems import ConfigurationError

FILE = click.Path(path_type=Path)
# Columns where the output is no terminal: nothing in the table is cut off.
_PIPED = 180


@click.group()
def policy() -> None:
    """Judge, show and explain policies."""


@policy.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Judge FILE: one line and its digest where it is sound, else every problem with its remedy."""
    read = _read(file)
    click.echo(f"{file}: sound. Policy {read.policy.name}, digest {read.policy.digest}")


@policy.command()
@click.argument("file", type=FILE)
def show(file: Path) -> None:
    """Show every rule that FILE puts in force, and whether the file states it or it is a default."""
    read = _read(file)
    table = Table(title=escape(f"{read.policy.name} ({read.policy.digest[:12]})"), title_justify="left")
    table.add_column("key", no_wrap=True)
    for heading in ("value", "from", "what it does", "source"):
        table.add_column(heading, overflow="fold")
    for section in sections(read.policy):
        for entry in section.entries:
            table.add_row(*_cells(entry, stated=entry.key in read.stated))
        table.add_section()
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED
    console.print(table)


@policy.command()
def docs() -> None:
    """Print the reference of all keys (docs/policy.md)."""
    click.echo(reference(), nl=False)


@policy.command()
@click.option("--folder", type=FILE, default=Path("config/policies"), show_default=True, help="Where the profiles are.")
def profiles(folder: Path) -> None:
    """Print what each profile is for, and every key in which they differ (docs/profiles.md)."""
    try:
        known = profile_comparison.profiles(folder)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(1) from None
    if not known:
        raise click.ClickException(f"{folder} holds no profiles.")
    click.echo(profile_comparison.comparison(known), nl=False)


def _cells(entry: Entry, *, stated: bool) -> tuple[str, ...]:
    value = escape(json.dumps(entry.value, ensure_ascii=False))
    origin = "[bold]set[/bold]" if stated else "[dim]default[/dim]"
    return escape(entry.key), value, origin, escape(entry.doc), escape(entry.source)


def _read(file: Path) -> PolicyFile:
    try:
        return read_policy(file)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(1) from None
