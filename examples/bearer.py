"""Guard a Flask resource server with JWT access tokens, validated offline (RFC 9068). To be copied, with `possession.py`.

    guard = Bearer(issuer="https://id.example", audience="https://billing.example")
    app.register_error_handler(Refusal, Refusal.response)

    @app.get("/bills/latest")
    def latest():
        customer = guard.check("billing:read")["sub"]

Keys come from the issuer's published metadata (RFC 8414) and from nowhere a token names: `jku`, `jwk`, `x5u` and `x5c`
are never looked at (RFC 8725, section 3.10). Refusals follow RFC 6750, section 3, and RFC 9470, section 3. A token that is
bound to a key is taken with a proof of possession, in the scheme DPoP, and in no other way (RFC 9449, section 7).
"""

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
from flask import Response, jsonify, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol, RSAKey

from examples.possession import ALGORITHMS, Proofs

LEEWAY, STRENGTH = 60, {"": 0, "pwd": 1, "pwd+pin": 2, "extra": 3, "mfa": 4}
ALGS = " ".join(ALGORITHMS)
MALFORMED = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Why a request isn't served: the status, and the parameters of the challenge (RFC 6750, section 3)."""

    def __init__(self, status: int, error: str = "", reason: str = "", **more: str) -> None:
        self.status = status
        self.challenge = {"error": error, "error_description": reason, **more} if error else {}

    def response(self) -> Response:
        """The refusal in `WWW-Authenticate` and again as JSON; with nothing but the scheme if no token came at all."""
        answer = jsonify(self.challenge)
        answer.status_code = self.status
        if self.status in (401, 403):
            pairs = ", ".join(f'{name}="{value}"' for name, value in self.challenge.items())
            # In the scheme in which the token came; both ways are open to who showed none (RFC 9449, section 7.1).
            scheme = "DPoP" if _token()[1] else "Bearer"
            answer.headers["WWW-Authenticate"] = f"{scheme} {pairs}" if pairs else f'Bearer, DPoP algs="{ALGS}"'
        return answer


class Keys:
    """The issuer's keys by algorithm and `kid`: fetched hourly, and for an unknown one at most every `pause` seconds."""

    def __init__(self, issuer: str, pause: float = 10, max_age: float = 3600) -> None:
        path = f"/.well-known/oauth-authorization-server{urlsplit(issuer).path.rstrip('/')}"  # RFC 8414, section 3.1
        self.issuer, self.metadata_url = issuer, urlsplit(issuer)._replace(path=path).geturl()
        self.pause, self.max_age = pause, max_age
        self._keys: dict[tuple[str, str], ECKey | RSAKey] = {}
        self._lock, self._tried, self._fetched = threading.Lock(), float("-inf"), float("-inf")

    def find(self, kid: str, alg: str = "ES256") -> ECKey | RSAKey:
        """The key of that id for that algorithm; `KeyError` where there is none, `Refusal` where none was ever fetched."""
        if (alg, kid) not in self._keys or time.monotonic() - self._fetched > self.max_age:
            with self._lock:
                if time.monotonic() - self._tried >= self.pause:
                    self._tried = time.monotonic()
                    self._fetch()
        if not self._keys:
            raise Refusal(503, "temporarily_unavailable", "the issuer's keys could not be fetched")
        return self._keys[alg, kid]

    def _fetch(self) -> None:
        try:
            with httpx.Client(timeout=3, follow_redirects=False) as http:
                metadata = http.get(self.metadata_url).raise_for_status().json()
                if metadata["issuer"] != self.issuer:  # RFC 8414, section 3.3
                    return
                published = http.get(metadata["jwks_uri"]).raise_for_status().json()["keys"]
            usable = [key for key in published if key.get("use", "sig") == "sig"]
            elliptic = [key for key in usable if key.get("crv") == "P-256"]
            rsa = [key for key in usable if key.get("kty") == "RSA"]
            self._keys = {
                **{("ES256", key["kid"]): ECKey.import_key(_public(key, "crv", "x", "y")) for key in elliptic},
                **{("RS256", key["kid"]): RSAKey.import_key(_public(key, "n", "e")) for key in rsa},
            }
            self._fetched = time.monotonic()
        except (httpx.HTTPError, httpx.InvalidURL, *MALFORMED):
            return  # The keys known so far stay good: an issuer that is down stops no customer.


