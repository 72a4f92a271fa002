"""The receiver that backends copy: what it takes for an event, and what it refuses because of it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import Client, TestResponse

from examples import billing
from examples.events import DISABLED, ENABLED, PURGED, SESSION_REVOKED, Receiver
from tests.examples.tiny_provider import BILLING, TinyProvider

SET = "application/secevent+jwt"


@pytest.fixture
def told(provider: TinyProvider) -> Receiver:
    return Receiver(provider.issuer, "billing", "secret", f"{BILLING}/events")


@pytest.fixture
def client(provider: TinyProvider, told: Receiver) -> Client:
    return billing.create_app(provider.issuer, BILLING, told).test_client()


Push = Callable[..., TestResponse]


@pytest.fixture
def push(provider: TinyProvider, told: Receiver, client: Client) -> Push:
    """Send an event, with what is said of it changed."""

    def pushed(event: str = SESSION_REVOKED, sid: str = "s1", header: dict[str, Any] | None = None, **changes: Any) -> Any:
        user = {"format": "iss_sub", "iss": provider.issuer, "sub": "u1"}
        both = {"format": "complex", "user": user, "session": {"format": "opaque", "id": sid}}
        claims = {"sub": None, "exp": None, "client_id": None, "sub_id": both if sid else user, "events": {event: {}}}
        claims |= {"jti": f"{event} {sid} {time.monotonic_ns()}"}
        key = changes.pop("key", None)
        token = provider.token(
            changes.pop("aud", "billing"), {"typ": "secevent+jwt"} | (header or {}), key, **(claims | changes)
        )
        return client.post("/events", data=token, content_type=SET, headers={"Authorization": told._password})

    return pushed


def bill(client: Client, provider: TinyProvider, **claims: Any) -> int:
    header, key = claims.pop("header", None), claims.pop("key", None)
    token = provider.token(BILLING, header, key, scope="billing:read", **({"sid": "s1"} | claims))
    return client.get("/bills/latest", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_session_that_ended_is_refused_and_no_other(client: Client, provider: TinyProvider, push: Push):
    assert bill(client, provider) == 200
    assert push().status_code == 202
    assert bill(client, provider) == 401
    assert bill(client, provider, sid="s2") == 200


def test_where_everything_ended_what_came_before_is_refused(client: Client, provider: TinyProvider, push: Push):
    assert push(sid="").status_code == 202
    before = int(time.time()) - 1
    assert bill(client, provider, iat=before) == 401
    assert bill(client, provider, iat=before, sub="u2") == 200
    assert bill(client, provider, iat=int(time.time()) + 2) == 200


@pytest.mark.parametrize("event", [DISABLED, PURGED])
def test_an_account_that_is_disabled_is_refused_until_it_is_enabled(
    client: Client, provider: TinyProvider, push: Push, event: str
):
    push(event, sid="")
    assert bill(client, provider, sid="s2") == 401
    push(ENABLED, sid="")
    assert bill(client, provider, sid="s2") == 200


def test_an_event_counts_once(client: Client, provider: TinyProvider, push: Push):
    push(DISABLED, sid="", jti="one")
    push(ENABLED, sid="", jti="two")
    assert push(DISABLED, sid="", jti="one").status_code == 202
    assert bill(client, provider) == 200


@pytest.mark.parametrize(
    ("changes", "err"),
    [
        ({"iss": "https://evil.example"}, "invalid_issuer"),
        ({"aud": "service"}, "invalid_audience"),
        ({"aud": ["billing", "service"]}, "invalid_audience"),
        ({"header": {"typ": "at+jwt"}}, "invalid_request"),
        ({"header": {"typ": "logout+jwt"}}, "invalid_request"),
        ({"key": ECKey.generate_key("P-256", {"kid": "first"})}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"events": {SESSION_REVOKED: {}, DISABLED: {}}}, "invalid_request"),
        ({"sub_id": None}, "invalid_request"),
        ({"sub_id": "u1"}, "invalid_request"),
        ({"jti": None}, "invalid_request"),
        ({"exp": int(time.time()) + 3600}, "invalid_request"),
        ({"iat": int(time.time()) + 3600}, "invalid_request"),
    ],
)
def test_what_is_no_event_for_us_changes_nothing(
    client: Client, provider: TinyProvider, push: Push, changes: dict[str, Any], err: str
):
    answer = push(**changes)
    assert (answer.status_code, answer.json["err"]) == (400, err)
    assert bill(client, provider) == 200


def test_an_event_by_a_key_that_is_new_is_not_lost(client: Client, provider: TinyProvider, push: Push):
    """A stranger's token used up the look at the keys: the issuer must come again, and must not give the event up."""
    assert bill(client, provider, header={"kid": "made up"}) == 401
    provider.key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "second"})
    provider.keys.append(provider.key)
    assert push().status_code == 503


def test_events_come_in_rs256_too_and_access_tokens_do_not(client: Client, provider: TinyProvider, push: Push):
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "rsa"})
    provider.keys.append(key)
    assert bill(client, provider, key=key) == 401
    assert bill(client, provider, header={"kid": "rsa"}) == 401
    assert push(key=key).status_code == 202
    assert bill(client, provider) == 401


def test_who_is_not_the_issuer_is_not_read(client: Client, told: Receiver):
    for headers in ({}, {"Authorization": "Bearer guess"}):
        assert client.post("/events", data="x", content_type=SET, headers=headers).status_code == 401
    mine = {"Authorization": told._password}
    assert client.post("/events", data="x", content_type="text/plain", headers=mine).status_code == 415
    assert client.post("/events", data="é", content_type=SET, headers=mine).status_code == 400


def test_an_issuer_that_is_not_there_is_tried_again(provider: TinyProvider):
    assert Receiver("http://localhost:9", "billing", "secret", f"{BILLING}/events").subscribe() is False
    # One that has no streams, too.
    assert Receiver(provider.issuer, "billing", "secret", f"{BILLING}/events").subscribe() is False
