"""Devices without a browser (RFC 8628): where they get their codes, and the grant by which they fetch their tokens."""

from typing import Any

from flask import Response

from idp.flows import grant
from idp.flows.grant import DeviceAsked, Issued, Wish
from idp.flows.world import World
from idp.model import Client
from idp.oauth.errors import EndpointError, TokenRefusedError
from idp.oauth.token import Server, TokenGrant, scopes_of
from idp.oauth.wire import JSON, TokenRequest, answer, token_request
from idp.policies import tokens
from idp.policies.tokens import Denied, Error

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


class DeviceGrant(TokenGrant):
    """RFC 8628 3.4: a device asks, again and again, until its person has answered."""

    GRANT_TYPE = GRANT_TYPE

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """The scope was settled with the codes: here it is not asked again."""
        code, narrowed = self.required("device_code"), Wish(wish.resource, jkt=wish.jkt)
        return grant.redeem_device(self.server.world, self.server.keys, client, code, narrowed)


def answer_device(server: Server) -> Response:
    """``POST /device_authorization`` (RFC 8628 3.1)."""
    request = token_request()
    client = server.authenticate_client(request)
    if GRANT_TYPE not in client.grant_types:
        raise EndpointError("The client may not use this grant.", error="unauthorized_client")
    server.clients.make_room(client)
    codes = grant.begin_device(server.world, _asked(server.world, client, request))
    page = server.world.issuer.rstrip("/") + "/device"
    told: dict[str, Any] = {
        "device_code": codes.device_code,
        "user_code": codes.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={codes.user_code}",
        "expires_in": codes.expires_in,
        "interval": codes.interval,
    }
    return answer(200, told, JSON)


def _asked(world: World, client: Client, request: TokenRequest) -> DeviceAsked:
    """What the device asks for, judged as at the authorization endpoint: left out where it goes too far, never widened."""
    asked, named = scopes_of(request.values.get("scope", "")), tuple(dict.fromkeys(request.resources))
    found = tokens.sought(asked, named, client, world.resources)
    if found is None:
        raise TokenRefusedError(Denied(Error.TARGET, "The resource is not one the client may use."))
    resources, scope = found
    if not scope:
        raise TokenRefusedError(Denied(Error.SCOPE, "The client may have nothing of this scope."))
    acr, essential = tokens.levels((), essential=True, named=[world.resources[name] for name in resources])
    return DeviceAsked(client, scope, resources, acr, essential)
