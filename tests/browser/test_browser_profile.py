"""My Profile in a real browser: every guided change, the alarm that takes one back, and the second step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import expect

from idp.policies.policy import Policy
from tests.alarms import code_of, letters_to
from tests.browser.guest import Guest
from tests.gateways import open_gateway
from tests.harness import House, open_house
from tests.people import ANSWER, NEW_PASSWORD, NEW_PIN, PASSWORD, PIN, Person
from tests.second_factor.phones import Phone

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]
WAYS: list[dict[str, Any]] = [{"language": "en", "size": "desktop"}, {"language": "it", "size": "phone"}]
OTHERS = [WAYS[0] | {"size": "phone", "scheme": "dark"}, WAYS[1] | {"size": "desktop"}]
both = pytest.mark.parametrize("how", WAYS, ids=["en", "it"])
others = pytest.mark.parametrize("how", OTHERS, ids=["en-dark", "it"])


def roomy(policy: Policy) -> Policy:
    """As shipped, with room for many people at one address."""
    limits = replace(policy.rate_limits, recovery="600/minute", sign_in="600/minute", change="600/minute")
    return replace(policy, rate_limits=limits)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with a gateway for text messages."""
    folder = tmp_path_factory.mktemp("profile")
    with open_gateway() as gateway, open_house("sqlite", folder, policy=roomy, environ=gateway.environ) as opened:
        yield opened


def arrives(someone: Guest, house: House, person: Person) -> None:
    """Signed in, and at the page of one's own."""
    someone.page.goto(f"{house.url}/sign-in")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    someone.goes(someone.says("My Profile"))
    expect(someone.page.locator("h1")).to_have_text(someone.says("My Profile"))


def opens(someone: Guest, label: str) -> None:
    """From My Profile to one change, by the link's full name."""
    someone.goes(someone.says(label))


def told(someone: Guest, news: str) -> None:
    """Back at My Profile, with the good news."""
    expect(someone.page.locator(".good")).to_have_text(someone.says(news))
    someone.stands(someone.says("My Profile"))


