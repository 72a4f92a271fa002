"""A provider in miniature, over real HTTP, with keys made here."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import BaseWSGIServer

BILLING = "http://billing.test"
SERVICE = "http://service.test"
SCOPE = "billing:read billing:write service:read"


@contextmanager
def running(server: BaseWSGIServer) -> Iterator[str]:
    """The server's address while it serves."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://localhost:{server.port}"
    finally:
        server.shutdown()
        thread.join()


class TinyProvider:
    """Signs in whoever comes. What it was asked is kept for the tests to look at."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "first"})
        self.keys = [self.key]
        self.requests: list[dict[str, Any]] = []
        self.fetches = 0
        self.refresh_token = "none yet"
        self.nonce = ""
        self.acr = "pwd+pin"
        self.auth_time = int(time.time())
        self.obliging = True
        self.issuer = ""
        self.dead = False
        self.expires_in = 300
        self.callback: dict[str, str | None] = {}
        self.id_token: dict[str, Any] = {}

    def token(self, aud: Any, header: dict[str, Any] | None = None, key: ECKey | RSAKey | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": self.issuer, "aud": aud, "sub": "u1", "iat": now, "exp": now + 60, "client_id": "portal", "jti": "j"}
        signing = key or self.key
        alg = "ES256" if isinstance(signing, ECKey) else "RS256"
        marks = {"alg": alg, "kid": signing.kid, "typ": "at+jwt", **(header or {})}
        body = {name: value for name, value in (body | claims).items() if value is not None}
        return jwt.encode(marks, body, signing, algorithms=["ES256", "RS256"])

    def app(self) -> Flask:
        app = Flask("tiny-provider")

        @app.get("/.well-known/oauth-authorization-server")
        @app.get("/.well-known/openid-configuration")
        def metadata() -> Any:
            paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            paths |= {"end_session_endpoint": "logout", "revocation_endpoint": "revoke"}
            return {"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in paths.items()}}

        @app.get("/jwks")
        def jwks() -> Any:
            self.fetches += 1
            return {"keys": [key.as_dict(private=False) for key in self.keys]}

        @app.get("/authorize")
        def authorize() -> Any:
            self.requests.append(request.args.to_dict(flat=False))
            self.nonce, self.acr = request.args["nonce"], request.args.get("acr_values", self.acr)
            if request.args.get("max_age") and self.obliging:
                self.auth_time = int(time.time())
            answer = {"code": "c0de", "state": request.args["state"], "iss": self.issuer, **self.callback}
            query = "&".join(f"{name}={value}" for name, value in answer.items() if value is not None)
            return redirect(f"{request.args['redirect_uri']}?{query}", 303)

        app.add_url_rule("/token", view_func=self._tokens, methods=["POST"])

        @app.post("/revoke")
        def revoke() -> str:
            self.requests.append(request.form.to_dict())
            return ""

        return app

    def _tokens(self) -> Any:
        form = request.form.to_dict()
        self.requests.append(form | {"client": f"{request.authorization.username}:{request.authorization.password}"})  # type: ignore[union-attr]
        if self.dead or form.get("refresh_token", self.refresh_token) != self.refresh_token:
            return jsonify(error="invalid_grant"), 400
        self.refresh_token = f"r{len(self.requests)}"
        identity = {"aud": "portal", "nonce": self.nonce, "given_name": "Anna", "client_id": None, **self.id_token}
        return {
            "access_token": self.token(form["resource"], scope=SCOPE, acr=self.acr, auth_time=self.auth_time),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": self.refresh_token,
            "id_token": self.token(identity.pop("aud"), {"typ": "JWT"}, **identity),
        }
