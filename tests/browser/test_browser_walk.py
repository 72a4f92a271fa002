"""A visitor's walk in a real browser: portal, first-time enrolment, a bill and a fault, sign out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Error, expect

from tests.browser.guest import Guest

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(90)]
CHOSEN, CHOSEN_PIN = "a calm grey heron", "902741"


@pytest.mark.parametrize(
    ("username", "given", "how"),
    [
        ("anna", "Anna", {"language": "en", "size": "desktop", "javascript": True}),
        ("luca", "Luca", {"language": "it", "size": "phone", "javascript": False}),
    ],
)
def test_a02_a14_a16_d10_an_invited_person_enrols_sees_bill_and_fault_and_signs_out(
    guest: Callable[..., Guest], username: str, given: str, how: dict[str, object]
) -> None:
    someone = guest(**how)
    someone.page.goto(f"{someone.demo.portal}/")
    someone.sees(someone.portal("hero"), "01-portal")
    someone.begin()
    someone.sees(someone.says("Sign in"), "02-sign-in")
    follows_the_letter(someone, username)
    someone.sees(someone.says("Use your invitation"), "05-invitation")
    someone.press(someone.says("Continue"))
    chooses_a_password(someone)
    creates_a_pin(someone)
    chooses_a_question(someone)
    someone.at_home(given)
    someone.sees(someone.portal("hello", name=given), "11-portal-home")
    signs_out(someone, given)


def follows_the_letter(someone: Guest, username: str) -> None:
    someone.demo.letters(username)
    someone.page.goto(f"{someone.demo.inbox}/")
    someone.picture("03-inbox")
    someone.page.locator("ol a", has_text=f"{username}@example.com").click()
    expect(someone.page.locator("main h1")).to_be_visible()
    someone.picture("04-letter")
    # The link as the letter's reader meets it: in the designed letter's frame, opening a tab of its own.
    with someone.context.expect_page() as opened:
        someone.page.frame_locator("iframe").get_by_role("link").first.click()
    someone.page.close()
    someone.page = opened.value
    someone.page.wait_for_load_state()


def chooses_a_password(someone: Guest) -> None:
    someone.sees(someone.says("Choose a password"), "06-choose-password")
    new, again = someone.page.locator("#password"), someone.page.locator("#password_again")
    new.fill(CHOSEN)
    again.fill("a calm grey horse")
    someone.press(someone.says("Save password"))
    expect(again).to_have_attribute("aria-invalid", "true")
    someone.sees(someone.says("Choose a password"), "07-choose-password-mismatch")
    new.fill(CHOSEN)
    again.fill(CHOSEN)
    someone.press(someone.says("Save password"))


def creates_a_pin(someone: Guest) -> None:
    someone.sees(someone.says("Create a PIN"), "08-create-pin")
    someone.page.locator("#pin").fill("123456")
    someone.page.locator("#pin_again").fill("123456")
    someone.press(someone.says("Save PIN"))
    expect(someone.page.locator("#pin")).to_have_attribute("aria-invalid", "true")
    someone.sees(someone.says("Create a PIN"), "09-create-pin-weak")
    someone.page.locator("#pin").fill(CHOSEN_PIN)
    someone.page.locator("#pin_again").fill(CHOSEN_PIN)
    someone.press(someone.says("Save PIN"))


def chooses_a_question(someone: Guest) -> None:
    someone.sees(someone.says("Choose a security question"), "10-choose-question")
    someone.page.locator("#question").select_option("first_trip")
    someone.page.locator("#answer").fill("Trieste")
    someone.press(someone.says("Save answer"))


def signs_out(someone: Guest, given: str) -> None:
    someone.page.get_by_role("button", name=someone.portal("sign_out")).click()
    someone.sees(someone.portal("signed_out"), "12-signed-out")
    expect(someone.page.locator("main")).to_contain_text(someone.portal("signed_out.everywhere"))
    shows_nothing_private(someone, given)
    someone.page = someone.context.new_page()
    someone.begin()
    assert someone.page.locator("#username").input_value() == ""


def shows_nothing_private(someone: Guest, given: str) -> None:
    """The way back through the browser's history leads to no page of the person's."""
    for _ in range(4):
        try:
            someone.page.go_back()
        except Error:
            # The answer to a form, which nothing kept: Chromium shows a page of its own.
            break
        seen = someone.page.locator("body").inner_text()
        assert given not in seen
        assert "€" not in seen


@pytest.mark.parametrize("javascript", [True, False])
def test_a03_a_later_sign_in_in_the_other_language_and_dark(guest: Callable[..., Guest], javascript: bool) -> None:
    how = {"language": "it", "size": "desktop"} if javascript else {"language": "en", "size": "phone"}
    someone = guest(javascript=javascript, scheme="dark", **how)
    someone.begin()
    someone.sees(someone.says("Sign in"), "20-sign-in")
    someone.password("maria")
    someone.sees(someone.says("Your PIN"), "21-pin")
    someone.pin()
    someone.at_home("Maria")
    someone.sees(someone.portal("hello", name="Maria"), "22-portal-home")
    someone.page.get_by_role("button", name=someone.portal("sign_out")).click()
    someone.sees(someone.portal("signed_out"), "23-signed-out")


def test_d10_the_language_is_changed_in_the_middle_of_a_sign_in(guest: Callable[..., Guest]) -> None:
    someone = guest()
    someone.begin()
    someone.page.get_by_role("link", name="Italiano").click()
    expect(someone.page.locator("h1")).to_have_text("Accedi")
    assert someone.page.locator("html").get_attribute("lang") == "it"
    someone.language = "it"
    someone.password("sofia")
    someone.pin()
    expect(someone.page.locator("p.figure")).to_contain_text("€")


def test_a10_suspended_access_wakes_by_the_answer(guest: Callable[..., Guest]) -> None:
    someone = guest(size="phone")
    someone.sign_in("sven")
    someone.sees("Welcome back", "30-reactivate")
    someone.page.locator("#answer").fill("the wrong one")
    someone.press("Reactivate my access")
    expect(someone.page.get_by_role("alert")).to_be_visible()
    someone.sees("Welcome back", "31-reactivate-wrong")
    someone.page.locator("#answer").fill("Greenfield")
    someone.press("Reactivate my access")
    someone.at_home("Sven")


def test_a02_whoever_left_half_way_comes_back_to_the_missing_piece(guest: Callable[..., Guest]) -> None:
    someone = guest(size="phone")
    someone.begin()
    someone.password("hugo")
    someone.sees("Create a PIN", "32-half-enrolled")


@pytest.mark.parametrize(
    ("username", "heading"),
    [
        ("elsa", "Your access has expired"),
        ("paul", "Blocked for a while"),
        ("bea", "Your access is blocked"),
        ("carl", "This access is closed"),
    ],
)
@pytest.mark.parametrize("how", [{"language": "en", "size": "phone"}, {"language": "it", "size": "desktop", "scheme": "dark"}])
def test_a13_a_refusal_says_why_and_whom_to_ask(
    guest: Callable[..., Guest], username: str, heading: str, how: dict[str, str]
) -> None:
    someone = guest(**how)
    someone.begin()
    someone.password(username)
    someone.sees(someone.says(heading), f"40-refused-{username}")
    expect(someone.page.locator("footer a[href='tel:+442079460000']").first).to_be_visible()
