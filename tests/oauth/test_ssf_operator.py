"""Streams in the operator's hands: held back, let flow, looked at and removed."""

from dataclasses import replace

import pytest

from idp.cli.streams import cells
from idp.flows import grant, streams
from idp.model import StreamStatus
from idp.policies import signals
from tests.oauth.provider import Provider
from tests.oauth.streams import HOOK, RECEIVERS, Receiver, opened


@pytest.fixture
def watcher(provider: Provider) -> Receiver:
    return Receiver(opened(provider))


def nothing() -> None:
    """Nobody carries anything: these streams are polled."""


def test_the_operator_pauses_a_stream_and_its_receiver_is_told(watcher: Receiver):
    world, stream_id = watcher.provider.world, watcher.begin()["stream_id"]
    grant.end_session(world, watcher.provider.door.sign_in())
    watcher.provider.clock.advance(seconds=1)
    assert streams.steer(world, stream_id, StreamStatus.PAUSED, "Maintenance", "staff", nothing)
    watcher.provider.clock.advance(seconds=1)
    (told,) = watcher.events()
    assert told["events"] == {streams.UPDATED: {"status": "paused", "reason": "Maintenance"}}
    assert streams.steer(world, stream_id, StreamStatus.ENABLED, "", "staff", nothing)
    kinds = [next(iter(one["events"])) for one in watcher.events()]
    assert kinds == [signals.SESSION_REVOKED, streams.UPDATED, streams.UPDATED]
    assert not streams.steer(world, "never-was", StreamStatus.PAUSED, "", "staff", nothing)


def test_what_a_receiver_writes_does_nothing_to_the_operator_s_terminal(watcher: Receiver):
    strange = "\x1b]0;owned\x07\u202e\u009b2J"
    begun = watcher.begin(events_requested=[f"https://x.example/{strange}"])
    turned = {"stream_id": begun["stream_id"], "status": "paused", "reason": f"[red]{strange}"}
    assert watcher.ask("POST", "/ssf/status", turned).status_code == 200
    ((stream, client),) = streams.everyone(watcher.provider.world)
    shown = cells(replace(stream, push_url=HOOK + strange), client)
    assert all(mark.isprintable() or mark == "\n" for cell in shown for mark in cell)


def test_the_operator_removes_streams_of_clients_that_are_gone(watcher: Receiver):
    stream_id = watcher.begin()["stream_id"]
    world = replace(watcher.provider.world, clients={one.id: replace(one, disabled=True) for one in RECEIVERS})
    assert [(one.id, client) for one, client in streams.everyone(world)] == [(stream_id, None)]
    assert streams.dismiss(world, stream_id, "staff")
    assert not streams.dismiss(world, stream_id, "staff")
    assert streams.everyone(world) == []
