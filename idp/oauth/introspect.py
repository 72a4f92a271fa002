"""Introspection (RFC 7662) and revocation (RFC 7009), Authlib's endpoints over one use case each."""

from typing import Any

from authlib.oauth2.rfc6749 import TokenEndpoint
from flask import Response

from idp.flows import grant
from idp.model import Client
from idp.oauth.errors import ClientRefusedError, Header, InvalidError
from idp.oauth.token import Server
from idp.oauth.wire import JSON, TokenRequest, token_request

_INACTIVE = {"active": False}


class _OneToken(TokenEndpoint):
    """An endpoint that is asked about one token by a client it knows. ``token_type_hint`` is only a hint: not needed."""

    server: Server

    def create_endpoint_response(self, request: Any) -> tuple[int, Any, list[Header]]:
        """Authenticate, then answer."""
        client = self.server.authenticate_client(request)
        token = request.values.get("token")
        if token is None:
            raise InvalidError("The parameter token is missing.")
        return 200, self.about(client, token), JSON

    def about(self, client: Client, token: str) -> Any:
        """The answer's body."""
        raise NotImplementedError


class Introspection(_OneToken):
    """RFC 7662 2: whatever a client may not know looks like a token that never was."""

    ENDPOINT_NAME = "introspection"

    def about(self, client: Client, token: str) -> dict[str, Any]:
        """The claims of an active token, or that it is not active."""
        if client.public:
            raise ClientRefusedError
        return grant.introspect(self.server.world, self.server.keys, client, token) or _INACTIVE


class Revocation(_OneToken):
    """RFC 7009 2: the answer is the same whether there was a token to revoke."""

    ENDPOINT_NAME = "revocation"

    def about(self, client: Client, token: str) -> dict[str, Any]:
        """Nothing."""
        grant.revoke(self.server.world, self.server.keys, client, token)
        return {}


def answer_one(server: Server, name: str) -> Response:
    """``POST /introspect`` and ``POST /revoke``."""
    request: TokenRequest = token_request()
    response: Response = server.create_endpoint_response(name, request)  # type: ignore[no-untyped-call]
    return response
