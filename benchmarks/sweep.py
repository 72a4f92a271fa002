"""What upkeep costs: a round over many accounts of which few are due, and what people who sign in meanwhile notice of it."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from benchmarks import crowd
from benchmarks.client import Client, basic, sign_in
from benchmarks.people import WHO, seed
from benchmarks.processes import configuration, free_port, serving
from idp.app.composition import make_vault, make_world
from idp.settings import load
from tests.servers import fresh_urls

KINDS: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SHAPES: Final[Mapping[str, Mapping[str, float]]] = {
    "1 % due": {"due": 0.01},
    "30 % long suspended, none due": {"asleep": 0.3},
}
SECONDS_TARGET: Final = 60
MEMORY_TARGET: Final = 200
LATENCY_TARGET: Final = 1.2
LINEAR: Final = (100_000, 1_000_000)
# In the benchmark of everything: enough to see what an account and an act cost.
SMALL: Final = 20_000
# As many as keep a sweep busy for as long as people sign in beside it.
_BUSY: Final = 60_000
_ROUNDS, _A_ROUND = 6, 10


@contextmanager
def house(kind: str, count: int, **shape: float) -> Iterator[tuple[dict[str, str], int]]:
    """A crowd and one person who can sign in, on SQLite or PostgreSQL; the environment of its processes, and a port."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        folder, port = Path(name), free_port()
        environ = configuration(folder, port)
        if kind == "postgresql":
            environ["IDP_DATABASE_URL"] = fresh_urls("postgresql", folder)[0]
        seed(folder, environ, make_vault)
        world = make_world(load(folder / "config", environ))
        crowd.fill(world.store, count, datetime.now(UTC), **shape)
        world.store.close()
        yield environ, port


class Sweeping:
    """A round of upkeep in a process of its own."""

    def __init__(self, environ: Mapping[str, str], rest: float = 0.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sweeping", str(rest)],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def say(self, word: str) -> None:
        """Hold it, let it go on, or end it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def told(self) -> dict[str, Any]:
        """What it cost; waits for its end."""
        found: dict[str, Any] = json.loads(self._read())
        self._process.communicate()
        return found

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the sweep ended with {self._process.wait()}")
        return line


def cost(kind: str, count: int, shape: str) -> dict[str, Any]:
    """A whole round, nothing else going on."""
    with house(kind, count, **SHAPES[shape]) as (environ, _):
        return Sweeping(environ).told()


def beside(kind: str, rest: float) -> tuple[list[float], list[float], dict[str, Any]]:
    """Seconds of whole sign-ins alone and beside a sweep that has something to do all the time, in turn."""
    with house(kind, _BUSY, due=1.0) as (environ, port), serving("idp serve", port, "/healthz", environ):
        portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])

        def enter() -> object:
            # A browser of its own: a connection that rested for long may have been closed.
            return sign_in(Client(port), WHO, portal, "http://localhost:8082")

        _timed(enter, _A_ROUND)
        going = Sweeping(environ, rest)
        alone: list[float] = []
        meanwhile: list[float] = []
        for _ in range(_ROUNDS):
            going.say("halt")
            time.sleep(0.1)
            alone += _timed(enter, _A_ROUND)
            going.say("go")
            meanwhile += _timed(enter, _A_ROUND)
        going.say("end")
        told = going.told()
        if told["whole"]:
            raise SystemExit("the sweep was over before the sign-ins")
        return alone, meanwhile, told


def _timed(operation: Any, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        operation()
        times.append(time.perf_counter() - began)
    return times


def _late(times: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def costs(console: Console, kinds: list[str], counts: list[int], shapes: list[str]) -> None:
    """Measure rounds, and print them."""
    names = ("accounts", "s", "CPU s", "MB", "accounts/s", "looked at", "acts", "acts/s", "statements an act", "longest ms")
    for shape in shapes:
        table = Table("database", *names, title=f"A round of upkeep, {shape}")
        for kind in kinds:
            for count in counts:
                table.add_row(KINDS[kind], *_row(count, cost(kind, count, shape)))
        console.print(table)
    console.print(f"targets for 1,000,000 of which 1 % are due: {SECONDS_TARGET} s, {MEMORY_TARGET} MB")


def _row(count: int, told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{count:,}"
    yield f"{told['seconds']:.2f}"
    yield f"{told['cpu']:.2f}"
    yield f"{told['megabytes']:.0f}"
    yield f"{count / told['seconds']:,.0f}"
    yield f"{told['looked']:,}"
    yield f"{told['acts']:,}"
    yield f"{told['acts'] / told['seconds']:.0f}"
    yield f"{told['statements'] / told['acts']:.1f}" if told["acts"] else ""
    yield f"{told['longest'] * 1000:.0f}"


def latency(console: Console, kinds: list[str], rests: list[float]) -> None:
    """Measure sign-ins beside a sweep, and print them."""
    names = ("rests", "median ms alone", "beside", "times", "p95 alone", "beside", "times", "acts/s")
    table = Table("database", *names, title="A whole sign-in while upkeep works without end")
    for kind in kinds:
        for rest in rests:
            alone, meanwhile, told = beside(kind, rest)
            before, after = statistics.median(alone), statistics.median(meanwhile)
            late, later = _late(alone), _late(meanwhile)
            figures = (before * 1e3, after * 1e3, after / before, late * 1e3, later * 1e3, later / late)
            wide = ("{:.1f}", "{:.1f}", "{:.2f}", "{:.1f}", "{:.1f}", "{:.2f}")
            row = (one.format(figure) for one, figure in zip(wide, figures, strict=True))
            table.add_row(KINDS[kind], f"{rest:g}", *row, f"{told['acts'] / sum(meanwhile):.0f}")
    console.print(table)
    console.print(f"target: {LATENCY_TARGET} times")


def run(console: Console) -> None:
    """The small form, of seconds."""
    costs(console, list(KINDS), [SMALL], list(SHAPES))


@click.command()
@click.option("--accounts", type=int, multiple=True, help="How many accounts; may be given several times.")
@click.option("--database", type=click.Choice(list(KINDS)), multiple=True, help="Which database; all where none is given.")
@click.option("--rest", type=float, multiple=True, help="Measure sign-ins beside a sweep that rests so many times as long.")
def main(accounts: tuple[int, ...], database: tuple[str, ...], rest: tuple[float, ...]) -> None:
    """Rounds over so many accounts, or sign-ins beside them."""
    console, kinds = Console(width=130), list(database or KINDS)
    if rest:
        latency(console, kinds, list(rest))
    else:
        costs(console, kinds, list(accounts or LINEAR), list(SHAPES))
