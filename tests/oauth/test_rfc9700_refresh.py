"""RFC 6749 6 and RFC 9700 4.14: refresh tokens rotate, and one used again ends its family."""

from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import AccountState
from tests.oauth.clients import BILLING, CLIENTS, SERVICE
from tests.oauth.provider import ISSUER, Provider


def test_each_use_gives_a_successor_and_an_id_token(provider: Provider):
    first = provider.tokens()
    provider.clock.advance(minutes=5)
    body = provider.refresh(first["refresh_token"]).json
    assert body["refresh_token"] != first["refresh_token"]
    before, after = provider.read(first["id_token"], "portal"), provider.read(body["id_token"], "portal")
    assert after["auth_time"] == before["auth_time"]
    assert after["iat"] == before["iat"] + 300
    assert "nonce" not in after
    assert provider.refresh(body["refresh_token"]).status_code == 200


def test_reuse_ends_the_family_and_tells_the_owner_once(provider: Provider):
    first = provider.tokens()
    second = provider.refresh(first["refresh_token"]).json
    provider.clock.advance(seconds=11)
    for _ in range(2):
        assert provider.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert provider.refresh(second["refresh_token"]).json["error"] == "invalid_grant"
    assert provider.active(second["access_token"]) == {"active": False}
    assert provider.letters() == ["token_reuse"]
    assert ("token.refresh", "refused") in provider.audit()


def test_a_lost_answer_is_given_once_more_within_the_grace(provider: Provider):
    first = provider.tokens()
    lost = provider.refresh(first["refresh_token"]).json
    provider.clock.advance(seconds=9)
    again = provider.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert again.json["refresh_token"] != lost["refresh_token"]
    assert provider.refresh(again.json["refresh_token"]).status_code == 200


def test_the_grace_can_be_switched_off(provider: Provider):
    policy = provider.world.policy
    provider.start(policy=replace(policy, tokens=replace(policy.tokens, reuse_grace=timedelta(0))))
    first = provider.tokens()
    assert provider.refresh(first["refresh_token"]).status_code == 200
    assert provider.refresh(first["refresh_token"]).json["error"] == "invalid_grant"


def test_another_client_gets_nothing_and_spoils_nothing(provider: Provider):
    token = provider.tokens()["refresh_token"]
    assert provider.refresh(token, "other").json["error"] == "invalid_grant"
    assert provider.refresh(token).status_code == 200


def test_unused_it_dies(provider: Provider):
    token = provider.tokens(scope="openid offline_access")["refresh_token"]
    provider.clock.advance(hours=25)
    assert provider.refresh(token).json["error"] == "invalid_grant"


@pytest.mark.parametrize("state", [AccountState.BLOCKED, AccountState.CLOSED])
def test_the_account_is_asked_each_time(provider: Provider, state: AccountState):
    body = provider.tokens()
    with provider.store.begin() as tx:
        tx.accounts.set_state("acc_maria", state, provider.clock())
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_grant"
    assert provider.active(body["access_token"]) == {"active": False}


def test_a_password_change_ends_what_began_before(provider: Provider):
    body = provider.tokens()
    provider.clock.advance(seconds=1)
    with provider.store.begin() as tx:
        tx.accounts.sessions_valid_from("acc_maria", provider.clock())
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_grant"


def test_a_client_disabled_meanwhile(provider: Provider):
    body = provider.tokens()
    clients = {client.id: replace(client, disabled=client.id == "portal") for client in CLIENTS}
    provider.start(clients=clients)
    assert provider.refresh(body["refresh_token"]).json["error"] == "invalid_client"
    assert provider.active(body["access_token"]) == {"active": False}


def test_narrower_is_fine_and_wider_is_not(provider: Provider):
    token = provider.tokens(scope="openid email billing:read")["refresh_token"]
    for scope in ("openid email billing:read service:read", "openid unknown", 'a"b', "  "):
        assert provider.refresh(token, scope=scope).json["error"] == "invalid_scope"
    narrow = provider.refresh(token, scope="billing:read").json
    assert (narrow["scope"], "id_token" in narrow) == ("billing:read", False)
    assert provider.refresh(narrow["refresh_token"]).json["scope"] == "billing:read"


def test_one_resource_of_the_grant_at_a_time(provider: Provider):
    body = provider.tokens(resource=[BILLING, SERVICE], scope="openid billing:read service:read")
    for resource, scope in ((BILLING, "billing:read"), (SERVICE, "service:read"), (ISSUER, "openid")):
        body = provider.refresh(body["refresh_token"], resource=resource).json
        assert (provider.read(body["access_token"], resource)["aud"], body["scope"]) == (resource, scope)
    for resource in ("https://evil.example", [BILLING, SERVICE]):
        assert provider.refresh(body["refresh_token"], resource=resource).json["error"] == "invalid_target"


def test_entitlements_limit_what_a_token_carries(provider: Provider):
    assert provider.tokens(scope="openid billing:read billing:itemised")["scope"] == "billing:read"


@pytest.mark.parametrize("token", ["", "x", "x.y", "." * 50, "é.ü", "x" * 5000])
def test_tokens_that_never_were(provider: Provider, token: str):
    assert provider.refresh(token).json["error"] in {"invalid_grant", "invalid_request"}


def test_an_access_token_is_no_refresh_token(provider: Provider):
    assert provider.refresh(provider.tokens()["access_token"]).json["error"] == "invalid_grant"
