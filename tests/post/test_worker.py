"""`idp worker` as a process, on both databases: killed at any point, told to stop, and beside another."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.app.composition import make_world
from idp.flows.deliver import MARKED_AT_ONCE
from idp.flows.world import World
from idp.model import Letter
from idp.settings import load
from tests.post.conftest import MailServer
from tests.servers import fresh_urls

CONFIG = Path(__file__).parents[2] / "config"
LETTERS, KILLS, PATIENCE = 300, 5, 120


class Office:
    """An outbox on one of the databases, and workers that are processes of their own."""

    def __init__(self, world: World, environ: dict[str, str], server: MailServer) -> None:
        self.world, self.server, self._environ = world, server, environ

    def fill(self, count: int) -> list[str]:
        """Put letters into the outbox and return their Message-IDs."""
        now, names = datetime.now(UTC), []
        with self.world.store.begin() as tx:
            for number in range(count):
                urgent = timedelta(minutes=30) if number % 2 else timedelta(days=1)
                code = {"name": "Ada", "code": f"{number:06}", "expires": (now + urgent).isoformat()}
                to = f"p{number}@customer.example"
                letter = Letter(self.world.vault.token(16), "mail", to, "recovery_code", "it", {}, now, now + urgent)
                tx.outbox.put(letter, self.world.vault.seal_json(code))
                names.append(f"<{letter.id}@norda.example>")
        return names

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "idp", "worker", *options]
        return subprocess.Popen(command, env={**os.environ, **self._environ}, stdout=subprocess.DEVNULL)

    def arrived(self) -> Counter[str]:
        """How often each letter came."""
        return Counter(message_from_bytes(raw, policy=compat32)["Message-ID"] for raw in list(self.server.taken))

    def let_leases_end(self) -> int:
        """What five minutes would do; returns how many letters a worker had held."""
        with self.world.store.engine.begin() as connection:
            return connection.execute(text("UPDATE outbox SET leased_until = NULL WHERE leased_until IS NOT NULL")).rowcount

    def states(self) -> Counter[tuple[str, bool]]:
        """How many letters are in which state, with a body or without."""
        with self.world.store.engine.connect() as connection:
            return Counter(
                (state, body is not None) for state, body in connection.execute(text("SELECT state, body FROM outbox"))
            )

    def until(self, happened: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < ends, "the worker does nothing"
            time.sleep(0.001)


@pytest.fixture(params=["sqlite", "postgresql"])
def post(request: pytest.FixtureRequest, tmp_path: Path, mail_server: MailServer) -> Iterator[Office]:
    environ = {
        "IDP_CONFIG": str(CONFIG),
        "IDP_DATABASE_URL": fresh_urls(request.param, tmp_path)[0],
        "IDP_MASTER_KEY": secrets.token_hex(32),
        "IDP_MAIL_HOST": "127.0.0.1",
        "IDP_MAIL_PORT": str(mail_server.port),
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }
    world = make_world(load(CONFIG, environ))
    yield Office(world, environ, mail_server)
    world.store.close()


def test_no_letter_is_lost_however_often_workers_are_killed(post: Office) -> None:
    letters, chance = post.fill(LETTERS), random.Random(19)  # noqa: S311 - when to kill is no secret
    held = 0
    for _ in range(KILLS):
        worker, before = post.worker(), len(post.server.taken)
        after = before + chance.randint(1, LETTERS // (KILLS + 1))
        post.until(lambda after=after: len(post.server.taken) >= after)
        time.sleep(chance.random() / 100)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        held += post.let_leases_end()
    assert held > 0
    assert post.worker("--once").wait(PATIENCE) == 0
    arrived = post.arrived()
    assert arrived.keys() == set(letters)
    # Each kill sends again no more than what was taken and not yet marked.
    assert arrived.total() - LETTERS <= KILLS * (MARKED_AT_ONCE + 1)
    assert post.states() == {("sent", False): LETTERS}


def test_two_workers_at_once_send_nothing_twice(post: Office) -> None:
    letters = post.fill(LETTERS)
    workers = [post.worker("--once") for _ in range(2)]
    assert [worker.wait(PATIENCE) for worker in workers] == [0, 0]
    assert post.arrived() == Counter(letters)
    assert post.states() == {("sent", False): LETTERS}


def test_a_worker_that_is_told_to_stop_leaves_nothing_half_done(post: Office) -> None:
    letters = post.fill(LETTERS)
    worker = post.worker()
    post.until(lambda: len(post.server.taken) >= 30)
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    sent = len(post.server.taken)
    assert post.states() == {("sent", False): sent, ("waiting", True): LETTERS - sent}
    assert post.let_leases_end() == 0
    assert post.worker("--once").wait(PATIENCE) == 0
    assert post.arrived() == Counter(letters)