@both
def test_a07_password_pin_and_question_are_changed_in_guided_dialogs(
    portal: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), portal.customer()
    arrives(someone, portal, person)
    someone.stands(someone.says("My Profile"), "100-profile")
    opens(someone, "Change your password")
    heading, save = someone.says("Change your password"), someone.says("Save password")
    someone.stands(heading, "101-password", focus="current")
    someone.sends(save, current="not my password", password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    someone.stands(heading, "102-password-wrong", focus="current", wrong=True)
    someone.sends(save, current=PASSWORD, password=PASSWORD, password_again=PASSWORD)
    someone.stands(heading, focus="password", wrong=True)
    someone.sends(save, current=PASSWORD, password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    told(someone, "Your new password counts from now on.")
    opens(someone, "Change your PIN")
    heading, save = someone.says("Change your PIN"), someone.says("Save PIN")
    someone.stands(heading, "103-pin", focus="current")
    someone.sends(save, current=PIN, pin="123456", pin_again="123456")
    someone.stands(heading, "104-pin-weak", focus="pin", wrong=True)
    someone.sends(save, current=PIN, pin=NEW_PIN, pin_again=NEW_PIN)
    told(someone, "Your new PIN counts from now on.")
    opens(someone, "Change your security question")
    heading, save = someone.says("Change your security question"), someone.says("Save answer")
    someone.stands(heading, "105-question", focus="current")
    someone.sends(save, current=NEW_PASSWORD, answer="Trieste")
    someone.stands(heading, "106-question-none", focus="question", wrong=True)
    someone.page.locator("#question").select_option("first_trip")
    someone.sends(save, current=NEW_PASSWORD, answer="Trieste")
    told(someone, "Your new security question counts from now on.")
    someone.goes(someone.says("Back"))
    expect(someone.page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))


@others
def test_d08_d06_an_address_and_a_number_count_after_their_codes(
    portal: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), portal.customer()
    page, email = someone.page, f"new.{person.username}@example.com"
    arrives(someone, portal, person)
    opens(someone, "Change your email address")
    heading, send = someone.says("Change your email address"), someone.says("Send the code")
    someone.stands(heading, "110-email", focus="current")
    someone.sends(send, current=PASSWORD, email="maria at example")
    someone.stands(heading, "111-email-form", focus="email", wrong=True)
    someone.sends(send, current=PASSWORD, email=email)
    heading = someone.says("Confirm your new email address")
    someone.stands(heading, "112-email-code", focus="code")
    code = letters_to(portal, email, "confirm_address")[-1]["code"]
    someone.sends(someone.says("Confirm"), code="".join(str(9 - int(digit)) for digit in code))
    someone.stands(heading, "113-email-code-wrong", focus="code", wrong=True)
    someone.sends(someone.says("Confirm"), code=code)
    told(someone, "Our letters go to your new address from now on.")
    expect(page.locator("main")).to_contain_text(email)
    opens(someone, "Add a mobile number")
    heading = someone.says("Add a mobile number")
    someone.stands(heading, "114-mobile", focus="current")
    someone.sends(send, current=PASSWORD, mobile="12")
    someone.stands(heading, "115-mobile-form", focus="mobile", wrong=True)
    number = f"+39347{portal.vault.digits(7)}"
    someone.sends(send, current=PASSWORD, mobile=number)
    someone.stands(someone.says("Confirm your new mobile number"), "116-mobile-code", focus="code")
    someone.sends(someone.says("Confirm"), code=letters_to(portal, number, "confirm_address")[-1]["code"])
    told(someone, "Our text messages go to your new number from now on.")
    opens(someone, "Change your mobile number")
    someone.goes(someone.says("Remove your mobile number"))
    someone.stands(someone.says("Remove your mobile number"), "117-mobile-remove", focus="current")
    someone.sends(someone.says("Remove the number"), current="not my password")
    someone.stands(someone.says("Remove your mobile number"), focus="current", wrong=True)
    someone.sends(someone.says("Remove the number"), current=PASSWORD)
    told(someone, "Your mobile number is removed.")


@both
def test_d08_this_was_not_me_freezes_and_recovery_gives_it_back(
    portal: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), portal.customer(locale=how["language"])
    thief, stolen = person.elsewhere(), "the thief's own one"
    thief.sign_in()
    thief.fill(thief.open("/profile/password"), current=PASSWORD, password=stolen, password_again=stolen)
    assert thief.signed_in()
    link = f"{portal.url}/not-me?code={code_of(letters_to(portal, person.account.email, 'changed')[-1])}"
    someone.page.goto(link)
    someone.stands(someone.says("Was this not you?"), "120-not-me")
    someone.press(someone.says("Freeze my access"))
    someone.stands(someone.says("Your access is frozen"), "121-frozen")
    assert not thief.signed_in()
    someone.page.goto(link)
    someone.stands(someone.says("This link does not work any more"), "122-not-me-used")
    someone.goes(someone.says("Choose a new password"))
    someone.sends(someone.says("Continue"), username=person.username, email=person.account.email)
    someone.sends(someone.says("Continue"), answer=ANSWER)
    someone.press(someone.says("Continue to sign-in"))
    someone.password(person.username, letters_to(portal, person.account.email, "temporary_password")[-1]["password"])
    someone.sends(someone.says("Save password"), password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    expect(someone.page.locator(".good")).to_be_visible()
    someone.password(person.username, NEW_PASSWORD)
    someone.pin(PIN)
    expect(someone.page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))


@others
def test_an_authenticator_app_is_set_up_and_asked_for_and_a_recovery_code_stands_in(
    portal: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), portal.customer()
    page = someone.page
    arrives(someone, portal, person)
    opens(someone, "Set up your second step")
    someone.stands(someone.says("Second step"))
    opens(someone, "Set up an authenticator app")
    heading = someone.says("Set up an authenticator app")
    someone.sends(someone.says("Continue"), current="not my password")
    someone.stands(heading, "130-app-password-wrong", focus="current", wrong=True)
    someone.sends(someone.says("Continue"), current=PASSWORD)
    expect(page.locator("code.key")).to_be_attached()
    phone = Phone((page.locator("code.key").text_content() or "").replace(" ", ""))
    someone.stands(heading, "131-app")
    someone.sends(someone.says("Continue"), code=phone.wrong_code(portal))
    someone.stands(heading, "132-app-wrong", focus="code", wrong=True)
    someone.sends(someone.says("Continue"), code=phone.code(portal))
    someone.stands(someone.says("Keep these codes"), "133-codes")
    recovery_code = page.locator(".codes code").first.text_content() or ""
    someone.goes(someone.says("I have kept them"))
    expect(page.locator(".good")).to_have_text(someone.says("Your authenticator app is set up."))
    someone.stands(someone.says("Second step"), "134-second-step")
    signs_in_up_to_the_second_step(someone, portal, person)
    someone.stands(someone.says("Second step"), "135-app-code", focus="code")
    someone.sends(someone.says("Continue"), code=phone.wrong_code(portal))
    someone.stands(someone.says("Second step"), "136-app-code-wrong", focus="code", wrong=True)
    someone.sends(someone.says("Continue"), code=phone.next_code(portal))
    expect(page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))
    signs_in_up_to_the_second_step(someone, portal, person)
    someone.goes(someone.says("Use a recovery code instead"))
    someone.stands(someone.says("Second step"), "137-recovery-code", focus="code")
    someone.sends(someone.says("Continue"), code=recovery_code.lower())
    expect(page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))


def signs_in_up_to_the_second_step(someone: Guest, house: House, person: Person) -> None:
    someone.context.clear_cookies()
    someone.page.goto(f"{house.url}/sign-in")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    expect(someone.page.locator("#code")).to_be_visible()
