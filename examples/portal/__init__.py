"""A relying party: the customer portal of Norda, an operator that doesn't exist.

Signing in is OpenID Connect's code flow with PKCE (`oidc.py`); tokens stay on the server (`sessions.py`); the pages are in
`views.py`, their words in `texts.py`.
"""

from dataclasses import dataclass
from typing import Self

from flask import Flask
from werkzeug.serving import BaseWSGIServer

from examples import listen, setting
from examples.portal import views
from examples.portal.oidc import Provider
from examples.portal.sessions import Sessions
from examples.portal.views import Portal


@dataclass(frozen=True)
class Settings:
    """The portal's whole configuration."""

    issuer: str
    client_id: str
    client_secret: str
    url: str
    billing: str
    service: str

    @classmethod
    def from_environment(cls) -> Self:
        """The environment's settings, or the demo's."""
        return cls(
            issuer=setting("IDP_ISSUER"),
            client_id=setting("PORTAL_CLIENT_ID"),
            client_secret=setting("PORTAL_CLIENT_SECRET"),
            url=setting("PORTAL_URL"),
            billing=setting("BILLING_URL"),
            service=setting("SERVICE_URL"),
        )


def create_app(settings: Settings | None = None) -> Flask:
    """The portal as a WSGI application; it asks the provider nothing before the first sign-in."""
    chosen = settings or Settings.from_environment()
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=64_000)
    app.extensions["portal"] = Portal(
        provider=Provider(chosen.issuer, chosen.client_id, chosen.client_secret),
        sessions=Sessions(),
        url=chosen.url.rstrip("/"),
        billing=chosen.billing,
        service=chosen.service,
    )
    views.install(app)
    return app


def server(port: int, settings: Settings | None = None) -> BaseWSGIServer:
    """The portal on a loopback port."""
    return listen(create_app(settings), port)
