"""Hear from the issuer what has ended, and refuse its tokens at once. One file, to be copied with bearer.py.

    told = Receiver("https://id.example", "billing", "its-secret", "https://billing.example/events")
    told.install(app)
    told.subscribe_in_background()
    ...
    told.refuse_ended(guard.check("billing:read"))

A token that is validated offline is good until it expires, whatever has happened since. Here the issuer pushes what has:
security event tokens (RFC 8417, RFC 8935) on a stream that this program sets up for itself (Shared Signals 1.0, section 8.1).
It names sessions and people as this client knows them: where the client of the tokens is pairwise, this one shares its sector.
What it heard lives in this process for as long as tokens of before do; several processes would share it in Redis.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import GuestProtocol

from examples.bearer import LEEWAY, MALFORMED, Keys, Refusal

PUSH = "urn:ietf:rfc:8935"
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
DISABLED = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
ENABLED = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
PURGED = "https://schemas.openid.net/secevent/risc/event-type/account-purged"
# No access token lives longer; what ended before that is of no interest any more.
REMEMBERED = 3600 + LEEWAY
LARGEST = 64_000
# What this client's ID tokens are signed with; RS256 unless it is registered otherwise.
ALGORITHMS = ["RS256", "ES256"]


class Unusable(Exception):  # noqa: N818 - an answer, not a fault
    """A token that can't be used, with the error code that the transmitter is told (RFC 8935, section 2.4)."""


