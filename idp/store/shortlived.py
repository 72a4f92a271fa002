"""What the short-lived state promises, on SQL and on Redis alike: sign-ins, browser sessions, slips, one-time identifiers.

Each operation is atomic by itself, and one statement or one round trip where it is on the hot path. Expiry is judged by
the ``now`` of the caller; the stores' own expiry only cleans up.
"""

from datetime import datetime
from typing import Protocol

from idp.model import Session, SignIn, Slip


class SignIns(Protocol):
    """Sign-ins under way."""

    def put(self, sign_in: SignIn) -> None:
        """Record a new one."""

    def get(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """The sign-in, unless it is over."""

    def swap(self, before: SignIn, after: SignIn) -> bool:
        """Store ``after`` as the next version if ``before`` still stands; where the id changes, the old one is dead."""

    def take(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """Get and delete: of all who try, one gets it."""


class Sessions(Protocol):
    """Browsers signed in."""

    def put(self, session: Session, limit: int) -> list[Session]:
        """Record a new one; where the account then has more than ``limit``, the oldest end and are returned."""

    def get(self, session_id: str, now: datetime) -> Session | None:
        """The session, unless it is over."""

    def touch(self, session_id: str, last_seen_at: datetime, expires_at: datetime) -> None:
        """Move its end; one that has ended stays ended."""

    def replace(self, old_id: str, session: Session) -> bool:
        """Give it a new id, the old one being dead; False where it had ended."""

    def end(self, session_id: str) -> Session | None:
        """End it; None where it had ended."""

    def end_by_public_id(self, account_id: str, public_id: str) -> Session | None:
        """End one of the account's sessions by the id that people and clients see."""

    def of_account(self, account_id: str, now: datetime) -> list[Session]:
        """The account's live sessions, the oldest first."""

    def end_all(self, account_id: str, keep: str | None = None) -> list[Session]:
        """End the account's sessions, but for the one with the id ``keep``; returns those ended."""


class Slips(Protocol):
    """Short-lived documents, each under the digest of the token that names it."""

    def put(self, slip: Slip, now: datetime) -> None:
        """Record a new one."""

    def get(self, key: str, now: datetime) -> Slip | None:
        """The slip, unless it is over."""

    def swap(self, before: Slip, document: str, now: datetime) -> bool:
        """Write ``document`` as the next version if ``before`` still stands; its end does not move."""

    def take(self, key: str, now: datetime) -> Slip | None:
        """Get and delete: of all who try, one gets it."""


class Used(Protocol):
    """Identifiers that may be used once."""

    def first_time(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether nobody has used ``key``; it counts as used until ``until``."""
