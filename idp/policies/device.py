"""The law of devices without a browser (RFC 8628): the code that a person types, and how often a device may ask."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from idp.policies.tokens import Denied, Error

# No vowels, so that no word comes of it, and no letter that is taken for another (RFC 8628 6.1); 34 bits.
ALPHABET, LENGTH = "BCDFGHJKLMNPQRSTVWXZ", 8
# How long a device waits between two questions, and how much longer after one that came too soon (RFC 8628 3.5).
INTERVAL = timedelta(seconds=5)
PENDING = Denied(Error.PENDING, "The person has not answered yet.")
TOO_SOON = Denied(Error.SLOW_DOWN, "The device asks too often.")


class Decision(StrEnum):
    """What a person said of a device."""

    NONE = "none"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A device that waits for its person: what its client asks for, and how it has asked so far.

    ``until`` is the end of its codes, ``asked_at`` when it asked last, ``interval`` what it has to leave between two questions.
    """

    client_id: str
    user_code: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    acr: tuple[str, ...]
    acr_essential: bool
    until: datetime
    interval: timedelta = INTERVAL
    asked_at: datetime | None = None
    decision: Decision = Decision.NONE


def typed(text: str) -> str | None:
    """The code that somebody meant: in any case, with any dashes, spaces and points; None where it can be none."""
    letters = "".join(one for one in text.upper() if one.isalnum())
    return letters if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else None


def shown(code: str) -> str:
    """A code as it is shown: WDJB-MJHT."""
    return f"{code[:4]}-{code[4:]}"


def open_to(waiting: Waiting, now: datetime) -> bool:
    """Whether a person may still decide."""
    return waiting.decision is Decision.NONE and now < waiting.until


def asked(waiting: Waiting, now: datetime) -> tuple[Waiting, Denied | None]:
    """A device asks for its tokens: the wait after that, and why there are none yet; None where its person allowed it."""
    if waiting.decision is Decision.DENIED:
        return waiting, Denied(Error.ACCESS, "The person has not allowed it.")
    if now >= waiting.until:
        return waiting, Denied(Error.EXPIRED, "The codes have expired: begin again.")
    if waiting.asked_at is not None and now - waiting.asked_at < waiting.interval:
        slower = replace(waiting, asked_at=now, interval=waiting.interval + INTERVAL)
        return slower, TOO_SOON
    if waiting.decision is Decision.NONE:
        return replace(waiting, asked_at=now), PENDING
    return replace(waiting, asked_at=now), None
