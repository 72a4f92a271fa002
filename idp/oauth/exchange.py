"""Token exchange (RFC 8693) at the token endpoint: a backend acts at another one for the person whose token it has."""

from typing import Any

from idp.flows import grant
from idp.flows.grant import Issued, Wish
from idp.model import Client
from idp.oauth.errors import InvalidError
from idp.oauth.token import TokenGrant
from idp.policies.tokens import Denied

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind


class ExchangeGrant(TokenGrant):
    """RFC 8693 2: only access tokens are taken, and given. Who acts is the client itself: no other can be named."""

    GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"

    def issue(self, client: Client, wish: Wish) -> Issued | Denied:
        """The resource may be named by either of the two parameters (RFC 8693 2.1)."""
        values = self.request.values
        token, kind = self.required("subject_token"), self.required("subject_token_type")
        if {kind, values.get("requested_token_type", _ACCESS_TOKEN)} != {_ACCESS_TOKEN}:
            raise InvalidError("Only access tokens are exchanged, and for access tokens.")
        if "actor_token" in values or "actor_token_type" in values:
            raise InvalidError("The client acts itself: actor_token is not supported.")
        named = (wish.resource, values.get("audience"))
        targets = tuple(one for one in named if one is not None)
        return grant.exchange_token(self.server.world, self.server.keys, client, token, wish, targets=targets)

    def body(self, issued: Issued) -> dict[str, Any]:
        """With the kind of what was issued (RFC 8693 2.2.1)."""
        return {**super().body(issued), "issued_token_type": _ACCESS_TOKEN}
