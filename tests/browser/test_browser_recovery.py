"""Something forgotten, in a real browser: every page of every way back, in both languages, judged by axe as it is walked."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import expect

from idp.model import Factor
from idp.policies.policy import Policy
from tests.browser.guest import Guest
from tests.harness import House, open_house
from tests.people import ANSWER, NEW_PASSWORD, NEW_PIN, PASSWORD, PIN, Person

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]
WAYS: list[dict[str, Any]] = [{"language": "en", "size": "desktop"}, {"language": "it", "size": "phone"}]
DARK = [WAYS[0] | {"size": "phone"}, WAYS[1] | {"size": "desktop", "scheme": "dark"}]
both = pytest.mark.parametrize("how", WAYS, ids=["en", "it"])
dark = pytest.mark.parametrize("how", DARK, ids=["en", "it-dark"])
FORGOTTEN = "Forgotten your username or password?"


def account(policy: Policy) -> Policy:
    """As shipped, with the form for both forgotten open, and room for many askers at one address."""
    recovery = policy.recovery
    both_lost = replace(recovery.username_and_password, enabled=True)
    limits = replace(policy.rate_limits, recovery="600/minute", sign_in="600/minute")
    return replace(policy, recovery=replace(recovery, username_and_password=both_lost), rate_limits=limits)


def shop(policy: Policy) -> Policy:
    """A web shop: a password alone signs in; forgotten, the address brings a code, and whoever enters it is signed in."""
    recovery = policy.recovery
    by_email = replace(recovery.password, identify_by=("email",), prove_by=("answer", "email_code"), then="choose_new")
    closed = {name: replace(getattr(recovery, name), enabled=False) for name in ("username", "pin")}
    return replace(
        policy,
        pin=replace(policy.pin, enabled=False),
        registration=replace(policy.registration, enrolment=("password",)),
        step_up=replace(policy.step_up, sign_in="pwd"),
        recovery=replace(recovery, **closed, password=by_email, answer_needs_mailbox=False, sign_in_after=True, code_length=4),
    )


@pytest.fixture(scope="module")
def business(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house("sqlite", tmp_path_factory.mktemp("business"), policy=account) as opened:
        yield opened


@pytest.fixture(scope="module")
def web_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house("sqlite", tmp_path_factory.mktemp("shop"), policy=shop) as opened:
        yield opened


def letter(house: House, person: Person, template: str) -> dict[str, Any]:
    """What the last letter of that name says; it is there before the page that announces it."""
    (_, context) = house.letters(person.account, template)[-1]
    return context


def forgets(someone: Guest, house: House, what: str) -> None:
    """From the sign-in page to the form for what was forgotten."""
    someone.page.goto(f"{house.url}/sign-in")
    someone.goes(someone.says(FORGOTTEN))
    expect(someone.page.locator("h1")).to_have_text(someone.says("What have you forgotten?"))
    someone.goes(someone.says(what))


def answers(someone: Guest, name: str = "") -> None:
    """The page of the question: a wrong answer first, then the right one."""
    heading = someone.says("Your security question")
    someone.stands(heading, name, focus="answer")
    someone.sends(someone.says("Continue"), answer="the wrong one")
    someone.stands(heading, name and f"{name}-wrong", focus="answer", wrong=True)
    someone.sends(someone.says("Continue"), answer=ANSWER)


def replaces_temporary(someone: Guest, person: Person, temporary: str, name: str = "") -> None:
    """From the letter's temporary password to a password of one's own."""
    heading = someone.says("Choose a new password")
    someone.password(person.username, temporary)
    someone.stands(heading, name, focus="password")
    assert someone.page.locator("#username").input_value() == person.username
    someone.sends(someone.says("Save password"), password=NEW_PASSWORD, password_again="another one")
    someone.stands(heading, name and f"{name}-mismatch", wrong=True)
    someone.sends(someone.says("Save password"), password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    signs_in_anew(someone, person, name)


def signs_in_anew(someone: Guest, person: Person, name: str = "") -> None:
    """What was chosen is good news at the sign-in page; then the PIN, as ever, and home."""
    expect(someone.page.locator(".good")).to_have_text(someone.says("Your new password is saved. Sign in with it now."))
    someone.stands(someone.says("Sign in"), name and f"{name}-saved", focus="password")
    someone.password(person.username, NEW_PASSWORD)
    someone.pin(PIN)
    at_home(someone)


def at_home(someone: Guest) -> None:
    expect(someone.page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))


@both
def test_a04_a_forgotten_username_comes_by_letter(business: House, visitor: Callable[..., Guest], how: dict[str, Any]) -> None:
    someone, person = visitor(**how), business.customer()
    someone.page.goto(f"{business.url}/sign-in")
    someone.goes(someone.says(FORGOTTEN))
    someone.stands(someone.says("What have you forgotten?"), "70-recover")
    someone.goes(someone.says("My username"))
    heading = someone.says("Forgotten your username?")
    someone.stands(heading, "71-username", focus="name")
    someone.sends(someone.says("Send my username"), name="Rossi, MARIA", email=person.account.email)
    someone.stands(heading, "72-username-box", focus="password", wrong=True)
    assert someone.page.locator("#email").input_value() == person.account.email
    someone.page.get_by_label(someone.says("I can't remember my password")).check()
    someone.press(someone.says("Send my username"))
    someone.stands(someone.says("Check your mailbox"), "73-username-sent")
    assert letter(business, person, "username_reminder")["username"] == person.username
    someone.press(someone.says("Continue to sign-in"))
    expect(someone.page.locator("#username")).to_be_focused()


def new_password_by_letter(someone: Guest, house: House, person: Person, *, closely: bool = False) -> None:
    """A forgotten password, from the sign-in page to one's own page; each page looked at ``closely``, or only walked."""

    def name(page: str) -> str:
        return page if closely else ""

    forgets(someone, house, "My password")
    heading = someone.says("Forgotten your password?")
    someone.stands(heading, name("74-password"), focus="username")
    if closely:
        someone.sends(someone.says("Continue"), username=person.username, email="")
        someone.stands(heading, "75-password-empty", focus="email", wrong=True)
    someone.sends(someone.says("Continue"), username=person.username, email=person.account.email)
    answers(someone, name("76-password-answer"))
    someone.stands(someone.says("Check your mailbox"), name("77-password-sent"))
    someone.press(someone.says("Continue to sign-in"))
    temporary = letter(house, person, "temporary_password")["password"]
    replaces_temporary(someone, person, temporary, name("78-password-new"))


