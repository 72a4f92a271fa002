"""Server processes under measurement: started, read from /proc, stopped."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the processes below it."""

    port: int
    process: subprocess.Popen[bytes]
    started_in: float

    def family(self) -> list[int]:
        """The process ids, parent first."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu(self) -> float:
        """CPU seconds used so far by all of them, from the scheduler's own nanoseconds where the kernel gives them."""
        return sum(_cpu(pid) for pid in self.family())

    def worker_memory(self) -> float:
        """Resident megabytes of the largest process: the worker."""
        return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in self.family()) / 1e6


def _cpu(pid: int) -> float:
    total = 0.0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return total


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def serving(module: str, port: int, path: str, environ: Mapping[str, str]) -> Iterator[Server]:
    """Run ``python -m module`` until the block ends; it counts as started at its first answer to ``path``."""
    began = time.monotonic()
    command = [sys.executable, "-m", *module.split()]
    process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _await(f"http://127.0.0.1:{port}{path}", process, began)
        yield Server(port, process, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _await(address: str, process: subprocess.Popen[bytes], began: float) -> None:
    while time.monotonic() - began < START_TIMEOUT:
        if process.poll() is not None:
            raise SystemExit(f"{process.args}: ended with {process.returncode}")
        with contextlib.suppress(URLError, OSError), urlopen(address, timeout=1):  # noqa: S310 - our own address
            return
        time.sleep(0.01)
    raise SystemExit(f"{address} did not answer within {START_TIMEOUT} seconds")


def _lift_limits(policy: Path) -> None:
    """All the load comes from one address: throttling goes on counting, but refuses nobody."""
    text = policy.read_text("utf-8")
    policy.write_text(re.sub(r'^(\w+ = )"\d+/minute"', r'\1"99999/second"', text, flags=re.MULTILINE), "utf-8")


def configuration(folder: Path, port: int) -> dict[str, str]:
    """The shipped configuration on another port, with a fresh SQLite database and fresh secrets."""
    target = folder / "config"
    if not target.exists():
        shutil.copytree("config", target)
        for policy in (target / "policies").glob("*.toml"):
            _lift_limits(policy)
    return {
        "IDP_CONFIG": str(target),
        "IDP_ISSUER": f"http://localhost:{port}",
        "IDP_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        "IDP_MASTER_KEY": secrets.token_hex(32),
        "IDP_SERVER_PORT": str(port),
        "IDP_SERVER_METRICS_PORT": "0",
        "IDP_LOG_LEVEL": "info",
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }
