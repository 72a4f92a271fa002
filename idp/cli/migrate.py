"""``idp accounts import``: the accounts of an older system, rehearsed first."""

import csv
import getpass
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from idp.app.composition import make_world
from idp.cli.value_file import UnreadableError, ValueFile
from idp.flows import migrate
from idp.flows.migrate import Batch, Lines
from idp.settings import from_environment

_FAULTS: Final = {
    "columns": "not as many values as there are columns",
    "username_form": "a username has 3 to 64 characters and no spaces",
    "hash_unknown": "the hash is of no scheme that is verified here, or is no hash",
    "hash_unreadable": "the hash is damaged",
    "hash_costly": "the hash would take too much time or memory to verify",
    "email": "not one mail address",
    "mobile": "not a mobile number",
    "language": "a language that is not spoken here",
    "zone": "no time zone",
    "entitlements": "an entitlement that no resource knows",
    "too_long": "a name is too long",
    "subject": "not a subject identifier: at most 255 ASCII characters",
    "moment": "not a moment in ISO 8601",
    "duplicate": "the username is that of an earlier line",
    "here_already": "the username or subject is somebody's here already",
}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Tell what would come in and what would not, and why; write nothing.")
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Encoding of the file.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write each line left out here, as CSV.")
def import_(file: Path, dry_run: bool, encoding: str, report: Path | None) -> None:
    """Bring in the accounts of FILE (CSV), with hashes of older schemes; each is replaced at its owner's first sign-in.

    The first line names the columns: username, password_hash and email, and if you like given_name, family_name, mobile,
    language, zone, entitlements (separated by spaces), subject, created_at and last_sign_in_at. The file is judged to its
    end before anything is written; whoever is here already stays as they are, so that it may be repeated.
    """
    world = make_world(from_environment())
    source = ValueFile(file, migrate.FIELDS, migrate.NEEDED, encoding)
    try:
        told = _read(source, "Judging", lambda lines: migrate.rehearse(world, lines))
        if not dry_run:
            told = _read(source, "Bringing in", lambda lines: migrate.bring_in(world, lines, f"cli:{getpass.getuser()}"))
    except UnreadableError as wrong:
        raise click.ClickException(f"{file.name}: {wrong}. Nothing was changed.") from wrong
    finally:
        world.store.close()
    if report is not None:
        _write(report, told)
    _tell(told, dry_run)


def _read(source: ValueFile, what: str, run: Callable[[Lines], Iterator[Batch]]) -> list[Batch]:
    """Go through the file with a progress bar; the batches, of which only figures and faults are kept."""
    shown = Progress(console=Console(stderr=True), transient=True)
    with shown as progress, progress.open(source.path, "rb", description=what) as opened:
        return list(run(source.records(opened)))


def _tell(told: Iterable[Batch], dry_run: bool) -> None:
    schemes: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for batch in told:
        schemes.update(batch.schemes)
        faults.update(fault.what for fault in batch.faults)
    console = Console()
    console.print(_table("Would come in" if dry_run else "Came in", "hashes", schemes))
    if faults:
        console.print(_table("Left out", "why", Counter({_FAULTS[name]: count for name, count in faults.items()})))


def _table(title: str, heading: str, counted: Counter[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_footer=True)
    table.add_column(heading, footer="together")
    table.add_column("accounts", justify="right", footer=str(counted.total()))
    for name, count in counted.most_common():
        table.add_row(name, str(count))
    return table


def _write(report: Path, told: Iterable[Batch]) -> None:
    """The lines left out and why; never what stands in them."""
    with report.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("line", "fault", "what"))
        writer.writerows((fault.line, fault.what, _FAULTS[fault.what]) for batch in told for fault in batch.faults)
