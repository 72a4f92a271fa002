"""What relying parties are told without asking: security event tokens (RFC 8417) and logout tokens, and who receives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class StreamStatus(StrEnum):
    """Whether events flow (Shared Signals 1.0, 8.1.2): a paused stream keeps them, a disabled one drops them."""

    ENABLED = "enabled"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Stream:
    """What one receiver asked to be told, and how: pushed to ``push_url`` (RFC 8935), or polled where that is None (RFC 8936).

    ``authorization`` is the header the receiver wants to see, sealed. A client has one stream.
    """

    id: str
    client_id: str
    events: tuple[str, ...]
    created_at: datetime
    status: StreamStatus = StreamStatus.ENABLED
    reason: str = ""
    description: str = ""
    push_url: str | None = None
    authorization: bytes | None = field(default=None, repr=False)
    verified_at: datetime | None = None


class SignalKind(StrEnum):
    """What carries a signal: a logout token, or a security event token on a stream."""

    LOGOUT = "logout"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Signal:
    """One token that waits for one receiver; ``id`` is its ``jti``, the same however often it is sent.

    ``target`` is a client's id for a logout token, a stream's for an event. ``claims`` are those that are fixed: what
    depends on the moment of sending is added then.
    """

    id: str
    kind: SignalKind
    target: str
    claims: Mapping[str, Any] = field(repr=False)
    created_at: datetime
    not_after: datetime | None = None
    attempts: int = 0
    account_id: str | None = None
