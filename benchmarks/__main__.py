"""`make bench`: what an operation costs. CPU time is the server's own; rates depend on the machine, ratios hold."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import unhashed
from benchmarks.client import Client, basic, sign_in
from benchmarks.processes import Server, configuration, free_port, serving
from idp.app.composition import make_vault, make_world, record_policy
from idp.model import Account, AccountState, Credential, Factor
from idp.settings import load
from idp.vault import Vault

WHO = ("bench", "correct horse battery staple", "190476")
ROUNDS = 3
TARGETS = {
    "JWKS": 1.3,
    "discovery": 1.3,
    "client_credentials, ES256": 2.5,
    "introspection": 2.5,
    "userinfo": 2.5,
    "refresh with rotation": 5.0,
}
SIGN_IN_TARGET_MS = 6.0
MEMORY_TARGET_MB = 120
START_TARGET_S = 2.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One operation's figures: CPU microseconds of the server, operations a second on one connection."""

    cpu: float
    rate: float


def measured(server: Server, operation: Callable[[], object], count: int) -> Measure:
    """The median of a few rounds, after a warm-up."""
    for _ in range(max(count // 10, 2)):
        operation()
    rounds = []
    for _ in range(ROUNDS):
        cpu, began = server.cpu(), time.monotonic()
        for _ in range(count):
            operation()
        took = time.monotonic() - began
        rounds.append(Measure((server.cpu() - cpu) / count * 1e6, count / took))
    return Measure(statistics.median(one.cpu for one in rounds), statistics.median(one.rate for one in rounds))


def seed(folder: Path, environ: Mapping[str, str], vault_of: Callable[..., Vault]) -> None:
    """One enrolled person in a fresh database."""
    settings = load(folder / "config", environ)
    world = make_world(settings)
    vault = vault_of(settings)
    world.store.upgrade()
    record_policy(world)
    now = datetime.now(UTC)
    secrets = {Factor.PASSWORD: WHO[1], Factor.PIN: WHO[2], Factor.ANSWER: "greenfield"}
    account = Account(
        "acc_bench",
        WHO[0],
        "bench@example.com",
        "Ben",
        "Chmark",
        AccountState.ACTIVE,
        now,
        enrolled_at=now,
        entitlements=frozenset({"billing", "service"}),
    )
    with world.store.begin() as tx:
        tx.accounts.add(account, WHO[0])
        for factor, secret in secrets.items():
            question = "first_school" if factor is Factor.ANSWER else None
            tx.accounts.set_credential(account.id, Credential(factor, vault.hash(secret), now, question=question))
    world.store.close()


@contextmanager
def product(module: str, vault_of: Callable[..., Vault]) -> Iterator[tuple[Server, dict[str, str]]]:
    """The product on SQLite with one worker."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        port, folder = free_port(), Path(name)
        environ = configuration(folder, port)
        _es256(folder / "config" / "clients.toml")
        seed(folder, environ, vault_of)
        with serving(module, port, "/healthz", environ) as first:
            # The first start made the signing keys; the start that counts is one with everything there.
            del first
        with serving(module, port, "/healthz", environ) as server:
            yield server, environ


def _es256(clients: Path) -> None:
    text = clients.read_text("utf-8")
    clients.write_text(text.replace("[clients.portal]\n", '[clients.portal]\nid_token_alg = "ES256"\n'), "utf-8")


def plain(server: Server, environ: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], object], int]]:
    """The operations but the sign-in: name, one run of it, how many."""
    client = Client(server.port)
    portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])
    billing = basic("billing", environ["BILLING_CLIENT_SECRET"])
    for name, path in (("discovery", "/.well-known/openid-configuration"), ("JWKS", "/jwks.json")):
        yield name, partial(client.send, client.request("GET", path, {}, b"")), 3000
    form = b"grant_type=client_credentials&scope=service%3Aread&resource=http%3A%2F%2Flocalhost%3A8083"
    yield "client_credentials, ES256", partial(_expect, client, client.request("POST", "/token", billing, form)), 2000
    token = sign_in(Client(server.port), WHO, portal, "http://localhost:8082")
    asked = f"token={token['access_token']}".encode()
    yield "introspection", partial(_expect, client, client.request("POST", "/introspect", billing, asked)), 2000
    token = sign_in(Client(server.port), WHO, portal, None)
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    yield "userinfo", partial(_expect, client, client.request("GET", "/userinfo", bearer, b"")), 2000
    yield "refresh with rotation", _refreshing(client, portal, token), 1000


def _expect(client: Client, request: bytes) -> object:
    answer = client.send(request)
    assert answer.status == 200, answer
    return answer


def _refreshing(client: Client, portal: Mapping[str, str], token: dict[str, Any]) -> Callable[[], object]:
    current = [token["refresh_token"]]

    def refresh() -> object:
        answer = client.post("/token", {"grant_type": "refresh_token", "refresh_token": current[0]}, portal)
        assert answer.status == 200, answer
        current[0] = answer.json()["refresh_token"]
        return answer

    return refresh


def whole(server: Server, environ: Mapping[str, str]) -> Callable[[], object]:
    """A whole sign-in."""
    portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])
    client = Client(server.port)
    return lambda: sign_in(client, WHO, portal, "http://localhost:8082")


def run(console: Console) -> None:
    """Measure everything and print the table."""
    port = free_port()
    with serving(f"benchmarks.hello {port}", port, "/", {}) as server:
        client = Client(port)
        bare = measured(server, partial(client.send, client.request("GET", "/", {}, b"")), 3000)
    table = Table("operation", "CPU µs", "times bare Flask", "target", "1/s, one connection", title="One worker, SQLite")
    table.add_row("bare Flask answer", f"{bare.cpu:.0f}", "1.0", "", f"{bare.rate:.0f}")
    with product("idp serve", make_vault) as (server, environ):
        for name, operation, count in track(list(plain(server, environ)), console=console, transient=True):
            figures = measured(server, operation, count)
            ratio = figures.cpu / bare.cpu
            table.add_row(name, f"{figures.cpu:.0f}", f"{ratio:.2f}", f"≤ {TARGETS[name]}", f"{figures.rate:.0f}")
        figures = measured(server, whole(server, environ), 30)
        table.add_row(
            "whole sign-in, 7 requests", f"{figures.cpu:.0f}", f"{figures.cpu / bare.cpu:.0f}", "", f"{figures.rate:.1f}"
        )
        memory, start = server.worker_memory(), server.started_in
    with product("benchmarks.unhashed", unhashed.make_vault) as (server, environ):
        figures = measured(server, whole(server, environ), 100)
        cost = f"≤ {SIGN_IN_TARGET_MS * 1000:.0f} µs"
        table.add_row("… without hashing", f"{figures.cpu:.0f}", f"{figures.cpu / bare.cpu:.0f}", cost, f"{figures.rate:.1f}")
    console.print(table)
    console.print(f"resident memory of the worker: {memory:.0f} MB (target {MEMORY_TARGET_MB})")
    console.print(f"first answer after start: {start:.2f} s (target {START_TARGET_S})")


run(Console(width=110))
