"""Nonces (RFC 9449 8 and 9): told with every answer, taken for a while, the same on every node, and kept nowhere."""

from typing import Any

import pytest

from tests.oauth.proofs import App
from tests.oauth.provider import Provider
from tests.oauth.requests import asserted
from tests.policies.values import policy

NATIVE = {"client_id": "app", "redirect_uri": "com.telco.app:/cb"}


def signed_in(app: App) -> dict[str, Any]:
    body = app.redeem(app.provider.code(**NATIVE, scope="openid offline_access", resource=None), **NATIVE)
    assert body.status_code == 200, body.text
    return dict(body.json)


def test_the_first_proof_is_asked_for_again_with_a_nonce(provider: Provider):
    app = App(provider)
    code = provider.code(**NATIVE, scope="openid", resource=None)
    asked = app.redeem(code, app.proof(), **NATIVE)
    assert (asked.status_code, asked.json["error"]) == (400, "use_dpop_nonce")
    assert asked.headers["Cache-Control"] == "no-store"
    given = app.redeem(code, app.proof(nonce=asked.headers["DPoP-Nonce"]), **NATIVE)
    assert given.status_code == 200
    assert given.headers.get_all("DPoP-Nonce") == [asked.headers["DPoP-Nonce"]]


@pytest.mark.parametrize("nonce", ["", "made-up", 7, ["x"], "0" * 64])
def test_nonces_of_somebody_else(provider: Provider, nonce: object):
    answer = App(provider).refresh("a.b", App(provider).proof(nonce=nonce), **NATIVE)
    assert answer.json["error"] == "use_dpop_nonce"


def test_a_nonce_is_taken_for_a_while_and_replaced_in_time(provider: Provider):
    app = App(provider)
    refresh = signed_in(app)["refresh_token"]
    first, told = app.nonce, set()
    for _ in range(4):
        provider.clock.advance(seconds=70)
        answer = app.refresh(refresh, app.proof(), **NATIVE)
        assert answer.status_code == 200, "whoever comes every minute never has to ask twice"
        refresh = answer.json["refresh_token"]
        told.add(app.nonce)
    assert len(told) >= 2
    provider.clock.advance(seconds=30)
    stale = app.refresh(refresh, app.proof(nonce=first), **NATIVE)
    assert stale.json["error"] == "use_dpop_nonce"


def test_another_node_takes_it(provider: Provider):
    app = App(provider)
    refresh = signed_in(app)["refresh_token"]
    provider.start()
    assert app.refresh(refresh, app.proof(), **NATIVE).status_code == 200


def test_userinfo_asks_and_tells(provider: Provider):
    app = App(provider)
    token = signed_in(app)["access_token"]
    asked = app.userinfo(token, app.proof("GET", "/userinfo", token, nonce="stale"))
    assert (asked.status_code, asked.json["error"]) == (401, "use_dpop_nonce")
    assert asked.headers["WWW-Authenticate"].startswith('DPoP error="use_dpop_nonce"')
    app.nonce = asked.headers["DPoP-Nonce"]
    told = app.userinfo(token)
    assert (told.status_code, told.headers["DPoP-Nonce"]) == (200, app.nonce)


def test_refusals_tell_it_too(provider: Provider):
    app = App(provider)
    missing = provider.token("keyed", grant_type="client_credentials")
    assert missing.json["error"] == "invalid_dpop_proof"
    app.nonce = missing.headers["DPoP-Nonce"]
    refused = provider.token("keyed", headers={"DPoP": app.proof()}, grant_type="refresh_token", refresh_token="a.b")
    assert (refused.json["error"], refused.headers["DPoP-Nonce"]) == ("invalid_grant", app.nonce)
    bad = provider.token("keyed", headers={"DPoP": app.proof(htm="GET")}, grant_type="client_credentials")
    assert (bad.json["error"], bad.headers["DPoP-Nonce"]) == ("invalid_dpop_proof", app.nonce)


def test_where_the_policy_wants_none_none_is_told_but_to_fapi_clients(provider: Provider):
    provider.start(policy=policy(tokens={"dpop_nonce": False}))
    app = App(provider)
    free = provider.redeem(provider.code(**NATIVE), None, **NATIVE, headers={"DPoP": app.proof()})
    assert (free.status_code, "DPoP-Nonce" in free.headers) == (200, False)
    strict = provider.token(None, headers={"DPoP": app.proof()}, grant_type="client_credentials", **asserted(provider, "bank"))
    assert (strict.json["error"], "DPoP-Nonce" in strict.headers) == ("use_dpop_nonce", True)


def test_who_sends_no_proof_is_told_no_nonce(provider: Provider):
    answer = provider.redeem(provider.code())
    assert (answer.status_code, "DPoP-Nonce" in answer.headers) == (200, False)
