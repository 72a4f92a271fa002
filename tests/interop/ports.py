"""Ports for servers that cannot be given a socket: held until the server starts, so that nobody else gets them meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

NAMES = ("apache", "spa")


class Ports:
    """A port of this machine for each name."""

    def __init__(self, stack: ExitStack) -> None:
        self._held = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in NAMES}
        self._numbers: dict[str, int] = {name: held.getsockname()[1] for name, held in self._held.items()}

    def site(self, name: str) -> str:
        """The address of what will listen there."""
        return f"http://localhost:{self._numbers[name]}"

    def free(self, name: str) -> int:
        """The port, from now on for whoever binds it."""
        self._held[name].close()
        return self._numbers[name]


@contextmanager
def held_ports() -> Iterator[Ports]:
    """Ports that nobody else gets."""
    with ExitStack() as stack:
        yield Ports(stack)
