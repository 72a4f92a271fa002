"""Authenticator apps (TOTP, RFC 6238): the key that an app is given, and the time step whose code it shows."""

from datetime import datetime

import pyotp

from idp.vault.vault import Vault


def new_key(vault: Vault) -> tuple[str, str]:
    """A new key: as the app takes it (base32), and sealed."""
    key = pyotp.random_base32()
    return key, vault.seal(key.encode()).decode()


def step_of(vault: Vault, sealed: str, typed: str, now: datetime) -> int | None:
    """The time step whose code this is: the present one or a neighbour (RFC 6238 5.2); None if it is none of theirs."""
    totp = pyotp.TOTP(vault.open(sealed.encode()).decode())
    present = int(now.timestamp()) // totp.interval
    code = "".join(typed[:16].split())
    return next((step for step in (present, present - 1, present + 1) if vault.same(totp.generate_otp(step), code)), None)
