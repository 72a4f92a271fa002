"""The raw parts of JOSE: base64url with one spelling for one value, and signatures (RFC 7518 3)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)
_PADDINGS = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(_SHA256), _SHA256.digest_size)}
_HALF = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data: bytes) -> bytes:
    """Without padding (RFC 7515 2)."""
    return urlsafe_b64encode(data).rstrip(b"=")


def unb64(data: bytes) -> bytes:
    """Strict: one spelling for one value, so that a token cannot be respelt (RFC 7515 2); raises ValueError."""
    decoded = urlsafe_b64decode(data + b"=" * (-len(data) % 4))
    if b64(decoded) != data:
        raise ValueError("not base64url")
    return decoded


def sign(alg: str, key: PrivateKey, message: bytes) -> bytes:
    """The raw signature (RFC 7518 3.3 to 3.5)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(message, _ECDSA))
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)
    return key.sign(message, _PADDINGS[alg], _SHA256)


def verified(alg: str, key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the raw signature is the key's; no sum of nothing is one (r or s of 0), and no key serves another algorithm."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, _PADDINGS[alg], _SHA256)
            return True
        r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
        if alg != "ES256" or len(signature) != 2 * _HALF or not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        key.verify(encode_dss_signature(r, s), message, _ECDSA)
    except (InvalidSignature, KeyError):
        return False
    return True
