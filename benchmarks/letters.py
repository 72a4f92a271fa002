"""What a letter costs: how many a second one worker hands to a mail server on this machine, and what a full outbox slows."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.processes import configuration, free_port
from idp.app.composition import make_world
from idp.flows.deliver import BATCH, LEASE
from idp.flows.world import World
from idp.model import Letter
from idp.settings import load
from tests.servers import fresh_urls

LETTERS = 2_000
QUEUE = 100_000
CLAIMS = 20
RATE_TARGET = 200
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Speed:
    """What one run of the worker did: letters a second, and CPU milliseconds a letter without the start."""

    rate: float
    cpu: float


def fill(world: World, count: int) -> None:
    """Put letters into the outbox, as a change of a password does: a page of text, a link, half in Italian."""
    now = datetime.now(UTC)
    link = f"{world.issuer}/not-me?code=7K3M-P9QX-W2RT-5VHN-8JDE-4GYB-6ZCA-1SFM"
    for start in range(0, count, _CHUNK):
        with world.store.begin() as tx:
            for number in range(start, min(start + _CHUNK, count)):
                context = {"name": "Ada", "changed": "password", "at": now.isoformat(), "link": link, "zone": "Europe/Rome"}
                context["expires"] = (now + timedelta(days=3)).isoformat()
                to, locale = f"p{number}@customer.example", ("en", "it")[number % 2]
                letter = Letter(world.vault.token(16), "mail", to, "changed", locale, {}, now, now + timedelta(days=3))
                tx.outbox.put(letter, world.vault.seal_json(context))


@contextmanager
def office(kind: str) -> Iterator[tuple[World, dict[str, str]]]:
    """An empty outbox on SQLite or PostgreSQL, and the environment of its processes."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        environ = configuration(Path(name), free_port())
        if kind == "PostgreSQL":
            environ["IDP_DATABASE_URL"] = fresh_urls("postgresql", Path(name))[0]
        world = make_world(load(Path(name) / "config", environ))
        world.store.upgrade()
        yield world, environ
        world.store.close()


def delivered(environ: Mapping[str, str], *, pipelining: bool) -> tuple[float, float]:
    """Run the worker until nothing is left: letters a second as the mail server saw them, and its CPU seconds."""
    port = free_port()
    sink = [sys.executable, "-m", "benchmarks.sink", str(port), *(["pipelining"] if pipelining else [])]
    with subprocess.Popen(sink, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        place = {"IDP_MAIL_HOST": "127.0.0.1", "IDP_MAIL_PORT": str(port)}
        command = [sys.executable, "-m", "idp", "worker", "--once"]
        worker = subprocess.Popen(command, env={**os.environ, **environ, **place}, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(worker.pid, 0)
        worker.returncode = os.waitstatus_to_exitcode(status)
        server.terminate()
        told = json.loads(server.stdout.read())
    if worker.returncode:
        raise SystemExit(f"the worker ended with {worker.returncode}")
    return told["letters"] / (told["seconds"] or 1), used.ru_utime + used.ru_stime


def speed(kind: str, *, pipelining: bool) -> Speed:
    """Two thousand letters by one worker; what a run without letters costs is taken off."""
    with office(kind) as (world, environ):
        _, start = delivered(environ, pipelining=pipelining)
        fill(world, LETTERS)
        rate, cpu = delivered(environ, pipelining=pipelining)
    return Speed(rate, (cpu - start) / LETTERS * 1000)


def claiming(kind: str) -> tuple[float, float]:
    """Milliseconds that the claim of a batch takes: of a queue of a batch or two, and of a hundred thousand."""
    return _claim(kind, BATCH * CLAIMS), _claim(kind, QUEUE)


def _claim(kind: str, depth: int) -> float:
    with office(kind) as (world, _):
        fill(world, depth)
        times = []
        for _ in range(CLAIMS):
            began = time.perf_counter()
            with world.store.begin() as tx:
                assert len(tx.outbox.claim(datetime.now(UTC), LEASE, BATCH)) == BATCH
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def run(console: Console) -> None:
    """Measure and print both tables."""
    table = Table("worker", "letters a second", "target", "CPU ms a letter", title=f"{LETTERS} letters, one worker")
    depths = Table("claim of a batch", "short queue, ms", f"{QUEUE} letters, ms", title=f"Taking up {BATCH} letters")
    for kind in ("SQLite", "PostgreSQL"):
        for pipelining in (True, False):
            found = speed(kind, pipelining=pipelining)
            name = f"{kind}, {'pipelined' if pipelining else 'one command at a time'}"
            table.add_row(name, f"{found.rate:.0f}", f"≥ {RATE_TARGET}", f"{found.cpu:.2f}")
        depths.add_row(kind, *(f"{time:.2f}" for time in claiming(kind)))
    console.print(table)
    console.print(depths)


if __name__ == "__main__":
    run(Console(width=110))
