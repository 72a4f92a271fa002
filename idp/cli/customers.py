"""`idp customers`: the operator's customer records, against which registrations are held."""

import csv
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import click
from rich.console import Console
from rich.progress import Progress

from idp.app.composition import make_world
from idp.cli.value_file import UnreadableError, ValueFile
from idp.flows import customers as flow
from idp.flows.customers import Brought, Fault, Rules
from idp.settings import from_environment

_SHOWN: Final = 10
_FAULTS: Final = {
    "columns": "not as many values as there are columns",
    "account_number": "the account number is not letters and digits",
    "customer_code": "the customer code is not letters and digits",
    "no_reference": "neither an account number nor a customer code",
    "family_name": "no family name, and no organisation",
    "numbers": "one of the numbers is not a telephone number",
    "characters": "a name holds characters that are no text",
    "too_long": "a name is too long",
    "duplicate": "its account number or customer code is that of an earlier line",
}
_REFUSALS: Final = {
    "empty": "There was no record in it.",
    "too_many_faults": "Too many records are faulty. Mend the file, or allow more with --faulty.",
    "too_few": "Far fewer records than are in use now. Is the file whole? If so, allow it with --missing.",
}


@click.group()
def customers() -> None:
    """Bring in customer records, and see which are in use."""


@customers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Encoding of the file.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write each faulty line here, as CSV.")
@click.option("--faulty", default=0.01, show_default=True, type=click.FloatRange(0, 1), help="Share that may be faulty.")
@click.option("--missing", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Share that may be missing.")
def import_(file: Path, encoding: str, report: Path | None, faulty: float, missing: float) -> None:
    """Bring in the customer records of FILE (CSV) in the place of those in use; all of them, or none.

    The first line names the columns: account_number and/or customer_code, family_name, and if you like given_name, numbers
    (separated by ";") and organisation.
    """
    world = make_world(from_environment())
    source = ValueFile(file, flow.FIELDS, flow.NEEDED, encoding)
    console = Console(stderr=True)
    faults = 0
    try:
        with (
            _reporting(report) as write,
            Progress(console=console, transient=True) as progress,
            progress.open(file, "rb", description="Reading") as opened,
        ):
            ended = Brought(0, 0)
            for told in flow.bring_in(world, source.records(opened), Rules(faulty, missing), _actor()):
                if isinstance(told, Brought):
                    ended = told
                    continue
                for fault in told.faults:
                    write(fault)
                    faults += 1
                    if faults <= _SHOWN:
                        progress.console.print(f"line {fault.line}: {_FAULTS[fault.what]}", highlight=False)
        for _ in flow.tidy(world):
            pass
    except (UnreadableError, LookupError) as wrong:
        raise click.ClickException(f"{file.name}: {wrong}. Nothing was changed.") from wrong
    finally:
        world.store.close()
    _tell(ended)


@customers.command()
def status() -> None:
    """Show which customer records are in use."""
    settings = from_environment()
    if settings.customers.url is not None:
        click.echo(f"Records are asked for at {settings.customers.url}; those that were brought in are not used.")
    world = make_world(settings)
    with world.store.read() as tx:
        live = tx.customers.live()
    world.store.close()
    click.echo("None." if live is None else f"{live.records} records, since {live.since:%Y-%m-%d %H:%M} UTC.")


def _tell(ended: Brought) -> None:
    more = f"; {ended.faults} lines were left out" if ended.faults else ""
    if ended.refused:
        click.echo(f"Not put in use: {_REFUSALS[ended.refused]} ({ended.records} good records{more})", err=True)
        sys.exit(1)
    click.echo(f"{ended.records} records are in use{more}.")


@contextmanager
def _reporting(report: Path | None) -> Iterator[Callable[[Fault], None]]:
    """What writes down a fault: the line and the reason, never what stands in it."""
    if report is None:
        yield lambda _: None
        return
    with report.open("w", encoding="utf-8", newline="") as opened:
        yield _writer(opened)


def _writer(opened: TextIO) -> Callable[[Fault], None]:
    writer = csv.writer(opened)
    writer.writerow(("line", "fault", "what"))

    def write(fault: Fault) -> None:
        writer.writerow((fault.line, fault.what, _FAULTS[fault.what]))

    return write


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
