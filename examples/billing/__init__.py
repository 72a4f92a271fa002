"""Billing: a resource server that serves bills to tokens made for it, and to no others, while their sessions last."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, request
from werkzeug.serving import BaseWSGIServer

from examples import listen, setting
from examples.bearer import Bearer, Refusal
from examples.billing.visits import Visits
from examples.events import Receiver

# What a page that tells more, and one that costs something, want of the sign-in (RFC 9470).
ITEMISED: dict[str, Any] = {"acr": "extra", "max_age": 3600}
ORDERING: dict[str, Any] = {"acr": "extra", "max_age": 600}
# What can be ordered, in cents a month.
OFFERS = {"roaming": 990, "second_sim": 450, "faster_fibre": 700}


def create_app(
    issuer: str | None = None, audience: str | None = None, told: Receiver | None = None, visits: Visits | None = None
) -> Flask:
    """The application, for tokens of `issuer` whose only audience is `audience` (RFC 8707, section 2).

    `told` hears of sessions and accounts that end; without it a token is good for as long as it says. `visits` asks service.
    """
    app = Flask(__name__)
    app.register_error_handler(Refusal, Refusal.response)
    guard = Bearer(issuer or setting("IDP_ISSUER"), audience or setting("BILLING_URL"), told.keys if told else None)
    if told is not None:
        told.install(app)

    def check(scope: str, **wanted: Any) -> dict[str, Any]:
        claims = guard.check(scope, **wanted)
        return claims if told is None else told.refuse_ended(claims)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/bills/latest")
    def latest() -> dict[str, Any]:
        return latest_bill(payer(check("billing:read")))

    @app.get("/bills/itemised")
    def itemised() -> dict[str, Any]:
        account = payer(check("billing:read", **ITEMISED))
        return {"number": latest_bill(account)["number"], "calls": calls(account)}

    if visits is not None:

        @app.get("/visits/next")
        def next_visit() -> dict[str, Any]:
            check("billing:read")
            return visits.next(request.headers["Authorization"].partition(" ")[2].strip())

    _take_orders(app, check)
    return app


def _take_orders(app: Flask, check: Callable[..., dict[str, Any]]) -> None:
    placed: dict[str, list[str]] = defaultdict(list)

    @app.get("/orders")
    def orders() -> dict[str, Any]:
        account = payer(check("billing:read"))
        return {"currency": "EUR", "offers": OFFERS, "placed": placed.get(account, [])}

    @app.post("/orders")
    def order() -> tuple[dict[str, Any], int]:
        account = payer(check("billing:write", **ORDERING))
        body = request.get_json(silent=True)
        item = body.get("item") if isinstance(body, dict) else None
        if not isinstance(item, str) or item not in OFFERS:
            return {"error": "invalid_request", "error_description": "nothing like that can be ordered"}, 400
        if item not in placed[account]:
            placed[account].append(item)
        return {"item": item}, 201


def server(
    port: int, issuer: str | None = None, audience: str | None = None, client_secret: str | None = None
) -> BaseWSGIServer:
    """The application on a loopback port, subscribed to the issuer's events as soon as the issuer is there."""
    issuer, audience = issuer or setting("IDP_ISSUER"), audience or setting("BILLING_URL")
    secret = client_secret or setting("BILLING_CLIENT_SECRET")
    told = Receiver(issuer, setting("BILLING_CLIENT_ID"), secret, f"{audience}/events")
    visits = Visits(issuer, setting("BILLING_CLIENT_ID"), secret, setting("SERVICE_URL"))
    made = listen(create_app(issuer, audience, told, visits), port)
    told.subscribe_in_background()
    return made


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
