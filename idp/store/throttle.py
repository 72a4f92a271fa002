"""The throttle as the ``limits`` library wants it: a storage for the fixed window, registered by this import."""

from typing import Any

from limits.storage import Storage

from idp.store.counts import Counts
from idp.store.errors import StoreDown


class Throttle(Storage):
    """A storage of the ``limits`` library, for the fixed window."""

    STORAGE_SCHEME = ["idp"]  # noqa: RUF012 - the library's own declaration

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions)
        self._counts: Counts = options["counts"]

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage raises when it cannot answer."""
        return StoreDown

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount`` in the key's window of ``expiry`` seconds; returns the count."""
        return self._counts.add(key, int(expiry * 1000), amount)

    def get(self, key: str) -> int:
        """The count in the key's window."""
        return self._counts.read(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the key's window ends, in seconds since 1970; now, where there is none."""
        return self._counts.read(key)[1] / 1000

    def check(self) -> bool:
        """Whether the store answers."""
        try:
            self._counts.read("")
        except StoreDown:
            return False
        return True

    def reset(self) -> int | None:
        """Forget every count."""
        return self._counts.clear()

    def clear(self, key: str) -> None:
        """Forget the key's count."""
        self._counts.clear(key)
