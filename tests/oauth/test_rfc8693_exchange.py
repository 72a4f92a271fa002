"""RFC 8693: a backend exchanges a person's token for one with which it acts for that person at another backend."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.model import Account, AccountState, Client, Factor, Grant, Resource
from idp.policies import exchange
from idp.policies.exchange import LONGEST_CHAIN, Exchange, Subject
from idp.policies.tokens import Denied, Error
from tests.oauth.clients import BILLING, RESOURCES, SERVICE, TOKEN_EXCHANGE
from tests.oauth.proofs import App
from tests.oauth.provider import ISSUER, MARIA, NOW, Provider

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchanged(provider: Provider, token: str, client: str = "billing", **form: Any) -> TestResponse:
    asked = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN, **form}
    return provider.token(client, **asked)


def service_token(provider: Provider) -> str:
    return str(provider.tokens(scope="openid service:read", resource=SERVICE)["access_token"])


def error(response: TestResponse) -> str:
    assert response.status_code == 400, response.text
    return str(response.json["error"])


def test_a_token_for_another_backend_in_the_persons_name(provider: Provider):
    token = provider.tokens()["access_token"]
    response = exchanged(provider, token, resource=SERVICE, requested_token_type=ACCESS_TOKEN)
    assert response.status_code == 200, response.text
    body, before = response.json, provider.read(token, BILLING)
    assert (body["issued_token_type"], body["token_type"], body["scope"]) == (ACCESS_TOKEN, "Bearer", "service:read")
    assert not body.keys() & {"refresh_token", "id_token"}
    claims = provider.read(body["access_token"], SERVICE)
    assert (claims["client_id"], claims["act"], claims["typ"]) == ("billing", {"sub": "billing"}, "at+jwt")
    same = ("sub", "acr", "amr", "auth_time", "sid", "exp")
    assert {name: claims[name] for name in same} == {name: before[name] for name in same}
    told = provider.active(body["access_token"], "service")
    assert (told["sub"], told["act"]) == ("acc_maria", {"sub": "billing"})
    assert ("token.exchange", "done") in provider.audit()


@pytest.mark.parametrize("form", [{}, {"audience": SERVICE}, {"resource": SERVICE, "audience": SERVICE}])
def test_the_resource_is_named_in_either_way_or_the_only_one(provider: Provider, form: dict[str, str]):
    assert exchanged(provider, provider.tokens()["access_token"], **form).json["scope"] == "service:read"


def test_it_never_outlives_the_token_shown(provider: Provider):
    token = provider.tokens()["access_token"]
    provider.clock.advance(minutes=3)
    body = exchanged(provider, token).json
    assert body["expires_in"] == 120
    assert provider.read(body["access_token"], SERVICE)["exp"] == provider.read(token, BILLING)["exp"]
    provider.clock.advance(minutes=2)
    assert provider.active(body["access_token"], "service") == {"active": False}
    assert error(exchanged(provider, token)) == "invalid_request"


@pytest.mark.parametrize("end", ["grant", "account", "portal", "itself"])
def test_it_dies_with_what_it_came_from(provider: Provider, end: str):
    issued = provider.tokens()
    token = exchanged(provider, issued["access_token"]).json["access_token"]
    assert provider.active(token, "service")["active"]
    if end == "grant":
        provider.post("/revoke", token=issued["refresh_token"])
    elif end == "itself":
        provider.post("/revoke", "billing", token=token)
        assert provider.active(issued["access_token"])["active"]
    elif end == "portal":
        known = provider.world.clients
        provider.start(clients={**known, "portal": replace(known["portal"], disabled=True)})
    else:
        with provider.store.begin() as tx:
            tx.accounts.set_state(MARIA.id, AccountState.BLOCKED, provider.clock())
    assert provider.active(token, "service") == {"active": False}


def test_the_chain_of_those_who_act_is_kept(provider: Provider):
    first = exchanged(provider, provider.tokens()["access_token"]).json["access_token"]
    second = exchanged(provider, first, "service", scope="billing:read").json["access_token"]
    claims = provider.read(second, BILLING)
    assert claims["act"] == {"sub": "service", "act": {"sub": "billing"}}
    assert (claims["sub"], claims["client_id"]) == ("acc_maria", "service")


def test_whose_tokens_are_taken(provider: Provider):
    """A person's, made for this very backend, and good now."""
    issued = provider.tokens()
    other = provider.tokens(scope="openid service:read", resource=SERVICE)
    own = provider.token("billing", grant_type="client_credentials").json["access_token"]
    people = provider.tokens(scope="openid profile", resource=None)["access_token"]
    for token in (other["access_token"], own, people, issued["id_token"], issued["refresh_token"], "x", "a.b.c"):
        assert error(exchanged(provider, token)) == "invalid_request"
    assert error(exchanged(provider, issued["access_token"], "service")) == "invalid_request"
    provider.post("/revoke", token=issued["access_token"])
    assert error(exchanged(provider, issued["access_token"])) == "invalid_request"
    assert ("token.exchange", "refused") in provider.audit()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"resource": BILLING}, "invalid_target"),
        ({"audience": "service"}, "invalid_target"),
        ({"resource": SERVICE, "audience": BILLING}, "invalid_target"),
        ({"resource": ISSUER}, "invalid_target"),
        ({"scope": "service:read billing:read"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
    ],
)
def test_what_may_not_be_asked(provider: Provider, form: dict[str, Any], name: str):
    token = provider.tokens()["access_token"]
    assert error(exchanged(provider, token, **form)) == name


