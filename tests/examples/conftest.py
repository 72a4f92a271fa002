"""A provider in miniature, and servers that are stopped at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from werkzeug.serving import BaseWSGIServer

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples import listen
from tests.examples.tiny_provider import TinyProvider, running


@pytest.fixture
def provider() -> Iterator[TinyProvider]:
    tiny = TinyProvider()
    with running(listen(tiny.app(), 0)) as tiny.issuer:
        yield tiny


@pytest.fixture
def start() -> Iterator[Callable[[BaseWSGIServer], str]]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(running(server))
