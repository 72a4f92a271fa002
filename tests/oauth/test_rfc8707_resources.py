"""RFC 8707 at both endpoints: a request names backends, a token is for one of them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.oauth.clients import BILLING, SERVICE
from tests.oauth.provider import ISSUER, Provider, answer_of

BOTH: dict[str, Any] = {"resource": [BILLING, SERVICE], "scope": "openid offline_access billing:read service:read"}
OTHER = "https://other.example"


def test_one_request_for_two_backends_and_a_token_for_each(provider: Provider):
    body = provider.redeem(provider.code(**BOTH), resource=BILLING).json
    claims = provider.read(body["access_token"], BILLING)
    assert (claims["aud"], claims["scope"], body["scope"]) == (BILLING, "billing:read", "billing:read")
    body = provider.refresh(body["refresh_token"], resource=SERVICE).json
    claims = provider.read(body["access_token"], SERVICE)
    assert (claims["aud"], claims["scope"]) == (SERVICE, "service:read")


def test_a_backend_named_twice_counts_once(provider: Provider):
    body = provider.redeem(provider.code(resource=[BILLING, BILLING])).json
    assert provider.read(body["access_token"], BILLING)["aud"] == BILLING


@pytest.mark.parametrize(
    "resource",
    [
        [BILLING, OTHER],
        [BILLING + "/"],
        [BILLING.upper()],
        [BILLING + "?x=1"],
        [BILLING + "#x"],
        ["billing"],
        ["urn:x"],
        ["//billing.example"],
        [f"{BILLING} {SERVICE}"],
        [f"{BILLING}/{n}" for n in range(50)],
    ],
)
def test_names_that_are_none_of_the_client_s_backends(provider: Provider, resource: list[str]):
    provider.door.sign_in()
    assert answer_of(provider.authorize(resource=resource))["error"] == "invalid_target"


def test_a_scope_of_a_backend_that_is_not_named_is_left_out(provider: Provider):
    body = provider.tokens(scope="openid billing:read service:read", resource=BILLING)
    assert body["scope"] == "billing:read"
    assert provider.refresh(body["refresh_token"], resource=SERVICE).json["error"] == "invalid_target"


@pytest.mark.parametrize(
    ("scope", "audience"), [("openid service:read", SERVICE), ("openid billing:read service:read", ISSUER)]
)
def test_where_none_is_named_scopes_say_which_if_they_leave_no_doubt(provider: Provider, scope: str, audience: str):
    body = provider.tokens(scope=scope, resource=None)
    assert provider.read(body["access_token"], audience)["aud"] == audience


@pytest.mark.parametrize("resource", [OTHER, SERVICE, BILLING + "#x", "x" * 5000, [BILLING, SERVICE], [BILLING, BILLING]])
def test_a_token_is_for_one_backend_of_those_that_were_asked_for(provider: Provider, resource: Any):
    code = provider.code()
    answer = provider.redeem(code, resource=resource)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
    # Nothing was spent.
    assert provider.redeem(code, resource=BILLING).status_code == 200


def test_of_several_backends_one_is_named_where_no_person_is_asked_about(provider: Provider):
    code = provider.code(**{**BOTH, "scope": "billing:read service:read"})
    assert provider.redeem(code).json["error"] == "invalid_target"
    assert provider.redeem(code, resource=SERVICE).status_code == 200


def test_of_several_backends_none_is_meant_where_the_person_is(provider: Provider):
    body = provider.redeem(provider.code(**BOTH)).json
    claims = provider.read(body["access_token"], ISSUER)
    assert (claims["aud"], claims["scope"]) == (ISSUER, "openid offline_access")


def test_the_scope_asked_at_a_refresh_must_be_of_the_backend(provider: Provider):
    body = provider.redeem(provider.code(**BOTH), resource=BILLING).json
    wrong = provider.refresh(body["refresh_token"], resource=SERVICE, scope="billing:read")
    assert wrong.json["error"] == "invalid_scope"
    right = provider.refresh(body["refresh_token"], resource=SERVICE, scope="service:read")
    assert right.json["scope"] == "service:read"


def test_a_backend_taken_from_the_client_gives_no_more_tokens(provider: Provider):
    body = provider.redeem(provider.code(**BOTH), resource=BILLING).json
    poorer = replace(provider.world.clients["portal"], resources=(BILLING,))
    provider.start(clients={**provider.world.clients, "portal": poorer})
    assert provider.refresh(body["refresh_token"], resource=SERVICE).json["error"] == "invalid_target"


def test_a_client_that_acts_for_itself_names_one_too(provider: Provider):
    asked = {"grant_type": "client_credentials"}
    assert provider.token("service", **asked).json["error"] == "invalid_target"
    assert provider.token("service", **asked, resource=OTHER).json["error"] == "invalid_target"
    body = provider.token("service", **asked, resource=SERVICE).json
    assert provider.read(body["access_token"], SERVICE)["scope"] == "service:read"
