"""The strength of a new password as it is typed: told by the page, read out once, and nothing at all without the script."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.browser.guest import CHECKED, LOCALES, SIZES, keep_picture
from tests.harness import House

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(90)]
WEAK = {"en": "Very easy to guess. It is one of the ten most common passwords.", "it": "Facilissima da indovinare."}
STRONG = {"en": "Very hard to guess.", "it": "Molto difficile da indovinare."}


@pytest.mark.parametrize(("language", "size"), [("en", "phone"), ("en", "desktop"), ("it", "phone"), ("it", "desktop")])
def test_the_meter_explains_itself(chromium: Browser, new_house: Callable[..., House], language: str, size: str) -> None:
    house = new_house("sqlite")
    _, code = house.invited()
    context = chromium.new_context(locale=LOCALES[language], viewport=SIZES[size])  # type: ignore[arg-type]
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Chromium's advice is not a fault: it would have a username beside the PIN, for a password manager to keep it.
        if message.type in ("error", "warning"):
            heard.append(message.text)

    context.on("console", hear)
    page = context.new_page()
    page.goto(f"{house.url}/invitation?code={code}")
    page.locator("button.primary").click()
    meter, said = page.locator(".strength"), page.locator(".strength p")
    expect(meter).to_be_hidden()
    page.locator("#password").press_sequentially("password", delay=20)
    expect(said).to_contain_text(WEAK[language])
    expect(meter).to_have_attribute("data-score", "0")
    expect(said).to_have_attribute("aria-live", "polite")
    keep_picture(page, f"strength-weak.{language}.{size}")
    faults = Axe().run(page, options={"runOnly": {"type": "tag", "values": CHECKED}}).response["violations"]
    assert not [fault["id"] for fault in faults]
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.locator("#password").fill("correct horse battery staple")
    expect(said).to_have_text(STRONG[language])
    expect(meter).to_have_attribute("data-score", "4")
    keep_picture(page, f"strength-strong.{language}.{size}")
    page.locator("#password").fill("")
    expect(meter).to_be_hidden()
    # It advises: what is judged weak may be chosen where the rules allow it.
    page.locator("#password").fill("zxcvfr4zxcvfr4")
    expect(meter).to_be_visible()
    page.locator("#password_again").fill("zxcvfr4zxcvfr4")
    page.locator("button.primary").click()
    expect(page.locator("#pin")).to_be_visible()
    assert heard == []
    context.close()


def test_without_the_script_there_is_no_meter(chromium: Browser, new_house: Callable[..., House]) -> None:
    house = new_house("sqlite")
    _, code = house.invited()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{house.url}/invitation?code={code}")
    page.locator("button.primary").click()
    page.locator("#password").press_sequentially("password")
    expect(page.locator(".strength")).to_be_hidden()
    context.close()


def test_a_meter_that_cannot_ask_says_nothing(chromium: Browser, new_house: Callable[..., House]) -> None:
    house = new_house("sqlite")
    _, code = house.invited()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{house.url}/invitation?code={code}")
    page.locator("button.primary").click()
    page.locator("#password").press_sequentially("password")
    expect(page.locator(".strength")).to_be_visible()
    page.route("**/password-strength", lambda route: route.abort())
    page.locator("#password").press_sequentially("123")
    expect(page.locator(".strength")).to_be_hidden()
    context.close()
