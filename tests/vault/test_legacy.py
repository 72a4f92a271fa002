"""Hashes of other systems: understood, verified, replaced; those that would stop a machine are refused when they come."""

import base64
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib.registry import get_crypt_handler

from idp.vault import Hasher, HashPool, Vault, legacy
from idp.vault.legacy import SCHEMES, Understood, is_legacy, understand

SECRET = "Grüße aus Köln 1984"
CHEAP = {"bcrypt": 4, "django_bcrypt": 4, "django_bcrypt_sha256": 4, "ldap_bcrypt": 4, "phpass": 7}
FIXED = {"django_salted_sha1", "ldap_salted_sha1", "ldap_salted_sha256", "ldap_salted_sha512", "ldap_salted_md5"} | {
    "ldap_sha1",
    "ldap_md5",
    "ldap_md5_crypt",
    "md5_crypt",
}


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(b"k" * 32, Hasher(8, 1, 1), HashPool(2, 8))


def made(name: str, secret: str) -> str:
    handler = get_crypt_handler(name)
    if name in FIXED:
        return str(handler.hash(secret))
    if name == "argon2":
        return str(handler.using(memory_cost=64, time_cost=1, parallelism=1).hash(secret))
    return str(handler.using(rounds=CHEAP.get(name, 1000)).hash(secret))


@pytest.mark.parametrize("name", [scheme.name for scheme in SCHEMES])
def test_every_scheme_is_understood_verified_and_to_be_replaced(vault: Vault, name: str) -> None:
    found = understand(made(name, SECRET))
    assert isinstance(found, Understood)
    assert found.scheme == name
    assert is_legacy(found.kept)
    assert vault.verify(SECRET, found.kept)
    assert not vault.verify(SECRET + "!", found.kept)
    assert not vault.verify("", found.kept)
    assert vault.outdated(found.kept)


def _ssha() -> str:
    salt = b"\x01\x02\x03\x04"
    return "{SSHA}" + base64.b64encode(hashlib.sha1(b"secret" + salt).digest() + salt).decode()  # noqa: S324 - as they did


def _django() -> str:
    derived = hashlib.pbkdf2_hmac("sha256", b"secret", b"saltsalt", 1000)
    return f"pbkdf2_sha256$1000$saltsalt${base64.b64encode(derived).decode()}"


# Made by others than the library that verifies them here.
VECTORS = {
    "bcrypt of OpenBSD's paper": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "phpass of its own test": ("test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"),
    "salted SHA-1 of an LDAP directory": ("secret", _ssha()),
    "PBKDF2 as Django writes it": ("secret", _django()),
    "SHA-512 crypt of its specification": (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_hashes_that_others_made(vault: Vault, name: str) -> None:
    secret, text = VECTORS[name]
    found = understand(text)
    assert isinstance(found, Understood)
    assert vault.verify(secret, found.kept)


HOSTILE = {
    "bcrypt of cost 31": ("$2b$31$" + "." * 53, "costly"),
    "bcrypt of cost 15": ("$2b$15$" + "." * 53, "costly"),
    "four thousand million rounds": ("$pbkdf2-sha256$4000000000$c2FsdHNhbHQ$" + "A" * 43, "costly"),
    "Django's, too": ("pbkdf2_sha256$99999999$salt$" + "A" * 43 + "=", "costly"),
    "argon2 of four gibibytes": ("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43, "costly"),
    "argon2 of a thousand passes": ("$argon2id$v=19$m=64,t=1000,p=1$c2FsdHNhbHQ$" + "A" * 43, "costly"),
    "argon2 of many lanes": ("$argon2id$v=19$m=4096,t=1,p=128$c2FsdHNhbHQ$" + "A" * 43, "costly"),
    "SHA-512 crypt of many rounds": ("$6$rounds=999999999$salt$" + "A" * 86, "costly"),
    "phpass of 2^30 rounds": ("$P$S" + "a" * 30, "costly"),
    "clear text": ("{CLEARTEXT}secret", "unknown"),
    "plain": ("secret", "unknown"),
    "md5 without salt or mark": ("5ebe2294ecd0e0f08eab7690d2a6ee69", "unknown"),
    "nothing": ("", "unknown"),
    "cut": ("$2b$12$short", "unknown"),
    "garbled": ("{SSHA}!!!", "unreadable"),
    "a line break": ("{SSHA}abc\n", "unknown"),
    "our own mark": ("legacy:{SSHA}abc", "unknown"),
    "very long": ("{SSHA}" + "A" * 10_000, "unreadable"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_or_no_hash_is_refused_at_once(vault: Vault, name: str) -> None:
    text, why = HOSTILE[name]
    began = time.process_time()
    assert understand(text) == why
    assert not legacy.verify("secret", f"{legacy.MARK}{text}")
    assert time.process_time() - began < 1
    assert not vault.verify("secret", f"{legacy.MARK}{text}")


@given(st.text(max_size=80))
def test_any_text_is_understood_or_refused(text: str) -> None:
    assert understand(text) in ("unknown", "unreadable", "costly") or isinstance(understand(text), Understood)


def test_a_hash_of_our_own_is_none_of_another_system(vault: Vault) -> None:
    own = vault.hash(SECRET)
    assert not is_legacy(own)
    assert not vault.outdated(own)
    assert vault.verify(SECRET, own)
