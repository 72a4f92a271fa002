from collections.abc import Callable, Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink


@pytest.fixture
def mail_server() -> Iterator[Callable[[int], None]]:
    """Starts a mail server on a port."""
    started: list[Controller] = []

    def start(port: int) -> None:
        controller = Controller(Sink(), hostname="127.0.0.1", port=port)
        controller.start()
        started.append(controller)

    yield start
    for controller in started:
        controller.stop()
