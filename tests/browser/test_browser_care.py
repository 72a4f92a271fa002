"""What a real browser is needed for: keyboard, clipboard, password fields, policies, tabs, and pages that tell of errors."""

import base64
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Error, Page, Route, expect

from idp.cli.demo_people import PASSWORD, PIN
from tests.browser.guest import Guest, attributes

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(90)]
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize(someone: Guest, client: str, redirect_uri: str, **more: str) -> str:
    query = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect_uri,
        "scope": "openid profile",
        "state": f"state of {client}",
        "nonce": "n",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return f"{someone.demo.identity}/authorize?{urlencode(query)}"


def focused(page: Page) -> str:
    """The name of what has the focus; it must be seen to have it."""
    found = page.evaluate(
        """() => {
          const one = document.activeElement, box = one.closest(".box");
          const seen = [one, box].filter(Boolean).map((e) => getComputedStyle(e));
          return {
            name: one.id || one.innerText?.trim() || one.getAttribute("aria-label") || one.tagName,
            marked: seen.some((s) => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none"),
          };
        }"""
    )
    assert found["marked"], f"no visible focus on {found['name']} at {page.url}"
    return str(found["name"])


def tab_to(page: Page, name: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab at {page.url}")


def test_the_keyboard_alone_is_enough_to_sign_in_and_out(guest: Callable[..., Guest]) -> None:
    someone = guest()
    page = someone.page
    page.goto(f"{someone.demo.portal}/")
    tab_to(page, "Sign in to My Norda")
    page.keyboard.press("Enter")
    expect(page.locator("#username")).to_be_focused()
    focused(page)
    page.keyboard.type("maria")
    page.keyboard.press("Tab")
    assert focused(page) == "password"
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    assert focused(page) == "Show password"
    page.keyboard.press("Tab")
    assert focused(page) == "Sign in"
    page.keyboard.press("Enter")
    expect(page.locator("#pin")).to_be_focused()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    someone.at_home("Maria")
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("You are signed out")


def test_after_an_error_the_focus_and_the_words_are_where_a_reader_looks(guest: Callable[..., Guest]) -> None:
    someone = guest(size="phone")
    someone.begin()
    someone.password("maria", "not her password")
    expect(someone.page.get_by_role("alert")).to_be_visible()
    someone.sees("Sign in", "50-wrong-password")
    assert someone.page.title().startswith("Error:")
    assert someone.page.locator("#username").input_value() == "maria"
    assert someone.page.locator("#password").input_value() == ""
    expect(someone.page.locator("#password")).to_be_focused()
    described = attributes(someone.page, "password")["aria-describedby"].split()
    assert "alert" in described


def test_a_secret_is_shown_and_hidden_again_and_never_left_in_sight(guest: Callable[..., Guest]) -> None:
    someone = guest()
    someone.begin()
    secret, button = someone.page.locator("#password"), someone.page.get_by_role("button", name="Show password")
    secret.fill(PASSWORD)
    expect(secret).to_have_attribute("type", "password")
    button.click()
    expect(secret).to_have_attribute("type", "text")
    expect(button).to_have_attribute("aria-pressed", "true")
    someone.sees("Sign in", "51-password-shown")
    button.click()
    expect(secret).to_have_attribute("type", "password")
    assert secret.input_value() == PASSWORD


def test_without_javascript_there_is_no_button_that_does_nothing(guest: Callable[..., Guest]) -> None:
    someone = guest(javascript=False)
    someone.begin()
    expect(someone.page.locator("button.reveal")).to_be_hidden()


def test_secrets_can_be_pasted(guest: Callable[..., Guest]) -> None:
    someone = guest()
    someone.context.grant_permissions(["clipboard-read", "clipboard-write"])
    someone.begin()
    page = someone.page
    page.locator("#username").fill("maria")
    page.evaluate("text => navigator.clipboard.writeText(text)", PASSWORD)
    page.locator("#password").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#password").input_value() == PASSWORD
    someone.press("Sign in")
    expect(page.locator("#pin")).to_be_focused()
    page.evaluate("text => navigator.clipboard.writeText(text)", f"{PIN[:3]} {PIN[3:]}")
    page.keyboard.press("Control+V")
    assert page.locator("#pin").input_value() == PIN
    someone.press("Continue")
    someone.at_home("Maria")


def test_fields_tell_password_managers_and_keyboards_what_they_are(guest: Callable[..., Guest]) -> None:
    someone = guest()
    someone.begin()
    username = attributes(someone.page, "username")
    assert username["autocomplete"] == "username"
    assert username["autocapitalize"] == "none"
    assert username["spellcheck"] == "false"
    assert attributes(someone.page, "password")["autocomplete"] == "current-password"
    assert "maxlength" not in attributes(someone.page, "password")
    someone.password("maria")
    expect(someone.page.locator("h1")).to_have_text("Your PIN")
    pin = attributes(someone.page, "pin")
    assert pin["inputmode"] == "numeric"
    assert pin["autocomplete"] == "one-time-code"


def test_the_inbox_is_a_page_for_everybody_too(guest: Callable[..., Guest]) -> None:
    someone = guest(size="phone", scheme="dark")
    someone.demo.letters("anna")
    someone.page.goto(f"{someone.demo.inbox}/")
    someone.sees("Demo inbox", "56-inbox")


@pytest.mark.parametrize("javascript", [True, False])
def test_response_mode_form_post_reaches_the_client(guest: Callable[..., Guest], javascript: bool) -> None:
    someone = guest(javascript=javascript)
    callback = f"{someone.demo.portal}/callback"
    received: list[dict[str, str]] = []

    def take(route: Route) -> None:
        received.append(dict(parse_qsl(route.request.post_data or "")))
        assert route.request.method == "POST"
        route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>Received</title>")

    someone.context.route(callback, take)
    someone.page.goto(authorize(someone, "portal", callback, response_mode="form_post"))
    someone.password("maria")
    someone.pin()
    if not javascript:
        someone.sees("Taking you back", "52-form-post")
        someone.press("Continue")
    expect(someone.page).to_have_title("Received")
    assert set(received[0]) == {"code", "state", "iss"}
    assert received[0]["state"] == "state of portal"
    assert received[0]["iss"] == someone.demo.identity


def test_two_tabs_with_two_clients_finish_in_the_other_order(guest: Callable[..., Guest]) -> None:
    someone = guest()
    callback = "http://127.0.0.1:49999/callback"
    someone.context.route(
        f"{callback}**", lambda route: route.fulfill(status=200, content_type="text/html", body="<title>App</title>")
    )
    someone.begin()
    first = someone.page
    second = someone.page = someone.context.new_page()
    second.goto(authorize(someone, "app", callback))
    expect(second.locator("p.lead")).to_have_text("to continue to Norda app")
    someone.password("maria")
    someone.pin()
    expect(second).to_have_title("App")
    answer = parse_qs(urlsplit(second.url).query)
    assert answer["state"] == ["state of app"]
    assert answer["iss"] == [someone.demo.identity]
    someone.page = first
    someone.password("maria")
    someone.pin()
    someone.at_home("Maria")


def test_signed_out_in_one_tab_the_other_shows_nothing_more(guest: Callable[..., Guest]) -> None:
    someone = guest()
    someone.sign_in("maria")
    someone.at_home("Maria")
    first = someone.page
    someone.page = someone.context.new_page()
    someone.page.goto(f"{someone.demo.portal}/")
    someone.page.get_by_role("button", name="Sign out").click()
    expect(someone.page.locator("h1")).to_have_text("You are signed out")
    # Its own script may be leaving by itself, before it is loaded anew or meanwhile: either way nothing of Maria is shown.
    with suppress(Error):
        first.reload()
    expect(first.locator("h1")).to_have_text(re.compile(f"{re.escape(someone.portal('hero'))}|You are signed out"))
    first.goto(f"{someone.demo.identity}/")
    expect(first.locator("h1")).to_have_text("Sign in")


def test_the_identity_service_alone_signs_in_welcomes_and_signs_out(guest: Callable[..., Guest]) -> None:
    someone = guest(size="phone")
    someone.page.goto(f"{someone.demo.identity}/")
    someone.password("maria")
    someone.pin()
    someone.sees("Hello, Maria Rossi", "53-identity-home")
    someone.page.goto(f"{someone.demo.identity}/logout")
    someone.sees("Sign out?", "54-sign-out")
    someone.press("Sign out")
    someone.sees("You are signed out", "55-identity-signed-out")


@pytest.mark.parametrize("how", [{"size": "phone"}, {"size": "desktop", "language": "it", "scheme": "dark"}])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("unknown-client", "/authorize?response_type=code&client_id=nobody"),
        ("foreign-redirect", "/authorize?response_type=code&client_id=portal&redirect_uri=https%3A%2F%2Fevil.example"),
        ("expired", "/sign-in/a-sign-in-that-never-was-0123456789abcdef"),
        ("not-found", "/no/such/page"),
        ("invitation", "/invitation"),
    ],
)
def test_a13_pages_that_tell_of_errors_are_pages_too(
    guest: Callable[..., Guest], name: str, path: str, how: dict[str, str]
) -> None:
    someone = guest(**how)
    someone.page.goto(someone.demo.identity + path)
    expect(someone.page.locator("h1")).to_be_visible()
    someone.sees(someone.page.locator("h1").inner_text(), f"60-{name}")
    expect(someone.page.locator("footer")).to_contain_text("+44 20 7946 0000")
