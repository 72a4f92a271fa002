"""A real mail server that can be told how to behave, and a World with an outbox."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text

from idp.flows.deliver import Fate, PostOffice, deliver
from idp.flows.world import World
from idp.language import Words
from idp.model import Brand, Letter
from idp.policies.policy import Policy
from idp.post import Letterhead, Letters, Smtp
from idp.vault import Hasher, HashPool, Vault
from tests.servers import fresh_store

HEAD = Letterhead("no-reply@norda.example", "Norda")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class MailServer:
    """What was taken, and what is answered to RCPT and to DATA; "drop" hangs up."""

    taken: list[bytes] = field(default_factory=list)
    to_rcpt: str = "250 OK"
    to_data: str = "250 OK"
    connections: int = 0
    port: int = 0

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.to_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_rcpt

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.to_data == "drop":
            server.transport.abort()
            return "421 bye"
        if self.to_data.startswith("250"):
            self.taken.append(envelope.content or b"")
        return self.to_data


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer(port=free_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    yield server
    controller.stop()


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[World]:
    store = fresh_store("sqlite", tmp_path)
    vault = Vault(b"k" * 32, Hasher(8, 1, 1), HashPool(1, 1))
    yield World(store, vault, Policy(), {}, {}, "https://id.example", clock)
    store.close()


@pytest.fixture
def office(mail_server: MailServer) -> Iterator[PostOffice]:
    smtp = Smtp(host="127.0.0.1", port=mail_server.port, letterhead=HEAD, timeout=3)
    made = PostOffice(Letters(Words()), Brand("Norda"), {"mail": smtp})
    yield made
    made.close()


@dataclass
class Desk:
    """A World, a post office and the mail server it hands letters to."""

    world: World
    office: PostOffice
    server: MailServer
    clock: Clock

    def put(self, **facts: Any) -> Letter:
        """Put a letter into the outbox."""
        context = facts.pop("context", {"name": "Ada", "username": "ada"})
        letter = Letter(self.world.vault.token(16), "mail", "ada@customer.example", "enrolled", "en", context, self.clock())
        letter = replace(letter, **facts)
        with self.world.store.begin() as tx:
            tx.outbox.put(letter, self.world.vault.seal_json(context))
        return letter

    def fates(self, office: PostOffice | None = None) -> list[Fate]:
        """Deliver what is due."""
        return [told.fate for told in deliver(self.world, office or self.office)]

    def row(self, letter: Letter) -> Any:
        """The letter as it lies in the outbox."""
        with self.world.store.engine.connect() as connection:
            statement = text("SELECT state, body, error, attempts FROM outbox WHERE id = :id")
            return connection.execute(statement, {"id": letter.id}).one()


@pytest.fixture
def desk(world: World, office: PostOffice, mail_server: MailServer, clock: Clock) -> Desk:
    return Desk(world, office, mail_server, clock)


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    before = threading.active_count()
    yield
    ends = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < ends:
        time.sleep(0.01)
    assert threading.active_count() <= before
