"""Whose turn a task of upkeep is, and how far its round has come: one worker at a time, and the next goes on from there."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, or_, select, update

from idp.model import AccountState
from idp.store.codec import decode, encode, instant, micros
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import upkeep
from idp.store.unused import BEGINNING

_u = upkeep.c
_now = bindparam("now", type_=_u.turn_until.type)
_until = bindparam("until", type_=_u.turn_until.type)
_never = bindparam("never", type_=_u.turn_until.type)
_MAKE = conflicting(lambda into: into(upkeep).on_conflict_do_nothing(index_elements=[_u.task]))
_TAKE = Statement(
    update(upkeep)
    .where(
        _u.task == bindparam("which"),
        # One that lasts longer than any does was dated by a clock that has been set back since.
        or_(_u.turn.is_(None), _u.turn_until <= _now, _u.turn == bindparam("whose"), _u.turn_until > _never),
    )
    .values(turn=bindparam("whose"), turn_until=_until)
)
_mine = (_u.task == bindparam("which"), _u.turn == bindparam("whose"))
_BEGIN = Statement(update(upkeep).where(*_mine, _u.place == "").values(began_at=_now))
_GO_ON = Statement(update(upkeep).where(*_mine).values(place=bindparam("there"), turn_until=_until))
_LET_GO = Statement(update(upkeep).where(*_mine).values(turn=None, turn_until=None))
_END = Statement(update(upkeep).where(*_mine).values(place="", ended_at=_now, turn=None, turn_until=None))
_READ = Statement(select(_u.place, _u.began_at, _u.ended_at, _u.turn_until).where(_u.task == bindparam("which")))


class Place(NamedTuple):
    """How far a round has come: the state of account that is gone through, and the last one seen."""

    state: AccountState
    since: datetime = BEGINNING
    after: str = ""


class Round(NamedTuple):
    """A task's present round: ``place`` is None where it has not begun, ``ended_at`` when the last one ended.

    ``held_until``: how long somebody has the turn who does not renew it.
    """

    place: Place | None
    began_at: datetime | None
    ended_at: datetime | None
    held_until: datetime | None = None


class Turns(Repository):
    """Turns at tasks, each held for a while: one that is not renewed falls to whoever asks next."""

    __slots__ = ()

    def of(self, task: str) -> Round:
        """The present round of a task."""
        row = self._link.first(_READ, {"which": task})
        return Round(None, None, None) if row is None else Round(_place(row[0]), *row[1:])

    def take(self, task: str, whose: str, now: datetime, until: datetime) -> Round | None:
        """Take the turn at a task; None where another holds it."""
        nothing = {"began_at": None, "ended_at": None, "turn": None, "turn_until": None}
        self._link.run(_MAKE, {"task": task, "place": "", **nothing})
        never = until + (until - now)
        if self._link.count(_TAKE, {"which": task, "whose": whose, "now": now, "until": until, "never": never}) != 1:
            return None
        self._link.run(_BEGIN, {"which": task, "whose": whose, "now": now})
        return self.of(task)

    def go_on(self, task: str, whose: str, place: Place, until: datetime) -> bool:
        """Write down how far the round has come, and keep the turn; False where it was lost."""
        there = encode([place.state.value, micros(place.since), place.after])
        return self._link.count(_GO_ON, {"which": task, "whose": whose, "there": there, "until": until}) == 1

    def let_go(self, task: str, whose: str) -> None:
        """Leave the round where it is, to whoever comes next."""
        self._link.run(_LET_GO, {"which": task, "whose": whose})

    def end(self, task: str, whose: str, now: datetime) -> bool:
        """The round is whole; False where the turn was lost."""
        return self._link.count(_END, {"which": task, "whose": whose, "now": now}) == 1


def _place(written: str) -> Place | None:
    if not written:
        return None
    state, since, after = decode(written)
    return Place(AccountState(state), instant(since), after)
