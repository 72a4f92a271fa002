"""`idp demo`: the product, a portal, both backends and an inbox on one machine, with sample people; gone at Ctrl-C."""

import contextlib
import errno
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
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from idp.app.composition import make_world
from idp.cli.demo_guide import guide
from idp.cli.demo_people import People, thrifty
from idp.settings import load

_NAMES: Final = ("identity", "portal", "billing", "service", "inbox", "smtp", "metrics")
_SHIPPED: Final = 8080
CUSTOMERS: Final = Path(__file__).parents[2] / "examples" / "customers.csv"
_PATIENCE: Final = 30
_GRACE: Final = 10
_LAST: Final = 65535 - len(_NAMES) + 1

Child = subprocess.Popen[bytes]


@click.command()
@click.option(
    "--port",
    envvar="IDP_DEMO_PORT",
    default=_SHIPPED,
    show_default=True,
    type=click.IntRange(1, _LAST),
    help="First of the seven ports in a row.",
)
@click.option(
    "--config",
    default="config",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Configuration to start from.",
)
@click.option(
    "--profile", envvar="IDP_DEMO_PROFILE", help="Policy to show, of those in config/policies; else that of settings.toml."
)
def demo(port: int, config: Path, profile: str | None) -> None:
    """Start everything on this machine, with sample people."""
    if find_spec("examples") is None or find_spec("aiosmtpd") is None:
        raise click.ClickException("The demo runs in a checkout of the repository: make demo")
    _refuse_unknown(config, profile)
    _refuse_taken(port)
    # Whatever proxy this machine has, it is not for talking to itself.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1"  # noqa: TID251 - set for the examples' HTTP client
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    with tempfile.TemporaryDirectory(prefix="idp-demo-") as name, _caretaker(Path(name)) as watch:
        _run(Path(name), _configure(Path(name), config, port, profile), port, stop, watch)
    click.secho("Stopped; nothing is left behind.", dim=True)


def _run(folder: Path, environ: Mapping[str, str], port: int, stop: threading.Event, watch: Callable[[int], None]) -> None:
    """Start everything in the order in which each needs the other, say so, and wait."""
    click.secho("Starting, with a new database and sample people …", dim=True)
    settings = load(folder / "config", environ)
    world = make_world(settings)
    world.store.upgrade()
    # Ended in the other order: whoever carries letters to the inbox goes before the inbox does.
    with contextlib.ExitStack() as running, _children() as children:

        def start(command: str) -> None:
            children.append(_child(command, environ))
            watch(children[-1].pid)

        # It needs the schema and no people: they move in while it starts.
        start("serve")
        running.enter_context(_neighbours(port, environ))
        people = People(thrifty(world, settings))
        people.bring_in(CUSTOMERS)
        people.move_in()
        world.store.close()
        # Not before everybody moved in: it would carry letters out that belong to the past.
        start("worker")
        _await(port, children, stop)
        if not stop.is_set():
            for line in guide(settings.policy, people.all, CUSTOMERS, _addresses(port)):
                click.echo(line)
            sys.stdout.flush()
        while not stop.wait(0.3):
            if any(child.poll() is not None for child in children):
                raise click.ClickException("A part of the demo ended by itself; its last words are above.")


def _refuse_unknown(config: Path, profile: str | None) -> None:
    known = sorted(path.stem for path in (config / "policies").glob("*.toml"))
    if profile and profile not in known:
        raise click.ClickException(f"There is no profile {profile}. Choose one of: {', '.join(known)}.")


def _addresses(port: int) -> Mapping[str, str]:
    return {name: f"http://localhost:{port + number}" for number, name in enumerate(_NAMES)}


def _refuse_taken(port: int) -> None:
    """Every port must be free at both addresses to which browsers resolve "localhost"."""
    problems: dict[int, list[int]] = {}
    for number in range(port, port + len(_NAMES)):
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                with socket.socket(family) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, number))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    problems.setdefault(error.errno, []).append(number)
    for why, said in ((errno.EADDRINUSE, "In use"), (errno.EACCES, "Not allowed without root")):
        if why in problems:
            numbers = ", ".join(str(number) for number in sorted(set(problems[why])))
            remedy = (
                f"Choose another start; {len(_NAMES)} ports in a row are needed, for example:\n  IDP_DEMO_PORT=9080 make demo"
            )
            raise click.ClickException(f"{said}: port {numbers}. {remedy}")


