"""The demo as a visitor starts it: the command itself, on free ports, and what it must leave behind, which is nothing."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

import httpx

from tests.people import Page

ROOT = Path(__file__).parents[2]
PORTS = 7
SECONDS = 90
_MARK = "DEMO_UNDER_TEST"


@dataclass
class Demo:
    """A demo that runs, or ran."""

    port: int
    folder: Path
    process: subprocess.Popen[str]
    mark: str
    said: str = ""
    addresses: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> str:
        """The address of one of its parts, as it was printed: ``portal``, ``inbox``, ``identity`` …"""
        try:
            return self.addresses[name]
        except KeyError:
            raise AttributeError(name) from None

    def letters(self, to: str, subject: str = "") -> list[dict[str, str]]:
        """The letters to a sample person, newest first, waited for."""
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            messages = httpx.get(f"{self.addresses['inbox']}/messages", trust_env=False).json()
            found = [one for one in messages if one["to"] == f"{to}@example.com" and subject in one["subject"]]
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no letter to {to}")

    def invitation(self, to: str) -> str:
        """The link in someone's invitation."""
        text = self.letters(to)[-1]["text"]
        return next(word for word in text.split() if word.startswith(f"{self.addresses['identity']}/invitation"))

    def stop(self, number: int) -> int:
        """Send a signal to the demo alone; its exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Its exit code, when it has ended; all it said is in ``said``."""
        rest, _ = self.process.communicate(timeout=SECONDS)
        self.said += rest
        return self.process.returncode

    def left_behind(self) -> list[str]:
        """Files, processes and ports that are not gone; an instant is given to those whom nobody waits for."""
        ends = time.monotonic() + 30
        while (left := self.left_behind_now()) and time.monotonic() < ends:
            time.sleep(0.1)
        return left

    def left_behind_now(self) -> list[str]:
        """What is there at this moment."""
        left = [str(path) for path in self.folder.iterdir()]
        left += [f"process {number}: {said}" for number, said in marked(self.mark)]
        return left + [f"port {number}" for number in range(self.port, self.port + PORTS) if not free(number)]


@contextmanager
def running_demo(folder: Path, *how: str) -> Iterator[Demo]:
    """The demo, ready; stopped at the end if it still runs."""
    with started_demo(folder, *how) as demo:
        assert demo.process.stdout is not None
        for line in demo.process.stdout:
            demo.said += line
            words = line.split()
            if len(words) > 1 and words[1].startswith("http://localhost:"):
                demo.addresses[words[0]] = words[1]
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError(f"the demo did not start:\n{demo.said}")
        yield demo


@contextmanager
def started_demo(folder: Path, *how: str) -> Iterator[Demo]:
    """The demo, perhaps not ready yet."""
    port, mark = seven_ports(), secrets.token_hex(8)
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "idp", "demo", "--port", str(port), *how],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), _MARK: mark, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    demo = Demo(port, temporary, process, mark)
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def seven_ports() -> int:
    """The first of seven free ports in a row, below those that systems give to outgoing connections."""
    while True:
        port = 20000 + secrets.randbelow(10000)
        if all(free(number) for number in range(port, port + PORTS)):
            return port


def free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def marked(mark: str) -> list[tuple[int, str]]:
    """The processes that were started with this mark in their environment."""
    wanted = f"{_MARK}={mark}"
    if not Path("/proc/self/environ").exists():
        shown = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
        return [(int(line.split()[0]), line) for line in shown.splitlines() if wanted in line]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().decode(errors="replace"):
                found.append(
                    (int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                )
        except OSError:
            continue
    return found


class Visitor:
    """Somebody with a browser that runs no script: sees pages, follows redirects, sends forms."""

    def __init__(self, language: str = "en") -> None:
        self.http = httpx.Client(
            follow_redirects=True, trust_env=False, timeout=60, headers={"Accept-Language": language, "Accept": "text/html"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open(self, address: str) -> Page:
        """Go there."""
        return Page(self.http.get(address))

    def fill(self, page: Page, **fields: str) -> Page:
        """Send the page's form, with what it is filled with already."""
        address = urljoin(str(page.response.url), page.action)
        filled = {name: value for name, held in page.fields.items() if (value := held.get("value"))}
        return Page(self.http.post(address, data={**filled, **fields}))
