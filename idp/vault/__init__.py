"""Secrets: hashing and verifying, randomness, encryption at rest, signing keys. No other room touches cryptography."""

from idp.vault.hashing import Busy, Hasher, HashPool
from idp.vault.vault import Vault, digest

__all__ = ["Busy", "HashPool", "Hasher", "Vault", "digest"]
