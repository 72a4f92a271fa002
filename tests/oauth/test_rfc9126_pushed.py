"""RFC 9126: requests pushed ahead, judged at once, bound to their client, good for one code."""

from dataclasses import replace
from typing import Any

import pytest

from idp.model import Factor
from idp.vault import digest
from tests.oauth.clients import BILLING, CALLBACK, SERVICE
from tests.oauth.provider import ISSUER, Provider, answer_of, page_of
from tests.oauth.requests import FORM_OF_NAMES, arrive, asserted, push, pushed, signed


def test_a_request_is_pushed_and_then_begun_by_its_name_alone(provider: Provider):
    provider.door.sign_in()
    response = push(provider)
    assert (response.status_code, response.json["expires_in"]) == (201, 90)
    assert response.headers["Cache-Control"] == "no-store"
    address = response.json["request_uri"]
    assert address.startswith(FORM_OF_NAMES)
    answered = answer_of(arrive(provider, address))
    assert (answered["state"], answered["iss"], answered["keep"]) == ("st", ISSUER, "1")
    body = provider.redeem(answered["code"])
    assert (body.status_code, body.json["scope"]) == (200, "billing:read")


def test_what_stands_beside_the_name_does_not_count(provider: Provider):
    provider.door.sign_in()
    beside = {"scope": "openid service:read", "state": "other", "redirect_uri": "https://evil.example/", "prompt": "login"}
    response = arrive(provider, pushed(provider), **beside)
    assert response.headers["Location"].startswith(CALLBACK)
    answered = answer_of(response)
    assert answered["state"] == "st"
    assert provider.redeem(answered["code"]).json["scope"] == "billing:read"


def test_through_the_sign_in_and_back_however_long_it_takes(provider: Provider):
    address = pushed(provider, resource=[BILLING, SERVICE], scope="openid billing:read service:read")
    assert arrive(provider, address).headers["Location"] == "/sign-in/tx0"
    provider.clock.advance(minutes=9)
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    code = answer_of(provider.http.get("/authorize/tx0"))["code"]
    assert provider.redeem(code, resource=SERVICE).json["scope"] == "service:read"


def test_it_may_be_loaded_again_until_a_code_was_issued_for_it(provider: Provider):
    address = pushed(provider)
    assert arrive(provider, address).headers["Location"] == "/sign-in/tx0"
    assert arrive(provider, address).headers["Location"] == "/sign-in/tx1"
    provider.door.answer("tx1", Factor.PASSWORD, Factor.PIN)
    assert "code" in answer_of(provider.http.get("/authorize/tx1"))
    assert page_of(arrive(provider, address)) == "invalid_request_uri"
    # The other window comes too late: for one request there is one code.
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    assert answer_of(provider.http.get("/authorize/tx0"))["error"] == "invalid_request_uri"


def test_it_waits_as_long_as_policy_says(provider: Provider):
    provider.door.sign_in()
    address = pushed(provider)
    provider.clock.advance(seconds=90)
    assert page_of(arrive(provider, address)) == "invalid_request_uri"
    address = pushed(provider)
    provider.clock.advance(seconds=89)
    assert "code" in answer_of(arrive(provider, address))


@pytest.mark.parametrize("client", ["other", "app", "third"])
def test_it_is_its_own_client_s(provider: Provider, client: str):
    provider.door.sign_in()
    assert page_of(arrive(provider, pushed(provider), client)) == "invalid_request_uri"


@pytest.mark.parametrize(
    "name", [FORM_OF_NAMES, FORM_OF_NAMES + "x" * 43, FORM_OF_NAMES + "\u00e9" * 9000, FORM_OF_NAMES + "' OR 1"]
)
def test_names_that_nobody_was_given(provider: Provider, name: str):
    provider.door.sign_in()
    assert page_of(arrive(provider, name)) == "invalid_request_uri"


def test_a_slip_of_another_kind_is_no_request(provider: Provider):
    provider.door.sign_in()
    address = pushed(provider)
    slip = provider.store.slips.get(digest(address), provider.clock())
    assert slip is not None
    # Only the digest is kept, of the whole name.
    assert address not in slip.document
    assert digest(address.removeprefix(FORM_OF_NAMES)) != slip.key


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_by_post(provider: Provider, method: str):
    response = getattr(provider.http, method)("/par")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")
    assert response.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"client_id": "portal"}}, 415),
        ({"data": {"client_id": (b"x", "x")}, "content_type": "multipart/form-data"}, 415),
        ({"data": b"x=" + b"y" * 1_000_000, "content_type": "application/x-www-form-urlencoded"}, 413),
        ({"data": b"client_id=portal&client_id=portal", "content_type": "application/x-www-form-urlencoded"}, 400),
        ({"data": b"client_id=app&state=%00", "content_type": "application/x-www-form-urlencoded"}, 400),
        ({"data": b"", "content_type": "application/x-www-form-urlencoded"}, 401),
        ({"data": {"client_id": "portal"}}, 401),
        ({"data": {"client_id": "unknown"}}, 401),
        ({"data": {"client_id": "disabled"}}, 401),
        ({"query_string": {"client_id": "app"}, "data": {"state": "x"}}, 401),
    ],
)
def test_malformed_and_unauthenticated(provider: Provider, sent: dict[str, Any], status: int):
    response = provider.http.post("/par", **sent)
    assert response.status_code == status
    assert response.json["error"] == ("invalid_client" if status == 401 else "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request_uri": FORM_OF_NAMES + "x"}, "invalid_request"),
        ({"request_uri": "https://signer.example/request.jwt"}, "invalid_request"),
        ({"request": "x"}, "invalid_request_object"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_redirect_uri"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"state": "x" * 5000}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
    ],
)
def test_every_check_is_made_at_once(provider: Provider, changes: dict[str, Any], error: str):
    response = push(provider, **changes)
    assert (response.status_code, response.json["error"]) == (401 if error == "invalid_client" else 400, error)
    assert "request_uri" not in response.json


