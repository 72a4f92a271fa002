"""The end of a session in a real browser: told in every tab, put off in one of them for all, and calm when it comes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from idp.policies.policy import Policy
from tests.browser.guest import Guest
from tests.harness import House, open_house
from tests.people import PASSWORD, PIN, Person

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]
DIALOG = "dialog.watch"


def brief(policy: Policy) -> Policy:
    """A session of a minute, of which a person is warned four seconds after it was last used."""
    limits = replace(policy.rate_limits, sign_in="600/minute", change="600/minute")
    rules = replace(policy.session, idle=timedelta(seconds=60), warn_before=timedelta(seconds=56))
    return replace(policy, rate_limits=limits, session=rules)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house("sqlite", tmp_path_factory.mktemp("session"), policy=brief) as opened:
        yield opened


def arrives(someone: Guest, house: House, person: Person) -> None:
    """Signed in, and at the house's own page."""
    someone.page.goto(f"{house.url}/sign-in")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    expect(someone.page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))


def warned(someone: Guest, *tabs: Page) -> None:
    for tab in tabs:
        expect(tab.get_by_role("alertdialog", name=someone.says("You will soon be signed out"))).to_be_visible()


def calm(*tabs: Page) -> None:
    for tab in tabs:
        expect(tab.locator(DIALOG)).to_be_hidden()


@pytest.mark.parametrize("how", [{"language": "it", "size": "phone", "scheme": "dark"}])
def test_a09_the_warning_comes_in_every_tab_and_one_answer_closes_all(
    portal: House, visitor: Callable[..., Guest], how: dict[str, str]
) -> None:
    someone, person = visitor(**how), portal.customer()
    arrives(someone, portal, person)
    first, second = someone.page, someone.context.new_page()
    second.goto(f"{portal.url}/profile")
    warned(someone, first, second)
    stays, out = someone.says("Stay signed in"), someone.says("Sign out")
    expect(first.get_by_role("button", name=stays)).to_be_focused()
    expect(first.locator("#until")).to_be_hidden()
    someone.picture("140-warning")
    assert not someone.faults()
    before = portal.world.store.sessions.of_account(person.account.id, portal.clock())[0].expires_at
    second.get_by_role("button", name=stays).click()
    calm(first, second)
    after = portal.world.store.sessions.of_account(person.account.id, portal.clock())[0].expires_at
    assert after > before
    # Escape is a sign of life too.
    warned(someone, first, second)
    first.keyboard.press("Escape")
    calm(first, second)
    warned(someone, first, second)
    first.get_by_role("alertdialog").get_by_role("button", name=out).click()
    expect(first.locator("h1")).to_have_text(someone.says("You are signed out"))
    expect(second.locator("h1")).to_have_text(someone.says("You have been signed out"))
    someone.page = second
    someone.stands(someone.says("You have been signed out"), "141-over")


def test_a09_at_the_end_the_page_goes_to_a_calm_one_by_itself(portal: House, visitor: Callable[..., Guest]) -> None:
    someone, person = visitor(), portal.customer()
    arrives(someone, portal, person)
    warned(someone, someone.page)
    portal.clock.move(minutes=2)
    # As when somebody comes back to the tab: the house is asked, not the page's own clock.
    someone.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    someone.stands(someone.says("You have been signed out"))
    someone.goes(someone.says("Sign in again"))
    someone.stands(someone.says("Sign in"))


def test_c07_the_places_where_one_is_signed_in(portal: House, visitor: Callable[..., Guest]) -> None:
    someone, person = visitor(size="phone"), portal.customer()
    there = person.elsewhere()
    there.sign_in()
    arrives(someone, portal, person)
    someone.page.goto(f"{portal.url}/profile/sessions")
    someone.stands(someone.says("Where you are signed in"), "142-places")
    someone.page.get_by_role("button", name="End: Chrome").click()
    expect(someone.page.locator(".good")).to_have_text(someone.says("That browser is signed out."))
    assert not there.signed_in()


def test_a14_without_javascript_each_page_says_when_the_session_ends(portal: House, visitor: Callable[..., Guest]) -> None:
    someone, person = visitor(javascript=False), portal.customer()
    arrives(someone, portal, person)
    expect(someone.page.locator("main")).to_contain_text("If you do nothing here, you will be signed out at this time:")
    calm(someone.page)
    someone.goes(someone.says("My Profile"))
    someone.goes(someone.says("Where you are signed in"))
    someone.press(someone.says("Sign out everywhere"))
    someone.stands(someone.says("You are signed out"), "143-everywhere")


def test_a09_the_longest_time_is_told_as_such_and_cannot_be_put_off(
    tmp_path_factory: pytest.TempPathFactory, visitor: Callable[..., Guest]
) -> None:
    def strict(policy: Policy) -> Policy:
        known = brief(policy)
        return replace(known, session=replace(known.session, absolute=timedelta(seconds=50)))

    with open_house("sqlite", tmp_path_factory.mktemp("longest"), policy=strict) as house:
        someone, person = visitor(), house.customer()
        page = someone.page
        page.goto(f"{house.url}/sign-in")
        someone.password(person.username, PASSWORD)
        someone.pin(PIN)
        warned(someone, page)
        expect(page.get_by_role("button", name=someone.says("Stay signed in"))).to_have_count(0)
        assert not someone.faults()
        page.get_by_role("button", name=someone.says("I understand")).click()
        calm(page)
        house.clock.move(minutes=1)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        someone.stands(someone.says("You have been signed out"))
