"""A configuration and a database of their own, and ``idp clients`` as operators run it."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.app.composition import make_world
from idp.cli import idp
from idp.flows.world import World
from idp.settings import load
from tests.servers import Kind, fresh_urls

CONFIG = Path(__file__).parents[2] / "config"


@dataclass
class Desk:
    """The command, and the World of a server that runs beside it."""

    environ: dict[str, str]
    world: World

    def run(self, *arguments: str, code: int = 0, answer: str | None = None) -> Result:
        said = CliRunner(env=self.environ).invoke(idp, ["clients", *arguments], input=answer)
        assert said.exit_code == code, (said.output, said.exception)
        return said

    def add(self, *words: str) -> tuple[str, str]:
        """Register a client; its id and its secret ("" where it has none)."""
        lines = dict(line.split(maxsplit=1) for line in self.run("add", *words).stdout.splitlines())
        return lines["client_id"], lines.get("secret", "")

    def show(self, client_id: str) -> dict[str, Any]:
        return dict(json.loads(self.run("show", client_id, "--json").stdout))

    def audit(self) -> list[tuple[str, str]]:
        with self.world.store.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT event, actor FROM audit WHERE event LIKE 'client.%%' ORDER BY id")
            return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.fixture
def kind() -> Kind:
    """Where the registrations lie; tests of the storage say more."""
    return "sqlite"


@pytest.fixture
def desk(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    database, _ = fresh_urls(kind, tmp_path)
    environ = {
        "IDP_CONFIG": str(CONFIG),
        "IDP_DATABASE_URL": database,
        "IDP_MASTER_KEY": secrets.token_hex(32),
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }
    world = make_world(load(CONFIG, environ))
    yield Desk(environ, world)
    world.store.close()
