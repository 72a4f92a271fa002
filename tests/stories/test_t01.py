"""T1: an access token has exactly one audience, asked for with a resource indicator; one for the other is refused."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from examples.bearer import Bearer, Refusal
from tests.harness import House
from tests.people import BILLING, SERVICE


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def verified(house: House, token: str, audience: str) -> dict[str, Any]:
    """The claims of a token, checked by an independent library as a resource server would (RFC 9068 4)."""
    keys = jwt.PyJWKSet.from_dict(house.get("/jwks.json").json())
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    key = keys[header["kid"]]
    options: Any = {"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]}
    # The house's clock is ahead of this machine's.
    options |= {"verify_exp": False, "verify_iat": False}
    found: dict[str, Any] = jwt.decode(token, key, ["ES256"], options, audience=audience, issuer=house.url)
    return found


@pytest.mark.parametrize(("resource", "other"), [(BILLING, SERVICE), (SERVICE, BILLING)])
def test_t01_a_token_has_one_audience_and_the_other_backend_refuses_it(house: House, resource: str, other: str) -> None:
    person = house.customer()
    token = person.tokens(resource=resource)["access_token"]
    claims = verified(house, token, resource)
    assert claims["aud"] == resource
    assert claims["sub"] == person.account.id
    assert claims["client_id"] == "portal"
    assert claims["acr"] == "pwd+pin"
    with pytest.raises(jwt.InvalidAudienceError):
        verified(house, token, other)


def test_t01_the_scope_of_a_token_is_that_of_its_own_backend(house: House) -> None:
    person = house.customer()
    issued = person.tokens(resource=BILLING)
    scope = claims_of(issued["access_token"])["scope"].split()
    assert "billing:read" in scope
    assert "service:read" not in scope
    other = house.refresh(issued["refresh_token"], resource=SERVICE).json()
    scope = claims_of(other["access_token"])["scope"].split()
    assert "service:read" in scope
    assert "billing:read" not in scope


@pytest.mark.parametrize("resource", ["http://localhost:9999", "billing", "", f"{BILLING}/", BILLING.upper(), f"{BILLING}#x"])
def test_t01_a_resource_that_is_not_the_clients_gets_no_token(house: House, resource: str) -> None:
    person = house.customer()
    answer = person.ask(resource=resource).left
    if resource:
        assert answer is not None
        assert "error=invalid_target" in answer
    page = person.authorize(resource=[BILLING, SERVICE], scope="openid billing:read")
    issued = person.redeem(page, resource=resource)
    if resource:
        assert issued.status_code == 400
        assert issued.json()["error"] == "invalid_target"


def test_t01_two_resources_in_one_token_request_are_refused(house: House) -> None:
    person = house.customer()
    page = person.authorize(resource=[BILLING, SERVICE], scope="openid billing:read service:read")
    form = [
        ("grant_type", "authorization_code"),
        ("code", page.answer["code"]),
        ("redirect_uri", "http://localhost:8081/callback"),
        ("code_verifier", person.verifiers[page.answer["state"]]),
        ("resource", BILLING),
        ("resource", SERVICE),
    ]
    answer = house.post("/token", form, "portal")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_t01_a_client_that_acts_for_itself_gets_the_one_audience_too(house: House) -> None:
    token = house.token("billing", grant_type="client_credentials", resource=SERVICE, scope="service:read").json()[
        "access_token"
    ]
    claims = verified(house, token, SERVICE)
    assert claims["aud"] == SERVICE
    assert claims["sub"] == "billing"
    refused = house.token("billing", grant_type="client_credentials", resource=BILLING)
    assert refused.json()["error"] == "invalid_target"


def test_t01_the_backends_of_the_examples_accept_their_own_and_refuse_the_others(new_house: Callable[..., House]) -> None:
    house = new_house()
    issued = house.customer().tokens(resource=BILLING)
    own, other = Bearer(house.url, BILLING), Bearer(house.url, SERVICE)
    assert own.claims(issued["access_token"])["aud"] == BILLING
    for token in (issued["access_token"], issued["id_token"], issued["refresh_token"]):
        with pytest.raises(Refusal) as refused:
            other.claims(token)
        assert refused.value.status == 401
    with pytest.raises(Refusal):
        own.claims(issued["id_token"])