def test_who_may_not_exchange(provider: Provider):
    token = provider.tokens()["access_token"]
    assert error(exchanged(provider, token, "portal")) == "unauthorized_client"
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    assert provider.token(None, **form).status_code == 401
    assert error(provider.token(None, client_id="app", **form)) == "unauthorized_client"
    known = provider.world.clients
    provider.start(clients={**known, "billing": replace(known["billing"], exchanges={})})
    assert error(exchanged(provider, token)) == "unauthorized_client"


def test_the_person_must_have_what_is_asked_for(provider: Provider):
    token = exchanged(provider, provider.tokens()["access_token"]).json["access_token"]
    # Itemised bills are an entitlement that Maria has not.
    assert exchanged(provider, token, "service").json["scope"] == "billing:read"
    assert error(exchanged(provider, token, "service", scope="billing:itemised")) == "invalid_scope"


def test_a_sign_in_that_is_too_weak_for_a_backend_is_not_made_good_by_an_exchange(provider: Provider):
    """A resource names the least it needs: no token for it says less, however it was come by."""
    known = provider.world.resources
    provider.start(resources={**known, BILLING: replace(known[BILLING], acr="extra")})
    provider.door.sign_in()
    assert error(exchanged(provider, service_token(provider), "service", scope="billing:read")) == "invalid_target"
    provider.door.sign_in(Factor.PASSWORD, Factor.PIN, Factor.ANSWER)
    provider.clock.advance(minutes=8)
    token = service_token(provider)
    assert exchanged(provider, token, "service").json["scope"] == "billing:read"
    # What was shown is by then longer ago than the level lasts, and no token would say it any more.
    provider.clock.advance(minutes=3)
    assert error(exchanged(provider, token, "service")) == "invalid_target"


def test_what_is_given_is_bound_to_the_backends_own_key(provider: Provider):
    """RFC 9449 5: the key of the person's app stays behind, and where the backend proves none the token is bound to none."""
    token, app = provider.tokens()["access_token"], App(provider, "billing")
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    body = app.token(**form).json
    assert (body["token_type"], body["issued_token_type"]) == ("DPoP", ACCESS_TOKEN)
    assert provider.read(body["access_token"], SERVICE)["cnf"] == {"jkt": app.prover.jkt}


# The law alone

_BILLING = Client(
    "billing", "Billing", secret_digests=("x",), introspects=(BILLING,), exchanges={SERVICE: ("service:read", "service:write")}
)
_GRANT = Grant("g", MARIA.id, "portal", (), (), (), NOW, NOW + timedelta(days=1))
_NAMED = {one.identifier: one for one in RESOURCES} | {
    SERVICE: Resource("service", SERVICE, {"service:read": "", "service:write": "premium"}, timedelta(minutes=5))
}


def judged(
    *, client: Client = _BILLING, claims: dict[str, Any] | None = None, account: Account = MARIA, **asked: Any
) -> Exchange | Denied:
    subject = Subject({"aud": BILLING, **(claims or {})}, _GRANT, account, asked.get("level", "pwd"))
    return exchange.judge(client, subject, asked.get("targets", ()), asked.get("scope"), _NAMED)


def chain(length: int) -> dict[str, Any] | None:
    return None if length == 0 else {"sub": f"b{length}", **({"act": chain(length - 1)} if length > 1 else {})}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, ("service:read",)),
        ({"scope": ("service:read",)}, ("service:read",)),
        ({"scope": ("service:write",)}, Error.SCOPE),
        ({"account": replace(MARIA, entitlements=frozenset({"premium"}))}, ("service:read", "service:write")),
        ({"targets": (SERVICE, SERVICE)}, ("service:read",)),
        ({"targets": (SERVICE, BILLING)}, Error.TARGET),
        ({"targets": ("https://unknown.example",)}, Error.TARGET),
        ({"client": replace(_BILLING, exchanges={BILLING: ("billing:read",)})}, Error.TARGET),
        ({"client": replace(_BILLING, exchanges={BILLING: ("billing:read",)}), "level": "mfa"}, ("billing:read",)),
        ({"claims": {"aud": SERVICE}}, Error.REQUEST),
        ({"claims": {"act": chain(LONGEST_CHAIN - 1)}}, ("service:read",)),
        ({"claims": {"act": chain(LONGEST_CHAIN)}}, Error.REQUEST),
        ({"client": replace(_BILLING, auth_method="none")}, Error.CLIENT),
        ({"client": replace(_BILLING, exchanges={})}, Error.CLIENT),
        ({"client": replace(_BILLING, introspects=())}, Error.REQUEST),
        ({"client": replace(_BILLING, exchanges={**_BILLING.exchanges, BILLING: ("billing:read",)})}, Error.TARGET),
        ({"client": replace(_BILLING, exchanges={"https://gone.example": ("x",)})}, Error.TARGET),
        ({"client": replace(_BILLING, exchanges={SERVICE: ("service:write",)})}, Error.SCOPE),
    ],
)
def test_the_law(case: dict[str, Any], expected: tuple[str, ...] | Error):
    found = judged(**case)
    assert (found.error if isinstance(found, Denied) else found.scope) == expected
