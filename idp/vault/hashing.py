"""Password hashing in a bounded pool: a full pool refuses at once, so that memory stays flat and no one is counted."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from passlib.context import CryptContext
from passlib.hash import argon2

T = TypeVar("T")


class Busy(Exception):  # noqa: N818 - a state of the house, not an error of the caller
    """The hash pool and its queue are full; try again in ``retry_after`` seconds."""

    retry_after = 2


class HashPool:
    """At most ``concurrent`` hashes at once and ``queue`` more waiting.

    Hashes are computed in threads of the pool's own: argon2 leaves the interpreter lock while it works, and the memory it
    takes (19 MiB a hash) is kept by as many threads as may hash, not by every thread that ever did.
    """

    def __init__(self, concurrent: int, queue: int) -> None:
        self._places = threading.BoundedSemaphore(concurrent + queue)
        self._desks = ThreadPoolExecutor(concurrent, thread_name_prefix="hash")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the pool, taken before an attempt is counted; raises Busy where there is none."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self._places.release()

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Have a desk do the work, and wait for it."""
        return self._desks.submit(work, *arguments).result()


class Hasher:
    """argon2id for new hashes, passlib's verifiers for those of older schemes."""

    def __init__(self, memory_kib: int, iterations: int, parallelism: int) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=memory_kib,
            argon2__time_cost=iterations,
            argon2__parallelism=parallelism,
        )
        # One decoy of the same cost: whoever has no hash costs as much as whoever has one.
        self._decoy = self._context.hash("no one has this secret")

    def hash(self, secret: str) -> str:
        """Hash a peppered secret."""
        return str(self._context.hash(secret))

    def verify(self, secret: str, known: str) -> bool:
        """Whether the peppered secret matches; an unreadable hash matches nothing."""
        try:
            return bool(self._context.verify(secret, known))
        except (ValueError, TypeError):
            self.verify_nothing(secret)
            return False

    def verify_nothing(self, secret: str) -> None:
        """Do the work of a verification for someone who has nothing to verify."""
        self._context.verify(secret, self._decoy)

    def outdated(self, known: str) -> bool:
        """Whether a hash was made by another scheme or cheaper parameters than today's."""
        return bool(self._context.needs_update(known))


def backend() -> str:
    """Name of the argon2 backend in use, for ``idp doctor``."""
    argon2.set_backend()
    return str(argon2.get_backend())  # type: ignore[no-untyped-call]
