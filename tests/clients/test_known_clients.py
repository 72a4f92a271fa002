"""The registry as processes see it: changes are seen, also where clocks disagree, two write at once, or nobody answers."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from idp.flows import registering_clients as flow
from idp.flows.known_clients import KnownClients, filed
from idp.flows.registering_clients import Refused, Why
from idp.model import Client
from idp.store import StoreDown, open_store
from idp.store.clients import StoredClient, client_from, document_of
from tests.clients.conftest import Desk

STORED = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
SHOP = Client("shop", "Shop", redirect_uris=("https://shop.example/cb",), auth_method="none")

SHOP_END = datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC)


def added(desk: Desk, client: Client = SHOP) -> StoredClient:
    stored = flow.add(desk.world, client, "cli:test")
    assert isinstance(stored, StoredClient)
    return stored


def renamed(name: str) -> Client:
    return replace(SHOP, name=name)


@STORED
def test_of_two_changes_at_once_one_is_told_so(desk: Desk) -> None:
    before = added(desk)
    assert isinstance(flow.change(desk.world, before, renamed("First"), "cli:other"), StoredClient)
    assert flow.change(desk.world, before, renamed("Second"), "cli:test") == Refused(Why.MEANWHILE)
    assert desk.world.clients["shop"].name == "First"


@STORED
def test_a_change_is_seen_though_its_clock_is_behind(desk: Desk) -> None:
    before = added(desk)
    clock, moment = desk.world.clock, [0.0]
    other = KnownClients(desk.world.clients.filed, desk.world.store, lambda: moment[0])  # type: ignore[attr-defined]
    assert other["shop"].name == "Shop"
    late = replace(desk.world, clock=lambda: clock() - timedelta(hours=1))
    assert isinstance(flow.change(late, before, renamed("Later"), "cli:late"), StoredClient)
    assert other["shop"].name == "Shop"
    moment[0] += 2
    assert other["shop"].name == "Later"


@STORED
def test_an_id_is_given_once(desk: Desk) -> None:
    added(desk)
    assert flow.add(desk.world, SHOP, "cli:test") == Refused(Why.TAKEN)
    assert flow.add(desk.world, replace(SHOP, id="portal"), "cli:test") == Refused(Why.TAKEN)
    assert filed(desk.world.clients, "portal")
    assert not filed(desk.world.clients, "shop")


def test_what_may_not_be_is_not_written(desk: Desk) -> None:
    refused = flow.change(desk.world, added(desk), replace(SHOP, require_pkce=False), "cli:test")
    assert isinstance(refused, Refused)
    assert (refused.why, [fault.path for fault in refused.faults]) == (Why.FAULTY, [("require_pkce",)])
    assert flow.remove(desk.world, "portal", "cli:test") == Refused(Why.FILED)
    assert flow.remove(desk.world, "nobody", "cli:test") == Refused(Why.UNKNOWN)


def test_clients_of_the_file_are_known_though_nobody_answers() -> None:
    store = open_store("postgresql+psycopg://nobody@127.0.0.1:1/none")
    try:
        known = KnownClients({"portal": SHOP}, store, time.monotonic)
        assert dict(known) == {"portal": SHOP}
        with pytest.raises(StoreDown):
            store.ping()
    finally:
        store.close()


def test_nobody_waits_for_another_where_the_store_is_down(desk: Desk) -> None:
    """A change of this process is looked for at once; where that fails, what was known is no less good."""
    added(desk)
    known = KnownClients({}, desk.world.store, lambda: next(moments))
    moments = iter(range(0, 1000, 10))
    assert known["shop"].name == "Shop"
    down = open_store("postgresql+psycopg://nobody@127.0.0.1:1/none")
    known._store = down
    known.look()
    with known._lock:
        found: list[Client] = []
        thread = threading.Thread(target=lambda: found.append(known["shop"]), daemon=True)
        thread.start()
        thread.join(2)
    down.close()
    assert found == [SHOP]


def test_who_goes_through_all_of_them_has_those_of_one_moment(desk: Desk) -> None:
    for name in ("first", "second"):
        added(desk, replace(SHOP, id=name))
    known = KnownClients({}, desk.world.store, lambda: next(moments))
    moments = iter(range(0, 1000, 10))
    values, items = iter(known.values()), iter(known.items())
    assert (next(values).id, next(items)[0]) == ("first", "first")
    assert flow.remove(desk.world, "second", "cli:test") is None
    assert "second" not in known
    assert ([one.id for one in values], [name for name, _ in items]) == (["second"], ["second"])


def test_a_client_of_the_file_stands_before_one_that_was_here(desk: Desk) -> None:
    before = added(desk)
    world = replace(desk.world, clients=KnownClients({"shop": renamed("Filed")}, desk.world.store, time.monotonic))
    assert flow.find(world, "shop") is None
    for refused in (
        flow.change(world, before, renamed("Late"), "cli:test"),
        flow.disable(world, "shop", "cli:test"),
        flow.renew_secret(world, "shop", timedelta(0), "cli:test"),
        flow.remove(world, "shop", "cli:test"),
    ):
        assert refused == Refused(Why.FILED)


def test_all_of_a_client_is_stored() -> None:
    whole = Client(
        "whole",
        "Whole",
        ("authorization_code", "refresh_token"),
        ("https://a.example/cb",),
        ("https://a.example/bye",),
        "https://a.example/in",
        "private_key_jwt",
        ("ab" * 32,),
        {"keys": [{"kty": "EC"}]},
        ("openid",),
        ("https://b.example",),
        ("query",),
        require_pkce=False,
        id_token_alg="ES256",
        consent=True,
        disabled=True,
        introspects=("https://b.example",),
        default_max_age=timedelta(hours=8),
        session_idle=timedelta(minutes=5),
        jwks_uri="https://a.example/jwks",
        request_uris=("https://a.example/request",),
        require_signed_request=True,
        require_par=True,
        dpop=True,
        fapi=True,
        sector="a.example",
        backchannel_logout_uri="https://a.example/back",
        frontchannel_logout_uri="https://a.example/front",
        exchanges={"https://c.example": ("c:read",)},
        secret_ends={"ab" * 32: SHOP_END},
    )
    blank = Client("whole", "Whole")
    assert [name for name in Client.__slots__ if getattr(whole, name) == getattr(blank, name)] == ["id", "name"]
    assert client_from("whole", document_of(whole)) == whole
    assert document_of(blank) == '{"name":"Whole"}'
    assert client_from("shop", '{"name":"Shop","of a newer version":[1]}').name == "Shop"
