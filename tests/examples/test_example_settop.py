"""The set-top box, and billing that asks service in a person's name, at the real provider."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from flask import Flask
from werkzeug.serving import BaseWSGIServer

from examples import billing, listen, service, settop
from examples.billing.visits import Visits
from tests.harness import House, open_house
from tests.people import BILLING, SERVICE

Start = Callable[[BaseWSGIServer], str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for this file, at the present time: the backends have clocks of their own. The last tests move it on."""
    with open_house("sqlite", tmp_path_factory.mktemp("examples")) as opened:
        yield opened


def box(house: House) -> settop.Box:
    return settop.Box(house.url, "settop", "openid profile service:read", SERVICE)


def test_billing_asks_service_who_is_told_who_asks_for_whom(house: House, start: Start) -> None:
    issued: dict[str, Any] = house.customer().tokens()
    at_service = start(listen(service.create_app(house.url, SERVICE), 0))
    visits = Visits(house.url, "billing", house.secret("billing") or "", SERVICE, at_service)
    at_billing = start(listen(billing.create_app(house.url, BILLING, visits=visits), 0))
    answer = httpx.get(f"{at_billing}/visits/next", headers={"Authorization": f"Bearer {issued['access_token']}"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["asked_by"] == "billing"
    (entry,) = house.audit("token.exchange")
    assert entry.facts["resource"] == SERVICE
    straight = httpx.get(f"{at_service}/faults/open", headers={"Authorization": f"Bearer {issued['access_token']}"})
    assert straight.status_code == 401


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_box_waits_for_its_person(house: House, decision: str) -> None:
    person, asked = house.customer(), box(house)
    codes, waited = asked.begin(), []

    def sleep(seconds: float) -> None:
        """The box has asked once too soon when its person comes."""
        waited.append(seconds)
        house.clock.move(seconds=1 if len(waited) == 2 else seconds)
        if len(waited) == 3:
            page = person.walk(person.fill(person.open("/device"), user_code=codes["user_code"]))
            person.fill(page, decision=decision)

    if decision == "deny":
        with pytest.raises(settop.Refused, match="access_denied"):
            asked.wait(codes, sleep)
    else:
        tokens = asked.wait(codes, sleep)
        assert house.introspect(tokens["access_token"], "service")["sub"] == person.account.id
    assert waited == [5, 5, 10]


def test_a_box_is_told_when_its_codes_have_expired(house: House) -> None:
    asked = box(house)
    with pytest.raises(settop.Refused, match="expired_token"):
        asked.wait(asked.begin(), lambda seconds: house.clock.move(seconds=60 * seconds))


def test_a_box_asks_again_where_the_provider_cannot_answer_now(start: Start) -> None:
    """RFC 8628 3.5: only what the provider decides is an answer; a gateway's page is none."""
    answers = [("<h1>Bad gateway</h1>", 502), ({"error": "temporarily_unavailable"}, 503), ({"access_token": "t"}, 200)]
    app, waited = Flask("provider"), list[float]()
    app.add_url_rule("/token", "token", lambda: answers.pop(0), methods=["POST"])
    url = start(listen(app, 0))
    said = {"issuer": url, "token_endpoint": f"{url}/token"}
    app.add_url_rule("/.well-known/openid-configuration", "metadata", lambda: said)
    assert settop.Box(url, "settop", "openid", SERVICE).wait({"device_code": "d", "interval": 1}, waited.append) == {
        "access_token": "t"
    }
    assert waited == [1, 2, 4]
