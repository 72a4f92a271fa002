"""Billing: a resource server that serves bills to tokens made for it, and to no others."""

import hashlib
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
    guard = Bearer(issuer or setting("IDP_ISSUER"), audience or setting("BILLING_URL"))

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/bills/latest")
    def latest() -> dict[str, Any]:
        return latest_bill(payer(guard.check("billing:read")))

    @app.get("/bills/itemised")
    def itemised() -> dict[str, Any]:
        account = payer(guard.check("billing:read", acr="extra"))
        return {"number": latest_bill(account)["number"], "calls": calls(account)}

    return app


def server(port: int, issuer: str | None = None, audience: str | None = None) -> BaseWSGIServer:
    """The application on a loopback port."""
    return listen(create_app(issuer, audience), port)


def payer(claims: dict[str, Any]) -> str:
    """Whose bill it is: the account number that a token for billing names, or else the person."""
    return str(claims.get("account_number") or claims["sub"])


def latest_bill(account: str) -> dict[str, Any]:
    """A made-up bill, always the same for the same account and month. Amounts are in cents."""
    seed = _seed(account)
    amounts = {"fibre": 2990, "mobile": 1400, "calls": 60 + seed % 900}
    issued = datetime.now(UTC).date().replace(day=1)
    return {
        "number": f"N{issued:%y%m}-{seed % 10_000:04}",
        "issued": issued.isoformat(),
        "due": (issued + timedelta(days=24)).isoformat(),
        "currency": "EUR",
        "total": sum(amounts.values()),
        "lines": [{"item": item, "amount": amount} for item, amount in amounts.items()],
    }


def calls(account: str) -> list[dict[str, Any]]:
    """Made-up calls of the last days, newest first; the numbers are from ranges reserved for fiction."""
    seed, today = _seed(account), datetime.now(UTC).date()
    return [
        {
            "date": (today - timedelta(days=day)).isoformat(),
            "to": f"+44 7700 900{(seed + 37 * day) % 1000:03}",
            "minutes": 1 + (seed >> day) % 40,
            "amount": 5 * ((seed >> day) % 40),
        }
        for day in range(1, 8)
    ]


def _seed(account: str) -> int:
    return int.from_bytes(hashlib.sha256(account.encode()).digest()[:4])
