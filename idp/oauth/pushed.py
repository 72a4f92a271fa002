"""The pushed authorization request endpoint (RFC 9126): a client leaves its request here and sends people with its name."""

from flask import Response

from idp.flows import grant
from idp.flows.grant import Pushed
from idp.oauth.checks import Asking, Via, examine
from idp.oauth.errors import EndpointError, ProofRefusedError
from idp.oauth.request_object import Pairs
from idp.oauth.token import Server
from idp.oauth.wire import JSON, answer, token_request

PATH = "/par"
# How the client shows who it is; no part of what it asks.
_CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


def answer_pushed(server: Server) -> Response:
    """``POST /par``: every check of the authorization endpoint, at once, told to the client itself."""
    request = token_request()
    client = server.clients.authenticate(request)
    server.clients.make_room(client)
    key = server.proofs.key(request, PATH, client)
    asked = {name: value for name, value in request.values.items() if name not in _CREDENTIALS}
    pairs = tuple((asked | {"client_id": client.id}).items()) + tuple(("resource", name) for name in request.resources)
    asking = Asking(server.world, server.clients, server.keys, pairs, Via.PUSHED)
    refusal = examine(asking)
    if refusal is not None:
        raise EndpointError(refusal.detail, error=refusal.error)
    address, seconds = grant.push(server.world, Pushed(client.id, _bound(asking, key), asking.signed))
    response = answer(201, {"request_uri": address, "expires_in": seconds}, JSON)
    return response if key is None else server.proofs.freshen(response, client)


def _bound(asking: Asking, key: str | None) -> Pairs:
    """The request with the key whose possession the client has proved, to which its code is bound (RFC 9449 10.1)."""
    named = asking.values.get("dpop_jkt", key)
    if key is not None and named != key:
        raise ProofRefusedError("The proof is not of the key that dpop_jkt names.")
    return asking.pairs if key is None else (*(pair for pair in asking.pairs if pair[0] != "dpop_jkt"), ("dpop_jkt", key))
