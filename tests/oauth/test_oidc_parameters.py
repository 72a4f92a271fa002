"""The parameters of OpenID Connect Core 3.1.2.1 and 5.5, each held against its text."""

import json
from dataclasses import replace
from typing import Any

import pytest

from idp.model import Factor
from tests.oauth.clients import CALLBACK
from tests.oauth.provider import ISSUER, MARIA, Provider, answer_of
from tests.oauth.requests import essential

IDENTITY: dict[str, Any] = {"scope": "openid", "resource": None}


def identity(provider: Provider, client: str = "portal", **changes: Any) -> dict[str, Any]:
    """The claims of the ID token."""
    body = provider.redeem(provider.code(client_id=client, **changes), client).json
    return provider.read(body["id_token"], client)


def test_what_is_not_known_is_ignored(provider: Provider):
    provider.door.sign_in()
    assert "code" in answer_of(provider.authorize(unknown="x", audience="y", **{"x" * 100: "z"}))


@pytest.mark.parametrize("display", ["page", "popup", "touch", "wap", "unknown", "<b>"])
def test_display_pages_fit_every_size(provider: Provider, display: str):
    provider.door.sign_in()
    assert "code" in answer_of(provider.authorize(display=display))


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("it", "it"),
        ("fr-CA fr it", "it"),
        ("IT-ch en", "it"),
        ("en-GB it", "en"),
        ("fr", None),
        (" it", "it"),
        ("x" * 5000, None),
        ("it<b>", None),
    ],
)
def test_ui_locales_are_tried_in_their_order(provider: Provider, asked: str, spoken: str | None):
    provider.authorize(ui_locales=asked)
    assert provider.door.sign_ins["tx0"].ask.locale == spoken


def test_claims_locales_are_a_wish_for_words_that_are_held_in_one_language(provider: Provider):
    plain = identity(provider, scope="openid profile")
    assert identity(provider, scope="openid profile", claims_locales="it fr")["name"] == plain["name"]


@pytest.mark.parametrize(
    ("hint", "shown"), [("Maria.Rossi", "Maria.Rossi"), ("x" * 300, "x" * 256), ("a\r\nSet-Cookie: x", ""), ("<b>", "<b>")]
)
def test_login_hint_is_for_show(provider: Provider, hint: str, shown: str):
    provider.authorize(login_hint=hint)
    assert provider.door.sign_ins["tx0"].ask.login_hint == shown


# prompt and max_age


@pytest.mark.parametrize("prompt", ["none login", "none none x", "create", "LOGIN", "none consent select_account"])
def test_prompts_that_say_nothing_sensible(provider: Provider, prompt: str):
    provider.door.sign_in()
    assert answer_of(provider.authorize(prompt=prompt))["error"] == "invalid_request"


@pytest.mark.parametrize("prompt", ["login", "consent", "select_account", "login consent", "consent select_account login"])
def test_prompts_that_want_a_page(provider: Provider, prompt: str):
    provider.door.sign_in()
    provider.clock.advance(seconds=1)
    assert provider.authorize(prompt=prompt).headers["Location"] == "/sign-in/tx0"


@pytest.mark.parametrize(("age", "asked"), [("0", True), ("59", True), ("60", False), ("999999999", False)])
def test_max_age_counts_seconds_since_the_proofs(provider: Provider, age: str, asked: bool):
    provider.door.sign_in()
    provider.clock.advance(seconds=60)
    response = provider.authorize(max_age=age)
    assert (response.headers["Location"] == "/sign-in/tx0") is asked


@pytest.mark.parametrize("age", ["-1", "1.5", "1e3", " 1", "\u0661", "9" * 10, "x"])
def test_ages_that_are_no_number_of_seconds(provider: Provider, age: str):
    provider.door.sign_in()
    assert answer_of(provider.authorize(max_age=age))["error"] == "invalid_request"


def test_when_and_how_is_told_whether_it_was_asked_or_not(provider: Provider):
    told = identity(provider)
    assert (told["auth_time"], told["acr"], told["amr"]) == (int(provider.clock().timestamp()), "pwd+pin", ["pwd", "pin"])


# acr_values


def test_levels_are_a_wish_where_no_backend_waits(provider: Provider):
    assert identity(provider, acr_values="urn:mace:incommon:iap:silver", **IDENTITY)["acr"] == "pwd+pin"
    assert identity(provider, acr_values="mfa", **IDENTITY)["acr"] == "pwd+pin"
    assert provider.authorize(acr_values="extra", **IDENTITY).headers["Location"] == "/sign-in/tx0"


def test_a_level_in_the_claims_is_insisted_on_where_it_says_so(provider: Provider):
    provider.door.sign_in()
    wish = essential(acr={"values": ["mfa"]})
    assert answer_of(provider.authorize(claims=wish, **IDENTITY))["error"] == "unmet_authentication_requirements"
    assert "code" in answer_of(provider.authorize(claims=essential(acr={"value": "pwd"}), **IDENTITY))
    voluntary = json.dumps({"id_token": {"acr": {"values": ["mfa"]}}})
    assert "code" in answer_of(provider.authorize(claims=voluntary, **IDENTITY))


# id_token_hint, and the person in the claims


def hint_of(provider: Provider, client: str = "portal") -> str:
    return str(provider.redeem(provider.code(client_id=client), client).json["id_token"])


def test_a_hint_may_have_expired_long_ago(provider: Provider):
    hint = hint_of(provider)
    provider.clock.advance(days=2)
    provider.door.sign_in()
    assert "code" in answer_of(provider.authorize(id_token_hint=hint, prompt="none"))


