"""A crowd that nobody sees any more: accounts of every kind that upkeep does something about, on every storage."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import text

from idp.app.composition import make_world, put_in_force
from idp.flows import upkeep
from idp.flows.upkeep import Done, Stretch
from idp.flows.world import World
from idp.model import Account, AccountState, Quiet, Reminder
from idp.policies.inactivity import course
from idp.policies.policy import Policy
from idp.settings import Settings, load
from idp.store.tables import metadata
from tests.servers import fresh_urls
from tests.store.facts import code, grant, session

CONFIG = Path(__file__).parents[2] / "config"
DAY = timedelta(days=1)
PATIENCE = 120
# What is due about an account that was last used so many days ago, and in the end each act by its name in the audit.
DUE = {
    "remind": (91, AccountState.ACTIVE, ["reminder.asked suspension"]),
    "remind_expiry": (151, AccountState.ACTIVE, ["account.suspended", "reminder.asked expiry"]),
    "suspend": (121, AccountState.ACTIVE, ["account.suspended"]),
    "expire": (181, AccountState.ACTIVE, ["account.expired"]),
    "purge": (211, AccountState.ACTIVE, ["account.purged"]),
    "closed": (31, AccountState.CLOSED, ["account.purged"]),
    "invited": (31, AccountState.INVITED, ["account.purged"]),
    "cancelled": (15, AccountState.LEAVING, ["account.purged"]),
    "leaving": (13, AccountState.LEAVING, []),
    "pending": (31, AccountState.PENDING, ["account.purged"]),
    "quiet": (60, AccountState.ACTIVE, []),
    "blocked": (300, AccountState.BLOCKED, []),
}
# How many of the reminders each was sent in time: three before suspension, then three before expiry.
_REMINDED = {"suspend": 3, "remind_expiry": 3, "expire": 6, "purge": 6}


class Clock:
    """Stands still until it is moved, forward or back."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Crowd:
    """The World that upkeep is given, its people, and what is due about each of them."""

    kind: str
    settings: Settings
    world: World
    clock: Clock
    environ: dict[str, str]
    due: dict[str, list[str]] = field(default_factory=dict)

    def add(self, count: int, *kinds: str, **facts: Any) -> list[str]:
        """So many people of each kind, each with a grant and a session; their ids."""
        made: list[str] = []
        with self.world.store.begin() as tx:
            for kind in kinds:
                for number in range(count):
                    account = self._account(kind, number, facts)
                    tx.accounts.add(account, account.username)
                    self.due[account.id] = list(DUE[kind][2])
                    made.append(account.id)
                    given = grant(id=f"g{account.id}", account_id=account.id, expires_at=self.clock() + DAY)
                    tx.grants.open(given, code(digest=f"c{account.id}", grant_id=given.id, expires_at=self.clock() + DAY))
        return made

    def _account(self, kind: str, number: int, facts: dict[str, Any]) -> Account:
        days, state, _ = DUE[kind]
        name = f"{kind}{number}.{secrets.token_hex(6)}"
        seen = self.clock() - days * DAY - timedelta(minutes=number % 600)
        plain = Account(f"acc_{name}", name, f"{name}@example.com", "Maria", "Rossi", state, seen - DAY, state_at=seen)
        account = replace(plain, **{"last_sign_in_at": seen if state is AccountState.ACTIVE else None, **facts})
        notices = course(account, self.world.policy, accepted_at=account.created_at).notices[: _REMINDED.get(kind, 0)]
        reminders = tuple(Reminder(one.ending, one.ahead, f"old{name}", one.due_at, one.due_at) for one in notices)
        return replace(account, quiet=Quiet(reminders))

    def let_in(self, account_id: str) -> None:
        """Someone has a session."""
        ends = self.clock() + DAY
        self.world.store.sessions.put(session(f"s{account_id}", account_id=account_id, expires_at=ends), 10)

    # What happens

    def sweep(self, world: World | None = None) -> list[Stretch]:
        return list(upkeep.sweep(world or self.world))

    def pausing(self, until: Callable[[Stretch], bool] = lambda stretch: bool(stretch.done)) -> Iterator[Stretch]:
        """A round that has been held before its next transaction, once it came so far."""
        going = upkeep.sweep(self.world)
        assert any(until(stretch) for stretch in going)
        return going

    def run(self, *arguments: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """`idp upkeep`, as a process."""
        command = [sys.executable, "-m", "idp", "upkeep", *arguments]
        environ = {**os.environ, **self.environ}
        return subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.PIPE, text=True)

    def ran(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """It, to its end: exit code, JSON and what it said beside."""
        process = self.run("--json", *arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, json.loads(out) if out else {}, err

    def let_turns_end(self) -> None:
        """What five minutes would do."""
        with self.world.store.engine.begin() as connection:
            connection.execute(text("UPDATE upkeep SET turn = NULL, turn_until = NULL"))

    # What became of it

    def acts(self) -> Counter[tuple[str, str]]:
        """What the audit says was done about whom, and how often."""
        with self.world.store.read() as tx:
            found = tx.audit.read(limit=1_000_000)
        acts = (one for one in found if one.actor == "policy" and one.account_id is not None)
        return Counter((str(one.account_id), f"{one.event} {one.facts.get('ending', '')}".strip()) for one in acts)

    def written(self) -> int:
        """How many acts the audit tells of."""
        return int(self.rows("SELECT count(*) FROM audit WHERE actor = 'policy' AND account_id IS NOT NULL")[0][0])

    def wanted(self) -> Counter[tuple[str, str]]:
        return Counter((account_id, act) for account_id, acts in self.due.items() for act in acts)

    def account(self, account_id: str) -> Account | None:
        with self.world.store.read() as tx:
            return tx.accounts.by_id(account_id)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.world.store.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def judge(self) -> None:
        """Each act exactly once and whole: the audit, the letters, the tombstones, the grants and what is noted."""
        assert self.acts() == self.wanted()
        gone = {account_id for account_id, acts in self.due.items() if "account.purged" in acts}
        ended = gone | {one for one, acts in self.due.items() if {"account.suspended", "account.expired"} & set(acts)}
        reminded = Counter(one for one, acts in self.due.items() for act in acts if act.startswith("reminder"))
        assert Counter(one for (one,) in self.rows("SELECT account_id FROM outbox")) == reminded
        assert sorted(one for (one,) in self.rows("SELECT subject FROM tombstones")) == sorted(gone)
        assert {one for (one,) in self.rows("SELECT id FROM accounts")} == self.due.keys() - gone
        assert {one for (one,) in self.rows("SELECT account_id FROM grants WHERE revoked_at IS NOT NULL")} == ended
        for account_id, acts in self.due.items():
            account = self.account(account_id)
            if account is not None:
                assert (account.quiet.suspended_at is not None) == ("account.suspended" in acts), account_id
                assert (account.quiet.expired_at is not None) == ("account.expired" in acts), account_id

    def dump(self) -> dict[str, list[str]]:
        """Everything that is stored, in the database and in Redis."""
        found = {}
        with self.world.store.engine.connect() as connection:
            for table in metadata.sorted_tables:
                found[table.name] = sorted(map(str, connection.execute(table.select())))
        if "IDP_REDIS_URL" in self.environ:
            client = redis.Redis.from_url(self.environ["IDP_REDIS_URL"])
            found["redis"] = sorted(f"{key!r} {client.dump(key)!r}" for key in client.scan_iter())
            client.close()
        return found

    def by(self, change: Callable[[Policy], Policy]) -> World:
        """The World under another policy, put in force now."""
        return put_in_force(replace(self.world, policy=change(self.world.policy)))


def done(stretches: Iterable[Stretch]) -> list[Done]:
    return [one for stretch in stretches for one in stretch.done]


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def crowd(kind: Any, tmp_path: Path) -> Iterator[Crowd]:
    database, redis_url = fresh_urls(kind, tmp_path)
    environ = {
        "IDP_CONFIG": str(CONFIG),
        "IDP_DATABASE_URL": database,
        "IDP_MASTER_KEY": secrets.token_hex(32),
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
        **({"IDP_REDIS_URL": redis_url} if redis_url else {}),
    }
    settings, clock = load(CONFIG, environ), Clock()
    world = put_in_force(replace(make_world(settings), clock=clock))
    yield Crowd(kind, settings, world, clock, environ)
    world.store.close()
