"""The house under test: a real server over TCP, a clock that can be moved, and people with browsers.

Everything is built as in production, from the real ``config`` folder, by the application's own composition root. Only the
clock can be set, and hashing is cheap unless a test asks for it at full cost.
"""

import itertools
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import httpx
from werkzeug.serving import WSGIRequestHandler, make_server

from idp.app import logs
from idp.app.composition import make_world
from idp.app.factory import create_app
from idp.app.serving import fronted
from idp.flows import invite
from idp.flows.world import World
from idp.model import (
    Account,
    AccountState,
    AuditEntry,
    Client,
    Counter,
    Credential,
    Factor,
    Letter,
    Quiet,
    Reminder,
    Text,
)
from idp.policies import credentials
from idp.policies.inactivity import course
from idp.settings import Settings, load
from idp.store import Store, open_store
from idp.vault import Hasher, HashPool, Vault, digest
from tests.once import made_once
from tests.people import ANSWER, PARTNER_SECRET, PASSWORD, PIN, QUESTION, SERVICE, Person, browser
from tests.servers import Kind, fresh_urls

CONFIG = Path(__file__).parents[1] / "config"
ENTITLEMENTS = frozenset({"billing", "service"})
Pairs = Mapping[str, Any] | Iterable[tuple[str, str]]
_numbers = itertools.count(1)


class Clock:
    """A clock that runs, and can be stopped and moved on."""

    def __init__(self) -> None:
        self._began, self._base, self._stopped = time.monotonic(), datetime.now(UTC), False

    def __call__(self) -> datetime:
        return self._base if self._stopped else self._base + timedelta(seconds=time.monotonic() - self._began)

    def stop(self) -> datetime:
        """Stand still from now on."""
        self._base, self._stopped = self(), True
        return self._base

    def run(self) -> None:
        """Run again from where it stands."""
        self._base, self._began, self._stopped = self(), time.monotonic(), False

    def move(self, **by: float) -> datetime:
        """Jump by a timedelta's keywords."""
        self._base += timedelta(**by)
        return self()

    @contextmanager
    def stopped(self) -> Iterator["Clock"]:
        """Stand still within the block."""
        self.stop()
        try:
            yield self
        finally:
            self.run()


