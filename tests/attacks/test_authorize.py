"""Attacks on the authorization endpoint (cases A of the security plan)."""

import re
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from tests.harness import House
from tests.people import BILLING, PORTAL_CALLBACK, SERVICE, Page, callback


def error_page(page: Page) -> None:
    """A page for people, no redirect, nothing of the request unescaped."""
    assert page.status == 400, page.response.headers.get("Location")
    assert page.left is None
    assert page.heading
    assert "Traceback" not in page.text
    assert page.response.headers["Content-Type"].startswith("text/html")


def refused(page: Page, error: str, house: House, state: str | None = None) -> None:
    """Told to the client at its registered address, with ``iss`` and ``state``."""
    assert page.response.status_code == 303, page.text
    answer = page.answer
    assert answer["error"] == error
    assert answer["iss"] == house.url
    assert "code" not in answer
    if state is not None:
        assert answer["state"] == state


REDIRECTS = [
    "https://evil.example/callback",
    f"{PORTAL_CALLBACK}/../evil",
    f"{PORTAL_CALLBACK}%2e%2e/evil",
    f"{PORTAL_CALLBACK}/%2e%2e/",
    "http://localhost:8081//callback",
    "HTTP://localhost:8081/callback",
    "http://LOCALHOST:8081/callback",
    "http://localhost/callback",
    "http://localhost:08081/callback",
    "http://localhost:8081@evil.example/callback",
    "http://localhost:8081%40evil.example/callback",
    "http://user:pass@localhost:8081/callback",
    f"{PORTAL_CALLBACK}?x=1",
    f"{PORTAL_CALLBACK}?",
    f"{PORTAL_CALLBACK}#a",
    f"{PORTAL_CALLBACK}%23",
    f"{PORTAL_CALLBACK}#",
    "http://löcalhost:8081/callback",
    "http://xn--lcalhost-o4a:8081/callback",
    "http://localhoѕt:8081/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "intent://x#Intent;scheme=https;end",
    "//localhost:8081/callback",
    f" {PORTAL_CALLBACK}",
    f"{PORTAL_CALLBACK} ",
    f"{PORTAL_CALLBACK}\r\nSet-Cookie: a=b",
    f"{PORTAL_CALLBACK}\x00",
    "x" * 5000,
    "http://127.0.0.1:8081/callback",
    "http://localhost:9999/callback",
]


@pytest.mark.parametrize("address", REDIRECTS)
def test_a01_to_a11_an_address_that_is_not_registered_letter_by_letter_gets_an_error_page(house: House, address: str) -> None:
    page = house.person().ask(redirect_uri=address)
    error_page(page)
    assert "evil" not in page.response.headers.get("Location", "")
    assert "alert(1)" not in page.response.text


@pytest.mark.parametrize(
    "address",
    [
        "com.norda.app://callback",
        "COM.NORDA.APP:/callback",
        "com.norda.app:/Callback",
        "com.norda.app:/callback/",
        "com.norda.app:callback",
        "com.norda.app2:/callback",
        "http://127.0.0.1:1234/other",
        "http://localhost:1234/callback",
        "http://127.0.0.2:1234/callback",
        "http://127.0.0.1:1234@evil.example/callback",
        "http://127.0.0.1:99999999/callback",
        "https://127.0.0.1:1234/callback",
        "http://127.0.0.1:1234/callback?x=1",
        "http://127.0.0.1.evil.example/callback",
    ],
)
def test_a13_a_native_apps_address_differs_in_nothing_but_the_loopback_port(house: House, address: str) -> None:
    error_page(house.person().ask("app", redirect_uri=address))


@pytest.mark.parametrize("address", ["com.norda.app:/callback", "http://127.0.0.1:49152/callback", "http://127.0.0.1/callback"])
def test_a13_a_native_apps_own_addresses_work(house: House, address: str) -> None:
    page = house.customer().authorize("app", redirect_uri=address)
    assert page.left is not None
    assert page.left.startswith(f"{address}?")


