"""What takes nine tenths of a house's start, done once in a process: its first keys, its translations, its pages."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest.mock import patch

from idp.language import Words
from idp.model import Brand, KeyUse, SigningKey
from idp.vault import Hasher, HashPool, Vault
from idp.vault.signing import make_key
from idp.web.rendering import Pages

_pages: dict[str, Pages] = {}


@contextmanager
def made_once() -> Iterator[None]:
    """Applications that are made within share their pages, where languages and brand are the same, and the first keys."""
    with (
        patch("idp.app.factory.Words", _words),
        patch("idp.app.factory.Pages", _looking),
        patch("idp.flows.keys.make_key", _first_key),
    ):
        yield


@cache
def _words(languages: tuple[str, ...]) -> Words:
    return Words(languages=languages)


def _looking(words: Words, brand: Brand) -> Pages:
    look = repr((words.languages, brand))
    if look not in _pages:
        _pages[look] = Pages(words, brand)
    return _pages[look]


def _first_key(alg: str, use: KeyUse, vault: Vault, now: datetime) -> SigningKey:
    """A key of this moment, sealed for this house, whose numbers the other houses of this process have too."""
    key, private = _numbers(alg, use)
    first = now if use is KeyUse.CURRENT else None
    return replace(key, sealed=vault.seal_json(private), created_at=now, current_from=first)


@cache
def _numbers(alg: str, use: KeyUse) -> tuple[SigningKey, dict[str, Any]]:
    vault = Vault(secrets.token_bytes(32), Hasher(64, 1, 1), HashPool(1, 1))
    key = make_key(alg, use, vault, datetime.now(UTC))
    return key, vault.open_json(key.sealed)
