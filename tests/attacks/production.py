"""The production server in processes of its own, as ``idp serve`` starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from idp.app.composition import make_world
from idp.store import open_store
from tests.harness import CONFIG, Clock, House, settings_of
from tests.people import browser
from tests.servers import Kind, fresh_urls

_START_SECONDS = 60


@dataclass
class Production:
    """A running server, its output so far, and a view of its store."""

    house: House
    environ: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "idp", "serve"],
                env=self.environ,
                stdout=output,
                stderr=output,
                cwd=CONFIG.parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output.read_text()
            try:
                if httpx.get(f"{self.house.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(self.output.read_text())

    def kill(self) -> None:
        """As a power cut would: no process of it is asked."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)

    def raw(self, request: bytes, seconds: float = 5) -> bytes:
        """Send bytes as they are and read what comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.house.settings.server.port), timeout=seconds) as line:
            line.sendall(request)
            received = b""
            try:
                while part := line.recv(65536):
                    received += part
            except (TimeoutError, ConnectionError):
                pass
        return received


@contextmanager
def production(kind: Kind, folder: Path, **environ: str) -> Iterator[Production]:
    """Start ``idp serve`` on a free port with a fresh store."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database, redis = fresh_urls(kind, folder)
    address = f"http://localhost:{port}"
    settings, said = settings_of(
        address, database, redis, IDP_SERVER_PORT=str(port), IDP_SERVER_METRICS_PORT="0", IDP_LOG_LEVEL="debug", **environ
    )
    store = open_store(database, redis)
    # Looked at from here with the same secrets and the true clock.
    world = replace(make_world(settings, store), clock=Clock())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    running = Production(
        House(settings, world, Clock(), said, None, kind),
        {**kept, **said, "IDP_CONFIG": str(CONFIG), "PYTHONPATH": str(CONFIG.parent)},
        folder / "server.log",
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()
        store.close()


def health(house: House) -> int:
    with browser(house.url) as machine:
        return machine.get("/healthz").status_code
