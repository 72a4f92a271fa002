"""Shared Signals 1.0: receivers set up their stream, and nobody else's."""

from dataclasses import replace
from typing import Any

import pytest

from idp.flows import streams
from idp.policies import signals
from tests.oauth.proofs import App
from tests.oauth.provider import ISSUER, Provider
from tests.oauth.streams import HOOK, POLL, POLL_URL, PUSH, Receiver, opened, waiting

SOME = [signals.SESSION_REVOKED, signals.ACCOUNT_DISABLED]
PUSHED = {"method": PUSH, "endpoint_url": HOOK}


@pytest.fixture
def watcher(provider: Provider) -> Receiver:
    return Receiver(opened(provider))


def test_the_transmitter_says_where_everything_is(provider: Provider):
    told = provider.http.get("/.well-known/ssf-configuration")
    assert told.headers["Content-Type"] == "application/json"
    assert told.json == {
        "spec_version": "1_0",
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/jwks.json",
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": f"{ISSUER}/ssf/stream",
        "status_endpoint": f"{ISSUER}/ssf/status",
        "verification_endpoint": f"{ISSUER}/ssf/verify",
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }


def test_a_stream_begins_and_is_read(watcher: Receiver):
    assert watcher.ask("GET", "/ssf/stream").json == []
    asked = {"events_requested": [*SOME, "https://elsewhere.example/event"], "delivery": PUSHED, "description": "Ours"}
    begun = watcher.begin(**asked)
    assert begun == {
        "stream_id": begun["stream_id"],
        "iss": ISSUER,
        "aud": "watcher",
        "delivery": PUSHED,
        "events_supported": list(signals.EVENTS),
        "events_requested": asked["events_requested"],
        "events_delivered": SOME,
        "description": "Ours",
        "min_verification_interval": 60,
    }
    assert watcher.ask("GET", "/ssf/stream").json == [begun]
    assert watcher.ask("GET", "/ssf/stream", stream_id=begun["stream_id"]).json == begun
    assert ("stream.begun", "done") in watcher.provider.audit()


def test_without_a_delivery_it_is_polled(watcher: Receiver):
    assert watcher.begin()["delivery"] == {"method": POLL, "endpoint_url": POLL_URL}


def test_a_receiver_has_one_stream(watcher: Receiver):
    first = watcher.begin()
    again = watcher.ask("POST", "/ssf/stream", {})
    assert (again.status_code, again.json["error"]) == (409, "conflict")
    assert watcher.ask("GET", "/ssf/stream").json == [first]
    assert Receiver(watcher.provider, "second").begin()["aud"] == "second"


def test_the_header_of_the_receiver_is_sealed_and_never_shown(watcher: Receiver):
    begun = watcher.begin(delivery=PUSHED | {"authorization_header": "Bearer our-own-secret"})
    assert begun["delivery"] == PUSHED
    (stream,) = kept(watcher)
    assert stream.authorization is not None
    assert b"our-own-secret" not in stream.authorization
    assert watcher.provider.world.vault.open(stream.authorization) == b"Bearer our-own-secret"


def kept(watcher: Receiver) -> list[Any]:
    return [stream for stream, _ in streams.everyone(watcher.provider.world)]


def test_the_header_stays_with_its_address_and_goes_nowhere_else(watcher: Receiver):
    begun = watcher.begin(delivery=PUSHED | {"authorization_header": "Bearer our-own-secret"})
    again = {"stream_id": begun["stream_id"], "delivery": begun["delivery"]}
    assert watcher.ask("PATCH", "/ssf/stream", again).status_code == 200
    assert kept(watcher)[0].authorization is not None
    moved = again | {"delivery": {"method": PUSH, "endpoint_url": "https://elsewhere.example/events"}}
    assert watcher.ask("PATCH", "/ssf/stream", moved).status_code == 200
    assert kept(watcher)[0].authorization is None


def test_a_change_leaves_what_it_does_not_name(watcher: Receiver):
    begun = watcher.begin(delivery=PUSHED, description="Ours")
    changed = watcher.ask("PATCH", "/ssf/stream", {"stream_id": begun["stream_id"], "events_requested": SOME})
    assert changed.status_code == 200
    assert changed.json == begun | {"events_requested": SOME, "events_delivered": SOME}


