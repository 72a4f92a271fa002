"""RFC 8628: a device without a browser gets its tokens, once its person has said so in a browser of their own."""

import json
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from idp.flows import grant, sign_in
from idp.flows.facts import Looked, Visit, look
from idp.model import Factor, Source
from idp.policies import device
from idp.policies.steps import Done
from idp.store.shortlived_sql import used_digest
from idp.vault import digest
from tests.oauth.clients import BILLING, DEVICE_CODE, SERVICE
from tests.oauth.proofs import App
from tests.oauth.provider import ISSUER, Provider


def begin(provider: Provider, client: str | None = None, **form: Any) -> TestResponse:
    """A device asks for codes; the public one where none is said."""
    asked = {"scope": "openid billing:read", **({"client_id": "settop"} if client is None else {}), **form}
    return provider.post("/device_authorization", client, **asked)


def codes(provider: Provider, client: str | None = None, **form: Any) -> dict[str, Any]:
    response = begin(provider, client, **form)
    assert response.status_code == 200, response.text
    return dict(response.json)


def poll(provider: Provider, code: str, client: str | None = None, **form: Any) -> TestResponse:
    named = {"client_id": "settop"} if client is None else {}
    return provider.token(client, **({"grant_type": DEVICE_CODE, "device_code": code} | named | form))


def error(response: TestResponse) -> str:
    assert response.status_code == 400, response.text
    return str(response.json["error"])


def at_the_page(provider: Provider, user_code: str, *factors: Factor) -> Looked:
    """Somebody types the code and signs in, as the page has them do."""
    world = provider.world
    waiting = grant.waiting_for(world, user_code)
    assert waiting is not None
    session = provider.door.sign_in(*factors)
    ask = grant.ask_for_device(world, waiting, session)
    visit = Visit(sign_in.begin(world, ask, "browser", provider.door.held), "browser", Source())
    arrived = look(world, visit)
    assert arrived is not None
    if isinstance(arrived.step, Done):
        sign_in.finish(world, arrived, session)
        arrived = look(world, visit)
        assert arrived is not None
    return arrived


def answer(provider: Provider, user_code: str, *, allow: bool = True) -> None:
    looked = at_the_page(provider, user_code)
    assert grant.decide(provider.world, looked, provider.door.sessions[-1], allow=allow)


def test_a_device_gets_codes_and_then_its_tokens(provider: Provider):
    told = codes(provider)
    assert (told["verification_uri"], told["interval"], told["expires_in"]) == (f"{ISSUER}/device", 5, 600)
    assert told["verification_uri_complete"] == f"{ISSUER}/device?user_code={told['user_code']}"
    assert len(told["user_code"]) == 9
    assert set(told["user_code"]) <= set(device.ALPHABET + "-")
    assert error(poll(provider, told["device_code"])) == "authorization_pending"
    answer(provider, told["user_code"].lower().replace("-", " "))
    provider.clock.advance(seconds=5)
    body = poll(provider, told["device_code"]).json
    claims = provider.read(body["access_token"], BILLING)
    assert (claims["sub"], claims["client_id"], claims["scope"], claims["acr"]) == (
        "acc_maria",
        "settop",
        "billing:read",
        "pwd+pin",
    )
    assert provider.read(body["id_token"], "settop")["auth_time"] == claims["auth_time"]
    assert provider.token(None, grant_type="refresh_token", refresh_token=body["refresh_token"], client_id="settop").json
    assert ("device.asked", "done") in provider.audit()
    assert ("device.allowed", "done") in provider.audit()
    assert ("grant.opened", "done") in provider.audit()


def test_it_outlives_the_browser_and_belongs_to_no_session(provider: Provider):
    told = codes(provider)
    answer(provider, told["user_code"])
    body = poll(provider, told["device_code"]).json
    assert "sid" not in provider.read(body["access_token"], BILLING)
    grant.end_session(provider.world, provider.door.sessions[-1])
    assert provider.active(body["access_token"])["active"]
    with provider.store.begin() as tx:
        assert tx.grants.revoke_account("acc_maria", provider.clock())
    assert provider.active(body["access_token"]) == {"active": False}


def test_polling_too_fast_slows_the_device_down_each_time(provider: Provider):
    code = codes(provider)["device_code"]
    assert error(poll(provider, code)) == "authorization_pending"
    provider.clock.advance(seconds=4)
    assert error(poll(provider, code)) == "slow_down"
    # The wait is 10 seconds now, and one that comes after 9 makes it 15.
    provider.clock.advance(seconds=9)
    assert error(poll(provider, code)) == "slow_down"
    provider.clock.advance(seconds=15)
    assert error(poll(provider, code)) == "authorization_pending"