class Ended:
    """What has ended, as far as this program was told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._sessions: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._disabled: dict[str, float] = {}

    def hear(self, jti: str, at: float, event: str, subject: str, session: str) -> None:
        """Take one event in, once however often it is sent."""
        with self._lock:
            if jti in self._seen:
                return
            self._forget(time.time() - REMEMBERED)
            self._seen[jti] = time.time()
            if event == SESSION_REVOKED and session:
                self._sessions[session] = time.time()
            elif event == SESSION_REVOKED:
                self._before[subject] = max(at, self._before.get(subject, 0))
            elif event in (DISABLED, PURGED):
                self._disabled[subject] = time.time()
            elif event == ENABLED:
                self._disabled.pop(subject, None)

    def covers(self, claims: dict[str, Any]) -> bool:
        """Whether a token belongs to something that has ended; one of the same second counts as from before the end."""
        with self._lock:
            return (
                claims.get("sid") in self._sessions
                or claims["sub"] in self._disabled
                or claims["iat"] <= self._before.get(claims["sub"], -1)
            )

    def _forget(self, before: float) -> None:
        for known in (self._seen, self._sessions, self._before, self._disabled):
            for name in [name for name, at in known.items() if at < before]:
                del known[name]


class Receiver:
    """A stream of one issuer's events, pushed to `url`, which must lead to the application it is installed on."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, url: str, keys: Keys | None = None) -> None:
        self.issuer, self.client_id, self.url = issuer, client_id, url
        self.keys, self.ended = keys or Keys(issuer), Ended()
        # RFC 6749, section 2.3.1: both are form-encoded before they go into the Basic header.
        self._auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        # Only the issuer knows it: whoever else posts here is not even read.
        self._password = f"Bearer {secrets.token_urlsafe(32)}"

    def install(self, app: Flask) -> None:
        """Take events at the path of `url`."""
        app.add_url_rule(urlsplit(self.url).path, "events", self.take, methods=["POST"])

    def refuse_ended(self, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims of a token, as they are; `Refusal` where its session or its account has ended."""
        if self.ended.covers(claims):
            raise Refusal(401, "invalid_token", "the session or the account has ended")
        return claims

    # Receiving (RFC 8935)

    def take(self) -> Response:
        """Take one event: 202, or what is wrong with it."""
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._password.encode()):
            return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        if request.mimetype != "application/secevent+jwt":
            return Response(status=415)
        request.max_content_length = LARGEST
        try:
            self.ended.hear(*self.read(request.get_data().decode("ascii", "replace")))
        except Unusable as wrong:
            answer = jsonify(err=str(wrong), description="the token can't be used here")
            answer.status_code = 400
            return answer
        return Response(status=202)

    def read(self, token: str) -> tuple[str, float, str, str, str]:
        """The id, moment, type, account and session of an event, "" for what it doesn't name; else `Unusable`."""
        try:
            claims = jwt.decode(token, self._key, algorithms=ALGORITHMS).claims
            self._check(claims)
            ((event, members),) = claims["events"].items()
            subject = claims["sub_id"]
            user, session = subject.get("user", subject), subject.get("session", {})
            at = members.get("event_timestamp", claims["iat"])
            return claims["jti"], float(at), event, str(user.get("sub", "")), str(session.get("id", ""))
        except Refusal:
            raise
        except MALFORMED as error:
            raise Unusable("invalid_request") from error

    def _check(self, claims: dict[str, Any]) -> None:
        if claims.get("iss") != self.issuer:
            raise Unusable("invalid_issuer")
        if claims.get("aud") not in (self.client_id, [self.client_id]):
            raise Unusable("invalid_audience")
        if not isinstance(claims["jti"], str) or "exp" in claims or not 0 <= claims["iat"] <= time.time() + LEEWAY:
            raise Unusable("invalid_request")

    def _key(self, token: GuestProtocol) -> Any:
        header = token.headers()
        # No other token of the issuer is an event (RFC 8725, section 3.11).
        if header["typ"] != "secevent+jwt" or header["alg"] not in ALGORITHMS:
            raise ValueError("not a security event token")
        kid = header["kid"]
        try:
            return self.keys.find(kid, header["alg"])
        except KeyError:
            # It may be new, and not fetched yet: the issuer comes again, where it would give up what is refused for good.
            raise Refusal(503, "temporarily_unavailable", "the key is not known yet") from None

    # Setting the stream up (Shared Signals 1.0, section 8.1)

    def subscribe_in_background(self, pause: Callable[[float], object] = time.sleep) -> None:
        """Subscribe, again and again until the issuer is there: it may be started later than this program."""

        def keep_trying() -> None:
            wait = 0.5
            while not self.subscribe():
                pause(wait)
                wait = min(wait * 2, 5)

        threading.Thread(target=keep_trying, daemon=True).start()

    def subscribe(self) -> bool:
        """Set up the stream, or point the one there is to this program; whether that was done."""
        wish: dict[str, Any] = {
            "events_requested": [SESSION_REVOKED, DISABLED, ENABLED, PURGED],
            "delivery": {"method": PUSH, "endpoint_url": self.url, "authorization_header": self._password},
        }
        try:
            with httpx.Client(timeout=5, follow_redirects=False) as http:
                there = self._published(http, "ssf-configuration")["configuration_endpoint"]
                bearer = {"Authorization": f"Bearer {self._token(http)}"}
                begun = http.post(there, json=wish, headers=bearer)
                if begun.status_code == httpx.codes.CONFLICT:
                    stream_id = http.get(there, headers=bearer).raise_for_status().json()[0]["stream_id"]
                    begun = http.patch(there, json={"stream_id": stream_id, **wish}, headers=bearer)
                return begun.is_success and begun.json()["iss"] == self.issuer
        except (httpx.HTTPError, httpx.InvalidURL, LookupError, *MALFORMED):
            return False

    def _token(self, http: httpx.Client) -> str:
        form = {"grant_type": "client_credentials", "scope": "ssf.manage"}
        endpoint = self._published(http, "oauth-authorization-server")["token_endpoint"]
        return str(http.post(endpoint, data=form, auth=self._auth).raise_for_status().json()["access_token"])

    def _published(self, http: httpx.Client, name: str) -> dict[str, Any]:
        parts = urlsplit(self.issuer)
        address = parts._replace(path=f"/.well-known/{name}{parts.path.rstrip('/')}").geturl()
        found: dict[str, Any] = http.get(address).raise_for_status().json()
        if found["issuer"] != self.issuer:
            raise ValueError("another issuer's metadata")
        return found
