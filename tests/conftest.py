"""Fixtures that every kind of test may use: one running house for each kind of storage, and one browser."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import House, open_house
from tests.people import Person
from tests.prepare import ARGUMENTS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session", params=["sqlite", "postgresql+redis"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that many tests share: each brings its own people, and the clock only ever moves on."""
    with open_house(request.param, tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def new_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Opens houses of a test's own: another law, another pool, hashing at full cost."""
    with ExitStack() as stack:

        def opened(kind: Any = "sqlite", **how: Any) -> House:
            return stack.enter_context(open_house(kind, tmp_path, **how))

        yield opened


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """One Chromium for all that need one: Playwright runs once a process."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - most tests need none

    found = find_chromium()
    if found is None:
        pytest.fail("No Chromium. Run: python -m tests.prepare")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _browsers_close(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every browser that a test opens is closed with it."""
    opened: list[Person] = []
    born = Person.__post_init__

    def remember(person: Person) -> None:
        born(person)
        opened.append(person)

    monkeypatch.setattr(Person, "__post_init__", remember)
    yield
    for person in opened:
        person.close()
