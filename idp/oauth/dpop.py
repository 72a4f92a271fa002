"""Proofs of possession at the endpoints (RFC 9449): the header is read, judged, and counted as used, once and for all."""

from datetime import datetime

from flask import Response

from idp.flows.world import World
from idp.model import Client
from idp.oauth.errors import Header, ProofRefusedError
from idp.oauth.wire import TokenRequest
from idp.policies import dpop
from idp.policies.client_keys import FAPI_ALGORITHMS
from idp.policies.dpop import Expected, Fault
from idp.vault import possession


class Proofs:
    """The judge of proofs. Addresses are those of the configured issuer: no header of a request can move them."""

    def __init__(self, world: World) -> None:
        self._world, self._issuer = world, world.issuer.rstrip("/")
        # The periods at hand and their nonces, in one so that they are always of a kind.
        self._made: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def key(
        self, request: TokenRequest, path: str, client: Client, access_token: str | None = None, *, required: bool = False
    ) -> str | None:
        """The thumbprint (RFC 7638) of the key whose possession a request proves; None where it brings no proof.

        Raises ``ProofRefusedError`` for a proof that is not good here, and for none where one is ``required``.
        """
        if request.proof is not None:
            return self.proved(request.proof, request.method, path, client, access_token)
        if required:
            raise ProofRefusedError("A proof of possession is needed: the DPoP header is missing.", more=self.told(client))
        return None

    def proved(self, proof: str, method: str, path: str, client: Client, access_token: str | None = None) -> str:
        """The thumbprint of the key that signed ``proof`` for this very request, of which it is the first use."""
        now = self._world.clock()
        expected = Expected(
            method,
            self._issuer + path,
            self._nonces(now),
            FAPI_ALGORITHMS if client.fapi else dpop.ALGORITHMS,
            self.needs_nonce(client),
            None if access_token is None else possession.token_hash(access_token),
        )
        shown = possession.shown(proof)
        fault = Fault.KIND if shown is None else dpop.judge(shown.header, shown.claims, expected, now)
        if fault is not None or shown is None:
            raise self._refused(client, fault or Fault.KIND)
        key = shown.key()
        if key is None:
            raise self._refused(client, Fault.KEY)
        # With the key: nobody can use up a proof of somebody else's.
        if not self._world.store.used.first_time(f"dpop:{key}:{shown.claims['jti']}", dpop.remembered_until(now), now):
            raise ProofRefusedError("The proof was used before.", more=self.told(client))
        return key

    def needs_nonce(self, client: Client) -> bool:
        """Whether a client's proofs must carry a nonce of ours."""
        return client.fapi or self._world.policy.tokens.dpop_nonce

    def told(self, client: Client) -> tuple[Header, ...]:
        """The header that tells a client the nonce of its next proof, where it needs one."""
        return (self._nonce_header(),) if self.needs_nonce(client) else ()

    def freshen(self, response: Response, client: Client) -> Response:
        """Tell the nonce of the next proof with an answer to this one (RFC 9449 8.2)."""
        for name, value in self.told(client):
            response.headers[name] = value
        return response

    def _refused(self, client: Client, fault: Fault) -> ProofRefusedError:
        if fault is Fault.NONCE:
            return ProofRefusedError(fault.value, error="use_dpop_nonce", more=(self._nonce_header(),))
        return ProofRefusedError(fault.value, more=self.told(client))

    def _nonce_header(self) -> Header:
        return "DPoP-Nonce", self._nonces(self._world.clock())[0]

    def _nonces(self, now: datetime) -> tuple[str, ...]:
        """Nothing is stored: a nonce is the period's name under a key that all nodes share and nobody else has."""
        made, periods = self._made, dpop.nonce_periods(now)
        if made[0] != periods:
            made = self._made = periods, tuple(self._world.vault.keyed("dpop nonce", period) for period in periods)
        return made[1]
