"""Sign in from an app that can keep no secret: the system's browser, PKCE, a loopback redirect. One file, to be copied.

    app = App("https://id.example", "app", Path.home() / ".norda" / "tokens.json")
    app.sign_in(webbrowser.open, "https://billing.example")
    url = "https://billing.example/bills/latest"
    bill = httpx.get(url, headers=app.authorization("GET", url))

The person's password is typed into the browser and never into the app (RFC 8252, section 8.12). What it gets is worth
nothing without the key that lies beside it (RFC 9449): a copy of a log, or of a token, opens nothing. A phone app does the
same with a claimed https address or a scheme of its own in the place of the loopback server (RFC 8252, sections 7.1 and 7.2).
"""

import base64
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

# An access token this near its end is not worth sending.
SOON = 30
DONE = b"<!doctype html><html lang=en><meta charset=utf-8><title>Signed in</title><p>You can close this window.</p></html>"


class Refused(Exception):  # noqa: N818 - the provider's answer, by its OAuth error code
    """The provider said no, or answered something that can't be trusted; `code` is an OAuth error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class App:
    """One app on one machine; `kept` is the file in which its tokens lie, and its key beside it, for this user's eyes only.

    A phone keeps the key where not even the app can read it, in the Secure Enclave or the Android Keystore: both sign ES256.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        kept: Path,
        scope: str = "openid offline_access billing:read",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer, self.client_id, self.kept, self.scope, self._clock = issuer, client_id, kept, scope, clock
        self._http, self._nonce = httpx.Client(timeout=10, follow_redirects=False), ""

    def sign_in(self, browse: Callable[[str], Any], resource: str, wait: float = 300) -> None:
        """Send the person to the browser, wait for the answer on a port of this machine, and keep the tokens."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        with _listening() as door:
            # RFC 8252, section 7.3: the port is whatever the system gives; the address is not "localhost".
            redirect_uri = f"http://127.0.0.1:{door.server_port}/callback"
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            query = {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": redirect_uri,
                "scope": self.scope,
                "resource": resource,
                "state": state,
                "code_challenge": digest,
                "code_challenge_method": "S256",
                # RFC 9449, section 10: the code is worth nothing without the key either.
                "dpop_jkt": self._key().thumbprint(),
            }
            browse(f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}")
            answer = door.answer(time.monotonic() + wait)
        # Both, so that no other provider's answer is taken for this one's (RFC 9207, section 2.4).
        if answer.get("state") != state or answer.get("iss") != self.issuer:
            raise Refused("invalid_response")
        if "code" not in answer:
            raise Refused(answer.get("error", "invalid_response"))
        form = {"code": answer["code"], "code_verifier": verifier, "redirect_uri": redirect_uri, "resource": resource}
        with self._held() as keep:
            keep(self._tokens("authorization_code", form, resource))

    def authorization(self, method: str, url: str) -> dict[str, str]:
        """The headers for one request to the resource signed in for; the access token is renewed where it is about to end."""
        with self._held() as keep:
            tokens = self._read()
            if tokens["expires_at"] - self._clock() < SOON:
                form = {"refresh_token": tokens["refresh_token"], "resource": tokens["resource"]}
                # Kept before it is used: the token that was spent opens nothing any more.
                tokens = keep(self._tokens("refresh_token", form, tokens["resource"]))
        token = tokens["access_token"]
        return {"Authorization": f"DPoP {token}", "DPoP": self._proof(method, url, token)}

    def sign_out(self) -> None:
        """Withdraw the grant (RFC 7009), and forget it here also where the provider can't be reached."""
        with self._held():
            tokens = self._read()
            for path in (self.kept, self.kept.with_suffix(".key")):
                path.unlink(missing_ok=True)
            form = {"token": tokens["refresh_token"], "token_type_hint": "refresh_token", "client_id": self.client_id}
            self._http.post(self._endpoint("revocation_endpoint"), data=form)

    def _tokens(self, grant_type: str, form: dict[str, str], resource: str) -> dict[str, Any]:
        asked, url = {"grant_type": grant_type, "client_id": self.client_id, **form}, self._endpoint("token_endpoint")
        try:
            body = self._json("POST", url, asked)
        except Refused as refused:
            # RFC 9449, section 8: the provider's nonce came with the refusal, which spent nothing.
            if refused.code != "use_dpop_nonce":
                raise
            body = self._json("POST", url, asked)
        # Another kind of token would be anybody's.
        if str(body.get("token_type", "")).lower() != "dpop" or not body.get("access_token"):
            raise Refused("invalid_token_response")
        return {
            "access_token": body["access_token"],
            "expires_at": self._clock() + float(body.get("expires_in") or 0),
            "refresh_token": body.get("refresh_token") or form.get("refresh_token", ""),
            "resource": resource,
        }

    def _endpoint(self, name: str) -> str:
        found = self._json("GET", f"{self.issuer}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer or not isinstance(found.get(name), str):
            raise Refused("invalid_metadata")
        return str(found[name])

    def _json(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {} if form is None else {"DPoP": self._proof(method, url)}
        try:
            answer = self._http.request(method, url, data=form, headers=headers)
            self._nonce = answer.headers.get("DPoP-Nonce", self._nonce)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused("temporarily_unavailable") from error
        if not answer.is_success or not isinstance(body, dict):
            raise Refused(str(body.get("error", "temporarily_unavailable")) if isinstance(body, dict) else "invalid_response")
        return body

    def _proof(self, method: str, url: str, token: str = "") -> str:
        """That this app holds the key, for one request (RFC 9449, section 4.2), with the token to a resource."""
        key, address = self._key(), urlsplit(url)._replace(query="", fragment="").geturl()
        claims = {"htm": method, "htu": address, "iat": int(self._clock()), "jti": secrets.token_urlsafe(16)}
        if token:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        elif self._nonce:
            claims["nonce"] = self._nonce
        shown = {name: value for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}}
        return jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": shown}, claims, key, algorithms=["ES256"])

    # What is kept

    def _key(self) -> ECKey:
        """This app's key, made the first time; of several processes that make one, all take the first."""
        path = self.kept.with_suffix(".key")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = path.with_suffix(f".{secrets.token_hex(8)}")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                json.dump(ECKey.generate_key("P-256").as_dict(private=True), opened)
            with suppress(FileExistsError):
                path.hardlink_to(beside)
            beside.unlink()
        return ECKey.import_key(json.loads(path.read_text("utf-8")))

    @contextmanager
    def _held(self) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
        """The file for this process alone: two that spent one refresh token would look like a thief and its owner."""
        self.kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._write

    def _read(self) -> dict[str, Any]:
        try:
            tokens: dict[str, Any] = json.loads(self.kept.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Refused("login_required") from error
        return tokens

    def _write(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """All of it or nothing: what a crash leaves is the file before."""
        beside = self.kept.with_suffix(".new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(tokens, opened)
        beside.replace(self.kept)
        return tokens


class _Door(HTTPServer):
    """Listens on this machine for one answer."""

    found: dict[str, str] | None = None

    def answer(self, until: float) -> dict[str, str]:
        """The parameters of the answer; `Refused` where none came in time."""
        while self.found is None:
            self.timeout = until - time.monotonic()
            if self.timeout <= 0:
                raise Refused("access_denied")
            self.handle_request()
        return self.found


class _Answer(BaseHTTPRequestHandler):
    server: _Door

    def do_GET(self) -> None:
        """The browser comes back; whatever else asks is told nothing."""
        parts = urlsplit(self.path)
        values = parse_qs(parts.query)
        if parts.path != "/callback" or any(len(value) > 1 for value in values.values()) or "state" not in values:
            self.send_error(404)
            return
        self.server.found = {name: value[0] for name, value in values.items()}
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(DONE)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library names it
        """Nothing: the request line holds the code."""


@contextmanager
def _listening() -> Iterator[_Door]:
    door = _Door(("127.0.0.1", 0), _Answer)
    try:
        yield door
    finally:
        door.server_close()
