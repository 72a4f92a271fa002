"""Passkeys (WebAuthn Level 3): what a browser is asked for, and whether what it sent is what was asked.

The relying party is the issuer's host, the origin the issuer's. The person is always verified by the authenticator (PIN,
finger, face), so that a passkey is two factors in one (NIST SP 800-63B-4 3.1.7); where it was made is not asked
(attestation "none"). Everything a browser sends is hostile until its signature was verified.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

# How long a browser lets the person look for the key; the sign-in itself ends by its own time.
_MILLISECONDS: Final = 300_000
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_LONGEST_ID: Final = 1364  # 1023 bytes (WebAuthn 5.1.1) in base64url


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey: ``id`` and ``public_key`` in base64url."""

    id: str
    public_key: str
    sign_count: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A challenge that was signed. ``user`` is whom the authenticator holds the key for, "" where it does not say."""

    sign_count: int
    user: str


def creation(
    issuer: str, brand: str, user: tuple[str, str, str], challenge: str, known: Iterable[str], *, discoverable: bool
) -> dict[str, Any]:
    """What to ask a browser for a new passkey (its JSON form). ``user``: account id, username and full name.

    A key that is the whole sign-in must be ``discoverable``: then the browser finds it without a username.
    """
    host, _ = _relying_party(issuer)
    identifier, name, shown = user
    resident = ResidentKeyRequirement.REQUIRED if discoverable else ResidentKeyRequirement.PREFERRED
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=brand,
        user_id=identifier.encode(),
        user_name=name,
        user_display_name=shown,
        challenge=base64url_to_bytes(challenge),
        timeout=_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=resident, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
    )
    return _plain(webauthn.options_to_json(options))


def request(issuer: str, challenge: str, known: Iterable[str]) -> dict[str, Any]:
    """What to ask a browser for a signature by one of the ``known`` passkeys; by any it finds where none are named."""
    host, _ = _relying_party(issuer)
    options = webauthn.generate_authentication_options(
        rp_id=host,
        challenge=base64url_to_bytes(challenge),
        timeout=_MILLISECONDS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(webauthn.options_to_json(options))


def registered(issuer: str, challenge: str, sent: str) -> Registered | None:
    """The passkey that a browser made for this challenge; None where what it sent is anything else (WebAuthn 7.1)."""
    host, origin = _relying_party(issuer)
    try:
        made = webauthn.verify_registration_response(
            credential=sent,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - whatever a parser of hostile bytes stumbles over, the answer is no
        return None
    found = bytes_to_base64url(made.credential_id)
    if len(found) > _LONGEST_ID:
        return None
    return Registered(found, bytes_to_base64url(made.credential_public_key), made.sign_count)


def named(sent: str) -> str | None:
    """The id of the passkey that a browser says it used; nothing is verified yet."""
    try:
        found = parse_authentication_credential_json(sent).raw_id
    except Exception:  # noqa: BLE001 - as above
        return None
    identifier = bytes_to_base64url(found)
    return identifier if 0 < len(identifier) <= _LONGEST_ID else None


def signed(issuer: str, challenge: str, sent: str, public_key: str) -> Signed | None:
    """The signature of this challenge by the key; None where what was sent is anything else (WebAuthn 7.2).

    The signature counter is the caller's to judge.
    """
    host, origin = _relying_party(issuer)
    try:
        parsed = parse_authentication_credential_json(sent)
        made = webauthn.verify_authentication_response(
            credential=parsed,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        user = (parsed.response.user_handle or b"").decode()
    except Exception:  # noqa: BLE001 - as above
        return None
    return Signed(made.new_sign_count, user)


def _relying_party(issuer: str) -> tuple[str, str]:
    """The issuer's host, and its origin as browsers write it: without the port that goes without saying."""
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return host, f"{parts.scheme}://{host}{port}"


def _descriptors(known: Iterable[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known]


def _plain(text: str) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(text)
    return options
