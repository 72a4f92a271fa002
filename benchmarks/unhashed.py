"""`idp serve` with hashing taken out, to see what the rest of a sign-in costs. For measuring only; nothing installs it."""

import hashlib

from idp.app import composition
from idp.cli.serve import serve
from idp.settings import Settings
from idp.vault import HashPool, Vault
from idp.vault.hashing import Hasher


class Cheap(Hasher):
    """One SHA-256 in the place of argon2id."""

    def __init__(self) -> None:
        super().__init__(8, 1, 1)

    def hash(self, secret: str) -> str:
        """The digest."""
        return hashlib.sha256(secret.encode()).hexdigest()

    def verify(self, secret: str, known: str) -> bool:
        """Whether the digests agree."""
        return self.hash(secret) == known

    def verify_nothing(self, secret: str) -> None:
        """The same work."""
        self.hash(secret)

    def outdated(self, known: str) -> bool:  # noqa: ARG002
        """Never: there is nothing to renew."""
        return False


def make_vault(settings: Settings) -> Vault:
    """The vault of these settings with the cheap hasher."""
    return Vault(settings.secrets.master_key, Cheap(), HashPool(2, 32))


if __name__ == "__main__":
    composition.make_vault = make_vault
    serve(standalone_mode=False)
