"""Connections that are open and not in use, the one used last on top: its caches are the warmest.

A loan of SQLAlchemy's own pool costs twice what SQLite takes to answer; what is left out here (events, resets, recycling
by age) nobody in this house asks for.
"""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect

from idp.store.errors import StoreDown
from idp.store.statements import Link


class Pool:
    """At most ``size`` connections at once; whoever comes then waits, and at last is refused."""

    def __init__(self, connect: Callable[[], Any], dialect: Dialect, size: int, wait_seconds: float) -> None:
        self._connect = connect
        self._dialect = dialect
        self._wait_seconds = wait_seconds
        self._free = threading.Semaphore(size)
        # Appending to a list and popping from it are atomic.
        self._idle: list[Link] = []
        self._era = 0
        self._closed = False

    def take(self) -> Link:
        """An idle connection, or a new one."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise StoreDown("every connection to the database is in use")
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return Link(self._connect(), self._dialect, self._era)
        except BaseException:
            self._free.release()
            raise

    def give(self, link: Link, *, sound: bool = True) -> None:
        """Take a connection back; one that is broken, or older than the last ``empty``, is closed."""
        try:
            if sound and link.era == self._era and not self._closed:
                self._idle.append(link)
            else:
                link.driver.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Empty the pool for good: whoever still comes is served, and nothing is kept."""
        self._closed = True
        self.empty()

    def empty(self) -> None:
        """Close what is idle, and what is in use when it comes back."""
        self._era += 1
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:
                return
            link.driver.close()
