"""RFC 6749 2.3: exactly the registered method, one at a time."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.flows import registering_clients
from idp.flows.known_clients import KnownClients
from idp.vault import digest
from tests.oauth.clients import BILLING, SECRET, SERVICE
from tests.oauth.provider import Provider, basic, page_of

GRANT = {"grant_type": "client_credentials"}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def refused(response: Any) -> bool:
    return (response.status_code, response.json["error"]) == (401, "invalid_client") and "Basic" in response.headers[
        "WWW-Authenticate"
    ]


def test_a_client_for_itself(provider: Provider):
    body = provider.token("billing", **GRANT).json
    claims = provider.read(body["access_token"], SERVICE)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("billing", "billing", "service:read")
    assert not {"acr", "auth_time", "sid"} & claims.keys()
    assert body["expires_in"] == 600
    assert not {"refresh_token", "id_token"} & body.keys()


def test_which_audience(provider: Provider):
    assert provider.token("service", **GRANT).json["error"] == "invalid_target"
    assert provider.token("service", resource=BILLING, **GRANT).json["scope"] == "billing:read"
    assert provider.token("billing", resource=BILLING, **GRANT).json["error"] == "invalid_target"
    assert provider.token("billing", scope="billing:read", **GRANT).json["error"] == "invalid_scope"
    assert provider.token("billing", scope="openid", **GRANT).json["error"] == "invalid_scope"


def test_both_of_two_secrets_are_good(provider: Provider):
    for secret in (SECRET, "an older secret"):
        response = provider.http.post("/token", data={"grant_type": "refresh_token"}, headers=basic("portal", secret))
        assert response.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}),
        ({}, {"client_id": "billing"}),
        ({}, {"client_id": "unknown"}),
        ({}, {"client_id": "billing", "client_secret": SECRET}),
        (basic("billing", "wrong"), {}),
        (basic("unknown", SECRET), {}),
        (basic("", SECRET), {}),
        (basic("disabled", SECRET), {}),
        (basic("poster", SECRET), {}),
        (basic("app", ""), {}),
        (basic("billing", SECRET), {"client_secret": SECRET}),
        (basic("billing", SECRET), {"client_id": "other"}),
        (basic("billing", SECRET), {"client_assertion_type": TYPE}),
        ({"Authorization": "Basic " + base64.b64encode(f"billing:{SECRET}".encode()).decode()}, {}),
        ({"Authorization": "Basic !!!"}, {}),
        ({"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()}, {}),
        ({"Authorization": "Basic " + base64.b64encode(b"billing").decode()}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({"Authorization": "Basic"}, {}),
    ],
)
def test_refused(provider: Provider, headers: dict[str, str], form: dict[str, str]):
    assert refused(provider.http.post("/token", data=GRANT | form, headers=headers))
    assert provider.failures
    assert ("client.authentication", "refused") in provider.audit()


def test_a_secret_in_the_address_is_not_read(provider: Provider):
    query = {"client_id": "poster", "client_secret": SECRET}
    assert refused(provider.http.post("/token", data={"grant_type": "refresh_token"}, query_string=query))


def test_too_many_failures(provider: Provider):
    provider.throttled = True
    response = provider.token("unknown", **GRANT)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert provider.token("billing", **GRANT).status_code == 200


def test_unknown_and_known_clients_get_the_same_words(provider: Provider):
    answers = [provider.http.post("/token", data=GRANT, headers=basic(name, "wrong")) for name in ("billing", "unknown", "app")]
    assert len({(answer.status_code, answer.text, str(answer.headers)) for answer in answers}) == 1


def test_an_app_needs_no_secret(provider: Provider):
    code = provider.code(client_id="app", redirect_uri="https://spa.example/cb")
    form = {"client_id": "app", "redirect_uri": "https://spa.example/cb"}
    assert provider.redeem(code, None, **form).status_code == 200


def test_an_old_secret_is_good_until_its_end(provider: Provider) -> None:
    billing = provider.world.clients["billing"]
    ends = {digest("an older secret"): provider.clock() + timedelta(days=7)}
    both = replace(billing, secret_digests=(digest(SECRET), digest("an older secret")), secret_ends=ends)
    provider.start(clients={"billing": both})

    def good(secret: str) -> bool:
        return bool(provider.http.post("/token", data=GRANT, headers=basic("billing", secret)).status_code == 200)

    assert good(SECRET)
    assert good("an older secret")
    provider.clock.advance(days=7)
    assert good(SECRET)
    assert not good("an older secret")


def test_a_client_that_is_registered_meanwhile_is_known_at_once_and_its_pages_may_ask(provider: Provider) -> None:
    provider.start(clients=KnownClients(provider.world.clients, provider.store, provider.clock.monotonic))
    spa = replace(provider.world.clients["app"], id="spa", redirect_uris=("https://late.example/cb",))
    asked = {"Origin": "https://late.example"}
    assert "Access-Control-Allow-Origin" not in provider.http.post("/token", headers=asked).headers
    added = registering_clients.add(provider.world, spa, "cli:o")
    assert isinstance(added, registering_clients.StoredClient)
    assert provider.http.post("/token", headers=asked).headers["Access-Control-Allow-Origin"] == "https://late.example"
    code = provider.code(client_id="spa", redirect_uri="https://late.example/cb")
    changed = registering_clients.change(provider.world, added, replace(spa, redirect_uris=("https://x.example/",)), "o")
    assert isinstance(changed, registering_clients.StoredClient)
    assert page_of(provider.authorize(client_id="spa", redirect_uri="https://late.example/cb")) == "invalid_redirect_uri"
    assert "Access-Control-Allow-Origin" not in provider.http.post("/token", headers=asked).headers
    registering_clients.disable(provider.world, "spa", "cli:o")
    form = {"client_id": "spa", "redirect_uri": "https://late.example/cb"}
    assert refused(provider.redeem(code, None, **form))
