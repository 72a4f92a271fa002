"""``idp serve`` as a process, over TCP: starts, counts, withstands slow senders, stops well, and refuses what it must."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from idp.settings import make_master_key_file

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from idp.cli import main; main()"]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass
class Installation:
    """A directory with a configuration, and the commands run in it."""

    path: Path
    port: int = field(default_factory=free_port)
    metrics: int = field(default_factory=free_port)
    mail: int = field(default_factory=free_port)
    server: dict[str, Any] = field(default_factory=dict)
    issuer: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write(self) -> None:
        shutil.copytree(ROOT / "config" / "policies", self.path / "config" / "policies", dirs_exist_ok=True)
        stated = {"port": self.port, "metrics_port": self.metrics, "threads": 4} | self.server
        text = [
            f'issuer = "{self.issuer or f"http://localhost:{self.port}"}"',
            '[brand]\nname = "Norda"',
            f"[mail]\nport = {self.mail}",
            '[database]\nurl = "sqlite:///var/idp.sqlite3"',
            "[server]",
            *(f"{name} = {json.dumps(value)}" for name, value in stated.items()),
        ]
        (self.path / "config" / "settings.toml").write_text("\n".join(text))
        for name in ("clients.toml", "resources.toml"):
            (self.path / "config" / name).write_text("")
        if not (self.path / "var" / "master.key").exists():
            make_master_key_file(self.path / "var" / "master.key")

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        return kept | {"PYTHONPATH": str(ROOT), "CANARY": "canary-in-the-environment"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.path, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.path / "log").open("ab")
        process = subprocess.Popen([*COMMAND, *arguments], cwd=self.path, env=self.environ, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def serve(self) -> subprocess.Popen[bytes]:
        self.write()
        assert self.run("db", "upgrade").returncode == 0
        process = self.start("serve")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert process.poll() is None, self.log
                time.sleep(0.05)
            else:
                return process
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.path / "log").read_text()

    def get(self, path: str, timeout: float = 10) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def send(self, raw: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        connection.sendall(raw)
        return connection


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_it_serves_counts_and_stops_well(installation: Installation) -> None:
    process = installation.serve()
    assert installation.get("/healthz") == (200, '{"status": "alive"}')
    status, body = installation.get("/readyz")
    assert (status, json.loads(body)["parts"]["database"]) == (200, "up"), body
    assert installation.get("/.well-known/nothing")[0] == 404
    with urllib.request.urlopen(f"http://127.0.0.1:{installation.metrics}/metrics") as answer:
        metrics = answer.read().decode()
    assert 'idp_request_seconds_count{method="GET",route="/healthz",status="200"} 1.0' in metrics
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    lines = [json.loads(line) for line in installation.log.splitlines()]
    assert next(line["route"] for line in lines if line["event"] == "request") == "/healthz"
    assert "canary" not in installation.log


def test_several_workers_are_counted_together_and_a_dead_one_is_replaced(installation: Installation) -> None:
    installation.server = {"workers": 2}
    process = installation.serve()
    for _ in range(40):
        installation.get("/healthz")
    with urllib.request.urlopen(f"http://127.0.0.1:{installation.metrics}/metrics") as answer:
        counted = re.search(
            r'idp_request_seconds_count\{method="GET",route="/healthz",status="200"\} (\d+)', answer.read().decode()
        )
    assert counted is not None
    assert int(counted[1]) == 40
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children]
    os.kill(workers[0], signal.SIGKILL)
    time.sleep(2)
    assert all(installation.get("/healthz")[0] == 200 for _ in range(20))
    process.send_signal(signal.SIGTERM)
    process.wait(45)


def slow_body(installation: Installation) -> socket.socket:
    return installation.send(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")


def test_slow_bodies_hold_up_nobody_and_are_ended(installation: Installation) -> None:
    installation.serve()
    held = [slow_body(installation) for _ in range(120)]
    time.sleep(0.2)
    before = time.monotonic()
    assert installation.get("/healthz", timeout=3)[0] == 200
    assert time.monotonic() - before < 1
    ended = 0
    for connection in held:
        with connection:
            connection.settimeout(14)
            # Refused at once, or cut off later: by an answer, a clean end or a reset.
            with contextlib.suppress(ConnectionError):
                connection.recv(100)
            ended += 1
    assert ended == len(held)
    with installation.send(
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b"
    ) as whole:
        assert b"HTTP/1.1 4" in whole.recv(100)


def test_slow_headers_hold_no_thread(installation: Installation) -> None:
    installation.serve()
    held = [installation.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n") for _ in range(200)]
    assert installation.get("/healthz", timeout=3)[0] == 200
    held[0].settimeout(14)
    assert held[0].recv(100) == b""
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(120)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 600_000 + b"\r\n\r\n", b"431"),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_malformed_requests(shared: Installation, raw: bytes, status: bytes) -> None:
    with shared.send(b"") as connection:
        with contextlib.suppress(OSError):
            connection.sendall(raw)
        assert connection.recv(200).startswith(b"HTTP/1.1 " + status)
    assert shared.get("/healthz")[0] == 200


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("installation"))
    process = made.serve()
    yield made
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def certificate(path: Path, host: str, days: int = 90, form: str = "PKCS8") -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=200))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoded = key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), serialization.NoEncryption()
    )
    (path / "key.pem").write_bytes(encoded)
    return {"tls_certificate": str(path / "certificate.pem"), "tls_key": str(path / "key.pem")}


def test_it_speaks_tls(installation: Installation) -> None:
    installation.server = certificate(installation.path, "localhost")
    installation.issuer = f"https://localhost:{installation.port}"
    process = installation.serve()
    trust = ssl.create_default_context(cafile=installation.server["tls_certificate"])
    url = f"https://localhost:{installation.port}/healthz"
    with urllib.request.urlopen(url, context=trust, timeout=10) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def refused(installation: Installation, words: str) -> None:
    installation.write()
    told = installation.run("serve")
    assert told.returncode == 2, told.stdout + told.stderr
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_what_is_refused(installation: Installation) -> None:
    refused(installation, "Run `idp db upgrade`")
    installation.run("db", "upgrade")
    installation.issuer = "https://id.example"
    refused(installation, "would speak plain HTTP")
    installation.issuer = ""
    installation.server = {"host": "0.0.0.0"}  # noqa: S104 - what is refused
    refused(installation, "may listen on this machine only")
    installation.server = certificate(installation.path, "localhost", form="TraditionalOpenSSL")
    refused(installation, "PKCS #8")
    other = (installation.path / "key.pem").read_bytes()
    installation.server = certificate(installation.path, "localhost")
    (installation.path / "key.pem").write_bytes(other)
    refused(installation, "can't be used")


def test_db_check_says_whether_the_schema_is_current(installation: Installation) -> None:
    installation.write()
    assert installation.run("db", "check").returncode == 1
    assert installation.run("db", "upgrade").returncode == 0
    assert installation.run("db", "upgrade").returncode == 0
    assert installation.run("db", "check").returncode == 0


def test_the_worker_stops_on_sigterm(installation: Installation) -> None:
    installation.write()
    installation.run("db", "upgrade")
    assert installation.run("worker", "--once").returncode == 0
    process = installation.start("worker")
    deadline = time.monotonic() + 20
    while "worker begins" not in installation.log and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert "worker ends" in installation.log


def findings(installation: Installation) -> tuple[int, dict[str, list[dict[str, str]]]]:
    told = installation.run("doctor", "--json")
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(told.stdout)["findings"]:
        found.setdefault(finding["part"], []).append(finding)
    return told.returncode, found


def test_the_doctor_names_what_is_wrong_and_what_to_do(installation: Installation) -> None:
    installation.server = certificate(installation.path, "elsewhere.example", days=-1)
    installation.issuer = "https://id.example"
    installation.write()
    status, found = findings(installation)
    assert status == 1
    assert found["database"][0]["grade"] == "fail"
    assert "idp db upgrade" in found["database"][0]["remedy"]
    assert {finding["grade"] for finding in found["certificate"]} == {"fail"}
    assert found["mail"][0]["grade"] == "fail"
    assert found["hashing"][0]["grade"] in {"ok", "warn"}


def test_the_doctor_passes_a_sound_house(installation: Installation, mail_server: Callable[[int], None]) -> None:
    mail_server(installation.mail)
    process = installation.serve()
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    status, found = findings(installation)
    assert status == 0, found
    assert all(finding["grade"] != "fail" for part in found.values() for finding in part)
    (installation.path / "var" / "master.key").chmod(0o644)
    status, found = findings(installation)
    assert status == 1
    assert "chmod 600" in found["settings"][0]["remedy"]
