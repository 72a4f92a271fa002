"""The seals of the audit, each over the entries behind the one before it, and the entries as they are read for them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, select, text, update

from idp.model import AuditEntry
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import audit, audit_seals

_a, _s = audit.c, audit_seals.c

_SEAL_COLUMNS = (
    _s.last_id,
    _s.previous_id,
    _s.entries,
    _s.last_at,
    _s.content,
    _s.digest,
    _s.sealed_at,
    _s.forgotten,
)
_ADD = conflicting(lambda into: into(audit_seals).on_conflict_do_nothing())
_LAST = Statement(select(*_SEAL_COLUMNS).order_by(_s.last_id.desc()).limit(1))
_GET = Statement(select(*_SEAL_COLUMNS).where(_s.last_id == bindparam("one")))
_BEHIND = Statement(
    select(*_SEAL_COLUMNS).where(_s.last_id > bindparam("after")).order_by(_s.last_id).limit(bindparam("limit"))
)
_LAST_FORGOTTEN = Statement(select(func.coalesce(func.max(_s.last_id), 0)).where(_s.forgotten.is_not(None)))
_MARK = Statement(
    update(audit_seals).where(_s.last_id == bindparam("one"), _s.forgotten.is_(None)).values(forgotten=bindparam("mark"))
)

_within = (_a.id > bindparam("after"), _a.id <= bindparam("until"))
_ENTRIES = Statement(
    select(_a.id, _a.at, _a.actor, _a.event, _a.outcome, _a.account_id, _a.facts, _a.policy)
    .where(*_within)
    .order_by(_a.id)
    .limit(bindparam("limit"))
)
_COUNT = Statement(select(func.count()).select_from(audit).where(*_within))
_oldest = select(_a.id).where(*_within).order_by(_a.id).limit(bindparam("limit")).with_for_update(skip_locked=True)
_FORGET = Statement(delete(audit).where(_a.id.in_(_oldest)))

_NEWEST = Statement(select(func.coalesce(func.max(_a.id), 0)))
# Who is writing into the audit at this moment: whoever took a number has held this lock since before it did.
_WRITERS = Statement(
    text(
        """
        SELECT virtualtransaction FROM pg_locks
        WHERE locktype = 'relation' AND relation = 'audit'::regclass AND mode = 'RowExclusiveLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
        """
    )
)
_WAIT = Statement(text("SELECT pg_sleep(0.05)"))
_WAITS: Final = 60
_PAGE: Final = 1000
_LOWEST: Final = -(1 << 62)


class Seal(NamedTuple):
    """A seal: ``content`` is the keyed digest of its entries, ``digest`` that of all of it and of the seal before.

    ``forgotten`` is the vault's mark that the entries were kept long enough; None while they are there.
    """

    last_id: int
    previous_id: int
    entries: int
    last_at: datetime
    content: str
    digest: str
    sealed_at: datetime
    forgotten: str | None = None


class Seals(Repository):
    """The chain of seals, and the audit's entries by their numbers."""

    __slots__ = ()

    def settled(self) -> int | None:
        """The newest entry below which none can appear any more; None where somebody has been writing for too long.

        Entries are numbered when they are written and seen when they are committed: PostgreSQL lets a later number be
        seen first. Nobody is made to wait for the answer. Ask outside a transaction.
        """
        newest = int(self._link.all(_NEWEST, {})[0][0])
        if self._link.dialect == "sqlite":
            return newest
        writing = self._writers()
        for _ in range(_WAITS):
            if not writing:
                return newest
            self._link.all(_WAIT, {})
            writing &= self._writers()
        return None if writing else newest

    def _writers(self) -> set[str]:
        return {row[0] for row in self._link.all(_WRITERS, {})}

    def add(self, seal: Seal) -> bool:
        """Add a seal; False where there is one behind the same already."""
        return self._link.count(_ADD, seal._asdict()) == 1

    def last(self) -> Seal | None:
        """The head of the chain."""
        row = self._link.first(_LAST, {})
        return None if row is None else Seal(*row)

    def get(self, last_id: int) -> Seal | None:
        """The seal whose last entry this is."""
        row = self._link.first(_GET, {"one": last_id})
        return None if row is None else Seal(*row)

    def chain(self, after: int = _LOWEST) -> Iterator[Seal]:
        """The seals behind an entry, in their order."""
        while rows := self._link.all(_BEHIND, {"after": after, "limit": _PAGE}):
            yield from (Seal(*row) for row in rows)
            after = rows[-1][0]

    def last_forgotten(self) -> int:
        """The last entry of the last seal whose entries were kept long enough; 0 where there is none."""
        return int(self._link.all(_LAST_FORGOTTEN, {})[0][0])

    def mark(self, last_id: int, mark: str) -> None:
        """The entries of a seal may go."""
        self._link.run(_MARK, {"one": last_id, "mark": mark})

    def entries(self, after: int, until: int, limit: int) -> Iterator[tuple[int, AuditEntry]]:
        """At most ``limit`` entries behind ``after`` up to ``until``, with their numbers, in their order."""
        while limit > 0 and (rows := self._link.all(_ENTRIES, {"after": after, "until": until, "limit": min(limit, _PAGE)})):
            for number, *facts in rows:
                yield number, AuditEntry(*facts)
            after, limit = rows[-1][0], limit - len(rows)

    def count(self, after: int = _LOWEST, until: int = -_LOWEST) -> int:
        """How many entries there are behind ``after`` up to ``until``."""
        return int(self._link.all(_COUNT, {"after": after, "until": until})[0][0])

    def forget(self, until: int, limit: int) -> int:
        """Delete the oldest entries up to ``until``, at most ``limit``; returns how many."""
        return self._link.count(_FORGET, {"after": _LOWEST, "until": until, "limit": limit})