@both
def test_a05_a_forgotten_password_answer_letter_new_password_pin(
    business: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    person = business.customer()
    new_password_by_letter(visitor(**how), business, person, closely=True)


LOCKED = [WAYS[0] | {"scheme": "dark"}, WAYS[1] | {"javascript": False}]


@pytest.mark.parametrize("how", LOCKED, ids=["en-dark", "it-without-script"])
def test_a08_the_same_while_the_username_is_locked(business: House, visitor: Callable[..., Guest], how: dict[str, Any]) -> None:
    someone, person = visitor(**how), business.customer()
    stranger = person.elsewhere()
    for _ in range(5):
        stranger.try_password()
    someone.page.goto(f"{business.url}/sign-in")
    someone.password(person.username, PASSWORD)
    # Nobody is told that it is locked, which would tell who has an account; the way to a new password stands beside it.
    someone.stands(someone.says("Sign in"), "79-locked", focus="password", wrong=True)
    expect(someone.page.get_by_role("link", name=someone.says(FORGOTTEN))).to_be_visible()
    new_password_by_letter(someone, business, person)


@dark
def test_a06_a_forgotten_pin_comes_by_letter_and_is_replaced(
    business: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), business.customer()
    someone.page.goto(f"{business.url}/sign-in")
    someone.password(person.username, PASSWORD)
    someone.stands(someone.says("Your PIN"), focus="pin")
    someone.press(someone.says("Forgotten your PIN?"))
    expect(someone.page.locator("#answer")).to_be_focused()
    someone.press(someone.says("Back to your PIN"))
    someone.press(someone.says("Forgotten your PIN?"))
    answers(someone)
    someone.stands(someone.says("Your PIN"), "82-pin-sent", focus="pin")
    expect(someone.page.locator(".good")).to_be_visible()
    someone.sends(someone.says("Continue"), pin="000000")
    someone.stands(someone.says("Your PIN"), focus="pin", wrong=True)
    someone.pin(letter(business, person, "new_pin")["pin"])
    heading = someone.says("Choose a new PIN")
    someone.stands(heading, "84-pin-new", focus="pin")
    someone.sends(someone.says("Save PIN"), pin="123456", pin_again="123456")
    someone.stands(heading, "85-pin-weak", focus="pin", wrong=True)
    someone.sends(someone.says("Save PIN"), pin=NEW_PIN, pin_again=NEW_PIN)
    at_home(someone)


@both
def test_d05_username_and_password_forgotten_on_one_page(
    business: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), business.customer()
    forgets(someone, business, "My username and my password")
    heading = someone.says("Forgotten your username and password?")
    someone.stands(heading, "86-both", focus="name")
    someone.sends(someone.says("Continue"), name="", email=person.account.email)
    someone.stands(heading, "87-both-empty", focus="name", wrong=True)
    someone.fills(name=person.account.full_name)
    someone.press(someone.says("Continue"))
    someone.sends(someone.says("Continue"), answer=ANSWER)
    someone.stands(someone.says("Check your mailbox"), "88-both-sent")
    told = letter(business, person, "temporary_password")
    assert told["username"] == person.username
    someone.press(someone.says("Continue to sign-in"))
    replaces_temporary(someone, person, told["password"])


@dark
def test_e03_an_address_brings_a_code_that_is_entered_with_the_new_password(
    web_shop: House, visitor: Callable[..., Guest], how: dict[str, Any]
) -> None:
    someone, person = visitor(**how), web_shop.customer(secrets=(Factor.PASSWORD,))
    someone.page.goto(f"{web_shop.url}/sign-in")
    someone.goes(someone.says("Forgotten your password?"))
    someone.stands(someone.says("Forgotten your password?"), "89-by-email", focus="email")
    someone.sends(someone.says("Continue"), email="")
    someone.stands(someone.says("Forgotten your password?"), "90-by-email-empty", focus="email", wrong=True)
    someone.sends(someone.says("Continue"), email=person.account.email)
    heading = someone.says("Choose a new password")
    someone.stands(heading, "91-code", focus="code")
    code = web_shop.code(person)
    wrong = "".join(str(9 - int(digit)) for digit in code)
    chosen = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    someone.sends(someone.says("Save password"), code=wrong, **chosen)
    someone.stands(heading, "92-code-wrong", focus="code", wrong=True)
    someone.sends(someone.says("Save password"), code=code, password=NEW_PASSWORD, password_again="another one")
    someone.stands(heading, "93-code-mismatch", focus="password_again", wrong=True)
    someone.sends(someone.says("Save password"), code=code, **chosen)
    at_home(someone)


def test_e03_the_keyboard_alone_is_enough(web_shop: House, visitor: Callable[..., Guest]) -> None:
    someone, person = visitor(), web_shop.customer(secrets=(Factor.PASSWORD, Factor.ANSWER))
    page, keys = someone.page, someone.page.keyboard
    page.goto(f"{web_shop.url}/sign-in")
    expect(page.locator("#username")).to_be_focused()
    way = page.get_by_role("link", name="Forgotten your password?")
    for _ in range(6):
        keys.press("Tab")
        if way.evaluate("one => one === document.activeElement"):
            break
    keys.press("Enter")
    expect(page.locator("#email")).to_be_focused()
    keys.type(person.account.email)
    keys.press("Enter")
    expect(page.locator("#answer")).to_be_focused()
    keys.type("not this")
    keys.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#answer")).to_be_focused()
    keys.type(ANSWER)
    keys.press("Enter")
    expect(page.locator("#password")).to_be_focused()
    someone.stands("Choose a new password", "94-answered", focus="password")
    keys.type(NEW_PASSWORD)
    # Past the button that shows it.
    keys.press("Tab")
    keys.press("Tab")
    expect(page.locator("#password_again")).to_be_focused()
    keys.type(NEW_PASSWORD)
    keys.press("Enter")
    at_home(someone)


def test_d10_the_language_changes_on_the_way_and_every_page_has_a_way_back(
    business: House, visitor: Callable[..., Guest]
) -> None:
    someone, person = visitor(), business.customer()
    page = someone.page
    page.goto(f"{business.url}/sign-in")
    someone.goes(FORGOTTEN)
    speaks(someone, "it", "What have you forgotten?")
    someone.goes(someone.says("My password"))
    speaks(someone, "en", "Forgotten your password?")
    someone.goes("Forgotten your username?")
    someone.goes("Forgotten your password?")
    someone.fills(username=person.username, email=person.account.email)
    someone.press("Continue")
    expect(page.locator("h1")).to_have_text("Your security question")
    speaks(someone, "it", "Your security question")
    someone.sends(someone.says("Continue"), answer="the wrong one")
    expect(page.get_by_role("alert")).to_be_visible()
    speaks(someone, "en", "Your security question")
    someone.press("Back to sign-in")
    expect(page.locator("h1")).to_have_text("Sign in")
    someone.goes(FORGOTTEN)
    someone.goes("Back to sign-in")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    at_home(someone)


def speaks(someone: Guest, language: str, heading: str) -> None:
    """Change the language by the page's own link: the same page in the other."""
    someone.page.get_by_role("link", name={"en": "English", "it": "Italiano"}[language], exact=True).click()
    someone.language = language
    expect(someone.page.locator("h1")).to_have_text(someone.says(heading))
    assert someone.page.locator("html").get_attribute("lang") == language
