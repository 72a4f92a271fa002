"""The front of the application: one WSGI middleware that limits, measures, names and logs every request.

What it leaves in the environ for the rooms inside: ``idp.request_id`` and ``idp.bucket`` (the address as far as policy
may know it). What they leave there in turn is ``idp.route``, the pattern of the route that matched: paths and queries are
not logged, since they can hold codes and transaction ids.
"""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from werkzeug.middleware.proxy_fix import ProxyFix

from idp.app.intake import Intake
from idp.app.logs import request_log

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]
# What a person or a machine is shown where the application itself cannot answer: headers and body.
Notice = Callable[["WSGIEnvironment", HTTPStatus, str], tuple[Headers, bytes]]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_READING: Final = frozenset({"GET", "HEAD"})
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_NOTICE_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
_LINES: Final = {code.value: f"{code.value} {code.phrase}" for code in HTTPStatus}
_RETRY_AFTER_SECONDS: Final = "2"


@lru_cache(maxsize=4096)
def bucket(address: str) -> str:
    """The network that counts as one source: the /24 of an IPv4 address, the /64 of an IPv6 address, else "unknown"."""
    bare = address.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        parsed = ip_address(bare.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ip_network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 24), strict=False))


class Metrics:
    """Requests and their durations by method, route and status, and how many are under way.

    The histogram's own count is the counter: with several processes each number kept costs a microsecond at every request.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        labels = ("method", "route", "status")
        self._seconds = Histogram(
            "idp_request_seconds", "Requests answered and the time it took", labels, buckets=_SECONDS, registry=self.registry
        )
        self._under_way = Gauge(
            "idp_requests_under_way", "Requests being answered", registry=self.registry, multiprocess_mode="livesum"
        )
        self.began = self._under_way.inc
        self.ended = self._under_way.dec
        # Looking children up by their labels costs more than counting does.
        self._children: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        observe = self._children.get((method, route, status))
        if observe is None:
            observe = self._children[method, route, status] = self._seconds.labels(method, route, str(status)).observe
        observe(seconds)


class Observed:
    """The middleware. ``aside`` are paths read before anything else can fail or wait: health, and what is published."""

    def __init__(
        self,
        app: "WSGIApplication",
        intake: Intake,
        metrics: Metrics,
        aside: "Mapping[str, WSGIApplication] | None" = None,
        notice: Notice | None = None,
    ) -> None:
        self._app = app
        self._intake = intake
        self._metrics = metrics
        self._aside = dict(aside or {})
        self._notice = notice or plain_notice
        self._numbers = itertools.count(1)
        self._process = ""
        # Made at the first request: logging is set up by then.
        self._line: Callable[[str, str, int, float, str, str], None] | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        # Random once, then counted: unique across processes, and cheap. Made at the first request, after the server's fork.
        self._process = self._process or secrets.token_hex(5)
        request_id = f"{self._process}{next(self._numbers):06x}"
        source = bucket(environ.get("REMOTE_ADDR") or "")
        environ["idp.request_id"] = request_id
        environ["idp.bucket"] = source
        self._metrics.began()
        try:
            status, headers, body = self._answer(environ, request_id)
        finally:
            self._metrics.ended()
        headers.append(("X-Request-Id", request_id))
        start_response(status, headers)
        self._tell(environ, int(status[:3]), time.perf_counter() - began, source, request_id)
        return [body]

    def _answer(self, environ: "WSGIEnvironment", request_id: str) -> tuple[str, list[tuple[str, str]], bytes]:
        app = self._aside.get(environ["PATH_INFO"])
        if app is not None and environ["REQUEST_METHOD"] in _READING:
            environ["idp.route"] = environ["PATH_INFO"]
            return _collected(app, environ)
        refused = self._intake.receive(environ)
        if refused is not None:
            return self._noticed(environ, refused, request_id)
        try:
            return _collected(self._app, environ)
        except Exception as error:  # noqa: BLE001 - whatever it is, the person gets an answer and the operator a trace
            tell_fault(environ, error)
            return self._noticed(environ, HTTPStatus.INTERNAL_SERVER_ERROR, request_id)

    def _noticed(
        self, environ: "WSGIEnvironment", status: HTTPStatus, request_id: str
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        headers, body = self._notice(environ, status, request_id)
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", _RETRY_AFTER_SECONDS))
        return _LINES[status.value], headers, body

    def _tell(self, environ: "WSGIEnvironment", status: int, seconds: float, source: str, request_id: str) -> None:
        method = environ["REQUEST_METHOD"]
        if method not in _METHODS:
            method = "OTHER"
        route = _route(environ)
        self._metrics.count(method, route, status, seconds)
        if self._line is None:
            self._line = request_log()
        self._line(method, route, status, seconds * 1000, source, request_id)


def observed(
    app: "WSGIApplication",
    *,
    trusted_hops: int,
    intake: Intake,
    metrics: Metrics,
    aside: "Mapping[str, WSGIApplication] | None" = None,
    notice: Notice | None = None,
) -> "WSGIApplication":
    """``app`` behind the middleware; the address and scheme told by ``trusted_hops`` proxies are believed, never the host."""
    front = Observed(app, intake, metrics, aside, notice)
    if not trusted_hops:
        return front
    return ProxyFix(front, x_for=trusted_hops, x_proto=trusted_hops, x_host=0, x_port=0, x_prefix=0)


def tell_fault(environ: "WSGIEnvironment", error: BaseException) -> None:
    """Log an exception that no handler knew: where it came from and the request it belongs to, no values."""
    known = {"request_id": environ.get("idp.request_id", ""), "route": _route(environ)}
    structlog.get_logger().error("fault", exc_info=error, **known)


def plain_notice(environ: "WSGIEnvironment", status: HTTPStatus, request_id: str) -> tuple[Headers, bytes]:
    """A few plain words for people, JSON for machines."""
    kind, body = "text/plain; charset=utf-8", f"{status.phrase}. Reference: {request_id}\n".encode()
    if not wants_page(environ):
        error = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request"
        kind, body = "application/json", json.dumps({"error": error, "request_id": request_id}).encode()
    return [*_NOTICE_HEADERS, ("Content-Type", kind), ("Content-Length", str(len(body)))], body


def wants_page(environ: "WSGIEnvironment") -> bool:
    """Whether whoever asks is a browser with a person before it."""
    return "text/html" in environ.get("HTTP_ACCEPT", "")


def _collected(app: "WSGIApplication", environ: "WSGIEnvironment") -> tuple[str, list[tuple[str, str]], bytes]:
    """The whole answer: what fails while it is written is still a failure, and the server takes it in one piece."""
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        del exc_info
        told[:] = (status, headers)
        return _no_writing

    answer = app(environ, start_response)
    try:
        body = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    return told[0], told[1], body


def _no_writing(_data: bytes) -> object:
    raise NotImplementedError("the write callable of PEP 3333 is not served")


def _route(environ: "WSGIEnvironment") -> str:
    """The pattern of the route, or "unmatched"."""
    return str(environ.get("idp.route", "unmatched"))