def test_a_replacement_takes_back_what_it_does_not_name(watcher: Receiver):
    begun = watcher.begin(delivery=PUSHED, description="Ours")
    replaced = watcher.ask("PUT", "/ssf/stream", {"stream_id": begun["stream_id"], "events_requested": SOME})
    assert (replaced.status_code, replaced.json["delivery"]) == (200, {"method": POLL, "endpoint_url": POLL_URL})
    assert "description" not in replaced.json
    # What was read may be written back as it is.
    assert watcher.ask("PUT", "/ssf/stream", replaced.json).json == replaced.json


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    "claim",
    [
        {"aud": "second"},
        {"iss": "https://evil.example"},
        {"events_delivered": []},
        {"events_supported": []},
        {"min_verification_interval": 1},
    ],
)
def test_what_the_transmitter_says_is_not_the_receivers(watcher: Receiver, method: str, claim: dict[str, Any]):
    begun = watcher.begin()
    answer = watcher.ask(method, "/ssf/stream", begun | claim)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert watcher.ask("GET", "/ssf/stream").json == [begun]


def test_a_stream_ends_with_what_waited_in_it(watcher: Receiver):
    begun = watcher.begin()
    watcher.ask("POST", "/ssf/verify", {"stream_id": begun["stream_id"]})
    assert waiting(watcher.provider)["held"] == 1
    assert watcher.ask("DELETE", "/ssf/stream").status_code == 400
    gone = watcher.ask("DELETE", "/ssf/stream", stream_id=begun["stream_id"])
    assert (gone.status_code, gone.data) == (204, b"")
    assert waiting(watcher.provider)["held"] == 0
    assert watcher.ask("DELETE", "/ssf/stream", stream_id=begun["stream_id"]).status_code == 404
    assert watcher.ask("POST", "/ssf/poll", {}).status_code == 404


def test_another_receivers_stream_looks_like_none(watcher: Receiver):
    foreign = Receiver(watcher.provider, "second").begin()["stream_id"]
    watcher.begin()
    for stream_id in (foreign, "never-was", "x\0y", "é" * 3000):
        answers = [
            watcher.ask("GET", "/ssf/stream", stream_id=stream_id),
            watcher.ask("DELETE", "/ssf/stream", stream_id=stream_id),
            watcher.ask("PATCH", "/ssf/stream", {"stream_id": stream_id}),
            watcher.ask("PUT", "/ssf/stream", {"stream_id": stream_id}),
            watcher.ask("GET", "/ssf/status", stream_id=stream_id),
            watcher.ask("POST", "/ssf/status", {"stream_id": stream_id, "status": "paused"}),
            watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id}),
        ]
        expected = 400 if "\0" in stream_id else 404
        by_address = [answers[0], answers[1], answers[4]]
        assert {answer.status_code for answer in by_address} == {expected}
        assert {answer.status_code for answer in answers if answer not in by_address} == {404}
        assert len({answer.text for answer in answers if answer.status_code == 404}) == 1
    assert Receiver(watcher.provider, "second").ask("GET", "/ssf/stream").json[0]["stream_id"] == foreign


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/ssf/stream", "/ssf/status")),
        *(("POST", path) for path in ("/ssf/stream", "/ssf/status", "/ssf/verify", "/ssf/poll")),
        *((method, "/ssf/stream") for method in ("PATCH", "PUT", "DELETE")),
    ],
)
def test_whoever_has_no_token_for_this_is_refused(provider: Provider, method: str, path: str):
    opened(provider)
    other = provider.token("billing", grant_type="client_credentials").json["access_token"]
    person = provider.tokens(scope="openid", resource=None)["access_token"]
    for sent in ({}, {"Authorization": "Bearer rubbish"}, {"Authorization": f"Bearer {other}"}, bearer(person)):
        answer = provider.http.open(path, method=method, headers=sent, json={})
        assert answer.status_code == 401, (sent, answer.text)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_who_may_only_read_changes_nothing(provider: Provider):
    reader = Receiver(opened(provider), "reader")
    assert reader.ask("GET", "/ssf/stream").json == []
    for method, path in (("POST", "/ssf/stream"), ("PATCH", "/ssf/stream"), ("POST", "/ssf/status"), ("POST", "/ssf/verify")):
        answer = reader.ask(method, path, {})
        assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
        assert 'scope="ssf.manage"' in answer.headers["WWW-Authenticate"]


