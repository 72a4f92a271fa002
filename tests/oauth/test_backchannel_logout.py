"""OpenID Connect Back-Channel Logout 1.0: clients are told that a session is over, each as it must be, and nobody else."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.flows import alarm, assist, depart, erasing, grant, leave, sign_in
from idp.flows.assist import Act
from idp.flows.courier import GIVEN_UP_AFTER, Courier, Fate, next_try
from idp.flows.facts import Visit, look
from idp.flows.keeping import By, cut
from idp.flows.resident import Resident, resident
from idp.model import Alarm, Ask, Changed, Credential, Factor, Proof, Session, Signal, SignalKind, SignIn, Source
from idp.post import Outbound
from idp.vault import digest
from tests.oauth.clients import SECRET
from tests.oauth.provider import ISSUER, MARIA, NOW, Provider
from tests.receivers import Told, receiving

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def told(provider: Provider) -> Iterator[Told]:
    with receiving() as receivers:
        made = Told.made(provider, receivers)
        made.client("portal", "/portal")
        yield made


def fates(told: Told) -> list[str]:
    return [one.fate.value for one in told.deliver()]


def sign_out(told: Told) -> None:
    held = told.provider.door.held
    assert held is not None
    grant.end_session(told.provider.world, held[0])


def test_a_client_is_told_of_a_session_that_ended(told: Told) -> None:
    provider = told.provider
    id_token = provider.tokens()["id_token"]
    assert provider.http.get("/logout", query_string={"id_token_hint": id_token}).status_code == 200
    assert [(one.kind, one.target, one.fate, one.attempts) for one in told.deliver()] == [
        (SignalKind.LOGOUT, "portal", Fate.TAKEN, 1)
    ]
    (got,) = told.receivers.got
    claims = told.read(got, "portal")
    moment = int(NOW.timestamp())
    assert claims.pop("jti")
    # No nonce: nothing here can be taken for an ID token.
    assert claims == {
        "typ": "logout+jwt",
        "alg": "ES256",
        "iss": ISSUER,
        "aud": "portal",
        "iat": moment,
        "exp": moment + 120,
        "sub": MARIA.id,
        "sid": "sid0",
        "events": {EVENT: {}},
    }
    assert fates(told) == []


def test_in_the_algorithm_and_by_the_name_that_the_client_knows(told: Told) -> None:
    told.client("poster", "/poster", sector="https://poster.example")
    told.provider.redeem(told.provider.code(client_id="poster"), None, client_id="poster", client_secret=SECRET)
    sign_out(told)
    assert fates(told) == ["taken"]
    claims = told.read(told.receivers.at("/poster")[0], "poster")
    assert claims["alg"] == "RS256"
    assert claims["sub"] == told.provider.world.subject(told.provider.world.clients["poster"], MARIA.id) != MARIA.id


def test_each_client_of_the_session_and_no_other(told: Told) -> None:
    told.client("other", "/other")
    told.client("old", "/old")
    provider = told.provider
    provider.code()
    provider.code(client_id="other", scope="openid offline_access", resource=None)
    provider.door.sign_in(sid="elsewhere")
    provider.code(client_id="old")
    provider.code()
    sign_out(told)
    assert sorted(fates(told)) == ["taken", "taken"]
    assert {(one.path, told.read(one, one.path[1:])["sid"]) for one in told.receivers.got} == {
        ("/old", "elsewhere"),
        ("/portal", "elsewhere"),
    }


def test_a_session_is_over_before_anybody_can_hear_of_it(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was told at once and asked for a new sign-in at once would be let in by the session that ends."""
    told.provider.tokens()
    held, store, known = told.provider.door.held, told.provider.store, []

    class Watched:
        def __init__(self, real: object) -> None:
            self.real = real

        def __getattr__(self, name: str) -> object:
            if name == "end":
                with store.engine.connect() as connection:
                    known.append(connection.exec_driver_sql("SELECT count(*) FROM signals").scalar_one())
            return getattr(self.real, name)

    monkeypatch.setattr(store, "sessions", Watched(store.sessions))
    assert held is not None
    grant.end_session(told.provider.world, held[0])
    assert known == [0]
    assert fates(told) == ["taken"]


def test_what_outlives_the_session_is_told_of_its_end_too(told: Told) -> None:
    told.provider.code(scope="openid offline_access")
    sign_out(told)
    assert fates(told) == ["taken"]


