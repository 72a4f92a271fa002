"""OpenID Connect Core 8.1: clients of different sectors know a person, and a session, by names that cannot be joined."""

from dataclasses import replace
from typing import Any

import jwt

from idp.flows import grant
from idp.model import Stream
from idp.policies import signals
from tests.oauth.clients import TOKEN_EXCHANGE
from tests.oauth.provider import MARIA, Provider, answer_of

ONE, OTHER = "pairwise", "elsewhere"


def issued(provider: Provider, client: str, **changes: Any) -> dict[str, Any]:
    """A flow with one of the clients, in the browser's one session."""
    code = provider.code(client_id=client, **changes)
    response = provider.redeem(code, client)
    assert response.status_code == 200, response.text
    return dict(response.json)


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def userinfo(provider: Provider, token: str) -> dict[str, Any]:
    return dict(provider.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).json)


def told(provider: Provider, client: str) -> list[dict[str, Any]]:
    """All that a client, and a backend through it, is ever told of a person."""
    usual, people = issued(provider, client), issued(provider, client, resource=None, scope="openid")
    exchange = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    onward = provider.token("billing", subject_token=usual["access_token"], **exchange).json["access_token"]
    refreshed = provider.refresh(usual["refresh_token"], client).json
    return [
        claims(usual["access_token"]),
        claims(usual["id_token"]),
        claims(refreshed["access_token"]),
        claims(refreshed["id_token"]),
        claims(onward),
        userinfo(provider, people["access_token"]),
        provider.active(usual["access_token"]),
        provider.active(usual["access_token"], client),
        provider.active(onward, "service"),
        provider.active(refreshed["refresh_token"], client),
    ]


def test_everywhere_one_name_and_nothing_that_leads_to_another(provider: Provider):
    told_one, told_other = told(provider, ONE), told(provider, OTHER)
    for all_told in (told_one, told_other):
        assert len({one["sub"] for one in all_told}) == 1
        assert len({one["sid"] for one in all_told if "sid" in one}) == 1
        assert all_told[0]["sub"].startswith("acc_")
        assert MARIA.id not in str(all_told)
        assert provider.door.sessions[0].public_id not in [one.get("sid") for one in all_told]
    # Names, identifiers and hashes: whatever belongs to a person, a session or a grant.
    linking = ("sub", "sid", "jti", "at_hash", "nonce")
    seen = [
        {one[name].partition(".")[0] for one in all_told for name in linking if name in one}
        for all_told in (told_one, told_other)
    ]
    assert seen[0] & seen[1] == {"n-1"}


def test_the_name_stays_and_clients_of_one_sector_share_it(provider: Provider):
    world = provider.world
    first = claims(issued(provider, ONE)["id_token"])["sub"]
    provider.door.sign_in()
    assert claims(issued(provider, ONE)["id_token"])["sub"] == first
    assert world.subject(world.clients[ONE], MARIA.id) == first
    assert world.subject(world.clients["portal"], MARIA.id) == MARIA.id


def test_logout_tokens_and_events_speak_by_that_name(provider: Provider):
    """The rows that wait for each receiver, opened as they are when they are sent."""
    known, now = provider.world.clients, provider.clock()
    named = {
        one: replace(known[one], backchannel_logout_uri=f"https://{one}.example/logout", scope=(*known[one].scope, "ssf.read"))
        for one in (ONE, OTHER)
    }
    provider.start(clients={**known, **named})
    with provider.store.begin() as tx:
        for one in (ONE, OTHER):
            tx.streams.add(Stream(f"stream-{one}", one, (signals.SESSION_REVOKED,), now))
    session = provider.door.sign_in()
    ids = {one: claims(issued(provider, one)["id_token"]) for one in (ONE, OTHER)}
    grant.end_session(provider.world, session)
    with provider.store.engine.connect() as link:
        rows = link.exec_driver_sql("SELECT target, body FROM signals").all()
    opened = {target: provider.world.vault.open_json(bytes(body)) for target, body in rows}
    for one, names in ids.items():
        assert (opened[one]["sub"], opened[one]["sid"]) == (names["sub"], names["sid"])
        about = opened[f"stream-{one}"]["sub_id"]
        assert (about["user"]["sub"], about["session"]["id"]) == (names["sub"], names["sid"])
    assert opened[f"stream-{ONE}"]["txn"] != opened[f"stream-{OTHER}"]["txn"]
    assert MARIA.id not in str(opened)


def test_signing_out_and_hints_understand_that_name(provider: Provider):
    token = issued(provider, ONE)["id_token"]
    foreign = issued(provider, OTHER)["id_token"]
    assert answer_of(provider.authorize(client_id=ONE, id_token_hint=token, prompt="none"))["code"]
    refused = answer_of(provider.authorize(client_id=ONE, id_token_hint=foreign, prompt="none"))
    assert refused["error"] == "invalid_request"
    asked = provider.http.get("/logout", query_string={"id_token_hint": token})
    assert '"signed_out"' in asked.text
    assert provider.door.held is None


def test_revoking_and_the_audit_go_by_the_grant(provider: Provider):
    token = issued(provider, ONE)["access_token"]
    assert provider.post("/revoke", ONE, token=token).status_code == 200
    assert provider.active(token) == {"active": False}
    with provider.store.engine.connect() as link:
        ((account,),) = link.exec_driver_sql("SELECT account_id FROM audit WHERE event = 'token.revoked'").all()
    assert account == MARIA.id
