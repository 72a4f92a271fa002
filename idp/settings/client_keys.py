"""What clients prove themselves with: secrets, kept as digests only, and public keys, never private ones."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from idp.policies.addresses import Refusal

SHORTEST_SECRET = 32
_FEWEST_DIFFERENT = 8
_LARGEST = 100_000
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAKE = "Make one with `openssl rand -hex 32`."


@dataclass(frozen=True, slots=True)
class Place:
    """Where secrets and key files are looked for: the directory of the configuration, and the environment."""

    directory: FilePath
    environ: Mapping[str, str]


def read_secret(source: str, place: Place) -> str | Refusal:
    """The SHA-256 digest of the secret that ``source`` names, or why there is none; the secret itself is never shown."""
    kind, _, rest = source.partition(":")
    if kind == "sha256":
        return rest if _DIGEST.fullmatch(rest) else ("the digest is not 64 lower-case hex digits", "Write sha256:<digest>.")
    if kind == "env" and _VARIABLE.fullmatch(rest):
        secret = place.environ.get(rest)
        if secret is None:
            return f"the environment variable {rest} is not set", f"Set it to the client's secret. {_MAKE}"
        return _digest(secret)
    if kind == "file" and rest:
        try:
            text = (place.directory / rest).read_text("utf-8")
        except (OSError, ValueError):
            return f"the file {rest} can't be read", f"Write the client's secret to it. {_MAKE}"
        return _digest(text.strip())
    # The text may be the secret itself, written here by mistake.
    return "the source is not env:, file: or sha256:", 'Say where the secret is: "env:NAME", "file:PATH" or "sha256:HEX".'


def _digest(secret: str) -> str | Refusal:
    if len(secret) < SHORTEST_SECRET:
        return f"the secret is shorter than {SHORTEST_SECRET} characters", _MAKE
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return "the secret is not random", _MAKE
    return hashlib.sha256(secret.encode()).hexdigest()


def read_key_file(name: str, place: Place) -> Mapping[str, Any] | Refusal:
    """The key set in a JSON file, or why it can't be read; its keys are judged with the client."""
    try:
        with (place.directory / name).open("rb") as file:
            given = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return "the file can't be read as JSON", "Save the client's public key set (RFC 7517 5) to it."
    return given if isinstance(given, dict) else ("the key set holds no keys", "Write it as an object (RFC 7517 5).")
