"""A provider in one process: the OAuth door over a real store, with a double that signs people in."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import jwt
from flask import Flask, Request, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.flows.keys import open_ring
from idp.flows.world import World
from idp.model import (
    Account,
    AccountState,
    Ask,
    Client,
    Credential,
    Factor,
    KeyUse,
    Proof,
    Session,
    SignIn,
    SigningKey,
)
from idp.oauth import Finished, Pending, create_blueprint
from idp.policies import entry
from idp.policies.policy import Policy
from idp.policies.steps import Done
from idp.store import Store
from idp.vault import HashPool, Vault, digest
from idp.vault.hashing import Hasher
from idp.vault.signing import ALGORITHMS, KeyRing, make_key
from tests.oauth.clients import BILLING, CALLBACK, CLIENTS, RESOURCES, SECRET

ISSUER = "https://id.example"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

MARIA = Account(
    id="acc_maria",
    username="Maria.Rossi",
    email="maria@example.com",
    given_name="Maria",
    family_name="Rossi",
    state=AccountState.ACTIVE,
    created_at=NOW - timedelta(days=20),
    mobile="+393332805719",
    entitlements=frozenset({"billing", "service"}),
    credentials=tuple(
        Credential(factor, "hash", NOW - timedelta(days=10), question="first_school" if factor is Factor.ANSWER else None)
        for factor in (Factor.PASSWORD, Factor.PIN, Factor.ANSWER)
    ),
    enrolled_at=NOW - timedelta(days=10),
    email_confirmed_at=NOW - timedelta(days=10),
    last_sign_in_at=NOW - timedelta(days=1),
)


@cache
def vault() -> Vault:
    return Vault(bytes(range(32)), Hasher(19456, 2, 1), HashPool(1, 4))


@cache
def made_keys() -> tuple[SigningKey, ...]:
    """One set of keys for the whole run: large RSA keys take their time."""
    return tuple(make_key(alg, use, vault(), NOW) for alg in ALGORITHMS for use in (KeyUse.CURRENT, KeyUse.NEXT))


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = NOW
    seconds: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()


@dataclass
class Door:
    """Signs a fixed person in when it is told to, by the derived steps of the policy as the real one does."""

    world: World
    held: tuple[Session, Account] | None = None
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    begun: int = 0

    def session(self, request: Request, within: timedelta | None = None) -> tuple[Session, Account] | None:  # noqa: ARG002
        return None if self.held is None or "cookieless" in request.args else self.held

    def begin(self, request: Request, ask: Ask, held: tuple[Session, Account] | None) -> Response:  # noqa: ARG002
        transaction = f"tx{self.begun}"
        self.begun += 1
        now = self.world.clock()
        proofs = entry.counting(held[0].proofs, ask) if held else ()
        account_id = held[1].id if held and proofs else None
        self.sign_ins[transaction] = SignIn(transaction, "browser", now, now + timedelta(minutes=10), ask, account_id, proofs)
        return self.back(transaction)

    def back(self, transaction: str) -> Response:
        return Response(status=303, headers={"Location": f"/sign-in/{transaction}"})

    def finished(self, request: Request, transaction: str) -> Finished | Pending | None:  # noqa: ARG002
        sign_in = self.sign_ins.get(transaction)
        if sign_in is None:
            return None
        account = self.account() if sign_in.account_id else None
        step = entry.next_step(sign_in, account, self.world.policy, self.world.clock())
        if not isinstance(step, Done) or self.held is None:
            return Pending(sign_in, step)
        del self.sign_ins[transaction]
        return Finished(sign_in, *self.held)

    def forget(self, response: Response) -> Response:
        self.held = None
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def account(self) -> Account:
        with self.world.store.read() as tx:
            found = tx.accounts.by_id(MARIA.id)
        assert found is not None
        return found

    def sign_in(self, *factors: Factor, sid: str | None = None) -> Session:
        """Open a session for Maria with fresh proofs."""
        now = self.world.clock()
        proofs = tuple(Proof(factor, now) for factor in factors or (Factor.PASSWORD, Factor.PIN))
        name = sid or f"sid{len(self.sessions)}"
        session = Session(digest(name), name, MARIA.id, proofs, now, now, now + timedelta(minutes=30))
        self.world.store.sessions.put(session, 10)
        self.sessions.append(session)
        self.held = (session, self.account())
        return session

    def answer(self, transaction: str, *factors: Factor, consented: bool = False) -> None:
        """Give proofs to a sign-in under way, and open the session that comes of it."""
        before = self.sign_ins[transaction]
        now = self.world.clock()
        proofs = before.proofs + tuple(Proof(factor, now) for factor in factors)
        self.sign_ins[transaction] = replace(before, account_id=MARIA.id, proofs=proofs, consented=consented)
        self.sign_in(*(proof.factor for proof in proofs))


class Pages:
    """Pages as JSON, so that tests can read them."""

    def error(self, status: int, name: str, detail: str) -> Response:
        return Response(json.dumps({"page": "error", "error": name, "detail": detail}), status)

    def form_post(self, action: str, fields: Mapping[str, str]) -> Response:
        return Response(json.dumps({"page": "form_post", "action": action, "fields": dict(fields)}))

    def sign_out(self, request: Request, fields: Mapping[str, str], locale: str | None) -> Response:  # noqa: ARG002
        return Response(json.dumps({"page": "sign_out", "fields": dict(fields), "locale": locale}))

    def confirmed(self, request: Request) -> bool:
        return request.form.get("csrf") == "good"

    def signed_out(
        self,
        request: Request,  # noqa: ARG002
        client: Client | None,
        locale: str | None,
        frames: Sequence[str] = (),
        onward: str | None = None,
    ) -> Response:
        told = {"frames": list(frames), "onward": onward} if frames else {}
        return Response(json.dumps({"page": "signed_out", "client": client and client.id, "locale": locale, **told}))


class Provider:
    """The provider as a client sees it."""

    def __init__(self, store: Store, policy: Policy | None = None) -> None:
        self.clock = Clock()
        self.store = store
        self.world = World(
            store=store,
            vault=vault(),
            policy=policy or Policy(),
            clients={client.id: client for client in CLIENTS},
            resources={resource.identifier: resource for resource in RESOURCES},
            issuer=ISSUER,
            clock=self.clock,
        )
        with store.begin() as tx:
            tx.accounts.add(MARIA, "maria.rossi")
            for key in made_keys():
                tx.keys.add(key)
        self.start()

    def start(self, **changes: Any) -> None:
        """Start again, with the World changed."""
        self.world = replace(self.world, **changes)
        self.ring: KeyRing = open_ring(self.world, self.clock.monotonic)
        self.door = Door(self.world)
        self.failures: list[str] = []
        self.throttled = self.crowded = False
        for made in ("app", "http"):
            self.__dict__.pop(made, None)

    @cached_property
    def app(self) -> Flask:
        """The application, made when it is first asked: a provider that is started again has made none for nothing."""
        app = Flask("provider")
        app.testing = True
        app.register_blueprint(
            create_blueprint(self.world, self.ring, self.door, Pages(), self._failed, crowd=lambda: self.crowded)
        )
        return app

    @cached_property
    def http(self) -> FlaskClient:
        return self.app.test_client()

    def _failed(self, client_id: str) -> bool:
        self.failures.append(client_id)
        return self.throttled

    # The authorization endpoint

    def parameters(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "response_type": "code",
            "client_id": "portal",
            "redirect_uri": CALLBACK,
            "scope": "openid billing:read",
            "state": "st",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": BILLING,
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def authorize(self, **changes: Any) -> TestResponse:
        return self.http.get("/authorize", query_string=self.parameters(**changes))

    def code(self, **changes: Any) -> str:
        if self.door.held is None:
            self.door.sign_in()
        return answer_of(self.authorize(**changes))["code"]

    # The token endpoint

    def token(self, client: str | None = "portal", **form: Any) -> TestResponse:
        return self.post("/token", client, **form)

    def post(
        self, path: str, client: str | None = "portal", headers: Mapping[str, str] | None = None, **form: Any
    ) -> TestResponse:
        headers = ({} if client is None else basic(client, SECRET)) | dict(headers or {})
        data = {name: value for name, value in form.items() if value is not None}
        return self.http.post(path, data=data, headers=headers)

    def redeem(self, code: str, client: str | None = "portal", **changes: Any) -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.token(client, **(form | changes))

    def refresh(self, token: str, client: str | None = "portal", **changes: Any) -> TestResponse:
        return self.token(client, grant_type="refresh_token", refresh_token=token, **changes)

    def tokens(self, **changes: Any) -> dict[str, Any]:
        """A whole flow with the portal."""
        response = self.redeem(self.code(**changes))
        assert response.status_code == 200, response.text
        return dict(response.json)

    def active(self, token: str, client: str = "billing") -> dict[str, Any]:
        response = self.post("/introspect", client, token=token)
        assert response.status_code == 200, response.text
        return dict(response.json)

    def read(self, token: str, audience: str) -> dict[str, Any]:
        """A token's claims, verified by another library against the published keys."""
        published = jwt.PyJWKSet.from_dict(self.http.get("/jwks.json").json)
        header = jwt.get_unverified_header(token)
        options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(token, published[header["kid"]], [header["alg"]], options, audience=audience, issuer=ISSUER)
        return {**claims, "typ": header["typ"], "alg": header["alg"]}

    def audit(self) -> list[tuple[str, str]]:
        with self.store.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql("SELECT event, outcome FROM audit ORDER BY id")]  # type: ignore[misc]

    def letters(self) -> list[str]:
        with self.store.engine.connect() as connection:
            return [row[0] for row in connection.exec_driver_sql("SELECT template FROM outbox")]


def basic(client: str, secret: str) -> dict[str, str]:
    """RFC 6749 2.3.1: form-encoded, joined, base64."""
    joined = f"{quote_plus(client)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(joined.encode()).decode()}


def answer_of(response: TestResponse) -> dict[str, str]:
    """The parameters of a redirect to the client."""
    assert response.status_code == 303, (response.status_code, response.text)
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query, keep_blank_values=True))


def page_of(response: TestResponse) -> str:
    """The error a page tells, without a redirect."""
    assert response.status_code == 400, (response.status_code, response.headers)
    assert "Location" not in response.headers
    return str(json.loads(response.text)["error"])
