"""Waking access that sleeps by a mailed code, in a real browser: with and without JavaScript, in both languages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.guest import Guest
from tests.harness import House
from tests.quiet import asleep, woken_by

pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize(
    ("language", "size", "javascript"), [("en", "desktop", True), ("it", "phone", True), ("it", "desktop", False)]
)
def test_a10_a_code_is_asked_for_mistyped_asked_for_anew_and_wakes(
    new_house: Callable[..., House], visitor: Callable[..., Guest], language: str, size: str, *, javascript: bool
) -> None:
    house = new_house(policy=woken_by("email_code"))
    person = asleep(house)
    someone = visitor(language=language, size=size, javascript=javascript)
    page = someone.page
    page.goto(f"{house.url}/sign-in")
    page.locator("#username").fill(person.username)
    page.locator("#password").fill(person.password)
    page.locator("button.primary").click()
    page.locator("#pin").fill(person.pin)
    page.locator("button.primary").click()
    someone.sees(someone.says("Welcome back"), "40-reactivate-send")
    assert house.letters(person.account) == []
    page.get_by_role("button", name=someone.says("Send me the code")).click()
    expect(page.locator("#code")).to_be_focused()
    someone.sees(someone.says("Welcome back"), "41-reactivate-code")
    first = house.code(person)
    page.locator("#code").fill(f"{(int(first) + 1) % 1_000_000:06d}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    someone.sees(someone.says("Welcome back"), "42-reactivate-wrong")
    page.get_by_role("button", name=someone.says("Send a new code")).click()
    expect(page.get_by_role("alert")).to_have_count(0)
    second = house.code(person)
    assert second != first
    page.locator("#code").fill(second)
    page.get_by_role("button", name=someone.says("Reactivate my access")).click()
    expect(page.locator("main h1")).to_contain_text("Maria")
    assert len(house.audit("account.reactivated", person.account)) == 1
