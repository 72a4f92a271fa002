"""Carrying signals out: claimed receiver by receiver, signed when they are sent, posted side by side. At least once.

A signal is claimed for a while (its lease) and committed as claimed before it is posted: a worker that is killed loses
nothing, the signal falls due again when the lease ends, and carries the same ``jti``. Each receiver has a lane of its own,
in which what happened first is told first: one that is slow or down holds nobody else up. All writing is done between
posts, a few transactions a second at most.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import Final
from urllib.parse import urlencode

from idp.flows import announcing
from idp.flows.world import World
from idp.model import Signal, SignalKind, Stream, StreamStatus
from idp.post import Answer, Unreachable
from idp.store import Transaction
from idp.store.signals import PATIENCE
from idp.vault.signing import KeyRing

LEASE: Final = timedelta(minutes=1)
# No signal is begun later in its lease: another worker could take it while it is being posted.
BEGUN_WITHIN: Final = LEASE / 2
LANES: Final = 32
A_LANE: Final = 50
# Between two looks, in seconds.
LOOK: Final = 0.25

FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(minutes=15)
GIVEN_UP_AFTER: Final = timedelta(days=7)

_OK: Final = {
    SignalKind.LOGOUT: frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT}),
    SignalKind.EVENT: frozenset({HTTPStatus.ACCEPTED}),
}
_LONGEST_WORD: Final = 100


class Fate(StrEnum):
    """What became of a signal: taken, to be tried again, given up, or of no use since its receiver is gone."""

    TAKEN = "taken"
    RETRY = "retry"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Carried:
    """One signal's fate, for the worker's log: nothing of what it said. ``id`` is "" for all that waited for a receiver."""

    id: str
    kind: SignalKind
    target: str
    fate: Fate
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a receiver is told."""

    target: str
    kind: SignalKind
    client_id: str
    url: str
    authorization: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one post; ``again`` is when it is tried once more, None where it is not."""

    signal: Signal
    fate: Fate
    error: str = ""
    again: datetime | None = None

    def write(self, tx: Transaction) -> Carried:
        if self.fate is Fate.TAKEN:
            tx.signals.delivered(self.signal.id)
        else:
            tx.signals.failed(self.signal.id, self.error, self.again)
        signal = self.signal
        return Carried(signal.id, signal.kind, signal.target, self.fate, signal.attempts, self.error)


@dataclass(frozen=True, slots=True)
class _End:
    """A lane came to its end: what was not begun in it, and until when its receiver is left alone, if it is."""

    target: str
    untried: list[str]
    rest: datetime | None = None


class Courier:
    """The lanes of one process. ``turn`` is called by one thread, a few times a second; ``close`` at the end."""

    def __init__(self, world: World, keys: KeyRing, lanes: int = LANES) -> None:
        self._world, self._keys, self._most = world, keys, lanes
        self._pool = ThreadPoolExecutor(lanes, "signals")
        self._back: SimpleQueue[_Outcome | _End] = SimpleQueue()
        # What came back and is not written down yet: a store that is down does not lose it.
        self._unwritten: list[_Outcome | _End] = []
        self._busy: set[str] = set()
        # Who had a turn, the latest last: who always has something waiting keeps nobody from theirs.
        self._served: dict[str, None] = {}
        self._closing = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._busy and not self._unwritten

    def turn(self) -> list[Carried]:
        """Write down what came back, and hand out what is due; returns what is known to have become of signals."""
        return self._write_down() + self._hand_out()

    def empty(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Carried]:
        """Carry everything that is due."""
        while not stop():
            yield from self.turn()
            if self.idle:
                return
            self._wait()

    def close(self) -> list[Carried]:
        """Finish the posts under way, give back what is not begun, and write it down."""
        self._closing = True
        self._pool.shutdown()
        return self._write_down()

    def _wait(self) -> None:
        try:
            self._unwritten.append(self._back.get(timeout=LOOK))
        except Empty:
            return

    def _write_down(self) -> list[Carried]:
        while not self._back.empty():
            self._unwritten.append(self._back.get())
        if not self._unwritten:
            return []
        carried: list[Carried] = []
        with self._world.store.begin() as tx:
            for one in self._unwritten:
                if isinstance(one, _Outcome):
                    carried.append(one.write(tx))
                    continue
                tx.signals.give_back(one.untried)
                if one.rest is not None:
                    tx.signals.postpone(one.target, one.rest)
        self._busy -= {one.target for one in self._unwritten if isinstance(one, _End)}
        self._unwritten = []
        return carried

    def _hand_out(self) -> list[Carried]:
        now = self._world.clock()
        with self._world.store.read() as tx:
            # Nothing is written, nor locked, where nothing waits.
            due = tx.signals.targets(now) if tx.signals.is_due(now) else []
        free = [(target, kind) for target, kind in due if target not in self._busy]
        if not free:
            return []
        order = {target: number for number, target in enumerate(self._served)}
        free.sort(key=lambda one: order.get(one[0], -1))
        dropped: list[Carried] = []
        lanes: list[tuple[_Place, list[tuple[Signal, bytes]]]] = []
        with self._world.store.begin() as tx:
            streams = {stream.id: stream for stream in tx.streams.all()}
            for target, kind in free[: self._most - len(self._busy)]:
                place = _place(self._world, streams, target, kind)
                if place is not None:
                    lanes.append((place, tx.signals.claim(target, now, LEASE, A_LANE)))
                elif _waits(streams.get(target)):
                    tx.signals.hold(target)
                else:
                    tx.signals.drop(target)
                    dropped.append(Carried("", kind, target, Fate.DROPPED, error="no such receiver"))
        for place, claimed in lanes:
            self._busy.add(place.target)
            self._served.pop(place.target, None)
            self._served[place.target] = None
            self._pool.submit(self._lane, place, claimed, now + BEGUN_WITHIN)
        return dropped

    def _lane(self, place: _Place, claimed: list[tuple[Signal, bytes]], until: datetime) -> None:
        """Post one after the other; where one is not taken, those behind it wait with it."""
        before = Fate.TAKEN
        rest: datetime | None = None
        try:
            while claimed and rest is None and not self._closing and self._world.clock() < until:
                signal, body = claimed.pop(0)
                outcome = self._outcome(place, signal, body)
                self._back.put(outcome)
                if outcome.fate is Fate.RETRY and (signal.attempts <= PATIENCE or before is Fate.RETRY):
                    rest = outcome.again
                before = outcome.fate
        finally:
            self._back.put(_End(place.target, [signal.id for signal, _ in claimed], rest))

    def _outcome(self, place: _Place, signal: Signal, body: bytes) -> _Outcome:
        now = self._world.clock()
        if now >= _ends(signal):
            return _Outcome(signal, Fate.DEAD, "its time has passed")
        try:
            token = announcing.signed(self._world, self._keys, signal, body, place.client_id, now)
            answer = self._world.outbound.post(place.url, *_post(self._world, place, token))
        except Unreachable as error:
            return _again(signal, self._world.clock(), str(error))
        except Exception as error:  # noqa: BLE001 - one that can't be written or sent must not stop the others
            return _again(signal, self._world.clock(), f"cannot be sent: {type(error).__name__}")
        if answer.status in _OK[signal.kind]:
            return _Outcome(signal, Fate.TAKEN)
        if answer.status == HTTPStatus.BAD_REQUEST:
            return _Outcome(signal, Fate.DEAD, f"refused: {_word(answer)}")
        return _again(signal, self._world.clock(), f"the answer was {answer.status}")


def next_try(signal: Signal, now: datetime) -> datetime | None:
    """When to try again: waits double from two seconds to a quarter of an hour, spread; None where it is too late."""
    wait = min(FIRST_WAIT * 2 ** min(max(signal.attempts, 1) - 1, 20), LONGEST_WAIT)
    # Spread by the signal itself, so that those refused together do not come back together.
    chance = hashlib.sha256(f"{signal.id} {signal.attempts}".encode()).digest()[0] / 255
    at = now + wait * (0.75 + 0.5 * chance)
    return at if at < _ends(signal) else None


def _ends(signal: Signal) -> datetime:
    return signal.not_after or signal.created_at + GIVEN_UP_AFTER


def _again(signal: Signal, now: datetime, why: str) -> _Outcome:
    at = next_try(signal, now)
    return _Outcome(signal, Fate.DEAD if at is None else Fate.RETRY, why, at)


def _place(world: World, streams: Mapping[str, Stream], target: str, kind: SignalKind) -> _Place | None:
    """Where a receiver is told; None where it is not, or not now."""
    if kind is SignalKind.LOGOUT:
        client = announcing.served(world, target)
        url = client.backchannel_logout_uri if client is not None else None
        return _Place(target, kind, target, url) if url else None
    stream = streams.get(target)
    if stream is None or stream.status is not StreamStatus.ENABLED or stream.push_url is None:
        return None
    if announcing.receiver(world, stream.client_id) is None:
        return None
    return _Place(target, kind, stream.client_id, stream.push_url, stream.authorization)


def _waits(stream: Stream | None) -> bool:
    """Whether what is told on a stream is kept for it: it polls, or was paused meanwhile."""
    return (
        stream is not None
        and stream.status is not StreamStatus.DISABLED
        and (stream.push_url is None or stream.status is StreamStatus.PAUSED)
    )


def _post(world: World, place: _Place, token: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers (RFC 8935 2, OpenID Connect Back-Channel Logout 1.0 2.5)."""
    if place.kind is SignalKind.LOGOUT:
        return urlencode({"logout_token": token}).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
    if place.authorization is not None:
        headers["Authorization"] = world.vault.open(place.authorization).decode()
    return token.encode(), headers


def _word(answer: Answer) -> str:
    """The name a receiver gives to what is wrong (RFC 8935 2.4, RFC 6749 5.2), as far as it may stand in a log."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "no reason given"
    word = said.get("err") or said.get("error") if isinstance(said, dict) else None
    return word[:_LONGEST_WORD] if isinstance(word, str) and word.isascii() and word.isprintable() else "no reason given"
