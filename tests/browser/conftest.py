"""One demo for all tests of this folder, and people at browsers of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from playwright.sync_api import Browser

from tests.browser.guest import Guest
from tests.demo.running import Demo, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def guest(chromium: Browser, demo: Demo) -> Iterator[Callable[..., Guest]]:
    """Someone at a browser of their own; what the browser complained of meanwhile fails the test."""
    with ExitStack() as stack:

        def arrive(**how: Any) -> Guest:
            return stack.enter_context(Guest(chromium, demo, **how))

        yield arrive


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Callable[..., Guest]]:
    """Someone at a browser of their own, where no demo runs: each test has a house to send them to."""
    with ExitStack() as stack:

        def arrive(**how: Any) -> Guest:
            return stack.enter_context(Guest(chromium, cast("Demo", None), **how))

        yield arrive
