"""Someone who has a keyboard and nothing else: every link, field and button is reached as it comes, and used by its key."""

from playwright.sync_api import Locator

from tests.browser.guest import Guest

_FARTHEST = 60


class Typist(Guest):
    """A guest who never points at anything."""

    def reaches(self, one: Locator) -> None:
        """Go on by the tabulator until this is where the focus is; not at all where it is there already."""
        one.wait_for()
        for _ in range(_FARTHEST):
            if one.evaluate("one => one === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {one}")

    def press(self, label: str) -> None:
        self.reaches(self.page.locator("main").get_by_role("button", name=label, exact=True))
        self.page.keyboard.press("Enter")

    def goes(self, label: str) -> None:
        self.reaches(self.page.locator("main").get_by_role("link", name=label, exact=True))
        self.page.keyboard.press("Enter")

    def fills(self, **fields: str) -> None:
        for name, value in fields.items():
            self.reaches(self.page.locator(f"#{name}"))
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.press("Delete")
            self.page.keyboard.type(value)

    def picks(self, field: str, value: str) -> None:
        choice = self.page.locator(f"#{field}")
        self.reaches(choice)
        for _ in range(_FARTHEST):
            if choice.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the keyboard does not choose {value}")

    def answers(self, group: str, value: str) -> None:
        every = self.page.locator(f"input[name='{group}']")
        self.reaches(every.first)
        # An arrow key chooses the next one as it goes there.
        self.page.keyboard.press("Space")
        for _ in range(every.count()):
            if self.page.locator(f"input[name='{group}']:checked").input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the keyboard does not answer {value}")
