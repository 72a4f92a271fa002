"""An authenticator in software: makes passkeys and signs with them as WebAuthn says, and differently where a test asks."""

import hashlib
import html
import json
import re
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

from tests.people import Page

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def asked_on(page: Page) -> dict[str, Any]:
    """What a page asks the browser for."""
    found = re.search(r'data-options="([^"]*)"', page.response.text)
    assert found, page.text
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


@dataclass
class Authenticator:
    """One device with at most one passkey; ``counts`` is its signature counter, 0 where it keeps none."""

    origin: str
    counts: int = 0
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user: bytes = b""
    host: str = "localhost"

    def make(self, options: dict[str, Any]) -> str:
        """A new passkey for these options."""
        self.user = base64url_to_bytes(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + encode_cbor(public)
        held = self._data(self.flags | ATTESTED) + attested
        statement = encode_cbor({"fmt": "none", "attStmt": {}, "authData": held})
        client = self._client("webauthn.create", options["challenge"])
        return self._told({"clientDataJSON": client, "attestationObject": statement})

    def sign(self, options: dict[str, Any], *, user: bytes | None = None) -> str:
        """A signature for these options; ``user`` is whom the key is said to be for."""
        self.counts += bool(self.counts)
        held, client = self._data(self.flags), self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(held + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = self.user if user is None else user
        return self._told({"clientDataJSON": client, "authenticatorData": held, "signature": signature, "userHandle": handle})

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + struct.pack(">I", self.counts)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _told(self, response: dict[str, bytes]) -> str:
        identifier = bytes_to_base64url(self.id)
        parts = {name: bytes_to_base64url(value) for name, value in response.items() if value}
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": parts})
