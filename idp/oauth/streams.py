"""The transmitter's interface (Shared Signals 1.0, 7 and 8.1; RFC 8936): receivers set up, ask and poll their streams.

Every address of it takes an access token that a client got for itself, for this service, with a scope that says what for.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flask import Blueprint, Response, request

from idp.flows import streams
from idp.flows.streams import PAUSE, Refusal, Refused
from idp.flows.world import World
from idp.model import Client, Stream
from idp.oauth import stream_shapes as shapes
from idp.oauth.errors import EndpointError, Header, InvalidError, UnauthorizedError
from idp.oauth.guard import sent
from idp.oauth.json_body import object_of
from idp.oauth.operations import methods
from idp.oauth.token import Server
from idp.oauth.wire import ALL_METHODS, JSON, answer, endpoint, parse, single
from idp.policies import signals

Found = TypeVar("Found")
READ: Final = "ssf.read"
MANAGE: Final = "ssf.manage"
PATHS: Final[Mapping[str, str]] = {
    "configuration_endpoint": "/ssf/stream",
    "status_endpoint": "/ssf/status",
    "verification_endpoint": "/ssf/verify",
}
POLL_PATH: Final = "/ssf/poll"
WELL_KNOWN: Final = "/.well-known/ssf-configuration"
# A receiver that would wait is let wait this long, in seconds: a thread waits with it, and so only a few may.
_WAIT: Final = 2.0
_LOOK: Final = 0.25
_AT_ONCE: Final = 2
_NOTHING: Final[list[Header]] = [("Cache-Control", "no-store")]


class NoSuchStreamError(EndpointError):
    """The receiver has no stream of that name; another's looks the same."""

    error = "not_found"
    status_code = 404


class StreamExistsError(EndpointError):
    """The receiver has a stream already (Shared Signals 1.0, 8.1.1.1)."""

    error = "conflict"
    status_code = 409


class TooSoonError(EndpointError):
    """The receiver asks more often than it was told that it may (Shared Signals 1.0, 8.1.4.2)."""

    error = "too_many_requests"
    status_code = 429
    more = (("Retry-After", str(int(PAUSE.total_seconds()))),)


_ERRORS: Final[Mapping[Refusal, type[EndpointError]]] = {
    Refusal.EXISTS: StreamExistsError,
    Refusal.UNKNOWN: NoSuchStreamError,
    Refusal.SOON: TooSoonError,
}


