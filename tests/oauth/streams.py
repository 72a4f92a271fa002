"""Receivers of events, as clients of the provider in one process."""

from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from idp.model import Client
from idp.policies import signals
from idp.vault import digest
from tests.oauth.clients import SECRET
from tests.oauth.provider import Provider

PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"
HOOK = "https://receiver.example/events"
POLL_URL = "https://id.example/ssf/poll"


def receiver(id_: str, *scope: str, **facts: Any) -> Client:
    """A client that acts for itself."""
    known: dict[str, Any] = {"grant_types": ("client_credentials",), "secret_digests": (digest(SECRET),), "scope": scope}
    return Client(id_, id_.title(), **(known | facts))


RECEIVERS = (
    receiver("watcher", "ssf.manage", "ssf.read"),
    receiver("second", "ssf.manage"),
    receiver("reader", "ssf.read"),
)


@dataclass
class Receiver:
    """One of them, with a token of its own."""

    provider: Provider
    name: str = "watcher"
    scope: str | None = None

    def __post_init__(self) -> None:
        answer = self.provider.token(self.name, grant_type="client_credentials", scope=self.scope)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json['access_token']}"}

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> TestResponse:
        sent = {} if body is None else {"json": body}
        return self.provider.http.open(path, method=method, headers=self.headers, query_string=query, **sent)

    def begin(self, **wish: Any) -> dict[str, Any]:
        wish = {"events_requested": list(signals.EVENTS)} | wish
        answer = self.ask("POST", "/ssf/stream", wish)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def poll(self, **wish: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/ssf/poll", {"returnImmediately": True} | wish)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def events(self, **wish: Any) -> list[dict[str, Any]]:
        """What is polled, verified by another library against the published keys."""
        return [self.provider.read(token, self.name) for token in self.poll(**wish)["sets"].values()]


def opened(provider: Provider) -> Provider:
    """The provider with receivers among its clients."""
    provider.start(clients={**provider.world.clients, **{one.id: one for one in RECEIVERS}})
    return provider


def waiting(provider: Provider) -> dict[str, int]:
    with provider.store.read() as tx:
        return tx.signals.depth()