@pytest.mark.parametrize("client", ["portal", "pairwise"])
def test_another_person_is_asked_to_sign_in_and_may_not_take_their_place(provider: Provider, client: str):
    hint = hint_of(provider, client)
    with provider.store.begin() as tx:
        tx.accounts.add(replace(MARIA, id="acc_anna", username="Anna", email="anna@example.com"), "anna")
        anna = tx.accounts.by_id("acc_anna")
    assert anna is not None
    assert provider.door.held is not None
    session = provider.door.held[0]
    provider.door.held = (replace(session, account_id=anna.id), anna)
    assert answer_of(provider.authorize(client_id=client, id_token_hint=hint, prompt="none"))["error"] == "login_required"
    assert provider.authorize(client_id=client, id_token_hint=hint).headers["Location"] == "/sign-in/tx0"
    before = provider.door.sign_ins["tx0"]
    # Nothing that Anna showed counts for it.
    assert (before.account_id, before.proofs) == (None, ())
    proofs = provider.door.held[0].proofs
    provider.door.sign_ins["tx0"] = replace(before, account_id=anna.id, proofs=proofs)
    provider.door.account = lambda: anna  # type: ignore[method-assign]
    assert answer_of(provider.http.get("/authorize/tx0"))["error"] == "login_required"


@pytest.mark.parametrize("client", ["portal", "pairwise"])
def test_the_person_who_is_meant_comes_through(provider: Provider, client: str):
    hint = hint_of(provider, client)
    subject = provider.read(hint, client)["sub"]
    assert (subject == MARIA.id) is (client == "portal")
    for meant in ({"id_token_hint": hint}, {"claims": essential(sub={"value": subject})}):
        assert "code" in answer_of(provider.authorize(client_id=client, prompt="none", **meant))
    provider.door.held = None
    assert answer_of(provider.authorize(client_id=client, id_token_hint=hint, prompt="none"))["error"] == "login_required"
    provider.authorize(client_id=client, id_token_hint=hint)
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    assert "code" in answer_of(provider.http.get("/authorize/tx0"))


def test_a_pairwise_name_is_not_met_by_the_account_s_own(provider: Provider):
    provider.door.sign_in()
    claims = essential(sub={"value": MARIA.id})
    answered = answer_of(provider.authorize(client_id="pairwise", claims=claims, prompt="none"))
    assert answered["error"] == "login_required"


def test_hints_that_are_no_id_token_of_this_client(provider: Provider):
    body = provider.tokens()
    for hint in ("x", body["access_token"], body["id_token"][:-4], hint_of(provider, "other"), "." * 3):
        assert answer_of(provider.authorize(id_token_hint=hint))["error"] == "invalid_request"
    two = {"id_token_hint": body["id_token"], "claims": essential(sub={"value": "acc_else"})}
    assert answer_of(provider.authorize(**two))["error"] == "login_required"


# claims


def test_single_claims_go_where_they_are_asked_for(provider: Provider):
    wish = {"id_token": {"email": None, "auth_time": {"essential": True}}, "userinfo": {"name": {"essential": True}}}
    body = provider.tokens(claims=json.dumps(wish), **IDENTITY)
    assert provider.read(body["id_token"], "portal")["email"] == MARIA.email
    told = provider.http.get("/userinfo", headers={"Authorization": f"Bearer {body['access_token']}"}).json
    assert told == {"sub": MARIA.id, "name": MARIA.full_name}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"id_token": None, "userinfo": {}},
        {"elsewhere": {"email": None}},
        {"id_token": {"name#it": None, "http://example.com/x": {"essential": True, "more": 1}, "address": None}},
        {"id_token": {"phone_number": None}},
        {"id_token": {"email": {"value": "other@example.com"}}},
    ],
)
def test_claims_that_are_not_held_or_not_the_client_s_are_left_out(provider: Provider, wish: dict[str, Any]):
    told = identity(provider, claims=json.dumps(wish), **IDENTITY)
    assert not told.keys() & {"phone_number", "address", "name", "name#it"}


@pytest.mark.parametrize(
    "text", ["", "x", "1", '"x"', '{"id_token": 1}', '{"userinfo": {"name": true}}', "[" * 9000, "{}" + " " * 9000]
)
def test_claims_that_are_no_wishes(provider: Provider, text: str):
    provider.door.sign_in()
    # An empty one counts as omitted (RFC 6749 3.1).
    answered = answer_of(provider.authorize(claims=text))
    assert answered.get("error") == ("invalid_request" if text else None)


# response_mode


def test_query_and_form_post_carry_answers_and_errors_alike(provider: Provider):
    provider.door.sign_in()
    for changes, name in (({}, "code"), ({"max_age": "x"}, "error")):
        query = answer_of(provider.authorize(response_mode="query", **changes))
        page = json.loads(provider.authorize(response_mode="form_post", **changes).text)
        assert (page["page"], page["action"]) == ("form_post", CALLBACK)
        assert (page["fields"]["iss"], page["fields"]["state"]) == (ISSUER, "st")
        assert name in page["fields"]
        assert name in query


def test_a_nonce_comes_back_letter_by_letter(provider: Provider):
    for nonce in ('"<é> \t&=+%', "x" * 1024):
        assert identity(provider, nonce=nonce)["nonce"] == nonce
    assert "nonce" not in identity(provider, nonce=None)
