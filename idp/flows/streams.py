"""Who is told of what happens: streams that receivers set up for themselves (Shared Signals 1.0, 8.1), one a client.

A receiver is found by who asks, never by the name of a stream alone: another's looks like one that never was. There are no
subjects to add: a stream tells of everybody, and so nothing can be asked about anybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from idp.flows import announcing
from idp.flows.world import World
from idp.model import Client, Signal, Stream, StreamStatus
from idp.store import Transaction
from idp.vault.signing import KeyRing

SSF: Final = "https://schemas.openid.net/secevent/ssf/event-type/"
VERIFICATION: Final = SSF + "verification"
UPDATED: Final = SSF + "stream-updated"
# Between two verifications (Shared Signals 1.0, 8.1.4).
PAUSE: Final = timedelta(seconds=60)
MOST_POLLED: Final = 100

Row = tuple[Signal, bytes]


class Refusal(StrEnum):
    """Why a receiver's wish is not granted."""

    EXISTS = "The client has a stream already."
    UNKNOWN = "The client has no such stream."
    ADDRESS = "The address may not be pushed to"
    SOON = "The stream was verified a moment ago."
    PUSHED = "The stream is pushed: there is nothing to poll."
    DISABLED = "The stream is disabled."


@dataclass(frozen=True, slots=True)
class Refused:
    """A wish refused, with what can be said of it."""

    why: Refusal
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How events are to travel: pushed to ``url`` with a header that only its owner knows, or polled where that is None."""

    url: str | None = None
    authorization: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a receiver says of its stream; None: it says nothing of that."""

    events: tuple[str, ...] | None = None
    delivery: Delivery | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """What a receiver that polls has got, cannot use, and takes at most (RFC 8936 2.2)."""

    most: int = MOST_POLLED
    got: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens by their ``jti``, the oldest first, and whether there are more (RFC 8936 2.3)."""

    tokens: Mapping[str, str]
    more: bool


def find(world: World, client: Client) -> Stream | None:
    """The stream of a receiver."""
    with world.store.read() as tx:
        return tx.streams.of(client.id)


def begin(world: World, client: Client, wish: Wish) -> Stream | Refused:
    """Set up the stream of a receiver; it has no other."""
    now, delivery = world.clock(), wish.delivery or Delivery()
    refused = _address(world, delivery)
    if refused is not None:
        return refused
    stream = Stream(
        id=world.vault.token(16),
        client_id=client.id,
        events=wish.events or (),
        created_at=now,
        description=wish.description or "",
        push_url=delivery.url,
        authorization=_sealed(world, delivery.authorization),
    )
    with world.store.begin() as tx:
        if not tx.streams.add(stream):
            return Refused(Refusal.EXISTS)
        _record(world, tx, now, "stream.begun", stream)
    return stream


def change(world: World, client: Client, stream_id: str, wish: Wish, *, whole: bool) -> Stream | Refused:
    """Change what is said of a stream; where ``whole``, what is not said is taken back (Shared Signals 1.0, 8.1.1.4)."""
    now = world.clock()
    delivery = wish.delivery or (Delivery() if whole else None)
    refused = None if delivery is None else _address(world, delivery)
    if refused is not None:
        return refused
    with world.store.begin() as tx:
        stream = _own(tx, client, stream_id)
        if stream is None:
            return Refused(Refusal.UNKNOWN)
        said = Wish(wish.events or (), delivery, wish.description or "") if whole else wish
        changed = replace(
            stream if delivery is None else _delivered(world, stream, delivery),
            events=stream.events if said.events is None else said.events,
            description=stream.description if said.description is None else said.description,
        )
        _settle(tx, changed)
        _record(world, tx, now, "stream.changed", changed)
    return changed


def end(world: World, client: Client, stream_id: str) -> Refused | None:
    """Remove a stream, and what waited in it."""
    now = world.clock()
    with world.store.begin() as tx:
        stream = _own(tx, client, stream_id)
        if stream is None:
            return Refused(Refusal.UNKNOWN)
        tx.streams.remove(stream.id)
        _record(world, tx, now, "stream.ended", stream)
    return None


def turn(world: World, client: Client, stream_id: str, status: StreamStatus, reason: str) -> Stream | Refused:
    """Let a stream flow, hold it back or shut it, as its receiver wishes (Shared Signals 1.0, 8.1.2.2)."""
    now = world.clock()
    with world.store.begin() as tx:
        stream = _own(tx, client, stream_id)
        if stream is None:
            return Refused(Refusal.UNKNOWN)
        turned = replace(stream, status=status, reason=reason)
        _settle(tx, turned)
        _record(world, tx, now, "stream.turned", turned)
    return turned


def verify(world: World, client: Client, stream_id: str, state: str | None) -> Refused | None:
    """Send a receiver the word it asked for, by the way that everything else takes (Shared Signals 1.0, 8.1.4)."""
    now = world.clock()
    with world.store.begin() as tx:
        stream = _own(tx, client, stream_id)
        if stream is None:
            return Refused(Refusal.UNKNOWN)
        if stream.status is StreamStatus.DISABLED:
            return Refused(Refusal.DISABLED)
        if stream.verified_at is not None and now - stream.verified_at < PAUSE:
            return Refused(Refusal.SOON)
        tx.streams.change(replace(stream, verified_at=now))
        announcing.tell_stream(world, tx, now, stream, VERIFICATION, {} if state is None else {"state": state})
    return None


def poll(world: World, keys: KeyRing, client: Client, asked: Polled) -> Batch | Refused:
    """Take back what a receiver has got, and give it what waits (RFC 8936 2.4); what it does not take back comes again."""
    now = world.clock()
    with world.store.begin() if asked.got or asked.unusable else world.store.read() as tx:
        stream = tx.streams.of(client.id)
        if stream is None:
            return Refused(Refusal.UNKNOWN)
        if stream.push_url is not None:
            return Refused(Refusal.PUSHED)
        tx.signals.acknowledge(stream.id, asked.got)
        tx.signals.refused(stream.id, asked.unusable)
        waiting = _flowing(world, stream, tx.signals.queue(stream.id, MOST_POLLED + 1))
    taken = waiting[: min(asked.most, MOST_POLLED)]
    sealed = {signal.id: announcing.signed(world, keys, signal, body, client.id, now) for signal, body in taken}
    return Batch(sealed, len(waiting) > len(taken))


# For the operator


def everyone(world: World) -> list[tuple[Stream, Client | None]]:
    """Every stream with its client; None where that is gone, disabled, or may have none any more, and is told nothing."""
    with world.store.read() as tx:
        return [(one, announcing.receiver(world, one.client_id)) for one in tx.streams.all()]


def steer(  # noqa: PLR0917 - what is decided, by whom
    world: World, stream_id: str, status: StreamStatus, reason: str, actor: str, carry: Callable[[], None]
) -> bool:
    """Hold a stream back or let it flow again, and tell its receiver (Shared Signals 1.0, 8.1.5); False where there is none.

    What waits, with the word of the pause behind it, is sent by ``carry`` before the stream stops; what cannot be sent
    then waits.
    """
    stops = status is not StreamStatus.ENABLED
    said = {"status": status.value, **({"reason": reason} if reason else {})}
    if stops:
        with world.store.begin() as tx:
            stream = _any(tx, stream_id)
            if stream is not None:
                announcing.tell_stream(world, tx, world.clock(), stream, UPDATED, said)
        carry()
    now = world.clock()
    with world.store.begin() as tx:
        stream = _any(tx, stream_id)
        if stream is None:
            return False
        turned = replace(stream, status=status, reason=reason)
        _settle(tx, turned)
        if not stops:
            announcing.tell_stream(world, tx, now, turned, UPDATED, said)
        _record(world, tx, now, "stream.turned", turned, actor)
    return True


def dismiss(world: World, stream_id: str, actor: str) -> bool:
    """Remove a stream and what waited in it; False where there is none."""
    now = world.clock()
    with world.store.begin() as tx:
        stream = _any(tx, stream_id)
        if stream is None:
            return False
        tx.streams.remove(stream.id)
        _record(world, tx, now, "stream.ended", stream, actor)
    return True


# What they have in common


def _flowing(world: World, stream: Stream, waiting: list[Row]) -> list[Row]:
    """What of a queue may be given now: of a stream that is held back, only that it is."""
    if stream.status is StreamStatus.ENABLED:
        return waiting
    return [one for one in waiting if UPDATED in world.vault.open_json(one[1])["events"]]


def _any(tx: Transaction, stream_id: str) -> Stream | None:
    return next((one for one in tx.streams.all() if one.id == stream_id), None)


def _own(tx: Transaction, client: Client, stream_id: str) -> Stream | None:
    stream = tx.streams.of(client.id)
    return stream if stream is not None and stream.id == stream_id else None


def _address(world: World, delivery: Delivery) -> Refused | None:
    """Judged here by its letters, and where it leads again at each delivery."""
    refusal = None if delivery.url is None else world.outbound.refusal(delivery.url)
    return None if refusal is None else Refused(Refusal.ADDRESS, refusal)


def _sealed(world: World, authorization: str | None) -> bytes | None:
    return None if authorization is None else world.vault.seal(authorization.encode())


def _delivered(world: World, stream: Stream, delivery: Delivery) -> Stream:
    """The stream with its delivery changed. A header that is not said again stays with the address it was given for.

    It is never shown, and so cannot be said again by a receiver that changes what it has read; elsewhere it never goes.
    """
    kept = stream.authorization if delivery.url == stream.push_url else None
    said = kept if delivery.authorization is None else _sealed(world, delivery.authorization)
    return replace(stream, push_url=delivery.url, authorization=said if delivery.url is not None else None)


def _settle(tx: Transaction, stream: Stream) -> None:
    """Write a stream, and let what waits in it flow, wait or go as it now says."""
    tx.streams.change(stream)
    if stream.status is StreamStatus.DISABLED:
        tx.signals.drop(stream.id)
    elif stream.push_url is not None and stream.status is StreamStatus.ENABLED:
        tx.signals.release(stream.id)
    else:
        tx.signals.hold(stream.id)


def _record(  # noqa: PLR0917 - what is written down
    world: World, tx: Transaction, now: datetime, event: str, stream: Stream, actor: str = "client"
) -> None:
    facts: dict[str, Any] = {"status": stream.status.value, "push": stream.push_url, "events": len(stream.events)}
    world.record(tx, now, event, "done", actor=actor, client=stream.client_id, stream=stream.id, **facts)
