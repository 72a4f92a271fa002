"""RFC 8936: events are polled, taken back when they are acknowledged, and given again until then."""

from collections.abc import Callable
from typing import Any

import pytest

from idp.oauth.clients import Clients
from idp.oauth.streams import Streams
from idp.oauth.token import create_server
from idp.policies import signals
from tests.oauth.provider import MARIA, Provider
from tests.oauth.streams import HOOK, PUSH, Receiver, opened, waiting
from tests.oauth.test_ssf_streams import signed_out


@pytest.fixture
def watcher(provider: Provider) -> Receiver:
    found = Receiver(opened(provider))
    found.begin(events_requested=[signals.SESSION_REVOKED])
    return found


def test_nothing_waits(watcher: Receiver):
    assert watcher.poll() == {"sets": {}, "moreAvailable": False}


def test_events_come_until_they_are_acknowledged(watcher: Receiver):
    signed_out(watcher.provider)
    first = watcher.poll()
    ((jti, token),) = first["sets"].items()
    told = watcher.provider.read(token, "watcher")
    assert (told["jti"], told["typ"], list(told["events"])) == (jti, "secevent+jwt", [signals.SESSION_REVOKED])
    assert told["sub_id"]["user"]["sub"] == MARIA.id
    assert list(watcher.poll()["sets"]) == [jti]
    assert watcher.poll(ack=[jti, "never-was", "x\0y", jti])["sets"] == {}
    assert waiting(watcher.provider) == {"waiting": 0, "held": 0, "dead": 0}


def test_no_more_than_asked_for_the_oldest_first(watcher: Receiver):
    for _ in range(3):
        signed_out(watcher.provider)
        watcher.provider.clock.advance(seconds=1)
    everything = list(watcher.poll()["sets"])
    some = watcher.poll(maxEvents=2)
    assert (list(some["sets"]), some["moreAvailable"]) == (everything[:2], True)
    rest = watcher.poll(maxEvents=2, ack=everything[:2])
    assert (list(rest["sets"]), rest["moreAvailable"]) == (everything[2:], False)
    assert watcher.poll(maxEvents=0) == {"sets": {}, "moreAvailable": True}


def test_what_a_receiver_cannot_use_is_given_up(watcher: Receiver):
    signed_out(watcher.provider)
    (jti,) = watcher.poll()["sets"]
    fault = {"err": "invalid_key", "description": "Not a key we know: \0"}
    assert watcher.poll(setErrs={jti: fault, "never-was": fault})["sets"] == {}
    assert waiting(watcher.provider) == {"waiting": 0, "held": 0, "dead": 1}


def test_nobody_takes_back_what_is_anothers(watcher: Receiver):
    signed_out(watcher.provider)
    (jti,) = watcher.poll()["sets"]
    second = Receiver(watcher.provider, "second")
    second.begin()
    assert second.poll(ack=[jti], setErrs={jti: {"err": "x"}})["sets"] == {}
    assert list(watcher.poll()["sets"]) == [jti]


def test_who_may_read_may_poll(watcher: Receiver):
    signed_out(watcher.provider)
    assert len(Receiver(watcher.provider, scope="ssf.read").poll()["sets"]) == 1


@pytest.mark.parametrize(
    "wish",
    [
        {"maxEvents": -1},
        {"maxEvents": "1"},
        {"maxEvents": 1.5},
        {"returnImmediately": "yes"},
        {"ack": "jti"},
        {"ack": [1]},
        {"ack": ["x"] * 1001},
        {"setErrs": []},
        {"setErrs": {"jti": "bad"}},
        {"setErrs": {"jti": {}}},
    ],
)
def test_what_is_no_poll_is_refused(watcher: Receiver, wish: dict[str, Any]):
    answer = watcher.ask("POST", "/ssf/poll", wish)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_stream_that_is_pushed_is_not_polled(watcher: Receiver):
    second = Receiver(watcher.provider, "second")
    assert second.ask("POST", "/ssf/poll", {}).status_code == 404
    second.begin(delivery={"method": PUSH, "endpoint_url": HOOK})
    assert second.ask("POST", "/ssf/poll", {}).status_code == 400


def test_a_paused_stream_gives_nothing_and_keeps_it(watcher: Receiver):
    stream_id = watcher.ask("GET", "/ssf/stream").json[0]["stream_id"]
    watcher.ask("POST", "/ssf/status", {"stream_id": stream_id, "status": "paused"})
    signed_out(watcher.provider)
    assert watcher.poll() == {"sets": {}, "moreAvailable": False}
    watcher.ask("POST", "/ssf/status", {"stream_id": stream_id, "status": "enabled"})
    assert len(watcher.poll()["sets"]) == 1


def poll_waiting(watcher: Receiver, rest: Callable[[float], None]) -> Callable[[], dict[str, Any]]:
    """A poll that would wait, of a transmitter that rests as it is told."""
    provider = watcher.provider
    server = create_server(provider.world, provider.ring, Clients(provider.world, frozenset(), lambda _: False, lambda: False))
    views = Streams(server, rest)

    def ask() -> dict[str, Any]:
        with provider.app.test_request_context("/ssf/poll", method="POST", json={}, headers=watcher.headers):
            return dict(views.poll().json or {})

    return ask


def test_who_would_wait_gets_what_comes_meanwhile(watcher: Receiver):
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            signed_out(watcher.provider)

    assert len(poll_waiting(watcher, rest)()["sets"]) == 1
    assert len(rests) == 3


def test_nobody_waits_for_long(watcher: Receiver):
    rests: list[float] = []
    assert poll_waiting(watcher, rests.append)() == {"sets": {}, "moreAvailable": False}
    assert sum(rests) == 2


def test_no_more_than_two_wait_at_a_time(watcher: Receiver):
    depth, deepest, asked = 0, 0, 0

    def rest(_: float) -> None:
        nonlocal depth, deepest, asked
        depth += 1
        deepest = max(depth, deepest)
        asked += 1
        if asked < 5:
            assert ask()["sets"] == {}
        depth -= 1

    ask = poll_waiting(watcher, rest)
    ask()
    assert deepest == 2
