"""A portal whose clock and mail server only the test moves: the real flows over a real store, and people who come and go."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text

from idp.app.composition import make_world, put_in_force
from idp.flows import activity, deliver, reactivate, sign_in
from idp.flows.deliver import PostOffice
from idp.flows.facts import Looked, Visit, look
from idp.flows.sign_in import Opened
from idp.flows.world import World
from idp.language import Words
from idp.model import Account, AccountState, Ask, Brand, Credential, Factor, Letter, Source
from idp.policies import credentials
from idp.policies.policy import Inactivity, Policy
from idp.policies.steps import AskPin, AskUsernameAndPassword, Done, Reactivate, Step
from idp.post import Letters, Permanent, Rendered, Temporary
from idp.store import open_store
from idp.store.statements import Statement
from idp.store.tables import audit, outbox
from idp.store.unused import Use
from idp.vault import Hasher, HashPool, Vault
from tests.harness import settings_of
from tests.model.chronicle import Law, Life
from tests.servers import Kind, fresh_urls

STARTED = datetime(2031, 5, 4, 12, tzinfo=UTC)
PEOPLE = ("ada.rossi", "bea.neri", "carlo.verdi")
NEVER_CAME = "dario.bianchi"
PASSWORD, PIN, ANSWER = "correct horse battery", "280571", "Scuola Manzoni"
REMINDERS = {"suspension_reminder", "expiry_reminder"}
LETTERS = Letters(Words())
_NEWS = Statement(
    select(audit.c.id, audit.c.at, audit.c.event, audit.c.account_id, audit.c.facts)
    .where(audit.c.id > bindparam("heard"))
    .order_by(audit.c.id)
)
_BODY = Statement(select(outbox.c.body).where(outbox.c.id == bindparam("letter")))


class News(NamedTuple):
    """An entry of the audit."""

    id: int
    at: datetime
    event: str
    account_id: str
    facts: dict[str, Any]


@dataclass
class MailServer:
    """Takes letters, refuses some for good, or is down; what it took is written down as it takes it."""

    up: bool = True
    refuses: set[str] = field(default_factory=set)
    taken: list[tuple[Letter, datetime]] = field(default_factory=list)

    def deliver(self, letter: Letter, rendered: Rendered, now: datetime) -> None:
        assert rendered.subject
        if not self.up:
            raise Temporary("no answer")
        if letter.to.removesuffix("@example.com") in self.refuses:
            raise Permanent("550 no such mailbox")
        self.taken.append((letter, now))

    def close(self) -> None:
        pass


@dataclass
class Years:
    """The World, its clock, its mail server, and what the test knows of each person."""

    world: World
    time: list[datetime]
    mail: MailServer
    office: PostOffice
    law: Law
    lives: dict[str, Life] = field(default_factory=dict)
    heard: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def now(self) -> datetime:
        return self.time[0]

    def move(self, by: timedelta) -> None:
        self.time[0] += by

    # What people and staff do

    def enact(self, rules: Inactivity) -> None:
        """A law takes effect."""
        number = next(self.numbers)
        policy = replace(self.world.policy, inactivity=rules, digest=f"law {number}", periods=())
        self.world = put_in_force(replace(self.world, policy=policy))
        self.law.rules = rules
        self.law.history.append((self.now, rules))
        for life in self.lives.values():
            life.bent = True

    def add(self, username: str, state: AccountState = AccountState.ACTIVE) -> None:
        now, held = self.now, []
        for factor, typed in ((Factor.PASSWORD, PASSWORD), (Factor.PIN, PIN), (Factor.ANSWER, ANSWER)):
            hashed = self.world.vault.hash(credentials.prepare(factor, typed))
            held.append(Credential(factor, hashed, now, question="first_school" if factor is Factor.ANSWER else None))
        enrolled = now if state is AccountState.ACTIVE else None
        made = Account(
            id=f"acc_{username}",
            username=username,
            email=f"{username}@example.com",
            given_name="Ada",
            family_name="Rossi",
            state=state,
            created_at=now,
            enrolled_at=enrolled,
            credentials=tuple(held) if enrolled else (),
        )
        with self.world.store.begin() as tx:
            tx.accounts.add(made, username)
        self.lives[username] = Life(username, made.id, state.value, now, {"created": now})

    def account(self, username: str) -> Account | None:
        with self.world.store.read() as tx:
            return tx.accounts.bare(self.lives[username].id)

    def sign_in(self, username: str, *, right: bool = True, answers: bool = True) -> Step | Opened:
        """As far as it leads: into a session, or to the step that could not be taken."""
        world, browser = self.world, f"browser {next(self.numbers)}"
        visit = Visit(sign_in.begin(world, Ask(), browser), browser, Source("bucket", None, "other"))
        looked = look(world, visit)
        while looked is not None:
            after = self._answered(looked, username, right, answers)
            if isinstance(after, Opened):
                return after
            if not isinstance(after, Looked):
                return looked.step
            looked = after
        raise AssertionError("the sign-in is gone")

    def _answered(self, looked: Looked, username: str, right: bool, answers: bool) -> Any:
        match looked.step:
            case AskUsernameAndPassword():
                return sign_in.password(self.world, looked, username, PASSWORD if right else "not my password")
            case AskPin():
                return sign_in.pin(self.world, looked, PIN)
            case Reactivate() if answers:
                return reactivate.answer(self.world, looked, ANSWER)
            case Done():
                return sign_in.finish(self.world, looked)
        return None

    def refresh(self, username: str) -> bool:
        """A client renewed its tokens; whether that was noted."""
        with self.world.store.begin() as tx:
            account = tx.accounts.bare(self.lives[username].id)
            assert account is not None
            activity.note(self.world, tx, account, Use.REFRESH, self.now)
            after = tx.accounts.bare(account.id)
        assert after is not None
        return after.last_refresh_at != account.last_refresh_at

    def post(self) -> list[deliver.Delivery]:
        """The worker carries what is due, until nothing is."""
        told: list[deliver.Delivery] = []
        deliver.expire(self.world)
        while more := list(deliver.deliver(self.world, self.office)):
            told += more
        return told

    # What can be seen of it

    def news(self) -> list[News]:
        """The audit's entries since it was last read, the oldest first."""
        with self.world.store.read() as tx:
            rows = [News(*row) for row in tx.link.all(_NEWS, {"heard": self.heard})]
        self.heard = rows[-1].id if rows else self.heard
        return rows

    def told(self, letter: str) -> datetime | None:
        """The end of which a reminder that waits tells."""
        with self.world.store.read() as tx:
            ((body,),) = tx.link.all(_BODY, {"letter": letter})
        ends = self.world.vault.open_json(body)["ends"]
        return None if ends is None else datetime.fromisoformat(ends)

    def traces(self, account_id: str) -> dict[str, int]:
        """How many rows know of an account whose data should be gone, and its tombstone."""
        asked = {
            "accounts": "SELECT count(*) FROM accounts WHERE id = :id",
            "credentials": "SELECT count(*) FROM credentials WHERE account_id = :id",
            "outbox": "SELECT count(*) FROM outbox WHERE account_id = :id",
            "counters": "SELECT count(*) FROM counters WHERE subject = :id",
            "devices": "SELECT count(*) FROM devices WHERE account_id = :id",
            "sessions": "SELECT count(*) FROM sessions WHERE account_id = :id",
            "tombstones": "SELECT count(*) FROM tombstones WHERE subject = :id",
        }
        with self.world.store.engine.connect() as connection:
            return {name: connection.execute(text(sql), {"id": account_id}).scalar_one() for name, sql in asked.items()}


@contextmanager
def years(kind: Kind, folder: Path, rules: Inactivity) -> Iterator[Years]:
    """A portal of a few people and one who never came, under a law."""
    database, redis = fresh_urls(kind, folder)
    settings, _ = settings_of("http://localhost:1", database, redis)
    store, time = open_store(database, redis), [STARTED]
    vault = Vault(settings.secrets.master_key, Hasher(64, 1, 1), HashPool(2, 128))
    world = replace(make_world(settings, store), vault=vault, policy=Policy(), clock=lambda: time[0])
    mail = MailServer()
    portal = Years(world, time, mail, PostOffice(LETTERS, Brand("Telco"), {"mail": mail}), Law(rules))
    try:
        portal.enact(rules)
        # Two of them at one moment.
        for number, username in enumerate(PEOPLE):
            portal.move(timedelta(seconds=number // 2))
            portal.add(username)
        portal.add(NEVER_CAME, AccountState.INVITED)
        yield portal
    finally:
        store.close()
