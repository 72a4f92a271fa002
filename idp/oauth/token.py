"""The token endpoint (RFC 6749 3.2): Authlib's server and grants, each a thin way from a request to one use case."""

import re
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from flask import Response

from idp.flows import grant
from idp.flows.grant import Issued, Presented, Wish
from idp.flows.world import World
from idp.model import Client
from idp.oauth.clients import Clients
from idp.oauth.dpop import Proofs
from idp.oauth.errors import EndpointError, Header, InvalidError, TokenRefusedError
from idp.oauth.guard import Guard
from idp.oauth.wire import JSON, TokenRequest, answer, token_request
from idp.policies.tokens import Denied, Error
from idp.vault.signing import KeyRing

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*", re.ASCII)
_LONGEST_SCOPE = 8192
PATH = "/token"


class Server(AuthorizationServer):
    """Authlib's authorization server with the World on it: no configuration of its own, no storage of its own."""

    def __init__(self, world: World, keys: KeyRing, clients: Clients) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.world, self.keys, self.clients = world, keys, clients
        self.proofs = Proofs(world)
        self.guard = Guard(world, keys, self.proofs)

    def query_client(self, client_id: str) -> Client | None:
        """The registered client, if it may be used."""
        found = self.clients.find(client_id)
        return None if found is None else found.client

    def authenticate_client(self, request: Any, _methods: object = None, _endpoint: str = "") -> Client:
        """By the method the client registered, whatever the endpoint (RFC 6749 2.3)."""
        return self.clients.authenticate(request)

    def create_oauth2_request(self, request: Any) -> Any:
        """Requests come here read already."""
        return request

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """No one listens: what happened is in the audit."""

    def handle_response(self, status: int, body: Any, headers: list[Header]) -> Response:
        """A response of the framework."""
        return answer(status, body, headers)


class TokenGrant(BaseGrant, TokenEndpointMixin):
    """A grant whose one use case says what is issued, or why not."""

    GRANT_TYPE: Any = None
    server: Server
    request: TokenRequest

    def validate_token_request(self) -> None:
        """Authenticate the client first of all, and see that the grant is one of its own (RFC 6749 5.2)."""
        client = self.server.authenticate_client(self.request)
        if self.GRANT_TYPE not in client.grant_types:
            raise EndpointError("The client may not use this grant.", error="unauthorized_client")
        self.request.client = client

    def create_token_response(self) -> tuple[int, dict[str, Any], list[Header]]:
        """The answer of RFC 6749 5.1, or the refusal of 5.2."""
        client = self.request.client
        # RFC 9449 5: a proof that comes along must be good, and its key is the token's; some clients get no other token.
        key = self.server.proofs.key(self.request, PATH, client, required=client.dpop)
        issued = self.issue(client, _wish(self.request, key))
        if isinstance(issued, Denied):
            raise TokenRefusedError(issued)
        return 200, self.body(issued), JSON

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """Ask the use case."""
        raise NotImplementedError

    def body(self, issued: Issued) -> dict[str, Any]:
        """The tokens, as RFC 6749 5.1 has them."""
        body: dict[str, Any] = {
            "access_token": issued.access_token,
            "token_type": "DPoP" if issued.bound else "Bearer",
            "expires_in": issued.expires_in,
            "scope": " ".join(issued.scope),
        }
        if issued.refresh_token is not None:
            body["refresh_token"] = issued.refresh_token
        if issued.id_token is not None:
            body["id_token"] = issued.id_token
        return body

    def required(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.request.values.get(name)
        if value is None:
            raise InvalidError(f"The parameter {name} is missing.")
        return value


class CodeGrant(TokenGrant):
    """RFC 6749 4.1.3 with RFC 7636: a code for tokens."""

    GRANT_TYPE = "authorization_code"

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """The scope was settled with the code: here it is not asked again."""
        values = self.request.values
        presented = Presented(self.required("code"), values.get("redirect_uri"), values.get("code_verifier"))
        return grant.redeem(self.server.world, self.server.keys, client, presented, replace(wish, scope=None))


class RefreshGrant(TokenGrant):
    """RFC 6749 6 with RFC 9700 4.14: a refresh token for its successor."""

    GRANT_TYPE = "refresh_token"

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """Rotate, or end the family."""
        return grant.rotate(self.server.world, self.server.keys, client, self.required("refresh_token"), wish)


class ClientGrant(TokenGrant):
    """RFC 6749 4.4: a client for itself."""

    GRANT_TYPE = "client_credentials"

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """Only for clients that can keep a secret."""
        if client.public:
            raise EndpointError("The client may not use this grant.", error="unauthorized_client")
        return grant.act(self.server.world, self.server.keys, client, wish)


GRANTS = (CodeGrant, RefreshGrant, ClientGrant)


def create_server(world: World, keys: KeyRing, clients: Clients) -> Server:
    """The server with its grants; password and implicit do not exist (RFC 9700 2.1.2 and 2.4)."""
    server = Server(world, keys, clients)
    for grant_type in GRANTS:
        server.register_grant(grant_type)  # type: ignore[no-untyped-call]
    return server


def answer_token(server: Server) -> Response:
    """``POST /token``."""
    request = token_request()
    if "grant_type" not in request.values:
        raise InvalidError("The parameter grant_type is missing.")
    response: Response = server.create_token_response(request)  # type: ignore[no-untyped-call]
    client = request.client
    return response if request.proof is None or client is None else server.proofs.freshen(response, client)


def _wish(request: TokenRequest, key: str | None) -> Wish:
    if len(request.resources) > 1:
        raise TokenRefusedError(Denied(Error.TARGET, "An access token has one audience: name one resource."))
    scope = request.values.get("scope")
    return Wish(request.resources[0] if request.resources else None, None if scope is None else scopes_of(scope), key)


def scopes_of(text: str) -> tuple[str, ...]:
    """The scopes of a space-separated list (RFC 6749 3.3), each once."""
    if len(text) > _LONGEST_SCOPE or _SCOPE.fullmatch(text) is None:
        raise TokenRefusedError(Denied(Error.SCOPE, "The scope is malformed."))
    return tuple(dict.fromkeys(text.split(" ")))