def test_a_client_without_an_address_costs_nothing(provider: Provider) -> None:
    provider.code()
    held = provider.door.held
    assert held is not None
    grant.end_session(provider.world, held[0])
    with provider.store.read() as tx:
        assert tx.signals.depth() == {"waiting": 0, "held": 0, "dead": 0}


def _cut(provider: Provider) -> None:
    with provider.store.begin() as tx:
        cut(provider.world, tx, MARIA, now=provider.clock(), by=By(Source()))


def _drop(provider: Provider) -> None:
    app = Credential(Factor.TOTP, "sealed", NOW)
    with provider.store.begin() as tx:
        tx.accounts.set_credential(MARIA.id, app)
    assert assist.remove_second_factor(provider.world, MARIA.username, "operator") == ("totp",)


def _freeze(provider: Provider) -> None:
    with provider.store.begin() as tx:
        tx.alarms.put(Alarm(digest("CODE"), MARIA.id, Changed.PASSWORD, "", NOW, NOW + timedelta(days=1)))
    assert alarm.freeze(provider.world, "code", Source()) is not None


def _leave(provider: Provider) -> None:
    with provider.store.begin() as tx:
        leave._leave(provider.world, tx, _resident(provider), MARIA, NOW + timedelta(days=30))


def _erase(provider: Provider) -> None:
    with provider.store.begin() as tx:
        erasing.erase(provider.world, tx, MARIA, now=provider.clock(), why="expired")


def _resident(provider: Provider) -> Resident:
    assert provider.door.held is not None
    return resident(provider.world, *provider.door.held, Source())


ENDS: dict[str, Callable[[Provider], object]] = {
    "a secret is changed": _cut,
    "staff block": lambda provider: assist.change_state(provider.world, MARIA.username, Act.BLOCK, "operator"),
    "staff close": lambda provider: assist.change_state(provider.world, MARIA.username, Act.CLOSE, "operator"),
    "staff take a factor away": _drop,
    "signed out everywhere": lambda provider: depart.end_every(provider.world, _resident(provider)),
    "not me": _freeze,
    "cancelled": _leave,
    "purged": _erase,
}


@pytest.mark.parametrize("end", ENDS)
def test_where_all_of_an_account_ends_the_subject_alone_is_named(told: Told, end: str) -> None:
    told.client("other", "/other")
    provider = told.provider
    provider.code()
    provider.code(client_id="other", scope="openid offline_access", resource=None)
    ENDS[end](provider)
    assert fates(told) == ["taken", "taken"]
    for got in told.receivers.got:
        claims = told.read(got, got.path[1:])
        assert "sid" not in claims
        assert claims["sub"] == MARIA.id
    # What is dead already is not told again.
    provider.clock.advance(seconds=1)
    _cut(provider)
    assert fates(told) == []


def test_one_session_of_several_and_all_the_others(told: Told) -> None:
    provider, world = told.provider, told.provider.world
    for sid in ("first", "second", "third"):
        provider.door.sign_in(sid=sid)
        provider.code()
    who = _resident(provider)
    assert depart.end(world, who, "first")
    assert fates(told) == ["taken"]
    depart.end_others(world, who)
    assert fates(told) == ["taken"]
    assert [told.read(one, "portal")["sid"] for one in told.receivers.got] == ["first", "second"]


def finished(told: Told, *factors: Factor, held: Session | None = None) -> None:
    """Sign in by the real use case, in the browser that has the session ``held``."""
    world, now = told.provider.world, told.provider.clock()
    proofs = tuple(Proof(factor, now) for factor in factors or (Factor.PASSWORD, Factor.PIN))
    begun = SignIn(digest("tx"), digest("browser"), now, now + timedelta(minutes=10), Ask("portal"), MARIA.id, proofs)
    world.store.sign_ins.put(begun)
    looked = look(world, Visit("tx", "browser", Source()))
    assert looked is not None
    assert sign_in.finish(world, looked, held) is not None


def test_the_oldest_session_gives_way_where_there_are_too_many(told: Told) -> None:
    told.provider.door.sign_in(sid="first")
    told.provider.code()
    session = replace(told.provider.world.policy.session, per_account=1)
    told.provider.start(policy=replace(told.provider.world.policy, session=session))
    finished(told)
    assert fates(told) == ["taken"]
    assert [told.read(one, "portal")["sid"] for one in told.receivers.got] == ["first"]


