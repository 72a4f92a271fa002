"""Errors that no view answered, as pages: a malformed request, a full hash pool, a store that is down."""

from collections.abc import Mapping

import structlog
from flask import Flask, Response, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException, TooManyRequests

from idp.post import RecordsDown
from idp.store import StoreDown
from idp.vault import Busy
from idp.web import House
from idp.web.forms import Malformed
from idp.web.forwarding import destination

_NAMES = {403: "forbidden", 404: "not_found", 405: "bad_request", 413: "bad_request", 429: "too_many", 503: "busy"}


def add_to(app: Flask, house: House, redirects: Mapping[str, str]) -> None:
    """Register the handlers. Nobody gets in where the store is down: the answer is 503, never a way round.

    Where there is no page, ``redirects`` may know where an older portal's address leads now.
    """

    def page(status: int) -> Response:
        return house.error(status, _NAMES.get(status, "bad_request" if status < 500 else "error"))  # noqa: PLR2004

    def http(error: HTTPException) -> Response:
        status = error.code or 500
        moved = destination(redirects, request.path) if status == 404 and request.method == "GET" else None  # noqa: PLR2004
        answer = page(status) if moved is None else house.moved(moved)
        if status == 405:  # noqa: PLR2004
            answer.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return answer

    def throttled(error: TooManyRequests) -> Response:
        answer = house.error(429, "too_many")
        seconds = error.limit.limit.get_expiry() if isinstance(error, RateLimitExceeded) else error.retry_after
        answer.headers["Retry-After"] = str(seconds)
        return answer

    def later(name: str, seconds: int) -> Response:
        answer = house.error(503, name)
        answer.headers["Retry-After"] = str(seconds)
        return answer

    def unasked(error: RecordsDown) -> Response:
        # Nothing else tells of it: /readyz asks for what every sign-in needs.
        structlog.get_logger().warning("no customer records", reason=str(error))
        return later("unavailable", 5)

    app.extensions["idp.error_page"] = page
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(TooManyRequests, throttled)
    app.register_error_handler(Busy, lambda _: later("busy", Busy.retry_after))
    app.register_error_handler(StoreDown, lambda _: later("unavailable", 5))
    app.register_error_handler(RecordsDown, unasked)
    app.register_error_handler(Malformed, lambda _: page(400))
