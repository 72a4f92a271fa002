"""Someone at a real browser: what they see is judged by axe and kept as a picture, what the browser complains of is heard."""

import os
from functools import cache
from pathlib import Path
from typing import Any, Self

from axe_playwright_python.sync_playwright import Axe
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from examples.portal.texts import text
from idp.cli.demo_people import PASSWORD, PIN
from tests.demo.running import Demo

ROOT = Path(__file__).parents[2]
# Pictures cost a third of the time: they are kept where somebody means to look at them.
PICTURES = ROOT / "test-results" / "browser" if os.environ.get("PICTURES") else None
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
LOCALES = {"en": "en-GB", "it": "it-IT"}
CHECKED = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
expect.set_options(timeout=15_000)
# Every breach of a content security policy becomes an error in the console, frames included.
_TELL_BREACHES = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));"""


def keep_picture(page: Page, name: str) -> None:
    """Keep how the whole page looks, where PICTURES is set."""
    if PICTURES is not None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


class Guest:
    """A browser context of its own, with the demo at hand."""

    def __init__(
        self,
        browser: Browser,
        demo: Demo,
        *,
        javascript: bool = True,
        language: str = "en",
        size: str = "desktop",
        scheme: str = "light",
    ) -> None:
        self.demo, self.language, self.size, self.scheme, self.javascript = demo, language, size, scheme, javascript
        self.browser = browser
        self.settings: dict[str, Any] = {
            "java_script_enabled": javascript,
            "locale": LOCALES[language],
            "viewport": SIZES[size],
            "color_scheme": scheme,
            "reduced_motion": "reduce",
        }
        self.context = browser.new_context(**self.settings)
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(_TELL_BREACHES)
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))
        self.complaints: list[str] = []
        self.page = self.context.new_page()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert not self.complaints, "\n".join(self.complaints)

    def _console(self, message: ConsoleMessage) -> None:
        # The status of a page that tells of an error is as it should be.
        page = message.page
        own = page is not None and message.location.get("url", "").split("?")[0] == page.url.split("?")[0]
        if message.type in ("error", "warning") and not (own and "responded with a status of 4" in message.text):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    # Words

    def says(self, english: str, **values: object) -> str:
        """What the identity service's pages say for an English text."""
        return (_italian()[english] if self.language == "it" else english) % values

    def portal(self, key: str, **values: str) -> str:
        """The portal's words."""
        return text(self.language, key, **values)

    # Seeing

    def sees(self, heading: str, name: str) -> None:
        """The page has this heading, no fault that axe knows, and fits the screen; a picture is kept where PICTURES is set."""
        expect(self.page.locator("h1")).to_have_text(heading)
        self.picture(name)
        faults = self.faults()
        assert not faults, "\n".join(faults)

    def picture(self, name: str) -> None:
        """Keep how the page looks, where somebody means to look."""
        script = "" if self.javascript else ".noscript"
        keep_picture(self.page, f"{name}.{self.language}.{self.size}.{self.scheme}{script}")

    def faults(self) -> list[str]:
        """What axe finds, and whether the page is wider than the screen."""
        # The words of a page are there before its stylesheet is.
        self.page.wait_for_load_state("load")
        page = self.page if self.javascript else self._as_it_stands()
        found = (
            Axe()
            .run(page, options={"runOnly": {"type": "tag", "values": CHECKED}, "resultTypes": ["violations"]})
            .response["violations"]
        )
        faults = [
            f"{page.url}: {one['id']}: {one['help']} at {', '.join(str(node['target']) for node in one['nodes'])}"
            for one in found
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{page.url}: wider than the screen")
        if page is not self.page:
            page.context.close()
        return faults

    def _as_it_stands(self) -> Page:
        """The same page where axe, which is a script, may run: what was received, without asking for it again."""
        body = self.page.content()

        def give(route: Route) -> None:
            if route.request.is_navigation_request():
                route.fulfill(status=200, content_type="text/html; charset=utf-8", body=body)
            elif route.request.resource_type == "script":
                route.abort()
            else:
                route.continue_()

        page = self.browser.new_context(**{**self.settings, "java_script_enabled": True}).new_page()
        page.route("**/*", give)
        page.goto(self.page.url)
        return page

    def stands(self, heading: str, name: str = "", *, focus: str = "", wrong: bool = False) -> None:
        """The page has this heading, the right title, language and focus; with ``name`` it is looked at as by ``sees``.

        ``wrong`` is a page that tells of an error.
        """
        expect(self.page.locator("h1")).to_have_text(heading)
        if wrong:
            expect(self.page.locator(".alert, [aria-invalid]")).not_to_have_count(0)
        if name:
            self.sees(heading, name)
        title = self.page.title()
        assert heading in title, title
        assert title.startswith(self.says("Error:")) is wrong, title
        assert self.page.locator("html").get_attribute("lang") == self.language
        if focus:
            expect(self.page.locator(f"#{focus}")).to_be_focused()

    def press(self, label: str) -> None:
        """Press the button of that name."""
        self.page.locator("main").get_by_role("button", name=label, exact=True).click()

    def goes(self, label: str) -> None:
        """Follow the link of that name."""
        self.page.locator("main").get_by_role("link", name=label, exact=True).click()

    def fills(self, **fields: str) -> None:
        """Type into fields by their names."""
        for name, value in fields.items():
            self.page.locator(f"#{name}").fill(value)

    def picks(self, field: str, value: str) -> None:
        """Choose from the list of that name."""
        self.page.locator(f"#{field}").select_option(value)

    def answers(self, group: str, value: str) -> None:
        """Choose one of the buttons that belong together."""
        self.page.locator(f"input[name='{group}'][value='{value}']").check()

    def sends(self, label: str, **fields: str) -> None:
        """Type into fields by their names and press the button, past what the browser itself would refuse to send."""
        self.fills(**fields)
        if self.javascript:
            self.page.locator("form[data-busy]").first.evaluate("form => { form.noValidate = true; }")
        self.press(label)

    # Walking

    def begin(self) -> None:
        """From the portal to the sign-in page."""
        self.page.goto(f"{self.demo.portal}/")
        self.page.locator("main").get_by_role("link", name=self.portal("sign_in_long")).click()
        expect(self.page.locator("h1")).to_have_text(self.says("Sign in"))

    def password(self, username: str, password: str = PASSWORD) -> None:
        """Answer the sign-in page."""
        self.page.get_by_label(self.says("Username"), exact=True).fill(username)
        self.page.get_by_label(self.says("Password"), exact=True).fill(password)
        self.press(self.says("Sign in"))

    def pin(self, pin: str = PIN) -> None:
        """Answer the PIN page."""
        expect(self.page.locator("h1")).to_have_text(self.says("Your PIN"))
        self.page.get_by_label(self.says("PIN"), exact=True).fill(pin)
        self.press(self.says("Continue"))

    def sign_in(self, username: str) -> None:
        """From the portal through both pages."""
        self.begin()
        self.password(username)
        self.pin()

    def at_home(self, given_name: str) -> None:
        """The portal greets the person, with a bill and a fault."""
        expect(self.page.locator("h1")).to_have_text(self.portal("hello", name=given_name))
        assert self.page.url == f"{self.demo.portal}/"
        expect(self.page.locator("#bill")).to_have_text(self.portal("bill"))
        expect(self.page.locator("p.figure")).to_contain_text("€")
        expect(self.page.locator("p.what")).to_have_text(self.portal("fault.kind.slow_fibre"))


@cache
def _italian() -> dict[str, str]:
    with (ROOT / "idp" / "translations" / "it" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if isinstance(message.id, str)}


def attributes(page: Page, field: str) -> dict[str, str]:
    """The attributes of the field of that id."""
    found: dict[str, str] = page.locator(f"#{field}").evaluate(
        "e => Object.fromEntries([...e.attributes].map(a => [a.name, a.value]))"
    )
    return found
