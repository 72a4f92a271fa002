"""An app that holds a key and proves it (RFC 9449), by libraries the service does not use for this."""

import base64
import hashlib
import secrets
from datetime import datetime
from functools import cache
from typing import Any

import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import TestResponse

from tests.oauth.provider import ISSUER, VERIFIER, Provider


@cache
def rsa_key() -> RSAKey:
    """One for the whole run: they take their time."""
    return RSAKey.generate_key(2048, private=True)


class Prover:
    """A key and the proofs it makes; ``claims`` and ``header`` put in anything else, or with None leave it out."""

    def __init__(self, key: ECKey | RSAKey | None = None, alg: str = "ES256") -> None:
        self.key, self.alg = key or ECKey.generate_key("P-256", private=True), alg
        self.jkt = self.key.thumbprint()
        self.jwk = self.key.as_dict(private=False)
        self.jwk.pop("kid", None)

    def proof(  # noqa: PLR0917 - every part of a proof can be a wrong one
        self,
        method: str,
        url: str,
        at: datetime,
        token: str | None = None,
        nonce: str | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        usual = {"htm": method, "htu": url, "iat": int(at.timestamp()), "jti": secrets.token_urlsafe(16), "nonce": nonce}
        if token is not None:
            usual["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, self.key.private_key, self.alg, {"typ": "dpop+jwt", "jwk": self.jwk} | (header or {}))


class App:
    """A client of a provider that proves possession of its key, with the nonce it was given last, as RFC 9449 8 has it."""

    def __init__(self, provider: Provider, client: str | None = None, prover: Prover | None = None) -> None:
        self.provider, self.client, self.prover = provider, client, prover or Prover()
        self.nonce: str | None = None

    def proof(self, method: str = "POST", path: str = "/token", token: str | None = None, **changes: Any) -> str:
        now = self.provider.clock()
        return self.prover.proof(method, ISSUER + path, now, token, **({"nonce": self.nonce} | changes))

    def token(self, proof: str | None = None, **form: Any) -> TestResponse:
        """A token request; without ``proof`` a good one, made again where a nonce is asked for."""
        answer = self.provider.token(self.client, headers={"DPoP": proof or self.proof()}, **form)
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        if proof is None and answer.status_code == 400 and answer.json["error"] == "use_dpop_nonce":
            return self.token(self.proof(), **form)
        return answer

    def redeem(self, code: str, proof: str | None = None, **changes: Any) -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **changes}
        return self.token(proof, **form)

    def refresh(self, token: str, proof: str | None = None, **changes: Any) -> TestResponse:
        return self.token(proof, grant_type="refresh_token", refresh_token=token, **changes)

    def userinfo(self, token: str, proof: str | None = None, scheme: str = "DPoP", method: str = "GET") -> TestResponse:
        shown = self.proof(method, "/userinfo", token) if proof is None else proof
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": shown} if shown else {})
        return self.provider.http.open("/userinfo", method=method, headers=headers)
