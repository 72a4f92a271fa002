"""What follows from the end of a session, wherever it is decided: the grants bound to it end too, and the audit tells it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from idp.flows.world import World
from idp.model import Session, Source
from idp.store import Transaction


def close(
    world: World,
    now: datetime,
    ended: Sequence[Session],
    *,
    actor: str = "person",
    source: Source | None = None,
    why: str | None = None,
) -> None:
    """Close sessions that the store has ended, in a transaction of their own."""
    if not ended:
        return
    with world.store.begin() as tx:
        for session in ended:
            close_one(world, tx, now, session, actor=actor, source=source, why=why)


def close_one(
    world: World,
    tx: Transaction,
    now: datetime,
    session: Session,
    *,
    actor: str = "person",
    source: Source | None = None,
    why: str | None = None,
) -> None:
    """Revoke the grants that end with the session, and record it; so relying parties are told."""
    grants = tx.grants.revoke_session(session.public_id, now)
    facts: dict[str, Any] = {"sid": session.public_id, "grants": len(grants), "why": why}
    world.record(tx, now, "session.ended", "done", account=session.account_id, actor=actor, source=source, **facts)
