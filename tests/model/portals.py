"""The portals of the recovery model: one law each, the flows over a real store without the web, and who knows what."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp

from idp.app.composition import make_world
from idp.flows.world import World
from idp.model import Account, AccountState, Credential, Factor, Letter, Lost
from idp.policies import credentials, recovery
from idp.policies.policy import Pin, Policy, Recovery, RecoveryMethod, Registration, SecondFactor, StepUp
from idp.store import open_store
from idp.vault import Hasher, HashPool, Vault, apps
from tests.harness import settings_of
from tests.servers import fresh_urls

STARTED = datetime(2031, 5, 4, 12, tzinfo=UTC)
# Everyone that exists at a portal; the attacker has an access of their own beside the owner's.
OWNER, ATTACKER = "maria.rossi", "eve.neri"
KNOWLEDGE = ("password", "pin", "answer", "mailbox", "totp")
_PROOF = {"answer": "answer", "email_code": "mailbox", "totp": "totp"}


def _method(*proofs: Any, then: Any, by: Any = ("username", "email")) -> RecoveryMethod:
    return RecoveryMethod(identify_by=by, prove_by=proofs, then=then)


_NO_PIN: dict[str, Any] = {
    "pin": Pin(enabled=False),
    "registration": Registration(enrolment=("password", "question")),
    "step_up": StepUp(sign_in="pwd"),
}
POLICIES: Mapping[str, Policy] = {
    "my account": Policy(),
    "the mailbox alone": Policy(
        **_NO_PIN,
        recovery=Recovery(
            password=_method(then="mail_temporary"),
            username_and_password=_method(then="mail_temporary", by=("name", "email")),
        ),
    ),
    "a short code, signed in after": Policy(
        **_NO_PIN,
        recovery=Recovery(
            password=_method("answer", "email_code", then="choose_new", by=("email",)),
            answer_needs_mailbox=False,
            code_length=4,
            sign_in_after=True,
        ),
    ),
    "answer and mailbox": Policy(
        recovery=Recovery(
            password=_method("answer", then="choose_new"),
            pin=_method("answer", then="choose_new", by=("username",)),
            sign_in_after=True,
        )
    ),
    "locks that stay": Policy(
        recovery=Recovery(
            password=_method("email_code", "answer", then="mail_temporary"),
            pin=_method("email_code", then="choose_new", by=("username",)),
            lifts_lockout=False,
        )
    ),
    "a second factor": Policy(
        second_factor=SecondFactor(required=True),
        recovery=Recovery(
            password=_method("totp", "answer", then="choose_new"),
            pin=_method("answer", then="mail_new", by=("username",)),
            sign_in_after=True,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What somebody can come to at a portal by what they know of one account: worked out here apart from the product."""

    policy: Policy
    knows: frozenset[str]
    second_factor: bool

    def password(self) -> bool:
        """Whether they can come to know the password."""
        return "password" in self.knows or self.new_password()

    def new_password(self) -> bool:
        """Whether they can set one. A temporary password that its owner had sent is in the mailbox too."""
        for rules in self._ways_back():
            if rules.then == "mail_temporary" and "mailbox" in self.knows:
                return True
            if rules.then == "choose_new" and self._proves(rules):
                return True
        return False

    def pin(self) -> bool:
        """Whether they can come to know the PIN, or need none."""
        return not self.policy.pin.enabled or "pin" in self.knows or self.new_pin()

    def new_pin(self) -> bool:
        """Whether they can have one set."""
        rules = self.policy.recovery.pin
        mailed = rules.then == "mail_new" and ("mailbox" in self.knows or "pin" in self.knows)
        return self.policy.pin.enabled and self.password() and (mailed or self._proves(rules))

    def session(self) -> bool:
        """Whether they can sign in."""
        return self.password() and self.pin() and (not self.second_factor or "totp" in self.knows)

    def _ways_back(self) -> Iterator[RecoveryMethod]:
        for lost in (Lost.PASSWORD, Lost.USERNAME_AND_PASSWORD):
            rules = recovery.method(lost, self.policy)
            if rules.enabled:
                yield rules

    def _proves(self, rules: RecoveryMethod) -> bool:
        first = next(way for way in rules.prove_by if way != "totp" or self.second_factor)
        both = first == "answer" and rules.then == "choose_new" and self.policy.recovery.answer_needs_mailbox
        return {_PROOF[first], *(("mailbox",) if both else ())} <= self.knows


