"""The userinfo endpoint (OpenID Connect Core 5.3), a resource protected by RFC 6750."""

from flask import Response, request

from idp.flows import grant
from idp.oauth.errors import InvalidError, UnauthorizedError
from idp.oauth.token import Server
from idp.oauth.wire import JSON, answer, body_of, parse, single


def answer_userinfo(server: Server) -> Response:
    """``GET`` and ``POST /userinfo``."""
    token = _token()
    worth = grant.weigh(server.world, server.keys, token)
    if worth is None:
        raise UnauthorizedError("invalid_token", "The token is not valid here.")
    told = grant.userinfo(worth)
    if told is None:
        raise UnauthorizedError("insufficient_scope", "The token lacks the scope openid.")
    return answer(200, told, JSON)


def _token() -> str:
    """The token, from the header or the form (RFC 6750 2.1 and 2.2), never from the address, which ends in logs."""
    environ = request.environ
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    found: list[str] = [token.strip()] if scheme.lower() == "bearer" else []
    if environ["REQUEST_METHOD"] == "POST" and environ.get("CONTENT_LENGTH", "0") not in {"", "0"}:
        values, _ = single(parse(body_of(request)))
        found += [values["access_token"]] if "access_token" in values else []
    if len(found) > 1:
        raise InvalidError("The token is sent in more than one way.")
    if not found:
        raise UnauthorizedError(None)
    return found[0]