def test_a14_a_redirect_uri_missing_empty_or_repeated(house: House) -> None:
    person = house.person()
    error_page(person.ask("partner", redirect_uri=None))
    error_page(person.ask("partner", redirect_uri=""))
    error_page(person.ask("partner", redirect_uri=[callback("partner")] * 2))
    error_page(person.ask("partner", redirect_uri=[callback("partner"), "https://evil.example"]))
    one = person.ask("portal", redirect_uri=None)
    assert one.status in (200, 400)
    two = person.ask("partner", redirect_uri="https://partner.example/cb?x=2&tenant=1")
    error_page(two)


@pytest.mark.parametrize(
    "client", [None, "", "nobody", "x" * 10_000, "portal\0", "off", "<script>alert(1)</script>", "PORTAL", "portal "]
)
def test_a17_a_client_that_is_missing_unknown_disabled_or_markup_gets_an_error_page(house: House, client: str | None) -> None:
    page = house.person().open("/authorize?" + urlencode(house.person().request(client_id=client)))
    error_page(page)
    assert "<script>alert" not in page.response.text


@pytest.mark.parametrize(
    ("client", "mode"), [("portal", "fragment"), ("portal", "jwt"), ("portal", "bogus"), ("old", "form_post")]
)
def test_a19_a_response_mode_that_is_not_the_clients_gets_an_error_page(house: House, client: str, mode: str) -> None:
    error_page(house.person().ask(client, response_mode=mode))


def test_a19_form_post_posts_the_answer_and_works_without_a_script(house: House) -> None:
    person = house.customer()
    page = person.ask(response_mode="form_post")
    page = person.fill(page, **(person.given(page) or {}))
    page = person.fill(page, **(person.given(page) or {}))
    assert page.status == 200
    assert page.action == PORTAL_CALLBACK
    assert set(page.hidden) == {"code", "state", "iss"}
    assert "http://localhost:8081" in page.response.headers["Content-Security-Policy"]
    form = {"grant_type": "authorization_code", "code": page.hidden["code"], "redirect_uri": PORTAL_CALLBACK}
    form["code_verifier"] = person.verifiers[page.hidden["state"]]
    assert house.token("portal", **form).status_code == 200


@pytest.mark.parametrize(
    "scope", ["unknown", 'openid "', "openid \\", "openid  profile", "openid\tprofile", "é", None, "billing:itemised"]
)
def test_a20_a_scope_that_is_unknown_or_malformed_is_refused_and_never_widened(house: House, scope: str | None) -> None:
    page = house.customer().authorize(scope=scope)
    assert page.left
    if "code" not in page.answer:
        refused(page, "invalid_scope", house)


def test_a20_scopes_beyond_the_client_and_a_thousand_of_them_are_left_out(house: House) -> None:
    person = house.customer()
    wide = "openid openid profile phone admin billing:itemised service:write " + " ".join(f"s{n}" for n in range(1000))
    page = person.authorize("app", scope=wide)
    if "code" in page.answer:
        issued = person.redeem(page, "app").json()
        assert set(issued["scope"].split()) <= {"openid", "profile"}
    else:
        refused(page, "invalid_scope", house)


@pytest.mark.parametrize("hint", ["<script>alert(1)</script>", "a\r\nSet-Cookie: x=y", "x" * 5000, '"><img src=x>', "\0"])
def test_a28_a_login_hint_is_escaped_and_cut_in_view(house: House, hint: str) -> None:
    page = house.person().ask(login_hint=hint)
    assert page.status in (200, 400)
    assert "<script>alert" not in page.response.text
    assert "<img src=x" not in page.response.text
    assert "Set-Cookie: x=y" not in str(page.response.headers)
    assert len(page.response.text) < 30_000


STATES = ["x" * 512, "a\r\nb: c", "\"'<>&", "ünïcödé 🐘", "a=b&c=d#e", "%00%2f", " ", "+", "%"]


@pytest.mark.parametrize("state", STATES)
def test_a29_a_state_is_echoed_exactly(house: House, state: str) -> None:
    assert house.person().ask(prompt="none", state=state).answer["state"] == state


def test_a29_a_state_that_is_too_long_is_refused_and_one_that_is_absent_not_returned(house: House) -> None:
    for size in (4096, 20_000, 64_000):
        page = house.person().ask(prompt="none", state="x" * size)
        assert page.status in (303, 400, 414, 431)
        if page.left:
            assert page.answer["state"] == "x" * size
    assert "state" not in house.person().ask(prompt="none", state=None).answer


