"""A provider at which clients register themselves, and what they send."""

from typing import Any

from werkzeug.test import TestResponse

from idp.flows.known_clients import KnownClients
from idp.model import Registrar
from idp.post import Outbound
from idp.vault import digest
from tests.oauth.provider import Provider

TOKEN = "an initial access token of 256 random bits"
SCOPE = ("openid", "profile", "email", "offline_access", "billing:read")
PATH = "/register-client"
WEB = "https://new.example/cb"


def open_registration(provider: Provider) -> Provider:
    """The provider, started with a token to register with, and clients that follow the store."""
    provider.start(
        registrar=Registrar(frozenset({digest(TOKEN)}), SCOPE),
        clients=KnownClients(provider.world.clients, provider.store, provider.clock.monotonic),
        outbound=Outbound(("127.0.0.0/8",), timeout=0.3),
    )
    return provider


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def register(provider: Provider, token: str = TOKEN, **metadata: Any) -> TestResponse:
    """A registration; what is None is left out."""
    said = {"client_name": "New", "redirect_uris": [WEB], **metadata}
    body = {name: value for name, value in said.items() if value is not None}
    return provider.http.post(PATH, json=body, headers=bearer(token))


def registered(provider: Provider, **metadata: Any) -> dict[str, Any]:
    response = register(provider, **metadata)
    assert response.status_code == 201, response.text
    return dict(response.json)


def manage(provider: Provider, method: str, of: dict[str, Any], token: str | None = None, **body: Any) -> TestResponse:
    """A request of RFC 7592 for the registration ``of``, by its token or another."""
    path = of["registration_client_uri"].removeprefix(provider.world.issuer)
    headers = bearer(token or of["registration_access_token"])
    return provider.http.open(path, method=method, headers=headers, **({"json": body} if method == "PUT" else {}))
