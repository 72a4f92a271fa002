"""Security event tokens pushed to receivers (RFC 8417, RFC 8935): what they say, of whom, in which order, and until when."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idp.flows import announcing, assist, grant, keeping, sign_in
from idp.flows.assist import Act
from idp.flows.courier import A_LANE, Courier, Fate
from idp.flows.facts import Visit, look
from idp.flows.keeping import By
from idp.model import (
    Ask,
    Credential,
    Factor,
    Proof,
    SignalKind,
    SignIn,
    Source,
    Stream,
    StreamStatus,
)
from idp.policies import signals
from idp.policies.signals import EVENTS, Happened
from idp.store import StoreDown
from idp.store.signals import PATIENCE
from idp.vault import digest
from tests.oauth.provider import ISSUER, MARIA, NOW, Provider
from tests.receivers import Got, Told, receiving

MOMENT = int(NOW.timestamp())


@pytest.fixture
def told(provider: Provider) -> Iterator[Told]:
    clients = provider.world.clients
    heard = [
        replace(clients[name], scope=(*clients[name].scope, "ssf.manage")) for name in ("portal", "other", "third", "poster")
    ]
    with receiving() as receivers:
        yield Told.made(provider, receivers, *heard)


def stream(told: Told, client: str = "portal", path: str | None = "/events", **facts: Any) -> Stream:
    made = Stream(
        id=f"stream-{client}",
        client_id=client,
        events=EVENTS,
        created_at=NOW,
        push_url=None if path is None else told.receivers.url + path,
    )
    made = replace(made, **facts)
    with told.provider.store.begin() as tx:
        assert tx.streams.add(made)
    return made


def happen(told: Told, event: str = "account.unblock", **facts: Any) -> None:
    world = told.provider.world
    with world.store.begin() as tx:
        world.record(tx, world.clock(), event, "done", account=MARIA.id, actor="operator", **facts)
    told.provider.clock.advance(seconds=1)


def said(told: Told, got: Got, audience: str = "portal") -> dict[str, Any]:
    claims = told.read(got, audience)
    assert claims.pop("jti")
    return claims


def fates(told: Told) -> list[str]:
    return [one.fate.value for one in told.deliver()]


def depth(told: Told) -> tuple[int, ...]:
    with told.provider.store.read() as tx:
        return tuple(tx.signals.depth().values())


# What is said


def test_a_session_that_ended(told: Told) -> None:
    authorization = told.provider.world.vault.seal(b"Bearer of-the-receiver")
    stream(told, authorization=authorization)
    session = told.provider.door.sign_in()
    grant.end_session(told.provider.world, session)
    # Signed when it is sent, dated when it happened.
    told.provider.clock.advance(minutes=5)
    assert fates(told) == ["taken"]
    (got,) = told.receivers.got
    assert got.headers["Authorization"] == "Bearer of-the-receiver"
    assert got.headers["Accept"] == "application/json"
    claims = said(told, got)
    assert claims.pop("txn")
    assert claims == {
        "typ": "secevent+jwt",
        "alg": "ES256",
        "iss": ISSUER,
        "aud": "portal",
        "iat": MOMENT,
        "events": {signals.SESSION_REVOKED: {"event_timestamp": MOMENT, "initiating_entity": "user"}},
        "sub_id": {
            "format": "complex",
            "user": {"format": "iss_sub", "iss": ISSUER, "sub": MARIA.id},
            "session": {"format": "opaque", "id": "sid0"},
        },
    }


def test_an_account_that_is_blocked_under_the_name_that_each_receiver_knows(told: Told) -> None:
    stream(told)
    stream(told, "other", "/others")
    clients = told.provider.world.clients
    other = replace(clients["other"], sector="https://other.example")
    told.provider.start(clients={**clients, "other": other})
    assert assist.change_state(told.provider.world, MARIA.username, Act.BLOCK, "operator") is not None
    assert fates(told) == ["taken"] * 4
    mine = [said(told, got) for got in told.receivers.at("/events")]
    theirs = [said(told, got, "other") for got in told.receivers.at("/others")]
    for claims in (*mine, *theirs):
        ((event, members),) = claims["events"].items()
        assert event in {signals.SESSION_REVOKED, signals.ACCOUNT_DISABLED}
        assert members.get("initiating_entity", "admin") == "admin"
        assert claims["sub_id"]["format"] == "iss_sub"
    assert {claims["sub_id"]["sub"] for claims in mine} == {MARIA.id}
    assert {claims["sub_id"]["sub"] for claims in theirs} == {told.provider.world.subject(other, MARIA.id)}
    # One occurrence, told in several tokens; by its name, too, two sectors cannot be joined.
    occurrences = [{claims["txn"] for claims in claims_of} for claims_of in (mine, theirs)]
    assert [len(each) for each in occurrences] == [1, 1]
    assert occurrences[0] != occurrences[1]


def test_in_the_algorithm_that_the_receiver_knows_from_its_other_tokens(told: Told) -> None:
    stream(told)
    stream(told, "poster", "/poster")
    happen(told)
    assert fates(told) == ["taken"] * 2
    (plain,), (posted,) = told.receivers.at("/events"), told.receivers.at("/poster")
    assert (said(told, plain)["alg"], said(told, posted, "poster")["alg"]) == ("ES256", "RS256")


def test_a_live_session_at_a_higher_level(told: Told) -> None:
    stream(told)
    world, now = told.provider.world, told.provider.clock()
    held = told.provider.door.sign_in(Factor.PASSWORD, Factor.PIN)
    proofs = (*held.proofs, Proof(Factor.ANSWER, now))
    begun = SignIn(digest("tx"), digest("browser"), now, now.replace(hour=13), Ask("portal"), MARIA.id, proofs)
    world.store.sign_ins.put(begun)
    looked = look(world, Visit("tx", "browser", Source()))
    assert looked is not None
    assert sign_in.finish(world, looked, held) is not None
    assert fates(told) == ["taken"]
    claims = said(told, told.receivers.got[0])
    assert claims["events"] == {
        signals.ASSURANCE_LEVEL_CHANGE: {
            "event_timestamp": MOMENT,
            "initiating_entity": "user",
            "namespace": "acr",
            "current_level": "extra",
            "previous_level": "pwd+pin",
            "change_direction": "increase",
        }
    }
    assert claims["sub_id"]["session"] == {"format": "opaque", "id": held.public_id}


def test_an_account_that_was_frozen_opens_with_a_new_password(told: Told) -> None:
    stream(told)
    world = told.provider.world
    with world.store.begin() as tx:
        keeping.shut(tx, MARIA, Factor.PASSWORD, NOW)
        keeping.keep(world, tx, MARIA, Credential(Factor.PASSWORD, "new", NOW), now=NOW, by=By(Source()))
    assert fates(told) == ["taken"] * 3
    claims = [said(told, got) for got in told.receivers.got]
    assert {next(iter(one["events"])) for one in claims} == {
        signals.CREDENTIAL_CHANGE,
        signals.ACCOUNT_ENABLED,
        signals.SESSION_REVOKED,
    }
    (changed,) = (one["events"][signals.CREDENTIAL_CHANGE] for one in claims if signals.CREDENTIAL_CHANGE in one["events"])
    assert (changed["credential_type"], changed["change_type"]) == ("password", "update")


def test_only_what_was_asked_for(told: Told) -> None:
    stream(told, events=(signals.ACCOUNT_ENABLED,))
    happen(told, "account.block")
    happen(told, "account.unblock")
    assert fates(told) == ["taken"]
    assert set(said(told, told.receivers.got[0])["events"]) == {signals.ACCOUNT_ENABLED}


def test_ordinary_events_read_no_stream(told: Told) -> None:
    """Nothing is paid for on the way in."""

    class Closed:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(name)

    happened = Happened("sign_in", "done", "person", NOW, {})
    announcing.announce(told.provider.world, Closed(), happened, MARIA.id)  # type: ignore[arg-type]


# Streams that wait, and receivers that are gone


def test_what_is_polled_or_paused_is_kept_and_what_is_disabled_is_not(told: Told) -> None:
    stream(told, "portal", None)
    stream(told, "other", "/others", status=StreamStatus.PAUSED)
    stream(told, "third", "/third", status=StreamStatus.DISABLED)
    happen(told)
    assert depth(told) == (0, 2, 0)
    assert fates(told) == []
    with told.provider.store.begin() as tx:
        tx.signals.release("stream-other")
    # Released, and paused anew before anybody carried it.
    assert fates(told) == []
    assert depth(told) == (0, 2, 0)
    with told.provider.store.begin() as tx:
        tx.streams.change(replace(tx.streams.of("other") or pytest.fail("no stream"), status=StreamStatus.ENABLED))
        tx.signals.release("stream-other")
    assert fates(told) == ["taken"]
    assert [got.path for got in told.receivers.got] == ["/others"]


@pytest.mark.parametrize("gone", ["client", "disabled client", "client that may no more", "disabled stream", "stream"])
def test_a_receiver_that_is_gone_is_told_nothing(told: Told, gone: str) -> None:
    made = stream(told)
    happen(told)
    clients = dict(told.provider.world.clients)
    if gone == "client":
        told.provider.start(clients={name: one for name, one in clients.items() if name != "portal"})
    elif gone == "disabled client":
        told.provider.start(clients={**clients, "portal": replace(clients["portal"], disabled=True)})
    elif gone == "client that may no more":
        told.provider.start(clients={**clients, "portal": replace(clients["portal"], scope=("openid",))})
    else:
        with told.provider.store.begin() as tx:
            if gone == "stream":
                tx.link.driver.execute("DELETE FROM streams")
            else:
                tx.streams.change(replace(made, status=StreamStatus.DISABLED))
    assert fates(told) == ["dropped"]
    assert depth(told) == (0, 0, 0)
    assert told.receivers.got == []
    if "client" in gone:
        happen(told)
        assert depth(told) == (0, 0, 0)


# What receivers answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"err": "invalid_audience", "description": "no"}', "refused: invalid_audience"),
        (b"{}", "refused: no reason given"),
        (b"<html>", "refused: no reason given"),
        (b'{"err": ["x"]}', "refused: no reason given"),
        (b'{"err": "x\\u0000\\u001b[31m"}', "refused: no reason given"),
    ],
)
def test_what_a_receiver_refuses_is_given_up(told: Told, answer: bytes, error: str) -> None:
    stream(told)
    happen(told)
    told.receivers.answers = {"/events": (400, answer)}
    (one,) = told.deliver()
    assert (one.kind, one.fate, one.error) == (SignalKind.EVENT, Fate.DEAD, error)
    assert depth(told) == (0, 0, 1)


@pytest.mark.parametrize("status", [200, 204, 301, 401, 403, 404, 429, 500, 503])
def test_whatever_is_not_accepted_is_told_again(told: Told, status: int) -> None:
    stream(told)
    happen(told)
    told.receivers.answers = {"/events": (status, b"")}
    (one,) = told.deliver()
    assert (one.fate, one.error) == (Fate.RETRY, f"the answer was {status}")
    told.receivers.answers = {}
    told.provider.clock.advance(seconds=3)
    assert fates(told) == ["taken"]
    first, again = (told.read(got, "portal") for got in told.receivers.got)
    # The very same, whenever it is sent.
    assert first == again


def test_what_happened_first_is_told_first_also_after_trouble(told: Told) -> None:
    stream(told)
    events = ["account.block", "account.unblock", "account.cancelled", "account.kept"]
    told.receivers.answers = {"/events": (503, b"")}
    for event in events:
        happen(told, event, before="pending")
        assert fates(told) in ([], ["retry"])
    told.receivers.answers = {}
    told.provider.clock.advance(minutes=1)
    before = len(told.receivers.got)
    assert fates(told) == ["taken"] * 3
    told_in_order = [next(iter(told.read(got, "portal")["events"])) for got in told.receivers.got[before:]]
    assert told_in_order == [signals.ACCOUNT_ENABLED, signals.ACCOUNT_DISABLED, signals.ACCOUNT_ENABLED]


def test_one_signal_that_its_receiver_cannot_take_holds_the_others_up_for_a_while_only(told: Told) -> None:
    stream(told)
    happen(told, "account.frozen")
    happen(told, "account.unblock")

    def before(got: Got) -> None:
        stuck = signals.ACCOUNT_DISABLED in told.read(got, "portal")["events"]
        told.receivers.answers = {"/events": (500, b"")} if stuck else {}

    told.receivers.before = before
    seen = []
    while "taken" not in seen:
        seen += fates(told)
        told.provider.clock.advance(minutes=20)
    assert seen == ["retry"] * (PATIENCE + 1) + ["taken"]


def test_who_always_has_something_waiting_keeps_nobody_from_their_turn(told: Told) -> None:
    stream(told, "other", "/others", events=(signals.ACCOUNT_ENABLED,))
    stream(told, "portal", events=(signals.ACCOUNT_DISABLED,))
    happen(told, "account.frozen")
    for _ in range(A_LANE + 1):
        happen(told, "account.unblock")
    courier = Courier(told.provider.world, told.provider.ring, lanes=1)
    assert len([*courier.empty(), *courier.close()]) == A_LANE + 2
    assert told.receivers.got[-1].path == "/others"


def test_what_cannot_be_opened_or_signed_is_not_in_the_way_for_ever(told: Told) -> None:
    stream(told)
    happen(told)
    with told.provider.store.begin() as tx:
        tx.link.driver.execute("UPDATE signals SET body = X'00'")
    (one,) = told.deliver()
    assert one.fate is Fate.RETRY
    assert one.error.startswith("cannot be sent: ")


# The store


def test_a_store_that_is_down_loses_no_outcome(told: Told) -> None:
    stream(told)
    happen(told)
    engine = told.provider.store.engine
    courier = Courier(told.provider.world, told.provider.ring)
    courier.turn()
    while courier._back.empty():
        pass
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE signals RENAME TO elsewhere")
    with pytest.raises(StoreDown):
        courier.turn()
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO signals")
    assert [one.fate for one in (*courier.empty(), *courier.close())] == [Fate.TAKEN]
    assert len(told.receivers.got) == 1


def test_what_is_not_begun_at_the_end_is_given_back(told: Told) -> None:
    stream(told)
    for _ in range(3):
        happen(told)
    courier = Courier(told.provider.world, told.provider.ring)
    told.receivers.before = lambda _: courier.__setattr__("_closing", True)
    courier.turn()
    assert [one.fate for one in courier.close()] == [Fate.TAKEN]
    assert depth(told) == (2, 0, 0)
    told.receivers.before = lambda _: None
    assert [(one.fate, one.attempts) for one in told.deliver()] == [(Fate.TAKEN, 1)] * 2


def test_a_change_that_is_rolled_back_is_told_to_nobody(told: Told) -> None:
    stream(told)
    world = told.provider.world
    with pytest.raises(LookupError), world.store.begin() as tx:  # noqa: PT012
        world.record(tx, NOW, "account.unblock", "done", account=MARIA.id, actor="operator")
        raise LookupError
    assert fates(told) == []