@pytest.mark.parametrize(
    "params",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": "x" * 42},
        {"code_challenge": "x" * 129},
        {"code_challenge": "x" * 42 + "="},
        {"code_challenge": "x" * 42 + "é"},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": None},
        {"code_challenge_method": ""},
    ],
)
@pytest.mark.parametrize("client", ["portal", "app"])
def test_a31_a_code_challenge_that_is_missing_plain_or_malformed_is_refused(
    house: House, client: str, params: dict[str, Any]
) -> None:
    refused(house.person().ask(client, **params), "invalid_request", house)


NAMES = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
]


@pytest.mark.parametrize("name", NAMES)
def test_a32_a_parameter_that_comes_twice_is_refused(house: House, name: str) -> None:
    person = house.person()
    asked = person.request(prompt="login", max_age="60")
    twice = [*asked.items(), (name, asked[name])]
    page = person.open("/authorize?" + urlencode(twice))
    assert page.status in (303, 400)
    if page.left:
        refused(page, "invalid_request", house)
    # Once in the address and once in the body.
    page = person.follow(person.client.post("/authorize?" + urlencode({name: asked[name]}), data=asked))
    assert page.status in (303, 400)
    if page.left:
        refused(page, "invalid_request", house)


@pytest.mark.parametrize(
    "params",
    [
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        {"request": "x"},
        {"request_uri": "http://169.254.169.254/latest/meta-data"},
        {"request_uri": "file:///etc/passwd"},
        {"request_uri": "gopher://127.0.0.1:6379/_x"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"registration": "{}"},
        {"response_type": "token"},
        {"response_type": "id_token"},
        {"response_type": "code id_token"},
        {"response_type": "CODE"},
        {"response_type": None},
        {"claims": "{"},
        {"claims": "[]"},
        {"claims": "[" * 3000},
        {"claims": '{"id_token": 1}'},
        {"claims": '{"id_token": {"acr": 1}}'},
        {"claims": '{"id_token": {"acr": {"values": [1, null, {}]}}}'},
        {"claims": '{"id_token": {"sub": {"value": 7}}}'},
        {"id_token_hint": "x.y.z"},
        {"nonce": "x" * 5000},
        {"resource": "http://localhost:8082#fragment"},
        {"resource": "not a uri"},
        {"ui_locales": "xx " * 2000},
        {"display": "<b>"},
    ],
    ids=str,
)
def test_a34_a35_what_is_not_supported_or_malformed_is_refused_and_nothing_is_fetched(
    house: House, params: dict[str, Any]
) -> None:
    page = house.person().ask(**params)
    assert page.status in (200, 303, 400)
    if page.left:
        assert page.answer["error"] in {
            "invalid_request",
            "invalid_target",
            "invalid_request_object",
            "invalid_request_uri",
            "registration_not_supported",
            "unsupported_response_type",
        }
    if page.status == 200:
        assert page.step == "AskUsernameAndPassword"
        assert set(params) & {"ui_locales", "display", "claims"}


@pytest.mark.parametrize("query", ["%", "%zz", "a=%ff", "&&&", "=", "client_id", "x" * 9000, "\\x00"])
def test_a_broken_address_gets_an_error_page(house: House, query: str) -> None:
    error_page(house.person().open(f"/authorize?{query}"))


def test_an_error_is_never_told_to_a_client_that_is_not_settled(house: House) -> None:
    for changes in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
        page = house.person().ask(**changes, response_type="bogus", scope="", code_challenge="x")
        error_page(page)


def test_resource_asks_for_its_own_level(house: House) -> None:
    person = house.customer()
    page = person.authorize(resource=[BILLING, SERVICE], scope="openid billing:read", acr_values="pwd")
    token = person.redeem(page, resource=BILLING).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["acr"] == "pwd+pin"


def test_nothing_of_the_request_stands_in_the_page_of_an_error(house: House) -> None:
    probe = "\"'><svg/onload=alert(7)>"
    for name in ("client_id", "redirect_uri", "state", "scope", "response_mode", "login_hint", "ui_locales", "x"):
        page = house.person().ask(**{"client_id": "nobody", name: probe})
        assert not re.search(r"<svg/onload", page.response.text)
