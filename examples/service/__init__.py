"""Service: a resource server that tells how a customer's fault stands, to tokens made for it and to no others."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer

from examples import listen, setting
from examples.bearer import Bearer, Refusal


def create_app(issuer: str | None = None, audience: str | None = None) -> Flask:
    """The application, for tokens of `issuer` whose only audience is `audience` (RFC 8707, section 2)."""
    app = Flask(__name__)
    app.register_error_handler(Refusal, Refusal.response)
    guard = Bearer(issuer or setting("IDP_ISSUER"), audience or setting("SERVICE_URL"))

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/faults/open")
    def open_fault() -> dict[str, Any]:
        claims = guard.check("service:read")
        today = datetime.now(UTC).date()
        # Another backend may ask in the person's name (RFC 8693, section 4.1): then the token says which.
        acting = {"asked_by": claims["act"]["sub"]} if "act" in claims else {}
        return {
            **acting,
            "reference": "F-20931",
            "kind": "slow_fibre",
            "opened": (today - timedelta(days=2)).isoformat(),
            "visit": (today + timedelta(days=1)).isoformat(),
            "stage": "engineer_booked",
            "stages": ["reported", "line_tested", "engineer_booked", "solved"],
        }

    return app


def server(port: int, issuer: str | None = None, audience: str | None = None) -> BaseWSGIServer:
    """The application on a loopback port."""
    return listen(create_app(issuer, audience), port)