def test_a_client_that_signs_nobody_in_pushes_nothing(provider: Provider):
    assert push(provider, "service").status_code == 400


def test_a_public_client_pushes_by_its_name(provider: Provider):
    provider.door.sign_in()
    good = {"redirect_uri": "http://127.0.0.1:51234/cb", "client_id": "app"}
    response = push(provider, None, **good)
    assert response.status_code == 201
    code = answer_of(arrive(provider, response.json["request_uri"], "app"))["code"]
    answer = provider.redeem(code, None, client_id="app", redirect_uri=good["redirect_uri"])
    assert answer.status_code == 200
    refused = push(provider, None, client_id="app", redirect_uri="https://evil.example/cb")
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/par", f"{ISSUER}/token"])
def test_an_assertion_may_be_for_either_endpoint(provider: Provider, audience: str):
    parameters = provider.parameters() | asserted(provider, "signer", audience=audience)
    response = provider.http.post("/par", data=parameters)
    assert response.status_code == 201
    # Used once, also here.
    assert provider.http.post("/par", data=parameters).status_code == 401
    slip = provider.store.slips.get(digest(response.json["request_uri"]), provider.clock())
    assert slip is not None
    assert "client_assertion" not in slip.document


def test_whoever_must_push_may_not_ask_otherwise(provider: Provider):
    provider.door.sign_in()
    refused = answer_of(provider.authorize(client_id="pushes"))
    assert (refused["error"], refused["state"]) == ("invalid_request", "st")
    assert page_of(provider.authorize(client_id="pushes", redirect_uri="https://evil.example/")) == "invalid_redirect_uri"
    assert page_of(provider.authorize(client_id="pushes", redirect_uri=None)) == "invalid_request"
    assert "code" in answer_of(arrive(provider, pushed(provider, "pushes"), "pushes"))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"disabled": True}, "invalid_client"),
        ({"redirect_uris": ("https://portal.example/other",)}, "invalid_redirect_uri"),
        ({"scope": ("openid",), "resources": ()}, "invalid_target"),
        ({"grant_types": ("client_credentials",)}, "unauthorized_client"),
        ({"require_signed_request": True}, "invalid_request"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_all_of_it_is_judged_again(provider: Provider, change: dict[str, Any], error: str, begun: bool):
    address = pushed(provider)
    if begun:
        arrive(provider, address)
    sign_ins = provider.door.sign_ins
    changed = replace(provider.world.clients["portal"], **change)
    provider.start(clients={**provider.world.clients, "portal": changed})
    provider.door.sign_ins = sign_ins
    if begun and "require_signed_request" not in change:
        provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
        response = provider.http.get("/authorize/tx0")
    else:
        provider.door.sign_in()
        response = arrive(provider, address)
    found = page_of(response) if response.status_code == 400 else answer_of(response)["error"]
    assert found == error


def test_a_signed_request_may_be_pushed(provider: Provider):
    provider.door.sign_in()
    token = signed(provider, state="inside")
    proof = asserted(provider, "signer")
    response = provider.http.post("/par", data={"request": token, "state": "outside", **proof})
    assert response.status_code == 201, response.text
    assert answer_of(arrive(provider, response.json["request_uri"], "signer"))["state"] == "inside"
    wrong = provider.http.post(
        "/par", data={"request": signed(provider, client_id="portal"), **asserted(provider, "signer", "2")}
    )
    assert (wrong.status_code, wrong.json["error"]) == (400, "invalid_request_object")


def test_a_browser_app_may_read_the_answer_and_no_other_site(provider: Provider):
    for origin, shared in (("https://spa.example", True), ("https://evil.example", False)):
        response = provider.http.options("/par", headers={"Origin": origin})
        assert (response.headers.get("Access-Control-Allow-Origin") == origin) is shared


def test_the_code_is_bound_to_the_key_that_is_named(provider: Provider):
    provider.door.sign_in()
    thumbprint = "x" * 43
    for code in (
        answer_of(arrive(provider, pushed(provider, dpop_jkt=thumbprint)))["code"],
        provider.code(dpop_jkt=thumbprint),
    ):
        with provider.store.read() as tx:
            found = tx.grants.find_code(digest(code))
        assert found is not None
        assert found[1].jkt == thumbprint
        assert provider.redeem(code).json["error"] == "invalid_grant"
    assert answer_of(provider.authorize(dpop_jkt="x" * 42))["error"] == "invalid_request"


def test_it_is_told_where_machines_look(provider: Provider):
    told = provider.http.get("/.well-known/oauth-authorization-server").json
    assert told["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert told["require_pushed_authorization_requests"] is False


def test_of_clients_that_prove_nothing_only_so_many_are_taken_at_a_time(provider: Provider):
    provider.crowded = True
    good = {"redirect_uri": "http://127.0.0.1:51234/cb", "client_id": "app"}
    response = push(provider, None, **good)
    assert (response.status_code, response.json["error"]) == (429, "temporarily_unavailable")
    assert response.headers["Retry-After"] == "60"
    assert push(provider).status_code == 201