class _Quiet(WSGIRequestHandler):
    """Says nothing of what it serves."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the inherited signature
        pass


def settings_of(address: str, database: str, redis: str | None, **environ: str) -> tuple[Settings, dict[str, str]]:
    """The real configuration with random secrets, for an issuer; and the environment that says so."""
    said = {
        "IDP_ISSUER": address,
        "IDP_DATABASE_URL": database,
        "IDP_MASTER_KEY": secrets.token_hex(32),
        **{f"{name}_CLIENT_SECRET": secrets.token_urlsafe(32) for name in ("PORTAL", "BILLING", "SERVICE")},
        **environ,
    }
    if redis is not None:
        said["IDP_REDIS_URL"] = redis
    return load(CONFIG, said), said


# Clients beside those of the real configuration, for what those do not do.
MORE_CLIENTS = (
    Client(
        "partner",
        "A partner <b>& sons",
        ("authorization_code", "refresh_token"),
        ("https://partner.example/cb", "https://partner.example/cb?tenant=1&x=2"),
        auth_method="client_secret_post",
        secret_digests=(digest(PARTNER_SECRET),),
        scope=("openid", "profile", "email", "offline_access", "service:read"),
        resources=(SERVICE,),
        consent=True,
        id_token_alg="ES256",
    ),
    Client("off", "Gone", redirect_uris=("https://off.example/cb",), auth_method="none", scope=("openid",), disabled=True),
    Client(
        "old",
        "Before PKCE",
        redirect_uris=("https://old.example/cb",),
        secret_digests=(digest(PARTNER_SECRET),),
        scope=("openid", "profile", "service:read"),
        resources=(SERVICE,),
        response_modes=("query",),
        require_pkce=False,
    ),
)


@dataclass
class House:
    """A running identity service and what a test may look at behind its back."""

    settings: Settings
    world: World
    clock: Clock
    secrets: Mapping[str, str]
    app: Any
    kind: str
    server: Any = None

    def restart(self, policy: Callable[[Any], Any], texts: Iterable[Text] = ()) -> None:
        """Go on under another law, with texts beside those there are, as after a restart: the store is the same."""
        more = {(text.name, text.version): text for text in texts}
        law, known = policy(self.settings.policy), {**self.settings.texts, **more}
        self.settings = replace(self.settings, policy=law, texts=known)
        self.world = replace(self.world, policy=law, texts=known)
        self.app = _application(self.settings, self.world, self.clock)
        self.server.app = fronted(self.app, self.settings, self.world)

    @property
    def url(self) -> str:
        return self.settings.issuer

    @property
    def vault(self) -> Vault:
        return self.world.vault

    @property
    def hashes(self) -> int:
        """Verifications so far, real and decoy."""
        return self.vault.verified + self.vault.decoys

    # People

    def name(self, stem: str = "maria") -> str:
        return f"{stem}{next(_numbers)}.{secrets.token_hex(3)}"

    def person(self, **changes: Any) -> Person:
        return Person(self, **changes)

    def invited(self, **changes: Any) -> tuple[Person, str]:
        """Someone invited, and the code of the letter."""
        facts: dict[str, Any] = {
            "given_name": "Maria",
            "family_name": "Rossi",
            "entitlements": frozenset({"billing", "service"}),
        }
        facts |= changes
        facts.setdefault("username", self._sign_in_name())
        facts.setdefault("email", _address_of(facts["username"]))
        account = invite.invite(self.world, invite.Person(**facts), "portal", "test")
        assert isinstance(account, Account), account
        (_, context) = self.letters(account, "invitation")[-1]
        return Person(self, username=account.username), context["code"]

    def customer(self, **changes: Any) -> Person:
        """Someone enrolled, active and never signed in yet, with the secrets that policy knows.

        ``secrets`` are those that the person has instead; ``credentials=()`` leaves them out.
        """
        now = self.clock()
        name = changes.pop("username", None) or self._sign_in_name()
        secrets_of = changes.pop("secrets", self._secrets())
        password = changes.pop("password", PASSWORD)
        account = Account(
            id=f"acc_{self.vault.token(20)}",
            username=name,
            email=_address_of(name),
            given_name="Maria",
            family_name="Rossi",
            state=AccountState.ACTIVE,
            created_at=now,
            entitlements=ENTITLEMENTS,
            enrolled_at=now,
            email_confirmed_at=now,
            credentials=tuple(self._credential(factor, now, password) for factor in secrets_of),
        )
        account = replace(account, **changes)
        with self.world.store.begin() as tx:
            tx.accounts.add(account, credentials.canonical_username(name))
        return Person(self, username=name, password=password)

    def _sign_in_name(self) -> str:
        """A name that the sign-in page takes: an email address where that is all that it takes."""
        name = self.name()
        return name if "username" in self.world.policy.sign_in.identify_by else _address_of(name)

    def _secrets(self) -> tuple[Factor, ...]:
        law = self.world.policy
        on = {Factor.PASSWORD: True, Factor.PIN: law.pin.enabled, Factor.ANSWER: law.security_question.enabled}
        return tuple(factor for factor in on if on[factor])

    def _credential(self, factor: Factor, now: datetime, password: str) -> Credential:
        typed = {Factor.PASSWORD: password, Factor.PIN: PIN, Factor.ANSWER: ANSWER}[factor]
        hashed = self._hashed(credentials.prepare(factor, typed))
        return Credential(factor, hashed, now, question=QUESTION if factor is Factor.ANSWER else None)

    def _hashed(self, prepared: str) -> str:
        known: dict[str, str] = self.__dict__.setdefault("_known", {})
        if prepared not in known:
            known[prepared] = self.vault.hash(prepared)
        return known[prepared]

    def leave(self, **span: float) -> None:
        """A time in which nobody comes: everyone is reminded in time, as by a worker and a mail server that never rest."""
        with self.world.store.begin() as tx:
            for known in tx.accounts.list(limit=1000):
                notices = course(known, self.world.policy, accepted_at=known.created_at).notices
                reminders = (Reminder(one.ending, one.ahead, "letter", one.due_at, one.due_at) for one in notices)
                tx.unused.set_quiet(known.id, Quiet(tuple(reminders)))
        self.clock.move(**span)

    # Behind its back

    def account(self, username: str) -> Account:
        with self.world.store.read() as tx:
            found = tx.accounts.by_username(credentials.canonical_username(username))
        assert found is not None
        return found

    def counters(self, account: Account) -> list[Counter]:
        with self.world.store.read() as tx:
            return tx.counters.of(account.id)

    def counter(self, account: Account, factor: Factor = Factor.PASSWORD, device: str = "") -> Counter:
        with self.world.store.read() as tx:
            return tx.counters.read(account.id, factor, device)

    def letters(self, account: Account, template: str | None = None) -> list[tuple[Letter, dict[str, Any]]]:
        """The letters that wait for an account, opened."""
        with self.world.store.begin() as tx:
            waiting = tx.outbox.claim(self.clock() + timedelta(microseconds=1), timedelta(0), 100_000)
        mine = [(letter, body) for letter, body in waiting if letter.to == account.email]
        mine.sort(key=lambda one: one[0].created_at)
        return [(letter, self.vault.open_json(body)) for letter, body in mine if template in (None, letter.template)]

    def audit(self, event: str | None = None, account: Account | None = None) -> list[AuditEntry]:
        with self.world.store.read() as tx:
            found = list(reversed(tx.audit.read(limit=100_000)))
        return [
            entry for entry in found if event in (None, entry.event) and (account is None or entry.account_id == account.id)
        ]

    def code(self, person: Person) -> str:
        """The code in the last letter or message that brought one; digits that no letter brought where there was none."""
        codes = ("recovery_code", "reactivation_code", "registration_code", "extra_code")
        sent = [one for one in self.letters(person.account) if one[0].template in codes]
        return str(sent[-1][1]["code"]) if sent else "0" * self.world.policy.recovery.code_length

    def temporary_password(self, person: Person) -> str:
        """The temporary password that a recovery brings, walked through in another browser."""
        browser, before = person.elsewhere(), {letter.id for letter, _ in self.letters(person.account)}
        page = browser.walk(browser.recover("password"))
        assert page.step == "MailSent", page.text
        letters = self.letters(person.account, "temporary_password")
        (password,) = [context["password"] for letter, context in letters if letter.id not in before]
        return str(password)

    # Machines

    def post(self, path: str, data: Pairs, client: str | None = None, **more: Any) -> httpx.Response:
        """A machine's form, authenticated as one of the clients that keep a secret."""
        auth = (client, self.secret(client)) if client and self.secret(client) else None
        pairs = list(data.items()) if isinstance(data, Mapping) else list(data)
        if client and auth is None:
            pairs.append(("client_id", client))
        headers = {"Content-Type": "application/x-www-form-urlencoded", **more.pop("headers", {})}
        with browser(self.url) as machine:
            return machine.post(path, content=urlencode(pairs), headers=headers, auth=auth, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        with browser(self.url) as machine:
            return machine.get(path, **more)

    def secret(self, client: str) -> str | None:
        return self.secrets.get(f"{client.upper()}_CLIENT_SECRET") or (PARTNER_SECRET if client == "old" else None)

    def token(self, client: str = "portal", **data: str) -> httpx.Response:
        return self.post("/token", data, client)

    def refresh(self, token: str, client: str = "portal", **data: str) -> httpx.Response:
        return self.token(client, grant_type="refresh_token", refresh_token=token, **data)

    def introspect(self, token: str, client: str = "billing") -> dict[str, Any]:
        answer = self.post("/introspect", {"token": token}, client)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def userinfo(self, token: str) -> httpx.Response:
        return self.get("/userinfo", headers={"Authorization": f"Bearer {token}"})


def _address_of(name: str) -> str:
    return name if "@" in name else f"{name}@example.com"


@contextmanager
def open_house(
    kind: Kind,
    folder: Path,
    *,
    strong: bool = False,
    pool: HashPool | None = None,
    policy: Callable[[Any], Any] | None = None,
    environ: Mapping[str, str] | None = None,
    clients: Iterable[Client] = (),
    redirects: Mapping[str, str] | None = None,
) -> Iterator[House]:
    """Start a house on a free port; ``strong`` hashes at production's cost, ``policy`` changes the law.

    ``environ`` is said beside what every house is told; ``clients`` stand beside those it has, or in their place,
    ``redirects`` are old addresses.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        database, redis = fresh_urls(kind, folder)
        settings, said = settings_of(f"http://localhost:{listener.getsockname()[1]}", database, redis, **(environ or {}))
        settings = replace(
            settings, clients={**settings.clients, **{client.id: client for client in (*MORE_CLIENTS, *clients)}}
        )
        settings = replace(settings, redirects=redirects or {})
        settings = settings if policy is None else replace(settings, policy=policy(settings.policy))
        store: Store = open_store(database, redis, pool_size=16)
        stack.callback(store.close)
        cost = settings.hashing if strong else replace(settings.hashing, memory_kib=64, iterations=1, parallelism=1)
        world = make_world(replace(settings, hashing=cost), store)
        hasher = Hasher(cost.memory_kib, cost.iterations, cost.parallelism)
        vault = Vault(settings.secrets.master_key, hasher, pool or HashPool(2, 128))
        clock = Clock()
        world = replace(world, clock=clock, vault=vault)
        app = _application(settings, world, clock)
        server = stack.enter_context(_served(settings, world, app, listener))
        yield House(settings, world, clock, said, app, kind, server)


def _application(settings: Settings, world: World, clock: Clock) -> Any:
    """The application, whose key ring measures its rests with what moves with the clock."""
    with made_once(), patch("idp.app.factory.time", SimpleNamespace(monotonic=lambda: clock().timestamp())):
        return create_app(settings, world)


@contextmanager
def _served(settings: Settings, world: World, app: Any, listener: socket.socket) -> Iterator[Any]:
    """The application behind its front, on a socket, each request in a thread of its own."""
    # The descriptor itself: pytest's stand-ins for sys.stdout come and go.
    logs.configure(settings.log.level, settings.log.format, open(1, "wb", buffering=0, closefd=False))  # noqa: SIM115
    front = fronted(app, settings, world)
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=_Quiet, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def together(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run calls at once, from behind a barrier, each in a thread of its own; an exception is a result."""
    work = list(calls)
    barrier, results = threading.Barrier(len(work)), [None] * len(work)

    def run(number: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[number] = call()
        except Exception as error:  # noqa: BLE001 - judged by the test
            results[number] = error

    threads = [threading.Thread(target=run, args=one) for one in enumerate(work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
