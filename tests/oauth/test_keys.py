"""Signing keys: made once, published ahead, kept until their tokens are dead, followed by every node."""

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, Event, Thread

import jwt

from idp.flows import keys as flow
from idp.model import KeyUse, SigningKey
from idp.vault.signing import KeyRing, at_hash, peek
from tests.oauth.clients import ASSERTING, BILLING
from tests.oauth.provider import Provider, vault


def test_rotation_without_downtime(provider: Provider):
    before = provider.tokens()
    other = flow.open_ring(provider.world, provider.clock.monotonic)
    early = flow.rotate(provider.world)
    assert isinstance(early, flow.TooEarly)
    provider.clock.advance(hours=24)
    provider.door.sign_in()
    before = provider.tokens()
    published = {key["kid"] for key in provider.http.get("/jwks.json").json["keys"]}
    flow.rotate(provider.world)
    provider.clock.advance(seconds=31)
    after = provider.tokens()
    signed_by = {ring_kid(body["access_token"]) for body in (before, after)}
    assert len(signed_by) == 2
    assert signed_by <= published
    assert other.verify(after["access_token"], "at+jwt") is not None
    for body in (before, after):
        assert provider.active(body["access_token"])["active"]
        assert provider.read(body["access_token"], BILLING)
    uses = sorted(key.use for key in flow.listed(provider.world) if key.alg == "ES256")
    assert uses == [KeyUse.CURRENT, KeyUse.NEXT, KeyUse.RETIRED]
    provider.clock.advance(minutes=12)
    assert len(flow.listed(provider.world)) == 4
    assert provider.ring.verify(before["access_token"], "at+jwt") is None


def ring_kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_whoever_brings_a_new_key_while_others_look_for_it_waits_for_what_they_find(provider: Provider):
    looking, go_on = Event(), Event()

    def load() -> tuple[SigningKey, ...]:
        found = flow.listed(provider.world)
        if slow:
            looking.set()
            assert go_on.wait(10)
        return found

    slow = False
    ring = KeyRing(load, vault(), provider.clock.monotonic)
    slow = True
    flow.rotate(provider.world, early=True)
    flow.rotate(provider.world, early=True)
    provider.ring.refresh()
    provider.clock.advance(seconds=3)
    token = provider.ring.sign("ES256", "at+jwt", {"sub": "x"})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ring.verify, token, "at+jwt")
        assert looking.wait(10)
        second = pool.submit(ring.verify, token, "at+jwt")
        assert not wait([second], 0.1).done
        go_on.set()
        assert first.result() == second.result() == {"sub": "x"}


def test_an_unknown_key_brings_the_look_forward_but_not_often(provider: Provider):
    looks = []

    def load() -> tuple[SigningKey, ...]:
        looks.append(1)
        return flow.listed(provider.world)

    ring = KeyRing(load, vault(), provider.clock.monotonic)
    flow.rotate(provider.world, early=True)
    provider.ring.refresh()
    token = provider.ring.sign("ES256", "at+jwt", {"sub": "x"})
    flow.rotate(provider.world, early=True)
    provider.ring.refresh()
    newest = provider.ring.sign("ES256", "at+jwt", {"sub": "y"})
    assert ring.verify(token, "at+jwt") == {"sub": "x"}
    assert ring.verify(newest, "at+jwt") is None
    provider.clock.advance(seconds=3)
    assert ring.verify(newest, "at+jwt") == {"sub": "y"}
    for number in range(100):
        unknown = jwt.encode({"sub": "z"}, ASSERTING.private_key, "ES256", {"kid": str(number), "typ": "at+jwt"})
        assert ring.verify(unknown, "at+jwt") is None
    assert len(looks) == 2


def test_keys_stay_good_while_the_store_is_down(provider: Provider):
    answers = [flow.listed(provider.world), None]
    ring = KeyRing(lambda: answers.pop(0), vault(), provider.clock.monotonic)
    token = ring.sign("RS256", "JWT", {"sub": "x"})
    provider.clock.advance(minutes=1)
    assert ring.verify(token, "JWT") == {"sub": "x"}
    assert ring.verify(token, "at+jwt") is None
    assert ring.ready()


def test_two_processes_make_one_set(provider: Provider):
    with provider.store.begin() as tx:
        for key in tx.keys.all():
            tx.keys.remove(key.kid)
    barrier = Barrier(2)

    def start() -> None:
        barrier.wait()
        flow.ensure_keys(provider.world)

    threads = [Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(flow.listed(provider.world)) == 4


def test_private_halves_are_sealed_at_rest(provider: Provider):
    for key in flow.listed(provider.world):
        assert b'"d"' not in key.sealed
        assert "d" in vault().open_json(key.sealed)
        assert "sealed" not in repr(key)


def test_small_things():
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert peek("x") == peek("a.b") == peek("a.W10.c") == {}
