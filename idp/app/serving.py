"""The application as a server runs it: the doors behind their front, with health beside them."""

import ctypes
import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from idp.app import health, logs
from idp.app.composition import desks, make_world
from idp.app.factory import create_app
from idp.app.health import Health
from idp.app.intake import Intake, close_idle
from idp.app.observe import Headers, Metrics, Notice, observed, plain_notice, tell_fault, wants_page
from idp.flows.world import World
from idp.settings import Settings, load

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Threads that may wait for slow bodies, beside those that work and those that hash.
BODY_ROOM = 64
_M_ARENA_MAX = -8
# What libraries look up later: the system's, Python's, OpenSSL's and libpq's own variables.
KEPT_VARIABLES = ("HOME", "LANG", "LC_", "PATH", "PG", "PROMETHEUS_", "PYTHON", "SSL_CERT_", "TMP", "TZ")


def make_application(settings: Settings) -> "WSGIApplication":
    """The whole WSGI application of these settings."""
    world = make_world(settings)
    return fronted(create_app(settings, world), settings, world)


def fronted(app: Flask, settings: Settings, world: World) -> "WSGIApplication":
    """The application behind its front, with health beside it."""
    app.before_request_funcs.setdefault(None, []).insert(0, _note_route)
    app.log_exception = _log_exception  # type: ignore[method-assign]
    state = Health(health.checks(world.store, redis=settings.redis.url is not None, clock=world.clock))
    return observed(
        app,
        trusted_hops=settings.server.trusted_hops,
        intake=Intake(settings.server.max_body, room=BODY_ROOM, evict=close_idle),
        metrics=Metrics(),
        aside={"/healthz": state.alive, "/readyz": state.ready, **_published(app)},
        notice=_page_of(app),
    )


def _page_of(app: Flask) -> Notice:
    """A refusal of the front as a page of the house for people, with its words and contacts; plain for machines."""

    def notice(environ: "WSGIEnvironment", status: HTTPStatus, request_id: str) -> tuple[Headers, bytes]:
        if not wants_page(environ):
            return plain_notice(environ, status, request_id)
        with app.request_context({**environ, "wsgi.input": BytesIO(), "CONTENT_LENGTH": "0"}):
            shown: Response = app.extensions["idp.error_page"](status)
        return list(shown.headers), shown.get_data()

    return notice


def _published(app: Flask) -> "dict[str, WSGIApplication]":
    """The provider's public documents, answered before Flask is asked: they are the same for everyone."""

    def served(view: Callable[[], Response]) -> "WSGIApplication":
        def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            return view()(environ, start_response)

        return answer

    return {path: served(view) for path, view in app.extensions["idp.published"].items()}


def _few_arenas() -> None:
    """Let all threads share two heaps (glibc): each heap keeps what its threads once needed, and threads are many."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def load_application(directory: Path) -> "WSGIApplication":
    """What a worker process does first: read the settings, set up logging, build the application."""
    _few_arenas()
    settings = load(directory, os.environ)  # noqa: TID251 - handed to the settings, which read it
    logs.configure(settings.log.level, settings.log.format)
    application = make_application(settings)
    # The server copies the environment into every request's environ: secrets, already read, need not be there.
    for name in [name for name in os.environ if not name.startswith(KEPT_VARIABLES)]:  # noqa: TID251 - taken out, not read
        del os.environ[name]  # noqa: TID251 - as above
    return application


def threads(settings: Settings) -> int:
    """Threads of a worker: those that work, those that hash or wait to, and those that wait for slow bodies."""
    return settings.server.threads + desks(settings) + settings.hashing.queue + BODY_ROOM


def _log_exception(exc_info: Any) -> None:
    """In the place of Flask's own, which would log the address of the page, and addresses can hold codes."""
    tell_fault(request.environ, exc_info[1])


def _note_route() -> None:
    """Leave the route's pattern for the front: Flask takes its request out of the environ when it is done."""
    rule = request.url_rule
    if rule is not None:
        request.environ["idp.route"] = rule.rule