class Bearer:
    """Accepts the tokens of one issuer for one audience; every other is refused."""

    def __init__(self, issuer: str, audience: str, keys: Keys | None = None) -> None:
        self.issuer, self.audience, self.keys = issuer, audience, keys or Keys(issuer)
        self.proofs = Proofs(audience)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that passes RFC 9068, section 4; else `Refusal`."""
        try:
            claims, now = jwt.decode(token, self._key, algorithms=["ES256"]).claims, time.time()
            good = (
                claims["iss"] == self.issuer
                and claims["aud"] in (self.audience, [self.audience])  # this one, and no other beside it
                and now - LEEWAY < claims["exp"] < float("inf")
                and 0 <= claims["iat"] <= now + LEEWAY
                and all(isinstance(claims[name], str) for name in ("sub", "client_id", "jti"))
            )
        except MALFORMED:
            good, claims = False, {}
        if not good:
            raise Refusal(401, "invalid_token", "the token is not valid here")
        return claims

    def _key(self, token: GuestProtocol) -> ECKey | RSAKey:
        header = token.headers()
        if header["typ"] != "at+jwt" or header["alg"] != "ES256":  # before the key, so that no junk causes a fetch
            raise ValueError("not an access token")
        return self.keys.find(header["kid"])

    def check(self, scope: str, acr: str = "", max_age: int = 0) -> dict[str, Any]:
        """The claims of this request's token, with that scope, of a sign-in as strong as `acr`, and as recent as `max_age`.

        Whoever falls short in either is told both, in seconds: the client asks the provider for exactly that (RFC 9470).
        """
        token, bound = _token()
        if token is None:
            raise Refusal(401)
        claims = self.claims(token)
        self._prove(token, claims, bound=bound)
        if scope not in str(claims.get("scope", "")).split():
            raise Refusal(403, "insufficient_scope", "the token lacks a scope", scope=scope)
        weak = STRENGTH.get(str(claims.get("acr")), 0) < STRENGTH[acr]
        if weak or (max_age and not _recent(claims.get("auth_time"), max_age)):
            asked = ({"acr_values": acr} if acr else {}) | ({"max_age": str(max_age)} if max_age else {})
            raise Refusal(401, "insufficient_user_authentication", "a stronger or more recent sign-in is needed", **asked)
        return claims

    def _prove(self, token: str, claims: dict[str, Any], *, bound: bool) -> None:
        """Who has only the token, and not the key to which it is bound, is refused; so is a proof for a token bound to none."""
        if ("cnf" in claims) != bound:
            raise Refusal(401, "invalid_token", "the token is not valid in this way")
        if not bound:
            return
        try:
            proof = request.headers.get("DPoP", "")
            held = self.proofs.held(proof, request.method, request.path, token, claims["cnf"]["jkt"])
        except MALFORMED:
            held = False
        if not held:
            raise Refusal(401, "invalid_dpop_proof", "no proof of the token's key", algs=ALGS)


def _token() -> tuple[str | None, bool]:
    """The token that this request shows, and whether in the scheme of those that are bound to a key."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    kind = scheme.lower()
    return (token.strip() if kind in ("bearer", "dpop") else None), kind == "dpop"


def _public(key: dict[str, Any], *names: str) -> dict[str, Any]:
    return {"kty": key["kty"], **{name: key[name] for name in names}}


def _recent(auth_time: Any, max_age: int) -> bool:
    """Whether someone signed in that lately, as the token says (RFC 9068, section 2.2.1); clocks may differ a little."""
    return type(auth_time) in (int, float) and time.time() - max_age - LEEWAY <= auth_time
