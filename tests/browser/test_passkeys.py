"""Passkeys in a real browser, with Chromium's virtual authenticator; and the same pages where no script runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, expect

from idp.model import Factor
from idp.settings import load_policy
from tests.browser.guest import Guest
from tests.demo.running import Demo
from tests.harness import CONFIG, House, open_house
from tests.people import ANSWER, PASSWORD, PIN
from tests.second_factor.phones import Phone

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(90)]
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], House]]:
    """A house under each law, by the name of its profile."""
    with ExitStack() as stack:
        opened: dict[str, House] = {}

        def under(profile: str) -> House:
            if profile not in opened:
                law = load_policy(CONFIG / "policies" / f"{profile}.toml")
                folder = tmp_path_factory.mktemp(profile)
                opened[profile] = stack.enter_context(open_house("sqlite", folder, policy=lambda _: law))
            return opened[profile]

        yield under


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Callable[..., Guest]]:
    """Someone at a browser with a device that holds passkeys."""
    with ExitStack() as stack:

        def arrive(**how: Any) -> Guest:
            someone = stack.enter_context(Guest(chromium, cast("Demo", None), **how))
            session = someone.context.new_cdp_session(someone.page)
            session.send("WebAuthn.enable")
            session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
            return someone

        yield arrive


def password(someone: Guest, house: House, username: str) -> None:
    someone.page.goto(f"{house.url}/sign-in")
    someone.password(username, PASSWORD)


def leave(someone: Guest) -> None:
    """Forget the session, and nothing of what the device holds."""
    someone.context.clear_cookies()


def set_up_in_profile(someone: Guest, house: House, name: str) -> None:
    """Add a passkey in My Profile, up to the recovery codes."""
    page = someone.page
    page.goto(f"{house.url}/profile/second-factor")
    someone.sees(someone.says("Second step"), "30-second-step")
    page.get_by_role("link", name=someone.says("Add a passkey")).click()
    someone.sees(someone.says("Add a passkey"), "31-passkey-password")
    page.get_by_label(someone.says("Your password"), exact=True).fill(PASSWORD)
    page.get_by_label(someone.says("Name of the passkey")).fill(name)
    someone.press(someone.says("Continue"))
    expect(page.get_by_role("button", name=someone.says("Make the passkey"))).to_be_visible()
    someone.sees(someone.says("Add a passkey"), "32-passkey-make")
    someone.press(someone.says("Make the passkey"))
    someone.sees(someone.says("Keep these codes"), "33-recovery-codes")
    assert page.locator(".codes code").count() == 10
    page.get_by_role("link", name=someone.says("I have kept them")).click()
    expect(page.locator(".good")).to_have_text(someone.says("Your passkey is set up."))


@pytest.mark.parametrize(
    "how", [{"language": "it", "size": "phone"}, {"language": "en", "size": "desktop", "scheme": "dark"}], ids=["it", "dark"]
)
def test_a_passkey_set_up_in_the_profile_is_the_second_factor_from_then_on(
    houses: Callable[[str], House], visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    house, someone = houses("my-account"), visitor(**how)
    person = house.customer()
    password(someone, house, person.username)
    someone.pin(PIN)
    expect(someone.page.locator("h1")).to_contain_text("Maria")
    set_up_in_profile(someone, house, "Telefono di Maria")
    someone.sees(someone.says("Second step"), "34-second-step-set-up")
    leave(someone)
    password(someone, house, person.username)
    someone.pin(PIN)
    someone.sees(someone.says("Second step"), "35-second-step-passkey")
    someone.press(someone.says("Use a passkey"))
    expect(someone.page.locator("h1")).to_contain_text("Maria")
    assert ANSWER not in someone.page.content()


def test_a_passkey_is_the_whole_sign_in_under_the_hardened_law(
    houses: Callable[[str], House], visitor: Callable[..., Guest]
) -> None:
    house, someone = houses("hardened"), visitor(size="phone")
    person = house.customer(secrets=(Factor.PASSWORD,))
    password(someone, house, person.username)
    someone.sees(someone.says("Set up a second step"), "36-enrol-second-step")
    someone.press(someone.says("Set up a passkey instead"))
    someone.sees(someone.says("Keep these codes"), "37-recovery-codes-first")
    someone.page.get_by_role("link", name=someone.says("I have kept them")).click()
    expect(someone.page.locator("h1")).to_contain_text("Maria")
    leave(someone)
    someone.page.goto(f"{house.url}/sign-in")
    expect(someone.page.get_by_role("button", name=someone.says("Sign in with a passkey"))).to_be_visible()
    someone.sees(someone.says("Sign in"), "38-sign-in-with-passkey")
    someone.press(someone.says("Sign in with a passkey"))
    expect(someone.page.locator("h1")).to_contain_text("Maria")


def test_who_turns_the_device_down_is_told_and_may_take_another_way(
    houses: Callable[[str], House], visitor: Callable[..., Guest]
) -> None:
    house, someone = houses("hardened"), visitor()
    someone.page.goto(f"{house.url}/sign-in")
    refusing = "() => { navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
    someone.page.evaluate(refusing)
    someone.press(someone.says("Sign in with a passkey"))
    expect(someone.page.get_by_text(someone.says("Nothing was sent. Please try again, or take another way."))).to_be_visible()
    expect(someone.page.get_by_role("button", name=someone.says("Sign in with a passkey"))).to_be_enabled()


def test_without_a_script_everything_but_passkeys_works(houses: Callable[[str], House], chromium: Browser) -> None:
    house = houses("hardened")
    person = house.customer(secrets=(Factor.PASSWORD,))
    with Guest(chromium, cast("Demo", None), javascript=False, size="phone", language="it") as someone:
        page = someone.page
        page.goto(f"{house.url}/sign-in")
        expect(page.get_by_role("button", name=someone.says("Sign in with a passkey"))).to_be_hidden()
        someone.password(person.username, PASSWORD)
        someone.sees(someone.says("Set up a second step"), "39-enrol-app")
        expect(page.get_by_role("button", name=someone.says("Set up a passkey instead"))).to_be_hidden()
        phone = Phone((page.locator("code.key").text_content() or "").replace(" ", ""))
        page.get_by_label(someone.says("Code from your app")).fill(phone.code(house))
        someone.press(someone.says("Continue"))
        someone.sees(someone.says("Keep these codes"), "40-codes-no-script")
        code = page.locator(".codes code").first.text_content() or ""
        page.get_by_role("link", name=someone.says("I have kept them")).click()
        expect(page.locator("h1")).to_contain_text("Maria")
        leave(someone)
        password(someone, house, person.username)
        someone.sees(someone.says("Second step"), "41-app-code")
        page.get_by_role("link", name=someone.says("Use a recovery code instead")).click()
        someone.sees(someone.says("Second step"), "42-recovery-code")
        page.get_by_label(someone.says("Recovery code"), exact=True).fill(code)
        someone.press(someone.says("Continue"))
        expect(page.locator("h1")).to_contain_text("Maria")
        page.goto(f"{house.url}/profile/second-factor/app")
        someone.sees(someone.says("Set up an authenticator app"), "43-app-password")
