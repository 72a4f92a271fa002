"""Access tokens at resources of the service's own: a bearer's (RFC 6750), or one's with a proof of possession (RFC 9449)."""

from dataclasses import dataclass, field

from flask import Response, request

from idp.flows import grant
from idp.flows.grant import Worth
from idp.flows.world import World
from idp.oauth.dpop import Proofs
from idp.oauth.errors import ProofRefusedError, UnauthorizedError
from idp.vault.signing import KeyRing


@dataclass(frozen=True, slots=True)
class Sent:
    """A token as it was sent; ``bound``: its sender says that it is bound to a key (the scheme DPoP)."""

    token: str = field(repr=False)
    bound: bool = False


def sent() -> Sent | None:
    """The token in the header of the request at hand."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    kind = scheme.lower()
    return Sent(token.strip(), kind == "dpop") if kind in {"bearer", "dpop"} else None


class Guard:
    """Weighs the tokens that resources are asked with."""

    def __init__(self, world: World, keys: KeyRing, proofs: Proofs) -> None:
        self._world, self._keys, self._proofs = world, keys, proofs

    def weigh(self, came: Sent, path: str) -> Worth:
        """What a token is worth to who sends it to the resource at ``path``; raises ``UnauthorizedError``.

        One that is bound to a key is never taken from who only has the token (RFC 9449 7.2), and no other with a proof.
        """
        worth = grant.weigh(self._world, self._keys, came.token)
        if worth is None or ("cnf" in worth.claims) != came.bound:
            raise UnauthorizedError("invalid_token", "The token is not valid here.", bound=came.bound)
        if came.bound:
            self._prove(came.token, worth, path)
        return worth

    def freshen(self, response: Response, worth: Worth) -> Response:
        """Tell the nonce of the next proof with the answer to this one (RFC 9449 8.2), where there was one."""
        return self._proofs.freshen(response, worth.client) if "cnf" in worth.claims else response

    def _prove(self, token: str, worth: Worth, path: str) -> None:
        """The proof was made for this request and this token, by the key to which the token is bound (RFC 9449 7.1)."""
        environ = request.environ
        try:
            key = self._proofs.proved(environ.get("HTTP_DPOP", ""), environ["REQUEST_METHOD"], path, worth.client, token)
        except ProofRefusedError as refused:
            raise UnauthorizedError(refused.error, refused.description, bound=True, more=refused.more) from refused
        if key != worth.claims["cnf"].get("jkt"):
            raise UnauthorizedError("invalid_token", "The token is bound to another key.", bound=True)
