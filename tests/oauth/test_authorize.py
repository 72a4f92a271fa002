"""The authorization endpoint: every check of the table, and the way through the sign-in and back."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from idp.model import Factor
from tests.oauth.clients import BILLING, CALLBACK, SERVICE
from tests.oauth.provider import ISSUER, Provider, answer_of, page_of


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/cb?keep=1",
        "https://portal.example/cb",
        "https://portal.example/cb?keep=1&x=1",
        "https://portal.example/../cb?keep=1",
        "https://portal.example/%2e%2e/cb?keep=1",
        "https://PORTAL.example/cb?keep=1",
        "HTTPS://portal.example/cb?keep=1",
        "https://portal.example:443/cb?keep=1",
        "https://portal.example@evil.example/cb?keep=1",
        "https://portal.example/cb?keep=1#a",
        "https://portal.example/cb?keep=1%23",
        "https://p\u043ertal.example/cb?keep=1",
        "https://xn--prtal-0ce.example/cb?keep=1",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_addresses_that_are_not_registered(provider: Provider, uri: str):
    provider.door.sign_in()
    assert page_of(provider.authorize(redirect_uri=uri)) == "invalid_redirect_uri"


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("http://127.0.0.1:51234/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:9/cb", True),
        ("http://[::1]/cb", True),
        ("http://127.0.0.1:51234/cb2", False),
        ("http://127.0.0.1:51234@evil.example/cb", False),
        ("http://127.0.0.1.evil.example/cb", False),
        ("http://127.0.0.1:/cb", False),
        ("http://localhost:51234/cb", False),
        ("https://127.0.0.1:51234/cb", False),
        ("https://spa.example:444/cb", False),
        ("com.telco.app:/cb", True),
        ("com.telco.app://cb", False),
        ("COM.telco.app:/cb", False),
    ],
)
def test_native_apps(provider: Provider, uri: str, good: bool):
    provider.door.sign_in()
    response = provider.authorize(client_id="app", redirect_uri=uri)
    if good:
        assert response.headers["Location"].startswith(uri + "?code=")
    else:
        assert page_of(response) == "invalid_redirect_uri"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": "disabled"}, "invalid_client"),
        ({"client_id": "x" * 10_000}, "invalid_client"),
        ({"client_id": "\0"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"response_mode": "form_post", "client_id": "one-mode"}, "invalid_request"),
        ({"state": "x" * 65_536}, "invalid_request"),
        *(
            ({name: [value, value]}, "invalid_request")
            for name, value in (("state", "a"), ("redirect_uri", CALLBACK), ("unknown", "a"))
        ),
    ],
)
def test_errors_on_a_page(provider: Provider, changes: dict[str, Any], error: str):
    provider.door.sign_in()
    assert page_of(provider.authorize(**changes)) == error


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None, "client_id": "old"}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 129}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "+"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": 'open"id'}, "invalid_scope"),
        ({"scope": "open\\id"}, "invalid_scope"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"resource": "not a uri"}, "invalid_target"),
        ({"resource": BILLING + "#x"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "unknown"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"nonce": "x" * 2000}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": "[" * 8000}, "invalid_request"),
        ({"claims": '{"id_token":[]}'}, "invalid_request"),
        ({"claims": '{"id_token":{"acr":1}}'}, "invalid_request"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_errors_to_the_client(provider: Provider, changes: dict[str, Any], error: str):
    provider.door.sign_in()
    answered = answer_of(provider.authorize(**changes))
    assert (answered["error"], answered["state"], answered["iss"]) == (error, "st", ISSUER)
    assert "code" not in answered


@pytest.mark.parametrize("state", ['"<é> \r\n&=+%', "x" * 4096, " "])
def test_state_comes_back_letter_by_letter(provider: Provider, state: str):
    provider.door.sign_in()
    assert answer_of(provider.authorize(state=state))["state"] == state


def test_no_state_no_state(provider: Provider):
    provider.door.sign_in()
    assert "state" not in answer_of(provider.authorize(state=None))


def test_scopes_are_never_widened(provider: Provider):
    many = "openid openid unknown billing:read " + " ".join(f"s{n}" for n in range(1000))
    assert provider.tokens(scope=many)["scope"] == "billing:read"


def test_a_scope_points_at_its_resource(provider: Provider):
    body = provider.tokens(scope="openid service:read", resource=None)
    assert provider.read(body["access_token"], SERVICE)["scope"] == "service:read"


def test_plain_oauth_without_openid(provider: Provider):
    body = provider.tokens(scope="billing:read", redirect_uri=CALLBACK)
    assert "id_token" not in body
    code = provider.code(scope="billing:read", redirect_uri=None)
    assert provider.redeem(code, redirect_uri=None).status_code == 200


def test_a_form_is_posted_where_asked(provider: Provider):
    provider.door.sign_in()
    shown = json.loads(provider.authorize(response_mode="form_post").text)
    assert (shown["page"], shown["action"]) == ("form_post", CALLBACK)
    assert shown["fields"].keys() == {"code", "state", "iss"}


def test_a_posted_request(provider: Provider):
    provider.door.sign_in()
    response = provider.http.post("/authorize", data=provider.parameters())
    assert "code" in answer_of(response)
    doubled = provider.http.post("/authorize", data=provider.parameters(), query_string={"state": "st"})
    assert page_of(doubled) == "invalid_request"
    assert provider.http.post("/authorize", json={}).status_code == 415


def test_a_request_posted_without_cookies_comes_again_with_them(provider: Provider):
    response = provider.http.post("/authorize", data=provider.parameters())
    assert response.status_code == 303
    assert response.headers["Location"] == "/authorize?" + urlencode(list(provider.parameters().items()))


def test_through_the_sign_in_and_back(provider: Provider):
    response = provider.authorize()
    assert response.headers["Location"] == "/sign-in/tx0"
    back = provider.http.get("/authorize/tx0")
    assert back.headers["Location"] == "/sign-in/tx0"
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    code = answer_of(provider.http.get("/authorize/tx0"))["code"]
    assert provider.redeem(code).status_code == 200
    assert page_of(provider.http.get("/authorize/tx0")) == "invalid_request"


def test_two_windows_each_get_their_own(provider: Provider):
    provider.authorize(state="a")
    provider.authorize(client_id="other", state="b")
    for transaction, state in (("tx1", "b"), ("tx0", "a")):
        provider.door.answer(transaction, Factor.PASSWORD, Factor.PIN)
        assert answer_of(provider.http.get(f"/authorize/{transaction}"))["state"] == state


def test_prompt_none(provider: Provider):
    assert answer_of(provider.authorize(prompt="none"))["error"] == "login_required"
    provider.door.sign_in()
    assert "code" in answer_of(provider.authorize(prompt="none"))
    assert answer_of(provider.authorize(prompt="none", client_id="third"))["error"] == "consent_required"
    extra = json.dumps({"id_token": {"acr": {"essential": True, "values": ["extra"]}}})
    assert answer_of(provider.authorize(prompt="none", claims=extra))["error"] == "interaction_required"
    provider.clock.advance(minutes=5)
    assert answer_of(provider.authorize(prompt="none", max_age=60))["error"] == "login_required"


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "60"}, {"max_age": "0"}, {"prompt": "select_account"}])
def test_proofs_too_old(provider: Provider, changes: dict[str, str]):
    provider.door.sign_in()
    provider.clock.advance(hours=1)
    assert provider.authorize(**changes).headers["Location"] == "/sign-in/tx0"
    # Back without answering: the demand stands in the transaction.
    assert provider.http.get("/authorize/tx0").headers["Location"] == "/sign-in/tx0"
    provider.clock.advance(minutes=3)
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    body = provider.redeem(answer_of(provider.http.get("/authorize/tx0"))["code"]).json
    assert provider.read(body["id_token"], "portal")["auth_time"] == int(provider.clock().timestamp())


def test_step_up(provider: Provider):
    provider.door.sign_in()
    assert provider.authorize(acr_values="extra").headers["Location"] == "/sign-in/tx0"
    provider.door.answer("tx0", Factor.ANSWER)
    body = provider.redeem(answer_of(provider.http.get("/authorize/tx0"))["code"]).json
    access = provider.read(body["access_token"], BILLING)
    assert (access["acr"], access["amr"]) == ("extra", ["pwd", "pin", "kba"])
    provider.clock.advance(minutes=11)
    refreshed = provider.read(provider.refresh(body["refresh_token"]).json["access_token"], BILLING)
    assert (refreshed["acr"], refreshed["auth_time"]) == ("pwd+pin", access["auth_time"])


def test_levels_that_cannot_be_reached(provider: Provider):
    provider.door.sign_in()
    for values in (["mfa"], ["unknown"]):
        essential = json.dumps({"id_token": {"acr": {"essential": True, "values": values}}})
        assert answer_of(provider.authorize(claims=essential))["error"] == "unmet_authentication_requirements"
    # Where no backend waits for the token, it is a wish alone (OpenID Connect Core 3.1.2.1).
    assert "code" in answer_of(provider.authorize(acr_values="mfa unknown", scope="openid", resource=None))


def test_consent(provider: Provider):
    provider.door.sign_in()
    assert provider.authorize(client_id="third").headers["Location"] == "/sign-in/tx0"
    assert provider.door.sign_ins["tx0"].ask.scope == ("openid", "billing:read")
    assert answer_of(provider.http.get("/authorize/tx0"))["error"] == "access_denied"
    provider.door.answer("tx0", consented=True)
    assert "code" in answer_of(provider.http.get("/authorize/tx0"))
    with provider.store.begin() as tx:
        tx.client_consents.record("acc_maria", "third", frozenset({"openid", "billing:read"}), provider.clock())
    assert "code" in answer_of(provider.authorize(client_id="third"))
    assert provider.authorize(client_id="third", scope="openid billing:read email").headers["Location"] == "/sign-in/tx1"
    assert provider.authorize(prompt="consent").headers["Location"] == "/sign-in/tx2"


def test_the_person_meant(provider: Provider):
    body = provider.tokens()
    provider.clock.advance(days=1)
    provider.door.sign_in()
    assert "code" in answer_of(provider.authorize(id_token_hint=body["id_token"]))
    assert answer_of(provider.authorize(id_token_hint=body["access_token"]))["error"] == "invalid_request"
    assert answer_of(provider.authorize(client_id="other", id_token_hint=body["id_token"]))["error"] == "invalid_request"
    someone = json.dumps({"id_token": {"sub": {"value": "acc_else"}}})
    assert answer_of(provider.authorize(claims=someone, prompt="none"))["error"] == "login_required"
    assert provider.authorize(claims=someone).headers["Location"] == "/sign-in/tx0"


def test_hints_for_the_page(provider: Provider):
    provider.authorize(login_hint="Maria" + "x" * 10_000, ui_locales="fr it-IT en")
    provider.authorize(login_hint="a\r\nb")
    asks = [sign_in.ask for sign_in in provider.door.sign_ins.values()]
    assert [(len(ask.login_hint), ask.locale) for ask in asks] == [(256, "it"), (0, None)]


def test_single_claims(provider: Provider):
    wish = json.dumps({"id_token": {"email": None}, "userinfo": {"name": {"essential": True}, "phone_number": None}})
    body = provider.tokens(claims=wish, scope="openid", resource=None)
    assert provider.read(body["id_token"], "portal")["email"] == "maria@example.com"
    told = provider.http.get("/userinfo", headers={"Authorization": f"Bearer {body['access_token']}"}).json
    assert told == {"sub": "acc_maria", "name": "Maria Rossi"}


def test_no_other_site_may_read_it(provider: Provider):
    response = provider.http.options("/authorize", headers={"Origin": "https://spa.example"})
    assert response.status_code == 405
    assert "Access-Control-Allow-Origin" not in response.headers


def test_it_is_always_303_to_the_registered_address(provider: Provider):
    provider.door.sign_in()
    response = provider.authorize()
    assert urlsplit(response.headers["Location"])[:3] == urlsplit(CALLBACK)[:3]
    assert response.headers["Cache-Control"] == "no-store"
    assert timedelta(seconds=60) == provider.world.policy.tokens.code
