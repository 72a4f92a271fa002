"""The userinfo endpoint (OpenID Connect Core 5.3), a resource protected by RFC 6750 and RFC 9449."""

from flask import Response, request

from idp.flows import grant
from idp.oauth.errors import InvalidError, UnauthorizedError
from idp.oauth.guard import Sent, sent
from idp.oauth.token import Server
from idp.oauth.wire import JSON, answer, body_of, parse, single

PATH = "/userinfo"


def answer_userinfo(server: Server) -> Response:
    """``GET`` and ``POST /userinfo``."""
    guard = server.guard
    came = _sent()
    worth = guard.weigh(came, PATH)
    told = grant.userinfo(worth)
    if told is None:
        raise UnauthorizedError("insufficient_scope", "The token lacks the scope openid.", bound=came.bound)
    return guard.freshen(answer(200, told, JSON), worth)


def _sent() -> Sent:
    """The token, from the header or the form (RFC 6750 2.1 and 2.2), never from the address, which ends in logs."""
    environ = request.environ
    header = sent()
    found = [] if header is None else [header]
    if environ["REQUEST_METHOD"] == "POST" and environ.get("CONTENT_LENGTH", "0") not in {"", "0"}:
        values, _ = single(parse(body_of(request)))
        found += [Sent(values["access_token"])] if "access_token" in values else []
    if len(found) > 1:
        raise InvalidError("The token is sent in more than one way.")
    if not found:
        raise UnauthorizedError(None)
    return found[0]