def test_slow_down_holds_for_what_is_allowed_too(provider: Provider):
    told = codes(provider)
    poll(provider, told["device_code"])
    answer(provider, told["user_code"])
    assert error(poll(provider, told["device_code"])) == "slow_down"
    provider.clock.advance(seconds=10)
    assert poll(provider, told["device_code"]).status_code == 200


def test_what_is_stored_tells_nobody_the_codes(provider: Provider):
    """Eight letters are soon tried: whoever reads the tables, or a copy of them, must not find them by their digest."""
    told = codes(provider)
    code = told["user_code"].replace("-", "")
    with provider.store.engine.connect() as link:
        tables = (link.exec_driver_sql(select).all() for select in ("SELECT * FROM slips", "SELECT * FROM used"))
        rows = [str(tuple(row)) for table in tables for row in table]
    guesses = (code, told["device_code"], *(used_digest(f"{name}{code}") for name in ("", "user code ")))
    assert len(rows) == 3
    assert not [row for row in rows if any(guess in row for guess in guesses)]


def test_a_device_that_asks_between_the_decision_and_the_grant_waits(provider: Provider):
    """What is not there yet is no reason to tell a device that it may stop asking."""
    told, slips = codes(provider), provider.world.store.slips
    looked, key = at_the_page(provider, told["user_code"]), digest(f"device\0{told['device_code']}")
    waiting = slips.get(key, provider.clock())
    assert waiting is not None
    allowed = json.dumps(json.loads(waiting.document) | {"decision": "allowed"})
    assert slips.swap(waiting, allowed, provider.clock())
    assert error(poll(provider, told["device_code"])) == "authorization_pending"
    assert slips.swap(replace(waiting, version=2), waiting.document, provider.clock())
    assert grant.decide(provider.world, looked, provider.door.sessions[-1], allow=True)
    provider.clock.advance(seconds=5)
    assert poll(provider, told["device_code"]).status_code == 200


def test_denied(provider: Provider):
    told = codes(provider)
    answer(provider, told["user_code"], allow=False)
    assert error(poll(provider, told["device_code"])) == "access_denied"
    assert grant.waiting_for(provider.world, told["user_code"]) is None
    assert ("device.denied", "done") in provider.audit()
    assert ("grant.opened", "done") not in provider.audit()


def test_a_code_expires_for_both(provider: Provider):
    told = codes(provider)
    provider.clock.advance(minutes=10, microseconds=-1)
    assert grant.waiting_for(provider.world, told["user_code"]) is not None
    provider.clock.advance(microseconds=1)
    assert grant.waiting_for(provider.world, told["user_code"]) is None
    assert error(poll(provider, told["device_code"])) == "expired_token"
    provider.clock.advance(minutes=10)
    assert error(poll(provider, told["device_code"])) == "invalid_grant"


def test_allowed_too_late_to_be_fetched(provider: Provider):
    told = codes(provider)
    provider.clock.advance(minutes=9, seconds=58)
    answer(provider, told["user_code"])
    provider.clock.advance(seconds=2)
    assert error(poll(provider, told["device_code"])) == "expired_token"


def test_a_foreign_client_is_told_nothing_and_spends_nothing(provider: Provider):
    """T-38: whoever else has the code gets no more than for any string."""
    told = codes(provider)
    for _ in range(3):
        assert error(poll(provider, told["device_code"], "television")) == "invalid_grant"
        assert error(poll(provider, told["device_code"], "television", client_id="television")) == "invalid_grant"
    assert error(poll(provider, told["device_code"])) == "authorization_pending"
    answer(provider, told["user_code"])
    provider.clock.advance(seconds=5)
    assert error(poll(provider, told["device_code"], "television")) == "invalid_grant"
    assert poll(provider, told["device_code"]).status_code == 200


def test_a_second_use_ends_the_grant(provider: Provider):
    told = codes(provider)
    answer(provider, told["user_code"])
    body = poll(provider, told["device_code"]).json
    provider.clock.advance(seconds=5)
    assert error(poll(provider, told["device_code"])) == "invalid_grant"
    assert provider.active(body["access_token"]) == {"active": False}


