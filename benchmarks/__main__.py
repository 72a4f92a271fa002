"""`make bench`: what an operation costs. CPU time is the server's own; rates depend on the machine, ratios hold."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.table import Table

from benchmarks import fanout, joining, letters, protocol, sweep, unhashed
from benchmarks.client import Client, basic, sign_in
from benchmarks.people import WHO, seed
from benchmarks.processes import Server, configuration, free_port, serving
from idp.app.composition import make_vault, make_world
from idp.settings import load
from idp.vault import Vault

ROUNDS = 5
Operation = Callable[[], object]
TARGETS = {
    "JWKS": 1.3,
    "discovery": 1.3,
    "client_credentials, ES256": 2.5,
    "introspection": 2.5,
    "userinfo": 2.5,
    "refresh with rotation": 5.0,
}
SIGN_IN_TARGET_MS = 6.0
REGISTRATION_TARGET_MS = 15.0
MEMORY_TARGET_MB = 120
START_TARGET_S = 2.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One operation's figures: CPU microseconds of its server, the ratio to the yardstick, operations a second."""

    cpu: float
    ratio: float
    rate: float


class Charged(Protocol):
    """What the kernel charges CPU time to."""

    def cpu(self) -> float:
        """CPU seconds used so far."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The bare Flask answer, or what else is compared with, before each round: what slows the machine slows both."""

    server: Charged
    answer: Operation
    count: int = 400

    def measured(self, server: Charged, operation: Operation, count: int) -> Measure:
        """Medians of a few rounds in turn with the yardstick's, after a warm-up, on one connection."""
        _round(server, operation, max(count // 5, 2))
        rounds = []
        for _ in range(ROUNDS):
            bare, _rate = _round(self.server, self.answer, self.count)
            cpu, rate = _round(server, operation, count)
            rounds.append(Measure(cpu, cpu / bare, rate))
        return Measure(*(statistics.median(getattr(one, name) for one in rounds) for name in ("cpu", "ratio", "rate")))


def _round(server: Charged, operation: Operation, count: int) -> tuple[float, float]:
    """CPU microseconds an operation, and operations a second."""
    cpu, began = server.cpu(), time.monotonic()
    for _ in range(count):
        operation()
    return (server.cpu() - cpu) / count * 1e6, count / (time.monotonic() - began)


@contextmanager
def product(
    module: str, vault_of: Callable[..., Vault], queued: int = 0, profile: str = "my-account"
) -> Iterator[tuple[Server, dict[str, str]]]:
    """The product under a profile, on SQLite with one worker, and so many letters in the outbox."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        port, folder = free_port(), Path(name)
        environ = configuration(folder, port) | {"IDP_PROFILE": profile}
        _es256(folder / "config" / "clients.toml")
        seed(folder, environ, vault_of)
        if queued:
            world = make_world(load(folder / "config", environ))
            letters.fill(world, queued)
            world.store.close()
        with serving(module, port, "/healthz", environ) as first:
            # The first start made the signing keys; the start that counts is one with everything there.
            del first
        with serving(module, port, "/healthz", environ) as server:
            yield server, environ


def _es256(clients: Path) -> None:
    text = clients.read_text("utf-8")
    clients.write_text(text.replace("[clients.portal]\n", '[clients.portal]\nid_token_alg = "ES256"\n'), "utf-8")


def plain(server: Server, environ: Mapping[str, str]) -> Iterator[tuple[str, Operation, int]]:
    """The operations but the sign-in: name, one run of it, how many a round."""
    client = Client(server.port)
    portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])
    billing = basic("billing", environ["BILLING_CLIENT_SECRET"])
    yield "discovery", _sending(client, "GET", "/.well-known/openid-configuration", {}, b""), 400
    yield "JWKS", _sending(client, "GET", "/jwks.json", {}, b""), 400
    form = b"grant_type=client_credentials&scope=service%3Aread&resource=http%3A%2F%2Flocalhost%3A8083"
    yield "client_credentials, ES256", _sending(client, "POST", "/token", billing, form), 300
    token = sign_in(Client(server.port), WHO, portal, "http://localhost:8082")
    yield "introspection", _sending(client, "POST", "/introspect", billing, f"token={token['access_token']}".encode()), 300
    token = sign_in(Client(server.port), WHO, portal, None)
    yield "userinfo", _sending(client, "GET", "/userinfo", {"Authorization": f"Bearer {token['access_token']}"}, b""), 300
    yield "refresh with rotation", protocol.refreshing(server.port, lambda: portal), 150


def _sending(client: Client, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Operation:
    return partial(_expect, client, client.request(method, path, headers, body))


def _expect(client: Client, request: bytes) -> object:
    answer = client.send(request)
    assert answer.status == 200, answer
    return answer


def whole(server: Server, environ: Mapping[str, str]) -> Operation:
    """A whole sign-in."""
    portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])
    return partial(sign_in, Client(server.port), WHO, portal, "http://localhost:8082")


def beside(console: Console, server: Server, environ: Mapping[str, str]) -> None:
    """Measure the protocol's more careful ways, each in turn with its plain twin, and print their table."""
    table = Table(
        "operation", "CPU µs", "beside", "times", f"target {protocol.TARGET}", title="Each in turn with its plain twin"
    )

    def add(pair: protocol.Pair, charged: Charged) -> None:
        figures = Yardstick(charged, pair.twin, pair.count).measured(charged, pair.operation, pair.count)
        met = "met" if figures.ratio <= protocol.TARGET else "missed"
        table.add_row(pair.name, f"{figures.cpu:.0f}", pair.twin_name, f"{figures.ratio:.2f}", met)

    for pair in protocol.pairs(server.port, environ):
        add(pair, server)
    told, untold = fanout.Departures(environ, told=True), fanout.Departures(environ, told=False)
    add(protocol.Pair(f"logout, {fanout.CLIENTS} clients told", "logout, none told", told, untold, 40), fanout.Here())
    console.print(table)


def run(console: Console) -> None:
    """Measure everything and print the table."""
    table = Table("operation", "CPU µs", "times bare Flask", "target", "1/s", title="One worker, SQLite, one connection")
    port = free_port()

    def add(name: str, target: str, figures: Measure) -> None:
        table.add_row(name, f"{figures.cpu:.0f}", f"{figures.ratio:.2f}", target, f"{figures.rate:.0f}")

    with serving(f"benchmarks.hello {port}", port, "/", {}) as hello:
        yardstick = Yardstick(hello, _sending(Client(port), "GET", "/", {}, b""))
        add("bare Flask answer", "", yardstick.measured(hello, yardstick.answer, 400))
        with product("idp serve", make_vault) as (server, environ):
            for name, operation, count in plain(server, environ):
                add(name, f"≤ {TARGETS[name]}", yardstick.measured(server, operation, count))
            add("whole sign-in, 7 requests", "", yardstick.measured(server, whole(server, environ), 15))
            memory, start = server.worker_memory(), server.started_in
            beside(console, server, environ)
        with product("benchmarks.unhashed", unhashed.make_vault) as (server, environ):
            target = f"≤ {SIGN_IN_TARGET_MS * 1000:.0f} µs"
            add("… without hashing", target, yardstick.measured(server, whole(server, environ), 40))
            with product("benchmarks.unhashed", unhashed.make_vault, letters.QUEUE) as (full, there):
                bare = Yardstick(server, whole(server, environ), 40)
                add(f"… with {letters.QUEUE} letters queued (times: of none)", "1", bare.measured(full, whole(full, there), 40))
        with product("benchmarks.unhashed", unhashed.make_vault, profile=joining.PROFILE) as (server, environ):
            target = f"≤ {REGISTRATION_TARGET_MS * 1000:.0f} µs"
            operation = joining.Joining(server.port, environ)
            add("registration, 4 requests, without hashing", target, yardstick.measured(server, operation, 40))
    console.print(table)
    console.print(f"resident memory of the worker: {memory:.0f} MB (target {MEMORY_TARGET_MB})")
    console.print(f"first answer after start: {start:.2f} s (target {START_TARGET_S})")
    letters.run(console)
    sweep.run(console)


if sys.argv[1:2] == ["sweep"]:
    sweep.main(sys.argv[2:], prog_name="python -m benchmarks sweep")
else:
    run(Console(width=110))