def test_another_person_in_the_same_browser_ends_the_session(told: Told) -> None:
    theirs = replace(told.provider.door.sign_in(sid="first"), account_id="acc_luigi")
    told.provider.code()
    finished(told, held=theirs)
    assert fates(told) == ["taken"]


def test_a_session_that_goes_on_is_not_over(told: Told) -> None:
    held = told.provider.door.sign_in(sid="first")
    told.provider.code()
    finished(told, held=held)
    assert fates(told) == []


# Delivery


def test_what_a_client_refuses_is_given_up_and_what_fails_is_tried_again(told: Told) -> None:
    told.client("other", "/other")
    told.receivers.answers = {"/portal": (400, b'{"error": "invalid_request"}'), "/other": (503, b"")}
    told.provider.code()
    told.provider.code(client_id="other", scope="openid offline_access", resource=None)
    sign_out(told)
    known = {one.target: (one.fate, one.error) for one in told.deliver()}
    assert known == {
        "portal": (Fate.DEAD, "refused: invalid_request"),
        "other": (Fate.RETRY, "the answer was 503"),
    }
    assert fates(told) == []
    told.receivers.answers = {"/other": (204, b"")}
    told.provider.clock.advance(seconds=3)
    assert fates(told) == ["taken"]
    first, second = (told.read(one, "other") for one in told.receivers.at("/other"))
    assert first["jti"] == second["jti"]
    assert second["iat"] == first["iat"] + 3
    assert second["exp"] == first["exp"] + 3


def test_nobody_is_told_for_longer_than_an_hour(told: Told) -> None:
    told.receivers.answers = {"/portal": (500, b"")}
    told.provider.code()
    sign_out(told)
    seen = []
    for _ in range(40):
        seen += fates(told)
        told.provider.clock.advance(minutes=5)
    assert seen[-1] == "dead"
    assert seen.count("dead") == 1
    assert 5 < len(seen) < 20


def test_what_waited_for_over_an_hour_is_not_sent_any_more(told: Told) -> None:
    told.provider.code()
    sign_out(told)
    told.provider.clock.advance(minutes=61)
    (one,) = told.deliver()
    assert (one.fate, one.error) == (Fate.DEAD, "its time has passed")
    assert told.receivers.got == []


def test_a_client_that_is_gone_or_shut_is_told_nothing(told: Told) -> None:
    told.provider.code()
    sign_out(told)
    told.client("portal", "/portal", disabled=True)
    assert fates(told) == ["dropped"]
    assert fates(told) == []
    assert told.receivers.got == []


def test_a_slow_receiver_holds_nobody_up(told: Told) -> None:
    told.client("other", "/other")
    told.provider.code()
    told.provider.code(client_id="other", scope="openid offline_access", resource=None)
    release, quick = threading.Event(), threading.Event()
    told.receivers.before = lambda got: (release.wait(5), None)[1] if got.path == "/portal" else quick.set()
    sign_out(told)
    courier = Courier(told.provider.world, told.provider.ring)
    courier.turn()
    assert quick.wait(5)
    seen = []
    while not seen:
        seen = courier.turn()
    assert [(one.target, one.fate) for one in seen] == [("other", Fate.TAKEN)]
    # Nothing is due, and nothing is begun twice.
    assert courier.turn() == []
    release.set()
    assert [(one.target, one.fate) for one in (*courier.empty(), *courier.close())] == [("portal", Fate.TAKEN)]
    assert len(told.receivers.got) == 2


def test_an_address_within_is_not_gone_to(told: Told) -> None:
    told.provider.code()
    sign_out(told)
    told.provider.start(outbound=Outbound())
    (one,) = told.deliver()
    assert one.fate is Fate.RETRY
    assert told.receivers.got == []


def test_waits_grow_and_are_spread_and_come_to_an_end() -> None:
    def waits(id_: str) -> list[float]:
        made = (replace(Signal(id_, SignalKind.EVENT, "s1", {}, NOW), attempts=number) for number in range(1, 15))
        return [(at - NOW).total_seconds() for one in made if (at := next_try(one, NOW)) is not None]

    one, other = waits("a"), waits("b")
    assert len(one) == 14
    assert one != other
    for waited in (one, other):
        assert 1.5 <= waited[0] <= 2.5
        assert all(0.75 * 900 <= wait <= 1.25 * 900 for wait in waited[-3:])
    old = Signal("a", SignalKind.EVENT, "s1", {}, NOW - GIVEN_UP_AFTER)
    assert next_try(old, NOW) is None
