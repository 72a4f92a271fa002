"""The Vault: every use of a secret, behind names that say what for."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from cryptography.fernet import Fernet

from idp.vault import legacy
from idp.vault.breached import Breached
from idp.vault.hashing import Hasher, HashPool
from idp.vault.randomness import Randomness


def digest(value: str) -> str:
    """SHA-256 in hex of a random identifier of at least 128 bits; slow hashing would add nothing (ASVS 11.4.1)."""
    return hashlib.sha256(value.encode()).hexdigest()


class Vault(Randomness):
    """Hashes, seals and randomness under one master key of 32 bytes.

    Every use has its own key, derived by HMAC-SHA-256 from the master key and the use's name.
    """

    def __init__(self, master_key: bytes, hasher: Hasher, pool: HashPool) -> None:
        self._master = master_key
        self._hasher = hasher
        self._pool = pool
        self._pepper = self.key("pepper")
        self._fernet = Fernet(base64.urlsafe_b64encode(self.key("seal")))
        self._breached = Breached()
        self._lock = threading.Lock()
        self.verified = 0
        self.decoys = 0

    def key(self, use: str) -> bytes:
        """A 32-byte key for one use."""
        return hmac.digest(self._master, use.encode(), "sha256")

    # Secrets people choose

    def place(self) -> AbstractContextManager[None]:
        """A place in the hash pool; take it before counting an attempt. Raises Busy."""
        return self._pool.place()

    def hash(self, secret: str) -> str:
        """Verifier of a secret, argon2id over its peppered digest."""
        return self._pool.run(self._hasher.hash, self._peppered(secret))

    def verify(self, secret: str, known: str) -> bool:
        """Whether a secret matches its verifier; one that came from another system costs a hash of ours beside its own."""
        result = self._pool.run(self._verified, secret, known)
        with self._lock:
            self.verified += 1
        return result

    def _verified(self, secret: str, known: str) -> bool:
        if not legacy.is_legacy(known):
            return self._hasher.verify(self._peppered(secret), known)
        self._hasher.verify_nothing(self._peppered(secret))
        return legacy.verify(secret, known)

    def verify_nothing(self, secret: str) -> None:
        """The same work where there is nothing to verify: unknown, locked, invited."""
        self._pool.run(self._hasher.verify_nothing, self._peppered(secret))
        with self._lock:
            self.decoys += 1

    def outdated(self, known: str) -> bool:
        """Whether a verifier should be made anew at the next chance."""
        return legacy.is_legacy(known) or self._hasher.outdated(known)

    def breached(self, password: str) -> bool:
        """Whether a password is on the lists of known breached ones."""
        return password in self._breached

    def _peppered(self, secret: str) -> str:
        return hmac.digest(self._pepper, secret.encode("utf-8", "surrogatepass"), "sha256").hex()

    # Digests

    def chance(self, use: str, value: str) -> int:
        """A number that is random to whoever has not the key, and always the same for one value."""
        return int(self.keyed(use, value)[:8], 16)

    def keyed(self, use: str, value: str) -> str:
        """Keyed digest of something guessable (a username), so that a record of it tells nothing without the key."""
        return hmac.digest(self.key(use), value.encode("utf-8", "surrogatepass"), "sha256").hex()

    def keyed_lines(self, use: str, lines: Iterable[str]) -> str:
        """Keyed digest of lines, none of which has a line end within, taken one after the other."""
        made = hmac.new(self.key(use), digestmod="sha256")
        for line in lines:
            made.update(line.encode("utf-8", "surrogatepass") + b"\n")
        return made.hexdigest()

    @staticmethod
    def same(one: str, other: str) -> bool:
        """Whether two texts are equal, in time that does not tell where they differ."""
        return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))

    # Encryption at rest

    def seal(self, clear: bytes) -> bytes:
        """Encrypt and authenticate (AES-128-CBC, HMAC-SHA-256)."""
        return self._fernet.encrypt(clear)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what ``seal`` made; raises ``cryptography.fernet.InvalidToken`` on anything else."""
        return self._fernet.decrypt(sealed)

    def seal_json(self, value: Mapping[str, Any]) -> bytes:
        """Seal a JSON object."""
        return self.seal(json.dumps(value).encode())

    def open_json(self, sealed: bytes) -> dict[str, Any]:
        """Open what ``seal_json`` made."""
        opened: dict[str, Any] = json.loads(self.open(sealed))
        return opened
