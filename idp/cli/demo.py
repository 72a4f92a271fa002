"""`idp demo`: the product, a portal, both backends and an inbox on one machine, with sample people; gone at Ctrl-C."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import click
from rich.console import Console
from rich.table import Table

from idp.app.composition import make_world, record_policy
from idp.cli.demo_people import ANSWER, PASSWORD, PIN, People
from idp.settings import load

_NAMES = ("identity", "portal", "billing", "service", "inbox", "smtp")
_PATIENCE = 20


@click.command()
@click.option("--port", envvar="IDP_DEMO_PORT", default=8080, show_default=True, help="First of the seven ports in a row.")
@click.option("--config", default="config", type=click.Path(path_type=Path, exists=True), help="Configuration to start from.")
def demo(port: int, config: Path) -> None:
    """Start everything on this machine, with sample people."""
    if find_spec("examples") is None or find_spec("aiosmtpd") is None:
        raise click.ClickException("The demo runs in a checkout of the repository: make demo")
    _refuse_taken(port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    console = Console()
    with tempfile.TemporaryDirectory(prefix="idp-demo-") as folder, contextlib.ExitStack() as running:
        environ = _configure(Path(folder), config, port)
        console.print("Making sample people …", style="dim")
        _seed(Path(folder), environ)
        running.enter_context(_neighbours(port, environ))
        children = [running.enter_context(_child(name, environ)) for name in ("serve", "worker")]
        _await(f"http://localhost:{port}/readyz", children, stop)
        if not stop.is_set():
            _print(console, port)
        while not stop.wait(0.3):
            if any(child.poll() is not None for child in children):
                raise click.ClickException("A part of the demo ended by itself; its last words are above.")
    console.print("Stopped; nothing is left behind.", style="dim")


def _refuse_taken(port: int) -> None:
    taken = []
    for number in range(port, port + 7):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                taken.append(str(number))
    if taken:
        raise click.ClickException(
            f"In use: port {', '.join(taken)}. Choose another start, for example: IDP_DEMO_PORT=9080 make demo"
        )


def _configure(folder: Path, config: Path, port: int) -> Mapping[str, str]:
    """Copy the shipped configuration with its addresses moved, and make every secret anew."""
    target = folder / "config"
    shutil.copytree(config, target)
    for name in ("settings.toml", "clients.toml", "resources.toml"):
        text = (target / name).read_text("utf-8")
        for number in range(5):
            text = text.replace(f"localhost:{8080 + number}", f"localhost:{{{number}}}")
        for number in range(5):
            text = text.replace(f"localhost:{{{number}}}", f"localhost:{port + number}")
        (target / name).write_text(text, "utf-8")
    address = {name.upper(): f"http://localhost:{port + number}" for number, name in enumerate(_NAMES)}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},  # noqa: TID251 - handed down
        "IDP_CONFIG": str(target),
        "IDP_DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        "IDP_MASTER_KEY": secrets.token_hex(32),
        "IDP_SERVER_PORT": str(port),
        "IDP_SERVER_METRICS_PORT": str(port + 6),
        "IDP_MAIL_HOST": "127.0.0.1",
        "IDP_MAIL_PORT": str(port + 5),
        "IDP_LOG_LEVEL": "warning",
        "IDP_LOG_FORMAT": "console",
        "IDP_ISSUER": address["IDENTITY"],
        **{f"{name}_URL": address[name] for name in ("PORTAL", "BILLING", "SERVICE", "INBOX")},
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }


def _seed(folder: Path, environ: Mapping[str, str]) -> None:
    world = make_world(load(folder / "config", environ))
    world.store.upgrade()
    record_policy(world)
    People(world).move_in()
    world.store.close()


@contextlib.contextmanager
def _neighbours(port: int, environ: Mapping[str, str]) -> Iterator[None]:
    """The portal, both backends and the inbox, each in a thread of this process."""
    from examples import billing, inbox, portal, service  # noqa: PLC0415 - only in a checkout

    issuer, local = environ["IDP_ISSUER"], "http://localhost"
    shop = portal.Settings(
        issuer=issuer,
        url=environ["PORTAL_URL"],
        client_id="portal",
        client_secret=environ["PORTAL_CLIENT_SECRET"],
        billing=environ["BILLING_URL"],
        service=environ["SERVICE_URL"],
    )
    servers: list[Any] = [
        portal.server(port + 1, shop),
        billing.server(port + 2, issuer, f"{local}:{port + 2}"),
        service.server(port + 3, issuer, f"{local}:{port + 3}"),
        inbox.server(port + 4, port + 5),
    ]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def _child(command: str, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """One process of the product, in a session of its own, so that Ctrl-C reaches it through us alone."""
    with subprocess.Popen([sys.executable, "-m", "idp", command], env=dict(environ), start_new_session=True) as child:  # noqa: S603
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def _await(address: str, children: list[subprocess.Popen[bytes]], stop: threading.Event) -> None:
    ends = time.monotonic() + _PATIENCE
    while not stop.is_set() and time.monotonic() < ends:
        if any(child.poll() is not None for child in children):
            raise click.ClickException("The identity service did not start; its last words are above.")
        with contextlib.suppress(URLError, OSError), urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            if answer.status == 200:  # noqa: PLR2004
                return
        time.sleep(0.1)
    if not stop.is_set():
        raise click.ClickException(f"{address} did not answer within {_PATIENCE} seconds.")


def _print(console: Console, port: int) -> None:
    places = Table(box=None, show_header=False, padding=(0, 2))
    for number, (name, what) in enumerate(
        (
            ("Portal", "start here: sign in, see a bill and a fault, sign out"),
            ("Billing", "a backend: accepts tokens made for billing"),
            ("Service", "a backend: accepts tokens made for service"),
            ("Inbox", "all mail and text messages of the demo"),
        ),
        start=1,
    ):
        places.add_row(name, f"[link]http://localhost:{port + number}[/link]", what)
    places.add_row("Identity", f"http://localhost:{port}", "the product: sign-in pages, tokens, keys")
    people = Table("username", "stands", "what you will see", box=None, padding=(0, 2))
    for person in People.ALL:
        people.add_row(person.username, person.stands, person.shows)
    console.print("\n[bold]The demo is running.[/bold]\n")
    console.print(places)
    console.print(
        f"\nEverybody's password is [bold]{PASSWORD}[/bold], PIN [bold]{PIN}[/bold], first school [bold]{ANSWER}[/bold].\n"
    )
    console.print(people)
    console.print("\nCtrl-C stops everything and leaves nothing behind.\n", style="dim")
    sys.stdout.flush()
