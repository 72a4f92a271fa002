"""Telling relying parties: what the audit is told becomes one signal a receiver, in the same transaction.

Nothing is read unless the event is one that concerns them. A signal holds what is fixed; the token is made and signed when
it is sent, with the key that signs then.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from idp.model import Client, Signal, SignalKind, Stream, StreamStatus
from idp.policies import signals
from idp.policies.signals import Happened, Told
from idp.policies.tokens import SERVICE_SCOPES
from idp.store import Transaction
from idp.vault import Vault
from idp.vault.signing import KeyRing

# How long a client is tried to be told that a session is over: its own will not live much longer.
LOGOUT_LASTS: Final = timedelta(hours=1)
_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TOKEN: Final = timedelta(minutes=2)

Row = tuple[Signal, bytes, bool]


class Teller(Protocol):
    """What of the World is needed to tell."""

    @property
    def vault(self) -> Vault:
        """What seals."""

    @property
    def clients(self) -> Mapping[str, Client]:
        """By client_id."""

    @property
    def issuer(self) -> str:
        """Who tells."""

    def subject(self, client: Client, account_id: str) -> str:
        """The account's name at a client."""

    def alias(self, client: Client, shared: str) -> str:
        """The name at a client of what several are told of."""


class _News(NamedTuple):
    """What is to be told of an account."""

    world: Teller
    now: datetime
    account_id: str
    told: tuple[Told, ...]


def announce(world: Teller, tx: Transaction, happened: Happened, account_id: str | None) -> None:
    """Let everybody be told who is to be: each stream that wants to know, and each client that had a part in what ended."""
    told = signals.told(happened)
    if not told or account_id is None:
        return
    news = _News(world, happened.at, account_id, told)
    tx.signals.put_all([*_events(news, tx), *_logouts(news, tx)])


def tell_stream(  # noqa: PLR0917 - to whom, and what
    world: Teller, tx: Transaction, now: datetime, stream: Stream, event: str, members: Mapping[str, Any]
) -> None:
    """Tell a receiver something of its stream itself."""
    sub_id = {"format": "opaque", "id": stream.id}
    tx.signals.put_all([_event(world, now, stream, {"events": {event: dict(members)}, "sub_id": sub_id})])


def taking_part(world: Teller, tx: Transaction, now: datetime, account_id: str, sid: str = "") -> list[Client]:
    """The clients that were let in by a session, or with a grant of the account that lives, or has only now ended."""
    grants = tx.grants.begun_in(account_id, sid, now) if sid else tx.grants.living(account_id, now)
    return [client for one in sorted({grant.client_id for grant in grants}) if (client := served(world, one)) is not None]


def served(world: Teller, client_id: str) -> Client | None:
    """The client, unless it is unknown or disabled: then it is told nothing."""
    client = world.clients.get(client_id)
    return client if client is not None and not client.disabled else None


def receiver(world: Teller, client_id: str) -> Client | None:
    """The client of a stream, while the operator lets it have one: then it hears of every account."""
    client = served(world, client_id)
    return client if client is not None and set(SERVICE_SCOPES) & set(client.scope) else None


def signed(  # noqa: PLR0917 - what is said, to whom, by which keys
    world: Teller, keys: KeyRing, signal: Signal, body: bytes, client_id: str, now: datetime
) -> str:
    """The token for a receiver (RFC 8417 2.2, OpenID Connect Back-Channel Logout 1.0 2.4); ``jti`` is the same each time."""
    claims = {"iss": world.issuer, "aud": client_id, "jti": signal.id, **world.vault.open_json(body)}
    alg = world.clients[client_id].id_token_alg
    if signal.kind is SignalKind.EVENT:
        return keys.sign(alg, "secevent+jwt", claims)
    issued, until = int(now.timestamp()), int((now + _LOGOUT_TOKEN).timestamp())
    claims |= {"iat": issued, "exp": until, "events": {_LOGOUT: {}}}
    return keys.sign(alg, "logout+jwt", claims)


def _events(news: _News, tx: Transaction) -> Iterator[Row]:
    """One row for each stream and event; those of one occurrence have one ``txn``, within a sector."""
    txn = news.world.vault.token(16)
    for stream in tx.streams.all():
        client = receiver(news.world, stream.client_id)
        if client is None or stream.status is StreamStatus.DISABLED:
            continue
        for told in news.told:
            if told.event in stream.events:
                sub_id = _sub_id(news, client, told)
                said = {"txn": news.world.alias(client, txn), "events": {told.event: dict(told.members)}, "sub_id": sub_id}
                yield _event(news.world, news.now, stream, said, news.account_id)


def _event(world: Teller, now: datetime, stream: Stream, said: Mapping[str, Any], account_id: str | None = None) -> Row:
    """A signal on a stream; it waits for its receiver where that polls, or has paused it."""
    signal = Signal(world.vault.token(16), SignalKind.EVENT, stream.id, {}, now, account_id=account_id)
    held = stream.push_url is None or stream.status is not StreamStatus.ENABLED
    return signal, world.vault.seal_json({"iat": int(now.timestamp()), **said}), held


def _logouts(news: _News, tx: Transaction) -> Iterator[Row]:
    """One row for each client and session that ended; where all of an account has, one for each client."""
    ended = [told.sid for told in news.told if told.logs_out]
    if not ended or not any(client.backchannel_logout_uri for client in news.world.clients.values()):
        return
    for sid in ended:
        for client in taking_part(news.world, tx, news.now, news.account_id, sid):
            if client.backchannel_logout_uri:
                said = {
                    "sub": news.world.subject(client, news.account_id),
                    **({"sid": news.world.alias(client, sid)} if sid else {}),
                }
                until = news.now + LOGOUT_LASTS
                signal = Signal(
                    news.world.vault.token(16),
                    SignalKind.LOGOUT,
                    client.id,
                    {},
                    news.now,
                    not_after=until,
                    account_id=news.account_id,
                )
                yield signal, news.world.vault.seal_json(said), False


def _sub_id(news: _News, client: Client, told: Told) -> dict[str, Any]:
    """Whom an event is about (RFC 9493 3.2.4; Shared Signals 1.0, 3.3), by the name that the receiver knows."""
    user = {"format": "iss_sub", "iss": news.world.issuer, "sub": news.world.subject(client, news.account_id)}
    if not told.sid:
        return user
    session = {"format": "opaque", "id": news.world.alias(client, told.sid)}
    return {"format": "complex", "user": user, "session": session}
