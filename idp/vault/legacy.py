"""Hashes that another system made: which are understood, at what cost at most, and how each is verified.

They are kept as they came, under a mark of their own, until their owner signs in once: then the password is hashed anew as
this house does. A hash that would take a machine's memory or minutes is refused when it comes, not when it is verified.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

MARK: Final = "legacy:"
_LONGEST: Final = 512
# A foreign argon2 hash may ask for this much.
_MOST_KIB: Final = 256 * 1024
_MOST_LANES: Final = 16


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme by passlib's name, how its hashes are recognised, and the most rounds that are verified."""

    name: str
    form: re.Pattern[str]
    most_rounds: int | None = None


def _scheme(name: str, form: str, most_rounds: int | None = None) -> Scheme:
    return Scheme(name, re.compile(form, re.ASCII), most_rounds)


_BCRYPT: Final = r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"
# bcrypt's and phpass's rounds are powers of two.
SCHEMES: Final = (
    _scheme("bcrypt", _BCRYPT, 14),
    _scheme("argon2", r"\$argon2(?:id|i|d)\$.+", 10),
    _scheme("pbkdf2_sha1", r"\$pbkdf2\$.+", 2_000_000),
    _scheme("pbkdf2_sha256", r"\$pbkdf2-sha256\$.+", 1_500_000),
    _scheme("pbkdf2_sha512", r"\$pbkdf2-sha512\$.+", 1_000_000),
    _scheme("django_pbkdf2_sha256", r"pbkdf2_sha256\$.+", 1_500_000),
    _scheme("django_pbkdf2_sha1", r"pbkdf2_sha1\$.+", 2_000_000),
    _scheme("django_salted_sha1", r"sha1\$.+"),
    _scheme("django_bcrypt", r"bcrypt\$\$2[aby]\$.+", 14),
    _scheme("django_bcrypt_sha256", r"bcrypt_sha256\$\$2[aby]\$.+", 14),
    _scheme("ldap_salted_sha1", r"\{SSHA\}.+"),
    _scheme("ldap_salted_sha256", r"\{SSHA256\}.+"),
    _scheme("ldap_salted_sha512", r"\{SSHA512\}.+"),
    _scheme("ldap_salted_md5", r"\{SMD5\}.+"),
    _scheme("ldap_sha1", r"\{SHA\}.+"),
    _scheme("ldap_md5", r"\{MD5\}.+"),
    _scheme("ldap_bcrypt", r"\{CRYPT\}\$2[aby]\$.+", 14),
    _scheme("ldap_sha512_crypt", r"\{CRYPT\}\$6\$.+", 1_000_000),
    _scheme("ldap_sha256_crypt", r"\{CRYPT\}\$5\$.+", 1_000_000),
    _scheme("ldap_md5_crypt", r"\{CRYPT\}\$1\$.+"),
    _scheme("ldap_pbkdf2_sha1", r"\{PBKDF2\}.+", 2_000_000),
    _scheme("ldap_pbkdf2_sha256", r"\{PBKDF2-SHA256\}.+", 1_500_000),
    _scheme("ldap_pbkdf2_sha512", r"\{PBKDF2-SHA512\}.+", 1_000_000),
    _scheme("sha512_crypt", r"\$6\$.+", 1_000_000),
    _scheme("sha256_crypt", r"\$5\$.+", 1_000_000),
    _scheme("md5_crypt", r"\$1\$.+"),
    _scheme("phpass", r"\$[PH]\$[./A-Za-z0-9]{31}", 20),
)


@dataclass(frozen=True, slots=True)
class Understood:
    """A hash that can be verified: by which scheme, and the form in which it is kept."""

    scheme: str
    kept: str


def understand(text: str) -> Understood | str:
    """What a hash of another system is; or why it is not taken: "unknown", "unreadable", "costly"."""
    if len(text) > _LONGEST:
        return "unreadable"
    scheme = next((one for one in SCHEMES if one.form.fullmatch(text)), None)
    if scheme is None:
        return "unknown"
    handler = _handler(scheme.name)
    try:
        read = _read(handler, text)
    except (ValueError, TypeError):
        return "unreadable"
    return "costly" if _costly(read, scheme) else Understood(scheme.name, f"{MARK}{text}")


def is_legacy(known: str) -> bool:
    """Whether a verifier came from another system."""
    return known.startswith(MARK)


def verify(secret: str, known: str) -> bool:
    """Whether a secret, as it was typed, matches a hash of another system; one that can't be read matches nothing."""
    found = understand(known.removeprefix(MARK))
    if isinstance(found, str):
        return False
    try:
        return bool(_handler(found.scheme).verify(secret, known.removeprefix(MARK)))
    except (ValueError, TypeError):
        return False


@cache
def _handler(name: str) -> Any:
    """The handler that passlib has for a scheme; each is loaded when the first hash of its kind is seen."""
    from passlib.registry import get_crypt_handler  # noqa: PLC0415 - only where an older system's people come

    # It complains of a bcrypt that no longer tells its version, and goes on.
    logging.getLogger("passlib").setLevel(logging.ERROR)
    return get_crypt_handler(name)


def _read(handler: Any, text: str) -> Any:
    """The parts of a hash; schemes that wrap another one are asked for what is within."""
    wrapped = getattr(handler, "wrapped", None)
    inner: Callable[[str], str] | None = getattr(handler, "_unwrap_hash", None)
    if wrapped is not None and inner is not None:
        return _read(wrapped, inner(text))
    return handler.from_string(text)


def _costly(read: Any, scheme: Scheme) -> bool:
    rounds: int | None = getattr(read, "rounds", None)
    if scheme.most_rounds is not None and (rounds is None or rounds > scheme.most_rounds):
        return True
    asked: Mapping[str, int] = {
        name: getattr(read, name, 0) for name in ("memory_cost", "parallelism") if scheme.name == "argon2"
    }
    return asked.get("memory_cost", 0) > _MOST_KIB or asked.get("parallelism", 0) > _MOST_LANES
