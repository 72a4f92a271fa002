"""`idp letters`: what the house writes, shown before anybody gets it, and the letters that could not be delivered."""

import getpass
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

import click
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from idp.app.composition import clock, make_world
from idp.cli.letter_samples import samples
from idp.flows import deliver
from idp.flows.world import World
from idp.language import Words
from idp.post import addresses
from idp.post.letters import CHANNELS, NEEDS, Letters, Rendered
from idp.settings import from_environment, settings_file

_PIPED: Final = 180
_READABLE: Final = 90
_INDEX: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Letters</title>
</head>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:0 auto;padding:24px">
<h1>Letters</h1>
<table cellpadding="6">
<tr align="left"><th>letter</th><th>language</th><th>subject or message</th><th>as</th></tr>
{rows}
</table>
</body>
</html>
"""


@click.group()
def letters() -> None:
    """Preview letters; list and retry those that could not be delivered."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One letter as it would be read: in one language, by one channel, in one of the cases that its words tell apart."""

    template: str
    case: str
    locale: str
    channel: str
    rendered: Rendered

    @property
    def label(self) -> str:
        """The letter and the case."""
        return f"{self.template} ({self.case.replace('_', ' ')})" if self.case else self.template

    @property
    def title(self) -> str:
        """What tells it from the others."""
        return f"{self.label} · {self.locale} · {self.channel}"

    @property
    def stem(self) -> str:
        """The start of its files' names."""
        return ".".join(part for part in (self.template, self.case, self.locale) if part)


@letters.command()
@click.argument("name", required=False, type=click.Choice(sorted(NEEDS)), metavar="[NAME]")
@click.option("--locale", help="One language only.")
@click.option("--channel", type=click.Choice(CHANNELS), help="Mail or text message only.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write the page of NAME to this file.")
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write everything, and an index, here.")
def preview(name: str | None, locale: str | None, channel: str | None, page: Path | None, folder: Path | None) -> None:
    """Show letters with sample values: all of them, or NAME. Nothing is sent."""
    if page is not None and name is None:
        raise click.UsageError("--html writes one letter: say which, or use --to for all of them.")
    sheets = list(_sheets(name, locale, channel))
    if not sheets:
        raise click.ClickException("There is no such letter in that language and channel.")
    if page is not None:
        _write_page(page, sheets)
    elif folder is not None:
        _write_all(folder, sheets)
    else:
        _print(sheets)


@letters.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="How many, the latest first.")
def dead(limit: int) -> None:
    """List the letters that were given up. Neither what they say nor whom to in full is shown."""
    world = _world()
    with world.store.read() as tx:
        given_up = tx.outbox.dead(world.clock(), limit)
    table = Table(Column("id", overflow="fold"), "letter", "channel", "to", "given up", "error", "can be retried", box=None)
    for found in given_up:
        letter = found.letter
        again = "yes" if found.sendable else "no: its time has passed"
        row = (letter.id, letter.template, letter.channel, addresses.masked(letter.to), _moment(found.at), found.error, again)
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table if given_up else "No letter was given up.")


@letters.command()
@click.argument("letter_id", required=False, metavar="[ID]")
@click.option("--all", "everything", is_flag=True, help="Every dead letter whose time has not passed.")
def retry(letter_id: str | None, everything: bool) -> None:
    """Let a dead letter be delivered after all: ID, or --all. One whose time has passed stays dead."""
    if (letter_id is None) is not everything:
        raise click.UsageError("Give the id of one letter (idp letters dead shows it), or --all.")
    world = _world()
    count = deliver.retry(world, letter_id, f"cli:{getpass.getuser()}")
    if letter_id is not None and not count:
        raise click.ClickException("No dead letter of that id can be sent any more.")
    click.echo(f"{count} will be delivered by the worker.")


def _world() -> World:
    world = make_world(from_environment())
    click.get_current_context().call_on_close(world.store.close)
    return world


def _sheets(name: str | None, locale: str | None, channel: str | None) -> Iterator[Sheet]:
    """The letters asked for, rendered with sample values."""
    house = settings_file()
    wording = Letters(Words(languages=house.languages))
    if locale is not None and locale not in house.languages:
        raise click.BadParameter(f"spoken here: {', '.join(house.languages)}", param_hint="--locale")
    for template, cases in samples(house.issuer, clock()).items():
        for case, context in cases.items() if name in (None, template) else ():
            for spoken in (locale,) if locale else house.languages:
                for way in (channel,) if channel else CHANNELS:
                    if wording.has(template, way):
                        yield Sheet(template, case, spoken, way, wording.render(template, spoken, context, house.brand, way))


def _print(sheets: Iterable[Sheet]) -> None:
    console = Console(width=min(_READABLE, Console().width))
    for sheet in sheets:
        body = Text(sheet.rendered.text.rstrip())
        note = f"{len(sheet.rendered.text)} characters" if sheet.channel == "sms" else None
        inside = Group(Text(sheet.rendered.subject, style="bold"), Text(), body) if sheet.rendered.subject else body
        console.print(Panel(inside, title=Text(sheet.title), title_align="left", subtitle=note, subtitle_align="right"))


def _write_page(page: Path, sheets: Iterable[Sheet]) -> None:
    html = next((sheet.rendered.html for sheet in sheets if sheet.rendered.html is not None), None)
    if html is None:
        raise click.ClickException("A text message has no page.")
    page.write_text(html, "utf-8")
    click.echo(f"Wrote {page}")


def _write_all(folder: Path, sheets: Iterable[Sheet]) -> None:
    """One file for each form of each letter, and a page that leads to them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for sheet in sheets:
        forms = {"sms.txt": sheet.rendered.text}
        if sheet.channel == "mail":
            forms = {"html": sheet.rendered.html or "", "txt": f"{sheet.rendered.subject}\n\n{sheet.rendered.text}"}
        for ending, words in forms.items():
            (folder / f"{sheet.stem}.{ending}").write_text(words, "utf-8")
        links = " ".join(f'<a href="{escape(sheet.stem)}.{ending}">{ending}</a>' for ending in forms)
        cells = (sheet.label, sheet.locale, sheet.rendered.subject or sheet.rendered.text)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{links}</td></tr>")
    index = folder / "index.html"
    index.write_text(_INDEX.format(rows="\n".join(rows)), "utf-8")
    click.echo(f"Wrote {len(rows)} letters; open {index}")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPED)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
