"""K-17: `idp worker` killed between sending a signal and writing that it is sent: nothing is lost, nothing new by its id."""

import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.app.composition import make_world
from idp.flows.world import World
from idp.model import Stream
from idp.policies.signals import ACCOUNT_ENABLED
from idp.settings import load
from idp.store.clients import StoredClient
from idp.vault.signing import peek
from tests.harness import CONFIG
from tests.oauth.provider import NOW, made_keys
from tests.oauth.streams import receiver
from tests.receivers import LOOPBACK, Got, Receivers, receiving
from tests.servers import fresh_urls

RECEIVERS, EVENTS, SECONDS = ("watcher", "billing"), 12, 60


class Desk:
    """Signals that wait for two receivers, and workers that are processes of their own."""

    def __init__(self, world: World, environ: dict[str, str], receivers: Receivers) -> None:
        self.world, self.receivers, self._environ = world, receivers, environ

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "idp", "worker", *options]
        return subprocess.Popen(command, env={**os.environ, **self._environ}, stdout=subprocess.DEVNULL)

    def fill(self) -> set[str]:
        """Let something happen a few times; the identifiers of what is to be told of it."""
        now = datetime.now(UTC)
        with self.world.store.begin() as tx:
            for client in RECEIVERS:
                tx.streams.add(Stream(client, client, (ACCOUNT_ENABLED,), now, push_url=f"{self.receivers.url}/{client}"))
            for _ in range(EVENTS):
                self.world.record(tx, now, "account.unblock", "done", account="acc_1", actor="operator")
        with self.world.store.engine.connect() as connection:
            return {row[0] for row in connection.execute(text("SELECT id FROM signals"))}

    def let_leases_end(self) -> int:
        """What a minute would do; returns how many signals a worker had held."""
        with self.world.store.engine.begin() as connection:
            return connection.execute(text("UPDATE signals SET leased_until = NULL WHERE leased_until IS NOT NULL")).rowcount

    def arrived(self) -> Counter[tuple[str, str]]:
        """How often which token came to whom."""
        return Counter((got.path[1:], peek(got.token)["jti"]) for got in list(self.receivers.got))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with receiving() as receivers:
        environ = {
            "IDP_CONFIG": str(CONFIG),
            "IDP_DATABASE_URL": fresh_urls("sqlite", tmp_path)[0],
            "IDP_MASTER_KEY": bytes(range(32)).hex(),
            "IDP_OUTBOUND_NETWORKS": ",".join(LOOPBACK),
            **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
        }
        world = make_world(load(CONFIG, environ))
        with world.store.begin() as tx:
            for key in made_keys():
                tx.keys.add(key)
            tx.clients.add(StoredClient(receiver("watcher", "ssf.read"), None, NOW, NOW))
        yield Desk(world, environ, receivers)
        world.store.close()


def test_k17_a_worker_killed_between_sending_and_marking_loses_nothing(desk: Desk) -> None:
    waiting = desk.fill()
    assert len(waiting) == EVENTS * len(RECEIVERS)
    killed = desk.worker()

    def kill(_: Got) -> None:
        # The receiver has read it, and its answer reaches nobody.
        if len(desk.receivers.got) == EVENTS:
            killed.send_signal(signal.SIGKILL)

    desk.receivers.before = kill
    assert killed.wait(SECONDS) == -signal.SIGKILL
    before = desk.arrived()
    assert desk.let_leases_end() > 0
    following = desk.worker()

    def stop(_: Got) -> None:
        if {jti for _, jti in desk.arrived()} == waiting:
            following.terminate()

    desk.receivers.before = stop
    assert following.wait(SECONDS) == 0
    # Each signal came to the one whose it is, under the identifier under which it was stored, some of them twice.
    arrived = desk.arrived()
    assert {jti for _, jti in arrived} == waiting
    assert len(arrived) == len(waiting)
    assert max(arrived.values()) == 2
    assert all(times == 1 for name, times in arrived.items() if name not in before)
    # Whoever was told to stop finished what was under way, and wrote it down.
    assert desk.let_leases_end() == 0
    with desk.world.store.read() as tx:
        assert tx.signals.depth() == {"waiting": 0, "held": 0, "dead": 0}
