"""Counters of failed attempts: compared and swapped, so that no failure is ever lost between two readers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from idp.model import Counter, Factor
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import counters

_t = counters.c
_FACTORS = {factor.value: factor for factor in Factor}

_one = (_t.subject == bindparam("of"), _t.factor == bindparam("kind"), _t.device == bindparam("from_device"))
_READ = Statement(select(counters).where(*_one))
_OF = Statement(select(counters).where(_t.subject == bindparam("of")).order_by(_t.factor, _t.device))
_FIRST = conflicting(lambda into: into(counters).on_conflict_do_nothing(index_elements=[_t.subject, _t.factor, _t.device]))
_NEXT = Statement(update(counters).where(*_one, _t.version == bindparam("seen")))


def _counter(row: Sequence[Any]) -> Counter:
    subject, factor, device, *facts = row
    return Counter(subject, _FACTORS[factor], device, *facts)


class Counters(Repository):
    """One counter a subject, factor and device."""

    __slots__ = ()

    def read(self, subject: str, factor: Factor, device: str) -> Counter:
        """The counter, or a fresh one of version 0 that is nowhere stored yet."""
        row = self._link.first(_READ, {"of": subject, "kind": factor.value, "from_device": device})
        return Counter(subject, factor, device) if row is None else _counter(row)

    def swap(self, before: Counter, after: Counter) -> bool:
        """Store ``after`` if ``before`` still stands, in one statement; its version becomes the next one."""
        facts = {
            "failures": after.failures,
            "consecutive": after.consecutive,
            "window_from": after.window_from,
            "locked_until": after.locked_until,
            "disabled_at": after.disabled_at,
            "touched_at": after.touched_at,
            "version": before.version + 1,
        }
        if before.version == 0:
            key = {"subject": before.subject, "factor": before.factor.value, "device": before.device}
            return self._link.count(_FIRST, {**key, **facts}) == 1
        key = {"of": before.subject, "kind": before.factor.value, "from_device": before.device}
        return self._link.count(_NEXT, {**key, **facts, "seen": before.version}) == 1

    def of(self, subject: str) -> list[Counter]:
        """Every counter of a subject."""
        return [_counter(row) for row in self._link.all(_OF, {"of": subject})]
