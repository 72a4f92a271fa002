"""Proofs of possession at a resource server (RFC 9449), judged without asking anybody. Copied together with `bearer.py`.

A token with `cnf.jkt` is worth something only to who holds the key of that thumbprint: each request brings a fresh proof,
signed by that key, for this method and address and this very token. Proofs that came are remembered while they could be
good: in this process. Where several serve one address, let them share that memory, or a proof is good once at each.
"""

import base64
import hashlib
import hmac
import threading
import time

from joserfc import jwt
from joserfc.jwk import ECKey, GuestProtocol

ALGORITHMS, WINDOW, LONGEST, MOST = ("ES256",), 60, 256, 100_000


class Proofs:
    """Judges the proofs sent to one resource server, whose own address is `audience`: the Host header is never asked."""

    def __init__(self, audience: str) -> None:
        self._address = audience.rstrip("/")
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def held(self, proof: str, method: str, path: str, token: str, thumbprint: str) -> bool:
        """Whether `proof` is the first use of one that the token's key has signed for this request (RFC 9449, section 4.3).

        Raises whatever the library does for what is no proof at all.
        """
        read, now = jwt.decode(proof, _key, algorithms=list(ALGORITHMS)), time.time()
        claims, digest = read.claims, hashlib.sha256(token.encode()).digest()
        good = (
            hmac.compare_digest(_key_of(read.header["jwk"]).thumbprint(), thumbprint)
            and claims["htm"] == method
            and claims["htu"].partition("?")[0].partition("#")[0] == self._address + path
            and claims["ath"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            and abs(now - claims["iat"]) <= WINDOW
            and 0 < len(claims["jti"]) <= LONGEST
        )
        return good and self._first(f"{thumbprint} {claims['jti']}", now)

    def _first(self, name: str, now: float) -> bool:
        """Whether nobody has shown this proof; full, it forgets none that is still good but takes no more."""
        with self._lock:
            while self._seen and (oldest := next(iter(self._seen.items())))[1] < now:
                del self._seen[oldest[0]]
            if name in self._seen or len(self._seen) >= MOST:
                return False
            self._seen[name] = now + 2 * WINDOW
            return True


def _key(proof: GuestProtocol) -> ECKey:
    header = proof.headers()
    if header["typ"] != "dpop+jwt" or header["alg"] not in ALGORITHMS:
        raise ValueError("not a proof")
    return _key_of(header["jwk"])


def _key_of(jwk: dict[str, str]) -> ECKey:
    """The public key that the proof's own header shows; whose it is, only the token's thumbprint says."""
    if jwk["kty"] != "EC" or jwk["crv"] != "P-256" or "d" in jwk:
        raise ValueError("not a public key")
    return ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
