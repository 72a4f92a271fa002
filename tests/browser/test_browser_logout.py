"""Signing out in a real browser: clients that it went to are told through it, and then it goes on where they asked."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import expect
from werkzeug.wrappers import Response as Answered

from examples import listen
from idp.model import Client
from tests.browser.guest import Guest
from tests.examples.tiny_provider import running
from tests.harness import House, open_house
from tests.people import PASSWORD, PIN, challenge

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"


@dataclass
class Party:
    """A client at another port of the same host: what its browsers were told through the page at the end."""

    url: str = ""
    told: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask("party")
        # The person is here: a visit like any other, with a cookie of the party's.
        app.add_url_rule("/cb", "callback", self._here)
        app.add_url_rule("/over", "over", self._over)
        app.add_url_rule("/bye", "bye", lambda: "<!doctype html><title>Bye</title><h1>Bye</h1>")
        app.add_url_rule("/favicon.ico", "favicon", lambda: ("", 204))
        return app

    def _here(self) -> Answered:
        answer = redirect("/bye")
        answer.set_cookie("party", "anna")
        return answer

    def _over(self) -> Response:
        self.told.append({**request.args, "cookie": request.cookies.get("party")})
        return Response("<!doctype html><title>Over</title>")

    def client(self) -> Client:
        return Client(
            "party",
            "Garden club",
            redirect_uris=(f"{self.url}/cb",),
            post_logout_redirect_uris=(f"{self.url}/bye",),
            auth_method="none",
            scope=("openid",),
            frontchannel_logout_uri=f"{self.url}/over?from=idp",
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Party]]:
    with ExitStack() as stack:
        party = Party()
        party.url = stack.enter_context(running(listen(party.app(), 0)))
        yield stack.enter_context(open_house("sqlite", tmp_path_factory.mktemp("logout"), clients=(party.client(),))), party


@pytest.mark.parametrize(
    "how",
    [
        {"language": "en", "size": "desktop", "javascript": True},
        {"language": "it", "size": "phone", "javascript": True},
        {"language": "en", "size": "desktop", "javascript": False, "scheme": "dark"},
        {"language": "it", "size": "phone", "javascript": False},
    ],
)
def test_the_client_is_told_in_the_browser_and_the_person_gets_back_to_it(
    visitor: Callable[..., Guest], place: tuple[House, Party], how: dict[str, Any]
) -> None:
    (house, party), someone = place, visitor(**how)
    party.told.clear()
    person = house.customer()
    asked = {
        "response_type": "code",
        "client_id": "party",
        "redirect_uri": f"{party.url}/cb",
        "scope": "openid",
        "state": "s",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    someone.page.goto(f"{house.url}/authorize?{urlencode(asked)}")
    someone.password(person.username, PASSWORD)
    someone.pin(PIN)
    expect(someone.page.locator("h1")).to_have_text("Bye")
    (session,) = house.world.store.sessions.of_account(person.account.id, house.clock())
    wish = {"client_id": "party", "post_logout_redirect_uri": f"{party.url}/bye", "state": "a&b"}
    someone.page.goto(f"{house.url}/logout?{urlencode(wish)}")
    with someone.page.expect_response(f"{house.url}/logout/confirm") as answered:
        someone.press(someone.says("Sign out"))
    policy = answered.value.headers["content-security-policy"].split("; ")
    assert [part for part in policy if part.startswith("frame-src")] == [f"frame-src {party.url}"]
    if not how["javascript"]:
        someone.stands(someone.says("You are signed out"), "33-signed-out-onward")
        someone.goes(someone.says("Back to %(client)s", client="Garden club"))
    expect(someone.page.locator("h1")).to_have_text("Bye")
    assert parse_qs(urlsplit(someone.page.url).query) == {"state": ["a&b"]}
    assert party.told == [{"from": "idp", "iss": house.url, "sid": session.public_id, "cookie": "anna"}]