def _configure(folder: Path, config: Path, port: int, profile: str | None) -> Mapping[str, str]:
    """Copy the shipped configuration with its addresses moved, and make every secret anew."""
    target = folder / "config"
    shutil.copytree(config, target)
    for name in ("settings.toml", "clients.toml", "resources.toml"):
        text = (target / name).read_text("utf-8")
        for number in range(len(_NAMES)):
            text = text.replace(f"localhost:{_SHIPPED + number}", f"localhost:{{{number}}}")
        for number in range(len(_NAMES)):
            text = text.replace(f"localhost:{{{number}}}", f"localhost:{port + number}")
        (target / name).write_text(text, "utf-8")
    address = {name.upper(): where for name, where in _addresses(port).items()}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},  # noqa: TID251 - handed down
        # Whatever a part of the demo writes is in the folder that goes at the end.
        "TMPDIR": str(folder),
        "IDP_CONFIG": str(target),
        "IDP_DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        "IDP_MASTER_KEY": secrets.token_hex(32),
        "IDP_SERVER_PORT": str(port),
        "IDP_SERVER_METRICS_PORT": str(port + _NAMES.index("metrics")),
        "IDP_MAIL_HOST": "127.0.0.1",
        "IDP_MAIL_PORT": str(port + _NAMES.index("smtp")),
        "IDP_SMS_URL": f"{address['INBOX']}/sms",
        "IDP_SMS_REACH_URL": f"{address['INBOX']}/reach",
        "IDP_LOG_LEVEL": "error",
        "IDP_LOG_FORMAT": "console",
        "IDP_ISSUER": address["IDENTITY"],
        **({"IDP_PROFILE": profile} if profile else {}),
        **{f"{name}_URL": address[name] for name in ("PORTAL", "BILLING", "SERVICE", "INBOX")},
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }


@contextlib.contextmanager
def _neighbours(port: int, environ: Mapping[str, str]) -> Iterator[None]:
    """The portal, both backends and the inbox, each in a thread of this process."""
    from examples import billing, inbox, portal, service  # noqa: PLC0415 - only in a checkout

    issuer = environ["IDP_ISSUER"]
    shop = portal.Settings(
        issuer=issuer,
        url=environ["PORTAL_URL"],
        client_id="portal",
        client_secret=environ["PORTAL_CLIENT_SECRET"],
        billing=environ["BILLING_URL"],
        service=environ["SERVICE_URL"],
    )
    with contextlib.ExitStack() as running:
        running.enter_context(_thread(portal.server(port + 1, shop)))
        running.enter_context(
            _thread(billing.server(port + 2, issuer, environ["BILLING_URL"], environ["BILLING_CLIENT_SECRET"]))
        )
        running.enter_context(_thread(service.server(port + 3, issuer, environ["SERVICE_URL"])))
        running.enter_context(_thread(inbox.server(port + 4, port + 5)))
        yield


@contextlib.contextmanager
def _thread(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        # It closes its sockets itself; closed from here as well, the inbox's mail server would be stopped twice.
        thread.join()


@contextlib.contextmanager
def _children() -> Iterator[list[Child]]:
    """Processes of the product, ended together."""
    children: list[Child] = []
    try:
        yield children
    finally:
        for child in children:
            child.terminate()
        ends = time.monotonic() + _GRACE
        for child in children:
            try:
                child.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def _child(command: str, environ: Mapping[str, str]) -> Child:
    """One process of the product, in a session of its own, so that Ctrl-C reaches it through us alone."""
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "idp", command], env=dict(environ), start_new_session=True, stdin=subprocess.DEVNULL
    )


@contextlib.contextmanager
def _caretaker(folder: Path) -> Iterator[Callable[[int], None]]:
    """A process that clears up if this one is killed: it waits at a pipe which closes with us, however we end.

    Gives the function that tells it which process groups are ours. Forked before there are any threads.
    """
    reading, writing = os.pipe()
    caretaker = os.fork()
    if caretaker == 0:
        os.close(writing)
        _take_care(reading, folder)
    os.close(reading)
    try:
        yield lambda group: _write(writing, group)
    finally:
        os.close(writing)
        os.waitpid(caretaker, 0)


def _write(pipe: int, group: int) -> None:
    os.write(pipe, f"{group}\n".encode())


def _take_care(pipe: int, folder: Path) -> NoReturn:
    """The caretaker's whole life; after an orderly end it finds nothing left to do."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with os.fdopen(pipe) as told:
            groups = [int(line) for line in told]
        for number in (signal.SIGTERM, signal.SIGKILL):
            groups = [group for group in groups if _reached(group, number)]
            ends = time.monotonic() + _GRACE
            while any(_reached(group, 0) for group in groups) and time.monotonic() < ends:
                time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def _reached(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


def _await(port: int, children: list[Child], stop: threading.Event) -> None:
    import httpx  # noqa: PLC0415 - only in a checkout

    ends = time.monotonic() + _PATIENCE
    while not stop.is_set() and time.monotonic() < ends:
        if any(child.poll() is not None for child in children):
            raise click.ClickException("The identity service did not start; its last words are above.")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).is_success:
                return
        stop.wait(0.1)
    if not stop.is_set():
        raise click.ClickException(f"The identity service was not ready within {_PATIENCE} seconds.")
