"""The portal, from sign-in to sign-out, against a provider in miniature and both real backends."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from werkzeug.serving import BaseWSGIServer

from examples import billing, listen, portal, service
from examples.portal.texts import TEXTS
from tests.examples.tiny_provider import TinyProvider


@pytest.fixture
def settings(start: Callable[[BaseWSGIServer], str], provider: TinyProvider) -> portal.Settings:
    servers = {}
    for name, example in (("billing", billing), ("service", service)):
        server = listen(example.create_app(), 0)
        address = f"http://localhost:{server.port}"
        server.app = example.create_app(provider.issuer, address)
        servers[name] = start(server)
    return portal.Settings(provider.issuer, "portal", "s:cret/%", "", servers["billing"], servers["service"])


@pytest.fixture
def browser(start: Callable[[BaseWSGIServer], str], settings: portal.Settings) -> Iterator[httpx.Client]:
    server = listen(portal.create_app(), 0)
    url = f"http://localhost:{server.port}"
    server.app = portal.create_app(portal.Settings(**{**vars(settings), "url": url}))
    start(server)
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        yield client


def csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


def test_a_visit(browser: httpx.Client, provider: TinyProvider, settings: portal.Settings) -> None:
    assert "Sign in to My Norda" in browser.get("/").text
    before = browser.get("/sign-in", follow_redirects=False).cookies["portal_session"]
    page = browser.get("/sign-in")
    assert "Hello, Anna" in page.text
    assert "Due on" in page.text
    assert "F-20931" in page.text
    asked = provider.requests[0]
    assert asked["resource"] == [settings.billing, settings.service]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["ui_locales"] == ["en"]
    exchange, refresh = provider.requests[1:]
    assert (exchange["grant_type"], exchange["resource"]) == ("authorization_code", settings.billing)
    assert (refresh["grant_type"], refresh["resource"]) == ("refresh_token", settings.service)
    assert exchange["client"] == "portal:s%3Acret%2F%25"
    assert browser.cookies["portal_session"] != before
    assert "eyJ" not in page.text + str(page.headers) + str(browser.cookies)
    assert browser.get("/").status_code == 200
    assert len(provider.requests) == 3


def test_the_billing_token_is_refused_by_service(browser: httpx.Client) -> None:
    page = browser.get("/sign-in")
    assert browser.post("/try-the-wrong-backend", data={"csrf": "x"}).status_code == 400
    page = browser.post("/try-the-wrong-backend", data={"csrf": csrf(page)})
    assert "Refused, as it should be: service answered 401 invalid_token" in page.text


def test_at_the_end_of_the_provider_s_session_the_portal_makes_sure_and_signs_out(browser: httpx.Client) -> None:
    assert "Your session has ended" in browser.get("/still-there").text
    page = browser.get("/sign-in")
    dialog = re.search(r"<dialog[^>]*>", page.text)
    assert dialog
    assert 'data-over="/still-there"' in dialog[0]
    asked = browser.get("/still-there", follow_redirects=False).headers["Location"]
    query = parse_qs(urlsplit(asked).query)
    assert query["prompt"] == ["none"]
    provider = f"{urlsplit(asked).scheme}://{urlsplit(asked).netloc}"
    assert f"script-src {provider}; connect-src {provider}" in page.headers["Content-Security-Policy"]
    answer = {"error": "login_required", "state": query["state"][0], "iss": provider}
    assert "Your session has ended" in browser.get("/callback", params=answer).text
    assert "Sign in to My Norda" in browser.get("/").text
    # As another tab would hear it a moment later.
    assert "Your session has ended" in browser.get("/callback", params=answer).text


def test_asked_while_still_signed_in_the_portal_goes_on(browser: httpx.Client) -> None:
    browser.get("/sign-in")
    assert "Hello, Anna" in browser.get("/still-there").text


LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def tell(browser: httpx.Client, provider: TinyProvider, **changes: Any) -> httpx.Response:
    """The provider says, in the background, that a session is over."""
    token = {"aud": "portal", "sub": "u1", "sid": "s1", "events": LOGOUT, "client_id": None, **changes}
    made = provider.token(token.pop("aud"), {"typ": token.pop("typ", "logout+jwt")}, token.pop("key", None), **token)
    return httpx.post(browser.base_url.join("/backchannel-logout"), data={"logout_token": made})


@pytest.mark.parametrize(("changes", "gone"), [({}, True), ({"sid": "s2"}, False), ({"sid": None}, True)])
def test_told_that_a_session_is_over_the_portal_s_ends_with_it(
    browser: httpx.Client, provider: TinyProvider, changes: dict[str, Any], gone: bool
) -> None:
    provider.id_token = {"sid": "s1"}
    assert "Hello, Anna" in browser.get("/sign-in").text
    assert tell(browser, provider, **changes).status_code == 200
    assert ("Sign in to My Norda" if gone else "Hello, Anna") in browser.get("/").text


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"aud": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"jti": None},
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"sub": None, "sid": None},
        {"key": ECKey.generate_key("P-256", {"kid": "first"})},
    ],
)
def test_what_is_no_logout_token_ends_nothing(browser: httpx.Client, provider: TinyProvider, changes: dict[str, Any]) -> None:
    provider.id_token = {"sid": "s1"}
    browser.get("/sign-in")
    answer = tell(browser, provider, **changes)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert "Hello, Anna" in browser.get("/").text


def test_signing_out(browser: httpx.Client, provider: TinyProvider) -> None:
    page = browser.get("/sign-in")
    assert browser.post("/sign-out").status_code == 400
    answer = browser.post("/sign-out", data={"csrf": csrf(page)}, follow_redirects=False)
    target = urlsplit(answer.headers["Location"])
    query = parse_qs(target.query)
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{provider.issuer}/logout"
    assert query["id_token_hint"][0].count(".") == 2
    assert query["post_logout_redirect_uri"] == [f"{str(browser.base_url).rstrip('/')}/signed-out"]
    assert provider.requests[-1]["token"] == provider.refresh_token
    assert "at the identity service has ended" in browser.get("/signed-out", params={"state": query["state"][0]}).text
    assert "No one is signed in" in browser.get("/signed-out", params={"state": "ünknown"}).text
    assert "Sign in to My Norda" in browser.get("/").text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"iss": "https://evil.example"}, "didn&#39;t come from our sign-in service"),
        ({"iss": None}, "didn&#39;t come from our sign-in service"),
        ({"state": "foreign"}, "started in another window"),
        ({"error": "access_denied", "code": None}, "was cancelled"),
        ({"error": "%3Cscript%3E", "code": None}, "&lt;script&gt;"),
    ],
)
def test_answers_that_sign_nobody_in(
    browser: httpx.Client, provider: TinyProvider, answer: dict[str, str | None], words: str
) -> None:
    provider.callback = answer
    page = browser.get("/sign-in")
    assert page.status_code == 400
    assert words in page.text
    assert [request for request in provider.requests if "grant_type" in request] == []


@pytest.mark.parametrize(
    "wrong", [{"nonce": "other"}, {"aud": "another"}, {"aud": ["portal", "x"]}, {"iss": "https://x"}, {"exp": 1}]
)
def test_a_wrong_id_token_signs_nobody_in(browser: httpx.Client, provider: TinyProvider, wrong: dict[str, object]) -> None:
    provider.id_token = wrong
    assert browser.get("/sign-in").status_code == 400
    assert "Sign in to My Norda" in browser.get("/").text


def test_a_code_is_not_redeemed_twice(browser: httpx.Client) -> None:
    page = browser.get("/sign-in")
    callback = page.history[1].url
    assert browser.get(callback).status_code == 400
    assert "Hello, Anna" in browser.get("/").text


def test_a_third_party_may_start_a_sign_in(browser: httpx.Client, provider: TinyProvider) -> None:
    browser.post("/sign-in", data={"iss": provider.issuer, "login_hint": "anna", "target_link_uri": "https://evil.example"})
    assert provider.requests[0]["login_hint"] == ["anna"]
    assert browser.get("/sign-in", params={"iss": "https://evil.example"}).status_code == 400


def test_step_up_is_fetched_once(browser: httpx.Client, provider: TinyProvider) -> None:
    browser.get("/sign-in")
    assert "Itemised calls" in browser.get("/itemised").text
    assert (provider.requests[3]["acr_values"], provider.requests[3]["max_age"]) == (["extra"], ["3600"])


def test_an_order_wants_a_sign_in_of_just_now(browser: httpx.Client, provider: TinyProvider) -> None:
    provider.auth_time -= 3000
    browser.get("/sign-in")
    page = browser.get("/order")
    chosen = {"csrf": csrf(page), "item": "roaming"}
    back = browser.post("/order", data=chosen)
    asked = [one for one in provider.requests if "acr_values" in one]
    assert [(one["acr_values"], one["max_age"]) for one in asked] == [(["extra"], ["600"])]
    assert "Please confirm your order." in back.text
    assert browser.post("/order", data={**chosen, "csrf": "wrong"}).status_code == 400
    assert "Ordered" in browser.post("/order", data={**chosen, "csrf": csrf(back)}).text


def test_a_provider_that_gives_no_better_sign_in_is_not_asked_again(browser: httpx.Client, provider: TinyProvider) -> None:
    provider.obliging, provider.auth_time = False, provider.auth_time - 9000
    browser.get("/sign-in")
    page = browser.get("/itemised")
    assert page.status_code == 400
    assert "that can't be given just now" in page.text.replace("&#39;", "'")
    assert len([one for one in provider.requests if "acr_values" in one]) == 1


def test_tokens_are_renewed_with_the_newest_refresh_token(browser: httpx.Client, provider: TinyProvider) -> None:
    provider.expires_in = 5
    for _ in range(3):
        assert "Hello, Anna" in browser.get("/sign-in" if not provider.requests else "/").text


def test_a_dead_grant_ends_the_session(browser: httpx.Client, provider: TinyProvider) -> None:
    provider.expires_in = 5
    browser.get("/sign-in")
    provider.dead = True
    assert "Your session has ended" in browser.get("/").text
    assert "Sign in to My Norda" in browser.get("/").text


def test_a_silent_backend_leaves_the_rest_of_the_page(settings: portal.Settings) -> None:
    app = portal.create_app(portal.Settings(**{**vars(settings), "service": "http://localhost:9"}))
    client = app.test_client()
    to_provider = client.get("/sign-in").headers["Location"]
    back = urlsplit(httpx.get(to_provider).headers["Location"])
    page = client.get(f"{back.path}?{back.query}", follow_redirects=True)
    assert "Due on" in page.text
    assert "The rest of the page is up to date" in page.text.replace("&#39;", "'")


def test_every_text_exists_in_every_language(browser: httpx.Client) -> None:
    assert TEXTS["en"].keys() == TEXTS["it"].keys()
    for key, english in TEXTS["en"].items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", TEXTS["it"][key])), key
    assert "Accedi a La mia Norda" in browser.get("/", params={"lang": "it"}).text
    assert 'lang="it"' in browser.get("/nowhere").text