def test_what_a_client_is_later_refused_its_token_no_longer_gives(watcher: Receiver):
    watcher.begin()
    clients = watcher.provider.world.clients
    manager = clients["watcher"]
    for changed, status in ((replace(manager, scope=("ssf.read",)), 403), (replace(manager, disabled=True), 401)):
        watcher.provider.start(clients={**clients, "watcher": changed})
        assert watcher.ask("POST", "/ssf/stream", {}).status_code == status
    watcher.provider.clock.advance(hours=2)
    watcher.provider.start(clients=clients)
    assert watcher.ask("GET", "/ssf/stream").status_code == 401


def test_a_token_that_is_bound_to_a_key_needs_its_proof(provider: Provider):
    """RFC 9449 7: at these addresses as at every other."""
    opened(provider)
    clients = provider.world.clients
    provider.start(clients={**clients, "watcher": replace(clients["watcher"], dpop=True)})
    app = App(provider, "watcher")
    token = app.token(grant_type="client_credentials").json["access_token"]

    def ask(scheme: str, *proved: str) -> int:
        proof = {"DPoP": app.proof(*proved, token)} if proved else {}
        return provider.http.get("/ssf/stream", headers={"Authorization": f"{scheme} {token}"} | proof).status_code

    assert ask("DPoP", "GET", "/ssf/stream") == 200
    assert ask("DPoP", "POST", "/ssf/stream") == 401
    assert ask("DPoP", "GET", "/ssf/status") == 401
    assert ask("DPoP") == ask("Bearer") == ask("Bearer", "GET", "/ssf/stream") == 401


@pytest.mark.parametrize(
    "address",
    [
        "http://receiver.example/events",
        "https://127.0.0.1/events",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://user@receiver.example/",
        "https://receiver.example/#part",
        "ftp://receiver.example/",
        "//receiver.example/",
        "https://[bad/",
        "",
    ],
)
def test_nothing_is_pushed_to_addresses_within(watcher: Receiver, address: str):
    wish = {"delivery": {"method": PUSH, "endpoint_url": address}}
    assert watcher.ask("POST", "/ssf/stream", wish).status_code == 400
    begun = watcher.begin()
    assert watcher.ask("PATCH", "/ssf/stream", wish | {"stream_id": begun["stream_id"]}).status_code == 400
    assert watcher.ask("GET", "/ssf/stream").json == [begun]


