"""Commands to Redis, one round trip each, on the client library's connections.

The library's own client spends twice a round trip on choosing, watching and retrying around it; what is kept of it are
its connections: the URL in all its forms, TLS, timeouts, the protocol.
"""

import hashlib
from typing import Any

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from idp.store.errors import StoreDown

_TIMEOUT_SECONDS = 2.0
Word = str | int


class RedisLink:
    """Connections to one Redis, the one used last on top. There are never more of them than threads that ask at once."""

    def __init__(self, url: str) -> None:
        self._opening = ConnectionPool.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        # Appending to a list and popping from it are atomic.
        self._idle: list[Any] = []

    def ask(self, *command: Word) -> Any:
        """Send a command; returns the answer, raises ``StoreDown``."""
        try:
            return self._ask(command)
        except RedisError as error:
            raise StoreDown(f"redis: {error}") from error

    def run(self, script: "Script", keys: tuple[str, ...], *arguments: Word) -> Any:
        """Run a script by its digest; Redis is sent the script itself where it does not have it."""
        command = ("EVALSHA", script.digest, len(keys), *keys, *arguments)
        try:
            return self._ask(command)
        except NoScriptError:
            self.ask("SCRIPT LOAD", script.source)
            return self.ask(*command)
        except RedisError as error:
            raise StoreDown(f"redis: {error}") from error

    def close(self) -> None:
        """Let go of every connection."""
        while self._idle:
            self._idle.pop().disconnect()

    def _ask(self, command: tuple[Word, ...]) -> Any:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._opening.make_connection()
        try:
            return _round_trip(connection, command)
        finally:
            # A connection that failed has disconnected itself, and connects when it is next used.
            self._idle.append(connection)


class Script:
    """A script and the digest that Redis knows it by."""

    __slots__ = ("digest", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _round_trip(connection: Any, command: tuple[Word, ...]) -> Any:
    """Once more, at once, where an idle connection turns out to be closed; never after a timeout."""
    try:
        connection.send_command(*command)
        return connection.read_response()
    except LostConnection:
        connection.disconnect()
        connection.send_command(*command)
        return connection.read_response()