def test_neither_code_is_taken_for_an_authorization_code(provider: Provider):
    told = codes(provider, "television", client_id="television")
    answer(provider, told["user_code"])
    both = replace(provider.world.clients["television"], grant_types=("authorization_code", DEVICE_CODE))
    provider.start(clients={**provider.world.clients, "television": both})
    redeemed = provider.token("television", grant_type="authorization_code", code=told["device_code"])
    assert error(redeemed) == "invalid_grant"
    for named in (f"device {told['device_code']}", f"device%00{told['device_code']}"):
        assert error(provider.token("television", grant_type="authorization_code", code=named)) == "invalid_grant"
    assert error(poll(provider, provider.code(), "television")) == "invalid_grant"
    assert poll(provider, told["device_code"], "television").status_code == 200


def test_one_decision_and_no_other_after_it(provider: Provider):
    told = codes(provider)
    looked = at_the_page(provider, told["user_code"])
    other = at_the_page(provider, told["user_code"])
    session = provider.door.sessions[-1]
    assert grant.decide(provider.world, looked, session, allow=False)
    assert not grant.decide(provider.world, looked, session, allow=True)
    assert not grant.decide(provider.world, other, session, allow=True)
    assert error(poll(provider, told["device_code"])) == "access_denied"


def test_who_may_ask_for_codes(provider: Provider):
    assert begin(provider, None, client_id=None).status_code == 401
    assert begin(provider, None, client_id="television").status_code == 401
    assert begin(provider, "television").status_code == 200
    assert error(begin(provider, "portal")) == "unauthorized_client"
    assert error(poll(provider, "x", "portal")) == "unauthorized_client"
    assert provider.http.get("/device_authorization").status_code == 405
    assert provider.http.post("/device_authorization", json={"client_id": "settop"}).status_code == 415


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nothing of ours"}, "invalid_scope"),
        ({"scope": '"'}, "invalid_scope"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ],
)
def test_what_may_be_asked_is_judged_as_at_the_authorization_endpoint(provider: Provider, form: dict[str, Any], name: str):
    assert error(begin(provider, **form)) == name


def test_scope_is_left_out_where_it_goes_too_far(provider: Provider):
    told = codes(provider, scope="openid billing:read service:read nonsense", resource=SERVICE)
    waiting = grant.waiting_for(provider.world, told["user_code"])
    assert waiting is not None
    assert (waiting.scope, waiting.resources) == (("openid", "service:read"), (SERVICE,))


def test_the_level_of_the_resource_is_asked_of_the_person(provider: Provider):
    told = codes(provider)
    looked = at_the_page(provider, told["user_code"], Factor.PASSWORD)
    assert not isinstance(looked.step, Done)
    assert not grant.decide(provider.world, looked, provider.door.sessions[-1], allow=True)
    assert error(poll(provider, told["device_code"])) == "authorization_pending"


def test_a_client_of_somebody_elses_is_allowed_what_the_page_showed(provider: Provider):
    told = codes(provider, "television")
    answer(provider, told["user_code"])
    account = provider.door.account()
    assert grant.consented(provider.world, account, provider.world.clients["television"], ("openid", "billing:read"))
    assert ("consent.given", "done") in provider.audit()


def test_a_client_disabled_meanwhile(provider: Provider):
    told = codes(provider)
    disabled = replace(provider.world.clients["settop"], disabled=True)
    provider.start(clients={**provider.world.clients, "settop": disabled})
    assert grant.waiting_for(provider.world, told["user_code"]) is None
    assert poll(provider, told["device_code"]).status_code == 401


def test_tokens_are_bound_to_the_key_that_the_device_proves(provider: Provider):
    """RFC 9449 5: the refresh token of a public client too. A proof that is not good costs no question."""
    told, app = codes(provider), App(provider)
    answer(provider, told["user_code"])
    form = {"grant_type": DEVICE_CODE, "device_code": told["device_code"], "client_id": "settop"}
    assert app.token(proof="x", **form).json["error"] == "invalid_dpop_proof"
    body = app.token(**form).json
    assert body["token_type"] == "DPoP"
    assert provider.read(body["access_token"], BILLING)["cnf"] == {"jkt": app.prover.jkt}
    refresh = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"], "client_id": "settop"}
    assert error(provider.token(None, **refresh)) == "invalid_grant"
    assert app.token(**refresh).json["token_type"] == "DPoP"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("WDJB-MJHT", "WDJBMJHT"),
        (" wdjb mjht ", "WDJBMJHT"),
        ("w.d-j\tb—mjht", "WDJBMJHT"),
        ("WDJB-MJH", None),
        ("WDJB-MJHTT", None),
        ("WDJB-MJHA", None),
        ("ＷＤＪＢＭＪＨＴ", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_codes_are_typed_as_people_type(text: str, code: str | None):
    assert device.typed(text) == code
