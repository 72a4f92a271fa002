"""Introspection (RFC 7662) and revocation (RFC 7009), Authlib's endpoints over one use case each.

What introspection tells can be had signed (RFC 9701), by whoever has to show later what a token was worth.
"""

from typing import Any

from authlib.oauth2.rfc6749 import TokenEndpoint
from flask import Response, request

from idp.flows import grant
from idp.model import Client
from idp.oauth.errors import ClientRefusedError, Header, InvalidError
from idp.oauth.token import Server
from idp.oauth.wire import JSON, token_request

SIGNED_BY = "ES256"
_INACTIVE = {"active": False}
_TYPE = "token-introspection+jwt"
_SIGNED = f"application/{_TYPE}"
# As they are preferred where a client takes either.
_KINDS = ("application/json", _SIGNED)
_JWT = [("Content-Type", _SIGNED), *JSON[1:]]


class _OneToken(TokenEndpoint):
    """An endpoint that is asked about one token by a client it knows. ``token_type_hint`` is only a hint: not needed."""

    server: Server

    def create_endpoint_response(self, request: Any) -> tuple[int, Any, list[Header]]:
        """Authenticate, then answer."""
        client = self.server.authenticate_client(request)
        token = request.values.get("token")
        if token is None:
            raise InvalidError("The parameter token is missing.")
        return self.told(client, self.about(client, token))

    def about(self, client: Client, token: str) -> dict[str, Any]:
        """The answer's body."""
        raise NotImplementedError

    def told(self, client: Client, body: dict[str, Any]) -> tuple[int, Any, list[Header]]:  # noqa: ARG002 - for those that sign
        """The whole answer."""
        return 200, body, JSON


class Introspection(_OneToken):
    """RFC 7662 2: whatever a client may not know looks like a token that never was."""

    ENDPOINT_NAME = "introspection"

    def about(self, client: Client, token: str) -> dict[str, Any]:
        """The claims of an active token, or that it is not active."""
        if client.public:
            raise ClientRefusedError
        return grant.introspect(self.server.world, self.server.keys, client, token) or _INACTIVE

    def told(self, client: Client, body: dict[str, Any]) -> tuple[int, Any, list[Header]]:
        """Signed for the client that asks, where it asks for that (RFC 9701 4 and 5)."""
        if request.accept_mimetypes.best_match(_KINDS) != _SIGNED:
            return super().told(client, body)
        world = self.server.world
        issued = int(world.clock().timestamp())
        # Nothing outside says "sub" or "exp": this is no access token, and must not be taken for one (RFC 9701 8.1).
        claims = {"iss": world.issuer, "aud": client.id, "iat": issued, "token_introspection": body}
        return 200, self.server.keys.sign(SIGNED_BY, _TYPE, claims), _JWT


class Revocation(_OneToken):
    """RFC 7009 2: the answer is the same whether there was a token to revoke."""

    ENDPOINT_NAME = "revocation"

    def about(self, client: Client, token: str) -> dict[str, Any]:
        """Nothing."""
        grant.revoke(self.server.world, self.server.keys, client, token)
        return {}


def answer_one(server: Server, name: str) -> Response:
    """``POST /introspect`` and ``POST /revoke``."""
    response: Response = server.create_endpoint_response(name, token_request())  # type: ignore[no-untyped-call]
    return response
