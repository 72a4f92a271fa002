"""Secrets: hashing and verifying, randomness, encryption at rest, signing keys. No other room touches cryptography."""

from idp.vault.hashing import Busy, HashPool
from idp.vault.vault import Vault, digest

__all__ = ["Busy", "HashPool", "Vault", "digest"]