def document(world: World) -> bytes:
    """What the transmitter publishes of itself (Shared Signals 1.0, 7.1)."""
    issuer = world.issuer.rstrip("/")
    metadata: dict[str, Any] = {
        "spec_version": "1_0",
        "issuer": world.issuer,
        "jwks_uri": f"{issuer}/jwks.json",
        "delivery_methods_supported": [shapes.PUSH, shapes.POLL],
        **{name: issuer + path for name, path in PATHS.items()},
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
    return json.dumps(metadata).encode()


def add_to(blueprint: Blueprint, server: Server) -> None:
    """Put the endpoints into the blueprint: for programs alone, and for no browser's script (no CORS)."""
    views = Streams(server)
    for path, name, view in (
        ("/ssf/stream", "ssf_stream", views.configuration),
        ("/ssf/status", "ssf_status", views.status),
        ("/ssf/verify", "ssf_verify", views.verify),
        (POLL_PATH, "ssf_poll", views.poll),
    ):
        called = endpoint(view, methods(path), frozenset())
        blueprint.add_url_rule(path, name, called, methods=ALL_METHODS, provide_automatic_options=False)


class Streams:
    """The endpoints over the use cases. ``rest`` waits for so many seconds."""

    def __init__(self, server: Server, rest: Callable[[float], None] = time.sleep) -> None:
        self._world, self._keys, self._guard, self._rest = server.world, server.keys, server.guard, rest
        self._poll_url = server.world.issuer.rstrip("/") + POLL_PATH
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def configuration(self) -> Response:
        """``/ssf/stream``: GET, POST, PATCH, PUT and DELETE (8.1.1)."""
        if request.method == "GET":
            return self._read(self._receiver(READ, MANAGE))
        client = self._receiver(MANAGE)
        if request.method == "DELETE":
            _granted(streams.end(self._world, client, _named()))
            return answer(204, "", _NOTHING)
        body = object_of(request)
        if request.method == "POST":
            begun = _granted(streams.begin(self._world, client, shapes.wish(body, self._poll_url)))
            return answer(201, self._told(begun), JSON)
        stream_id, wish = shapes.changed(body, self._poll_url)
        self._ours_agree(body, self._found(client, stream_id))
        changed = streams.change(self._world, client, stream_id, wish, whole=request.method == "PUT")
        return answer(200, self._told(_granted(changed)), JSON)

    def status(self) -> Response:
        """``/ssf/status``: GET and POST (8.1.2)."""
        if request.method == "GET":
            return _status(self._found(self._receiver(READ, MANAGE), _named()))
        client = self._receiver(MANAGE)
        return _status(_granted(streams.turn(self._world, client, *shapes.status(object_of(request)))))

    def verify(self) -> Response:
        """``POST /ssf/verify`` (8.1.4)."""
        client = self._receiver(MANAGE)
        _granted(streams.verify(self._world, client, *shapes.verification(object_of(request))))
        return answer(204, "", _NOTHING)

    def poll(self) -> Response:
        """``POST /ssf/poll`` (RFC 8936 2): what waits, at once, or as soon as there is something to give."""
        client = self._receiver(READ, MANAGE)
        polled, hurried = shapes.polled(object_of(request))
        batch = _granted(streams.poll(self._world, self._keys, client, polled))
        if not batch.tokens and polled.most and not hurried and self._places.acquire(blocking=False):
            try:
                batch = self._awaited(client, polled.most)
            finally:
                self._places.release()
        return answer(200, {"sets": dict(batch.tokens), "moreAvailable": batch.more}, JSON)

    def _awaited(self, client: Client, most: int) -> streams.Batch:
        batch = streams.Batch({}, more=False)
        for _ in range(int(_WAIT / _LOOK)):
            self._rest(_LOOK)
            batch = _granted(streams.poll(self._world, self._keys, client, streams.Polled(most)))
            if batch.tokens:
                break
        return batch

    def _receiver(self, *scopes: str) -> Client:
        """Who asks, by a token of its own for this service with one of these scopes."""
        came = sent()
        if came is None:
            raise UnauthorizedError(None)
        worth = self._guard.weigh(came, request.path)
        if worth.grant is not None or worth.claims["aud"] != self._world.issuer:
            raise UnauthorizedError("invalid_token", "The token is not valid here.", bound=came.bound)
        # What was taken from the client since is worth nothing, in a token of before neither.
        if not set(scopes) & set(worth.claims["scope"].split()) & set(worth.client.scope):
            raise UnauthorizedError("insufficient_scope", "The token lacks a scope.", scopes[-1], bound=came.bound)
        return worth.client

    def _read(self, client: Client) -> Response:
        if "stream_id" in request.args:
            return answer(200, self._told(self._found(client, _named())), JSON)
        stream = streams.find(self._world, client)
        return answer(200, json.dumps([] if stream is None else [self._told(stream)]), JSON)

    def _found(self, client: Client, stream_id: str) -> Stream:
        stream = streams.find(self._world, client)
        if stream is None or stream.id != stream_id:
            raise NoSuchStreamError(Refusal.UNKNOWN.value)
        return stream

    def _told(self, stream: Stream) -> dict[str, Any]:
        """A stream as its receiver may read it (8.1.1)."""
        told: dict[str, Any] = {
            **self._ours(stream),
            "delivery": shapes.delivery(stream, self._poll_url),
            "events_requested": list(stream.events),
        }
        return told | ({"description": stream.description} if stream.description else {})

    def _ours(self, stream: Stream) -> dict[str, Any]:
        """What the transmitter says of a stream, and its receiver cannot change."""
        return {
            "stream_id": stream.id,
            "iss": self._world.issuer,
            "aud": stream.client_id,
            "events_supported": list(signals.EVENTS),
            "events_delivered": [event for event in signals.EVENTS if event in stream.events],
            "min_verification_interval": int(PAUSE.total_seconds()),
        }

    def _ours_agree(self, body: Mapping[str, Any], stream: Stream) -> None:
        """Whatever is the transmitter's to say may be said again, and not otherwise (8.1.1.3)."""
        for name, value in self._ours(stream).items():
            if name in body and body[name] != value:
                raise InvalidError(f"The transmitter says otherwise: {name}.")


def _named() -> str:
    """The stream that the address names."""
    values, _ = single(parse(request.query_string))
    if "stream_id" not in values:
        raise InvalidError("The parameter stream_id is missing.")
    return values["stream_id"]


def _status(stream: Stream) -> Response:
    told = {"stream_id": stream.id, "status": stream.status.value}
    return answer(200, told | ({"reason": stream.reason} if stream.reason else {}), JSON)


def _granted(found: Found | Refused) -> Found:
    if isinstance(found, Refused):
        said = f"{found.why.value}: {found.detail}." if found.detail else found.why.value
        raise _ERRORS.get(found.why, InvalidError)(said)
    return found