@pytest.mark.parametrize(
    "wish",
    [
        {"delivery": {}},
        {"delivery": "push"},
        {"delivery": {"method": "urn:ietf:rfc:9999"}},
        {"delivery": {"method": PUSH}},
        {"delivery": {"method": PUSH, "endpoint_url": 1}},
        {"delivery": {"method": POLL, "endpoint_url": HOOK}},
        {"delivery": PUSHED | {"authorization_header": "a\r\nb: c"}},
        {"delivery": PUSHED | {"authorization_header": "a\n"}},
        {"delivery": PUSHED | {"authorization_header": ""}},
        {"delivery": PUSHED | {"authorization_header": "é"}},
        {"events_requested": "all"},
        {"events_requested": [1]},
        {"events_requested": ["x"] * 101},
        {"events_requested": ["x" * 3000]},
        {"description": {}},
        {"description": "half \ud800"},
        [],
    ],
)
def test_what_is_no_wish_is_refused(watcher: Receiver, wish: Any):
    answer = watcher.ask("POST", "/ssf/stream", wish)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert watcher.ask("GET", "/ssf/stream").json == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"description": NaN}', "application/json", 400),
        (b'{"description": "a", "description": "b"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b'{"description": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
@pytest.mark.parametrize("path", ["/ssf/stream", "/ssf/status", "/ssf/verify", "/ssf/poll"])
def test_a_body_that_is_none_is_refused(watcher: Receiver, path: str, body: bytes, kind: str, status: int):
    answer = watcher.provider.http.post(path, data=body, content_type=kind, headers=watcher.headers)
    assert (answer.status_code, answer.json["error"]) == (status, "invalid_request")


def test_other_methods_and_other_addresses(watcher: Receiver):
    assert watcher.ask("DELETE", "/ssf/status").status_code == 405
    assert watcher.ask("GET", "/ssf/verify").headers["Allow"] == "POST, OPTIONS"
    # There are no subjects to add: nothing can be asked about anybody.
    for path in ("/ssf/subjects:add", "/ssf/subjects:remove", "/ssf/stream/subjects"):
        assert watcher.ask("POST", path, {}).status_code == 404


def test_a_stream_is_paused_shut_and_opened_again(watcher: Receiver):
    stream_id = watcher.begin(delivery=PUSHED)["stream_id"]
    assert watcher.ask("GET", "/ssf/status", stream_id=stream_id).json == {"stream_id": stream_id, "status": "enabled"}
    assert watcher.ask("GET", "/ssf/status").status_code == 400
    signed_out(watcher.provider)
    assert waiting(watcher.provider) == {"waiting": 1, "held": 0, "dead": 0}
    paused = turned(watcher, stream_id, "paused", reason="We move house")
    assert paused == {"stream_id": stream_id, "status": "paused", "reason": "We move house"}
    assert waiting(watcher.provider) == {"waiting": 0, "held": 1, "dead": 0}
    signed_out(watcher.provider)
    assert waiting(watcher.provider) == {"waiting": 0, "held": 2, "dead": 0}
    assert turned(watcher, stream_id, "enabled") == {"stream_id": stream_id, "status": "enabled"}
    assert waiting(watcher.provider) == {"waiting": 2, "held": 0, "dead": 0}
    turned(watcher, stream_id, "disabled")
    signed_out(watcher.provider)
    assert waiting(watcher.provider) == {"waiting": 0, "held": 0, "dead": 0}


def turned(watcher: Receiver, stream_id: str, status: str, **more: str) -> dict[str, Any]:
    answer = watcher.ask("POST", "/ssf/status", {"stream_id": stream_id, "status": status, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def signed_out(provider: Provider) -> None:
    """Maria signs in at the portal, and out."""
    provider.door.held = None
    provider.tokens()
    provider.http.post("/logout/confirm", data={"csrf": "good"})


def test_a_status_that_is_none(watcher: Receiver):
    stream_id = watcher.begin()["stream_id"]
    for status in ("open", "", None, 1, ["paused"]):
        assert watcher.ask("POST", "/ssf/status", {"stream_id": stream_id, "status": status}).status_code == 400


def test_a_stream_that_changes_its_way_keeps_what_waits(watcher: Receiver):
    stream_id = watcher.begin(delivery=PUSHED)["stream_id"]
    signed_out(watcher.provider)
    watcher.ask("PATCH", "/ssf/stream", {"stream_id": stream_id, "delivery": {"method": POLL}})
    assert waiting(watcher.provider)["held"] == 1
    watcher.ask("PATCH", "/ssf/stream", {"stream_id": stream_id, "delivery": PUSHED})
    assert waiting(watcher.provider)["waiting"] == 1


def test_a_verification_brings_the_word_back(watcher: Receiver):
    stream_id = watcher.begin(events_requested=[])["stream_id"]
    asked = watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id, "state": "wörd \u2028"})
    assert (asked.status_code, asked.data) == (204, b"")
    (told,) = watcher.events()
    assert told["typ"] == "secevent+jwt"
    assert told["sub_id"] == {"format": "opaque", "id": stream_id}
    assert told["events"] == {streams.VERIFICATION: {"state": "wörd \u2028"}}
    assert "sub" not in told
    assert "exp" not in told


def test_a_verification_may_not_be_asked_for_too_often(watcher: Receiver):
    stream_id = watcher.begin()["stream_id"]
    assert watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id}).status_code == 204
    soon = watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id})
    assert (soon.status_code, soon.json["error"], soon.headers["Retry-After"]) == (429, "too_many_requests", "60")
    watcher.provider.clock.advance(seconds=60)
    assert watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id}).status_code == 204
    assert waiting(watcher.provider)["held"] == 2
    turned(watcher, stream_id, "disabled")
    watcher.provider.clock.advance(seconds=60)
    assert watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id}).status_code == 400
    assert watcher.ask("POST", "/ssf/verify", {"stream_id": stream_id, "state": "\udfff"}).status_code == 400
