"""The end of a session as a portal's pages tell it, at an origin of their own: in every tab, and answered in one for all."""

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import pytest
from playwright.sync_api import Page, Request, expect

from examples import listen
from examples.portal import Settings, create_app
from idp.model import Client
from idp.vault import digest
from tests.browser.guest import Guest
from tests.browser.test_browser_session import brief
from tests.examples.tiny_provider import running
from tests.harness import House, open_house
from tests.people import BILLING, PASSWORD, PIN, SERVICE, Person

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Place:
    """A house, and a portal at another port of the same host: the same site, another origin."""

    house: House
    portal: str

    def end(self, person: Person) -> datetime:
        (session,) = self.house.world.store.sessions.of_account(person.account.id, self.house.clock())
        return session.expires_at


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, secret = f"http://localhost:{port}", secrets.token_urlsafe(32)
    client = Client(
        "portal",
        "Norda My Account",
        ("authorization_code", "refresh_token"),
        (f"{url}/callback",),
        (f"{url}/signed-out",),
        secret_digests=(digest(secret),),
        scope=("openid", "profile", "email", "billing:read", "service:read"),
        resources=(BILLING, SERVICE),
    )
    with ExitStack() as stack:
        house = stack.enter_context(open_house("sqlite", tmp_path_factory.mktemp("portal"), policy=brief, clients=(client,)))
        settings = Settings(house.url, "portal", secret, url, BILLING, SERVICE)
        stack.enter_context(running(listen(create_app(settings), port)))
        yield Place(house, url)


def arrives(someone: Guest, place: Place, person: Person) -> tuple[Page, Page]:
    """Signed in at the portal, in two tabs."""
    someone.page.goto(f"{place.portal}/sign-in")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    second = someone.context.new_page()
    second.goto(place.portal)
    for tab in (someone.page, second):
        expect(tab.locator("h1")).to_have_text(someone.portal("hello", name="Maria"))
    return someone.page, second


def warned(someone: Guest, *tabs: Page) -> None:
    for tab in tabs:
        expect(tab.get_by_role("alertdialog", name=someone.portal("watch"))).to_be_visible()


def calm(*tabs: Page) -> None:
    for tab in tabs:
        expect(tab.locator("dialog.watch")).to_be_hidden()


@pytest.mark.parametrize("how", [{"language": "it", "size": "phone", "scheme": "dark"}])
def test_a09_the_portal_s_tabs_warn_and_one_answer_holds_for_all_and_for_this_house(
    place: Place, visitor: Callable[..., Guest], how: dict[str, str]
) -> None:
    someone, person = visitor(**how), place.house.customer()
    first, second = arrives(someone, place, person)
    ours = someone.context.new_page()
    asked: list[Request] = []
    someone.context.on("request", lambda request: asked.append(request) if request.url.endswith("/session") else None)
    ours.goto(f"{place.house.url}/profile")
    before = place.end(person)
    warned(someone, first, second)
    expect(ours.get_by_role("alertdialog", name=someone.says("You will soon be signed out"))).to_be_visible()
    expect(first.get_by_role("button", name=someone.portal("watch.stay"))).to_be_focused()
    someone.picture("144-portal-warning")
    assert not someone.faults()
    # Tabs that ask every few seconds while they warn keep nobody signed in.
    first.wait_for_timeout(6000)
    assert {request.method for request in asked} == {"GET"}
    assert len(asked) > 3
    assert place.end(person) == before
    first.get_by_role("button", name=someone.portal("watch.stay")).click()
    calm(first, second, ours)
    assert place.end(person) > before
    warned(someone, first, second)
    second.get_by_role("alertdialog").get_by_role("button", name=someone.portal("sign_out")).click()
    for tab in (first, second):
        expect(tab.locator("h1")).to_have_text(someone.portal("signed_out"))
    expect(ours.locator("h1")).to_have_text(someone.says("You have been signed out"))
    assert place.house.world.store.sessions.of_account(person.account.id, place.house.clock()) == []


def test_s04_a_page_of_another_origin_of_this_site_neither_reads_nor_extends(
    place: Place, visitor: Callable[..., Guest]
) -> None:
    someone, person = visitor(), place.house.customer()
    arrives(someone, place, person)
    before = place.end(person)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stranger = create_app(Settings(place.house.url, "portal", "x" * 32, f"http://localhost:{port}", BILLING, SERVICE))
    with running(listen(stranger, port)):
        page = someone.context.new_page()
        tries = """async (url) => {
          const how = [{}, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }];
          return Promise.all(how.map(one => fetch(url, { credentials: "include", ...one }).then(() => "read", () => "kept")));
        }"""
        # A page without a content security policy of its own, which would keep it from asking.
        page.route("**/bare", lambda route: route.fulfill(status=200, content_type="text/html", body="<title>-</title>"))
        page.goto(f"http://localhost:{port}/bare")
        page.wait_for_timeout(3000)
        assert page.evaluate(tries, f"{place.house.url}/session") == ["kept", "kept"]
        # Without a preflight, and unread: sent, and refused.
        blind = "url => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }).catch(() => 0)"
        page.evaluate(blind, f"{place.house.url}/session")
    assert place.end(person) == before
    someone.complaints.clear()


def test_a09_at_the_end_the_portal_asks_once_more_and_signs_out_by_itself(place: Place, visitor: Callable[..., Guest]) -> None:
    someone, person = visitor(), place.house.customer()
    tabs = arrives(someone, place, person)
    warned(someone, *tabs)
    # Last of these tests: the portal's own clock does not move along.
    place.house.clock.move(minutes=2)
    for tab in tabs:
        expect(tab.locator("h1")).to_have_text(someone.portal("signed_out"))
        expect(tab.locator("main")).to_contain_text(someone.portal("signed_out.over"))
    someone.sees(someone.portal("signed_out"), "145-portal-over")
