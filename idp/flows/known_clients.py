"""The clients there are: those of the file, and those registered while the service runs, as they are at this moment."""

import threading
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Final

from idp.model import Client
from idp.store import Store, StoreDown

# How old, in seconds, what is known may be; and how old it may get where the mark tells of no change: two that were written
# at the same time by clocks that disagree can leave the same mark.
_PAUSE: Final = 2.0
_LONGEST: Final = 60.0
_NEVER: Final = float("-inf")


class KnownClients(Mapping[str, Client]):
    """A mapping by client id that follows the store; ``filed`` are those of the file, and win.

    The registrations are looked at again when they have not been for a while, by one caller while the others go on with
    what is known. Where the store is down, what was known stays. ``monotonic`` is a clock in seconds that never goes back.
    """

    def __init__(self, filed: Mapping[str, Client], store: Store, monotonic: Callable[[], float]) -> None:
        self.filed = filed
        self._store, self._monotonic = store, monotonic
        self._lock = threading.Lock()
        self._mark: tuple[object, ...] | None = None
        self._now: Mapping[str, Client] = filed
        self._looked_at = self._read_at = _NEVER

    def __getitem__(self, client_id: str) -> Client:
        return self.now()[client_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.now())

    def __len__(self) -> int:
        return len(self.now())

    def values(self) -> ValuesView[Client]:
        """The clients of one moment: whoever goes through them meets none that was removed meanwhile."""
        return self.now().values()

    def items(self) -> ItemsView[str, Client]:
        """The clients of one moment, by their ids."""
        return self.now().items()

    def now(self) -> Mapping[str, Client]:
        """All of them at this moment: the same object until one of them changes."""
        if self._monotonic() - self._looked_at >= _PAUSE and self._lock.acquire(blocking=self._looked_at == _NEVER):
            try:
                if self._monotonic() - self._looked_at >= _PAUSE:
                    self._look()
            finally:
                self._lock.release()
        return self._now

    def look(self) -> None:
        """Look now: this process has changed one."""
        with self._lock:
            self._read_at = _NEVER
            self._look()

    def _look(self) -> None:
        moment = self._monotonic()
        try:
            with self._store.read() as tx:
                mark = tx.clients.mark()
                if mark != self._mark or moment - self._read_at >= _LONGEST:
                    stored = {one.client.id: one.client for one in tx.clients.all()}
                    found = {**stored, **self.filed}
                    # What has not changed stays the very same, and with it all that was worked out from it.
                    known = {
                        name: self._now[name] if self._now.get(name) == client else client for name, client in found.items()
                    }
                    self._now = self._now if known == self._now else known
                    self._mark, self._read_at = mark, moment
        except StoreDown:
            pass
        self._looked_at = moment


def all_of(clients: Mapping[str, Client]) -> Mapping[str, Client]:
    """The clients as they are at this moment, in one object by whose identity a change is told."""
    return clients.now() if isinstance(clients, KnownClients) else clients


def filed(clients: Mapping[str, Client], client_id: str) -> bool:
    """Whether a client is one of the file, where alone it can be changed."""
    return client_id in (clients.filed if isinstance(clients, KnownClients) else clients)


def changed(clients: Mapping[str, Client]) -> None:
    """Tell that this process has changed one of them."""
    if isinstance(clients, KnownClients):
        clients.look()
