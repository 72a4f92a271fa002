"""What the protocol's more careful ways cost beside the plain ones, each measured in turn with its twin."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from benchmarks.client import REDIRECT, Answer, Client, basic, sign_in
from benchmarks.people import WHO

BILLING, SERVICE = "http://localhost:8082", "http://localhost:8083"
TARGET = 1.5
Operation = Callable[[], object]
Headers = Callable[[], Mapping[str, str]]
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_VERIFIER = secrets.token_urlsafe(48)


class Pair(NamedTuple):
    """An operation, what it is held against, and how many of each make a round."""

    name: str
    twin_name: str
    operation: Operation
    twin: Operation
    count: int


def pairs(port: int, environ: Mapping[str, str]) -> Iterator[Pair]:
    """Each way with its plain twin, at a server under the policy of a portal."""
    portal = basic("portal", environ["PORTAL_CLIENT_SECRET"])
    billing = basic("billing", environ["BILLING_CLIENT_SECRET"])
    ways = _Ways(port, portal)
    yield Pair("PAR, authorize, code", "authorize, code", ways.pushed, ways.plain, 60)
    refresh = refreshing(port, lambda: portal)
    yield Pair("token exchange", "refresh", _exchanging(port, portal, billing), refresh, 100)
    app = Prover(f"{environ['IDP_ISSUER']}/token")
    credentials = {"grant_type": "client_credentials", "scope": "service:read", "resource": SERVICE}
    yield Pair(
        "client_credentials, DPoP",
        "client_credentials",
        _asking(port, credentials, lambda: billing | app.header(), app),
        _asking(port, credentials, lambda: billing),
        100,
    )
    yield Pair("refresh, DPoP", "refresh", refreshing(port, lambda: portal | app.header(), app), refresh, 100)
    live, dead = (sign_in(Client(port), WHO, portal, BILLING) for _ in range(2))
    assert Client(port).post("/revoke", {"token": dead["refresh_token"]}, portal).status == 200
    yield Pair(
        "introspection, revoked",
        "introspection, live",
        _introspecting(port, billing, dead["access_token"], active=False),
        _introspecting(port, billing, live["access_token"], active=True),
        200,
    )


class Prover:
    """A key and the header that proves it (RFC 9449); the service tells the nonce."""

    def __init__(self, url: str) -> None:
        self._url, self._key = url, ec.generate_private_key(ec.SECP256R1())
        self.nonce = ""
        point = self._key.public_key().public_numbers()
        self._jwk = {"kty": "EC", "crv": "P-256", "x": _b64(point.x.to_bytes(32)), "y": _b64(point.y.to_bytes(32))}

    def header(self) -> dict[str, str]:
        """One more proof, for a POST."""
        said = {"htm": "POST", "htu": self._url, "iat": int(time.time()), "jti": secrets.token_urlsafe(16), "nonce": self.nonce}
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._jwk}
        message = ".".join(_b64(json.dumps(part).encode()) for part in (head, said))
        r, s = decode_dss_signature(self._key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
        return {"DPoP": f"{message}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"}


class _Ways:
    """Ways to a code for someone who is signed in, and to its tokens."""

    def __init__(self, port: int, portal: Mapping[str, str]) -> None:
        self._browser, self._machine, self._portal = Client(port), Client(port), portal
        sign_in(self._browser, WHO, portal, None)
        self._asked = {
            "response_type": "code",
            "client_id": "portal",
            "redirect_uri": REDIRECT,
            "state": "s",
            "nonce": "n",
            "scope": "openid profile email",
            "code_challenge": _b64(hashlib.sha256(_VERIFIER.encode()).digest()),
            "code_challenge_method": "S256",
        }

    def plain(self) -> object:
        """By an address that says everything."""
        return self._redeemed(self._asked)

    def pushed(self) -> object:
        """By a request that was left at the service before (RFC 9126)."""
        answer = self._machine.post("/par", self._asked, self._portal)
        assert answer.status == 201, answer
        return self._redeemed({"client_id": "portal", "request_uri": answer.json()["request_uri"]})

    def _redeemed(self, asked: Mapping[str, str]) -> Answer:
        back = self._browser.get("/authorize?" + urlencode(asked)).location
        code = parse_qs(urlsplit(back).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": _VERIFIER}
        return _good(self._machine.post("/token", form, self._portal))


def refreshing(port: int, headers: Headers, prover: Prover | None = None) -> Operation:
    """One refresh after the other, each with the token that the last one brought."""
    client = Client(port)
    known = {name: value for name, value in headers().items() if name == "Authorization"}
    current = {"refresh_token": sign_in(Client(port), WHO, known, None)["refresh_token"]}

    def refresh() -> object:
        form = {"grant_type": "refresh_token", **current}
        answer = _proved(client, form, headers, prover)
        current["refresh_token"] = answer.json()["refresh_token"]
        return answer

    return refresh


def _exchanging(port: int, portal: Mapping[str, str], billing: Mapping[str, str]) -> Operation:
    token = sign_in(Client(port), WHO, portal, BILLING)["access_token"]
    form = {"grant_type": _EXCHANGE, "subject_token": token, "subject_token_type": _ACCESS_TOKEN}
    return _asking(port, form | {"resource": SERVICE, "scope": "service:read"}, lambda: billing)


def _asking(port: int, form: Mapping[str, str], headers: Headers, prover: Prover | None = None) -> Operation:
    client = Client(port)
    return lambda: _proved(client, form, headers, prover)


def _introspecting(port: int, billing: Mapping[str, str], token: str, *, active: bool) -> Operation:
    client = Client(port)

    def introspect() -> object:
        answer = _good(client.post("/introspect", {"token": token}, billing))
        assert answer.json()["active"] is active
        return answer

    return introspect


def _proved(client: Client, form: Mapping[str, str], headers: Headers, prover: Prover | None) -> Answer:
    """The answer of the token endpoint, asked again where it told the nonce first."""
    answer = client.post("/token", form, headers())
    if prover is not None and answer.nonce and answer.nonce != prover.nonce:
        prover.nonce = answer.nonce
        if answer.status != 200:
            answer = client.post("/token", form, headers())
    return _good(answer)


def _good(answer: Answer) -> Answer:
    assert answer.status == 200, answer
    return answer


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
