"""``idp upkeep``: a whole round of upkeep now, or what one would do, account by account and rule by rule."""

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from idp.app.composition import as_in_force, make_world, put_in_force
from idp.app.health import CLOCK_TOLERANCE, skew
from idp.cli import rounds
from idp.cli.moments import read_moment
from idp.cli.tally import Tally, document, show, summary
from idp.flows import retaining
from idp.flows import upkeep as flow
from idp.flows.world import World
from idp.settings import from_environment

Piece = TypeVar("Piece")
# Accounts between two lines where there is no terminal to draw a bar on.
_LINE_EVERY: Final = 10_000


@click.command()
@click.option("--dry-run", is_flag=True, help="Write nothing; tell what a round would do.")
@click.option("--at", "moment", help="With --dry-run: as it would be then, a date or moment in ISO 8601, UTC without a zone.")
@click.option("--list", "listing", is_flag=True, help="With --dry-run: each account by name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def upkeep(dry_run: bool, moment: str | None, listing: bool, as_json: bool) -> None:
    """Do now what time has brought about: reminders, suspensions, expirations, purges, then retention.

    Ctrl-C or SIGTERM ends it between two transactions, and the next run, or a worker, goes on there.
    """
    for given, name in ((moment is not None, "--at"), (listing, "--list")):
        if given and not dry_run:
            raise click.UsageError(f"{name} goes with --dry-run.")
    at = read_moment(moment) if moment is not None else None
    world = make_world(from_environment())
    try:
        with rounds.stop_on_signals() as stop:
            tally = _foreseen(world, at, listing, stop) if dry_run else _done(world, stop)
    finally:
        world.store.close()
    if tally is not None:
        _tell(tally, as_json)
    elif as_json:
        click.echo(json.dumps({"dry_run": False, "whole": False, "elsewhere": True}))


def _tell(tally: Tally, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document(tally), indent=2))
    else:
        show(tally, Console())


def _foreseen(world: World, at: datetime | None, listing: bool, stop: threading.Event) -> Tally:
    """What would happen at a moment, if nobody signs in and nothing is done before it."""
    world = as_in_force(world)
    now = at or world.clock()
    world = replace(world, clock=lambda: now)
    tally = Tally(now, world.policy, dry=True, listing=listing)
    with _watching(flow.ahead(world, anew=True).accounts) as look:
        for stretch in _until(flow.foresee(world), stop):
            tally.add(stretch)
            look(tally)
    for forgotten in _until(retaining.would_forget(world, now), stop):
        tally.forget(forgotten)
    if stop.is_set():
        raise click.ClickException("Stopped. Nothing was written.")
    tally.whole = True
    return tally


def _done(world: World, stop: threading.Event) -> Tally | None:
    """Do it; None where another worker has the turn."""
    apart = skew(world.store, world.clock)
    if apart > CLOCK_TOLERANCE:
        what = (
            f"This machine's clock is {apart.total_seconds():.0f} s off the database's: it suspends nobody and deletes nothing."
        )
        raise click.ClickException(what)
    world = put_in_force(world)
    before, tally, begun = flow.ahead(world), Tally(world.clock(), world.policy, dry=False), False
    with _watching(before.accounts) as look:
        for stretch in _rested(_until(flow.sweep(world), stop), stop):
            if not begun and before.left:
                _say("Going on where the last round was left.")
            begun = True
            tally.add(stretch)
            look(tally)
    if not begun:
        until = f" until {before.held_until:%H:%M:%S} UTC" if before.held_until is not None else ""
        _say(f"Another worker is at a round and has the turn{until}, longer if it goes on. Nothing was done here.")
        return None
    if tally.whole:
        for forgotten in _rested(_until(retaining.forget(world, world.clock()), stop), stop):
            tally.forget(forgotten)
    elif not stop.is_set():
        _say("Another worker took the turn over and goes on from here.")
    if stop.is_set():
        _say(f"Stopped after {tally.looked:,} of {before.accounts:,} accounts. The next run, or a worker, goes on there.")
    return tally


def _until(work: Iterator[Piece], stop: threading.Event) -> Iterator[Piece]:
    """Piece after piece until a signal comes; what is held between them is let go."""
    for piece in work:
        yield piece
        if stop.is_set():
            break
    if isinstance(work, Generator):
        work.close()


def _rested(work: Iterator[Piece], stop: threading.Event) -> Iterator[Piece]:
    """Piece after piece with a rest behind each: people sign in meanwhile."""
    began = time.monotonic()
    for piece in work:
        yield piece
        rounds.rest(time.monotonic() - began, stop)
        began = time.monotonic()


class _Lines:
    """A line each so many accounts."""

    def __init__(self, accounts: int) -> None:
        self._accounts, self._told = accounts, 0

    def __call__(self, tally: Tally) -> None:
        if tally.looked - self._told >= _LINE_EVERY:
            self._told = tally.looked
            _say(f"{tally.looked:,} of {self._accounts:,} accounts: {summary(tally)}")


@contextmanager
def _watching(accounts: int) -> Iterator[Callable[[Tally], None]]:
    """How far it is: a bar on a terminal, else a line now and then; both beside the output."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(accounts)
        return
    columns = (
        TextColumn("Accounts"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=accounts)
        yield lambda tally: bar.update(task, completed=tally.looked, description=f"{tally.acts.total():,} acts")


def _say(words: str) -> None:
    click.echo(words, err=True)