@dataclass
class Portal:
    """The World of one law, a clock that only the test moves, and its two people."""

    name: str
    world: World
    time: list[datetime]
    keys: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[Letter, dict[str, Any]]] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        return self.world.policy

    @property
    def now(self) -> datetime:
        return self.time[0]

    def move(self, by: timedelta) -> None:
        self.time[0] += by

    def account(self, username: str) -> Account:
        with self.world.store.read() as tx:
            found = tx.accounts.by_username(username)
        assert found is not None
        return found

    def add(self, username: str, secrets: Mapping[str, str], name: tuple[str, str]) -> Account:
        """Someone enrolled with every secret that the law knows, and the app where it demands one."""
        now, held = self.now, []
        wanted = {Factor.PASSWORD: "password", Factor.ANSWER: "answer"}
        if self.policy.pin.enabled:
            wanted[Factor.PIN] = "pin"
        for factor, which in wanted.items():
            hashed = self.world.vault.hash(credentials.prepare(factor, secrets[which]))
            held.append(Credential(factor, hashed, now, question="first_school" if factor is Factor.ANSWER else None))
        if self.policy.second_factor.required:
            self.keys[username], sealed = apps.new_key(self.world.vault)
            held.append(Credential(Factor.TOTP, sealed, now))
        account = Account(
            id=f"acc_{username}",
            username=username,
            email=f"{username}@example.com",
            given_name=name[0],
            family_name=name[1],
            state=AccountState.ACTIVE,
            created_at=now,
            enrolled_at=now,
            credentials=tuple(held),
        )
        with self.world.store.begin() as tx:
            tx.accounts.add(account, username)
        return account

    def app_code(self, username: str) -> str:
        """What the authenticator app shows now; nothing where there is none."""
        return str(pyotp.TOTP(self.keys[username]).at(self.now)) if username in self.keys else "000000"

    def new_letters(self) -> list[tuple[Letter, dict[str, Any]]]:
        """The letters that were not seen before, opened, the oldest first; they are in the mailbox from now on."""
        with self.world.store.begin() as tx:
            waiting = tx.outbox.claim(self.now + timedelta(microseconds=1), timedelta(days=999), 1000)
            for letter, _ in waiting:
                tx.outbox.sent(letter.id, self.now)
        fresh = [(letter, self.world.vault.open_json(body)) for letter, body in waiting]
        fresh.sort(key=lambda one: one[0].created_at)
        self.seen.extend(fresh)
        return fresh

    def mailbox(self, username: str, template: str, word: str) -> str:
        """What the newest letter of a kind says; "" where none came."""
        to = f"{username}@example.com"
        found = [body[word] for letter, body in self.seen if (letter.to, letter.template) == (to, template)]
        return str(found[-1]) if found else ""


@contextmanager
def portal(name: str, folder: Path) -> Iterator[Portal]:
    """A portal over a SQLite store in a folder, hashing cheaply."""
    database, redis = fresh_urls("sqlite", folder)
    settings, _ = settings_of("http://localhost:1", database, redis)
    store, time = open_store(database, redis), [STARTED]
    vault = Vault(settings.secrets.master_key, Hasher(64, 1, 1), HashPool(2, 128))
    world = replace(make_world(settings, store), vault=vault, policy=POLICIES[name], clock=lambda: time[0])
    try:
        yield Portal(name, world, time)
    finally:
        store.close()
