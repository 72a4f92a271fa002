"""B5: itemised billing and ordering need extra proof of identity beyond the sign-in (step-up)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from werkzeug.test import TestResponse

from examples import billing
from idp.model import Factor, Purpose
from tests.gateways import open_gateway
from tests.harness import House, open_house
from tests.people import BILLING, NEW_PASSWORD, Page, Person

SELF = {"IDP_PROFILE": "open-registration"}
ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "values": ["extra"]}}})
SCOPE = "openid billing:read"


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def registered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of people who registered by themselves: a password, and perhaps an address."""
    with open_house(request.param, tmp_path_factory.mktemp("registered"), environ=SELF) as opened:
        yield opened


def someone(house: House, **facts: Any) -> Person:
    """Somebody signed in, not long ago but before."""
    person = house.customer(secrets=(Factor.PASSWORD,), **facts)
    person.sign_in()
    assert person.signed_in()
    house.clock.move(seconds=1)
    return person


def asked(person: Person, **more: str) -> Page:
    """A client wants the extra proof."""
    return person.ask(resource=BILLING, scope=SCOPE, **{"acr_values": "extra", **more})


def codes(house: House, person: Person) -> list[str]:
    return [str(context["code"]) for _, context in house.letters(person.account, "extra_code")]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def claims(person: Person, page: Page) -> dict[str, Any]:
    answer = person.redeem(page, resource=BILLING)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    return told


def bill(house: House, token: str) -> TestResponse:
    """The itemised bill, as billing gives or refuses it."""
    return billing.create_app(house.url, BILLING).test_client().get(
        "/bills/itemised", headers={"Authorization": f"Bearer {token}"}
    )  # fmt: skip


@pytest.mark.parametrize("environ", [SELF, {}], ids=["a code", "the answer"])
def test_b05_billing_asks_for_more_and_gets_it(new_house: Callable[..., House], environ: dict[str, str]) -> None:
    house = new_house(environ=environ)
    person = house.customer()
    token = person.tokens(resource=BILLING, scope=SCOPE)["access_token"]
    refused = bill(house, token)
    assert refused.status_code == 401
    challenge = refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="extra"' in challenge
    page = asked(person)
    assert page.step == ("ExtraProofByCode" if environ else "ExtraProof")
    assert page.heading == "One more check"
    answer = person.redeem(person.walk(page), resource=BILLING)
    given = bill(house, answer.json()["access_token"])
    assert given.status_code == 200
    assert given.get_json()["calls"]


def test_b05_a_code_goes_out_when_it_is_asked_for_and_only_it_is_asked_for(registered: House) -> None:
    person = someone(registered)
    page = asked(person)
    assert page.step == "ExtraProofByCode"
    assert person.account.email not in page.text.replace("\u2060", "")
    assert "A code shows that it is you." in page.text
    assert codes(registered, person) == []
    page = person.fill(page, send="yes")
    (code,) = codes(registered, person)
    page = person.fill(page, code=other_than(code))
    assert (page.status, page.step) == (401, "ExtraProofByCode")
    page = person.fill(page, code=f" {code[:3]} {code[3:]} ")
    told = claims(person, page)
    assert (told["acr"], told["amr"]) == ("extra", ["pwd", "otp"])
    assert [row.outcome for row in registered.audit("extra.asked", person.account)] == ["sent"]
    tries = [row.outcome for row in registered.audit("attempt", person.account) if row.facts["factor"] == "code"]
    assert tries == ["wrong", "right"]
    assert code not in str(registered.audit(account=person.account))


def test_b05_it_lasts_ten_minutes_and_a_new_one_asks_for_a_new_code(registered: House) -> None:
    person = someone(registered)
    page = person.walk(asked(person))
    assert claims(person, page)["acr"] == "extra"
    registered.clock.move(minutes=9)
    assert claims(person, asked(person))["acr"] == "extra"
    registered.clock.move(minutes=1, seconds=2)
    page = asked(person)
    assert page.step == "ExtraProofByCode"
    assert "code" not in page.fields
    assert claims(person, person.walk(page))["acr"] == "extra"
    assert [row.outcome for row in registered.audit("extra.asked", person.account)] == ["sent", "sent"]


NOWHERE = {"no address": {"email": "", "email_confirmed_at": None}, "an address never confirmed": {"email_confirmed_at": None}}


@pytest.mark.parametrize("case", NOWHERE)
def test_b05_who_has_nowhere_to_send_it_is_told_so_to_the_client(registered: House, case: str) -> None:
    person = someone(registered, **NOWHERE[case])
    # Nor is a weaker token given, which billing would only refuse again (RFC 9470 5).
    for more in ({}, {"claims": ESSENTIAL}):
        assert asked(person, **more).answer["error"] == "unmet_authentication_requirements"
    assert registered.audit("extra.asked", person.account) == []


def test_b05_a_code_of_another_sign_in_of_another_purpose_or_of_somebody_else_opens_nothing(registered: House) -> None:
    person, thief = someone(registered), someone(registered)
    page = person.fill(asked(person), send="yes")
    (code,) = codes(registered, person)
    elsewhere = person.elsewhere()
    # Whoever knows the password and reads the code over a shoulder has another sign-in.
    other = elsewhere.walk(elsewhere.ask(acr_values="extra"), until="ExtraProofByCode")
    assert elsewhere.fill(other, code=code, send="").status == 401
    theirs = thief.fill(asked(thief), send="yes")
    assert thief.fill(theirs, code=code).status == 401
    form = thief.open("/profile/email")
    thief.fill(form, current=thief.password, email=f"x{thief.username}@example.com")
    with registered.world.store.read() as tx:
        assert tx.one_time_codes.live(thief.account.id, Purpose.EXTRA, registered.clock())
    assert person.fill(page, code="", send="").status == 422
    assert person.fill(page, code=code).answer["code"]


def test_b05_three_tries_a_code_and_five_codes_a_day(registered: House) -> None:
    person = someone(registered)
    page = asked(person)
    for _ in range(5):
        page = person.fill(page, send="yes")
        code = codes(registered, person)[-1]
        for _ in range(3):
            assert person.fill(page, code=other_than(code)).status == 401
        assert person.fill(page, code=code).status == 401
    page = person.fill(page, send="yes")
    assert page.status == 429
    assert "That was the last code for today." in page.text
    assert len(codes(registered, person)) == 5
    # The sign-in of before goes on as it was.
    assert person.signed_in()


def test_b05_a_code_works_once_and_for_ten_minutes(registered: House) -> None:
    person = someone(registered)
    page = person.fill(asked(person), send="yes")
    (code,) = codes(registered, person)
    registered.clock.move(minutes=10, seconds=1)
    late = person.fill(page, code=code)
    assert late.status in (401, 404)
    page = person.fill(asked(person), send="yes")
    code = codes(registered, person)[-1]
    assert person.fill(page, code=code).answer["code"]
    again = asked(person, prompt="login")
    again = person.walk(again, until="ExtraProofByCode")
    assert person.fill(again, code=code, send="").status == 401


def test_b05_who_reads_the_mailbox_of_before_has_nothing(registered: House) -> None:
    owner = someone(registered)
    thief = owner.elsewhere()
    page = thief.fill(thief.walk(asked(thief), until="ExtraProofByCode"), send="yes")
    (code,) = codes(registered, owner)
    form = owner.fill(owner.open("/profile/email"), current=owner.password, email=f"new-{owner.username}@example.com")
    with registered.world.store.begin() as tx:
        waiting = tx.outbox.claim(registered.clock(), timedelta(0), 100_000)
    new = f"new-{owner.username}@example.com"
    (typed,) = [registered.vault.open_json(body)["code"] for letter, body in waiting if letter.to == new]
    assert owner.fill(form, code=typed).path == "/profile?done=email"
    assert thief.fill(page, code=code).status == 401


def test_b05_a_number_taken_away_meanwhile_gets_no_message(new_house: Callable[..., House]) -> None:
    with open_gateway() as gateway:
        house = new_house(environ={**SELF, **gateway.environ})
        person = someone(house, email_confirmed_at=None, mobile="+393471234567")
        page = asked(person)
        person.fill(person.open("/profile/remove-mobile"), current=person.password)
        assert person.account.mobile is None
        told = person.fill(page, send="yes")
        assert told.status == 403
        back = next(href for href in told.links if href.startswith("/authorize/"))
        assert person.open(back).answer["error"] == "unmet_authentication_requirements"
        assert house.audit("extra.asked") == []


def test_b05_a_new_password_ends_what_the_code_proved_elsewhere(registered: House) -> None:
    person = someone(registered)
    person.walk(asked(person))
    elsewhere = person.elsewhere()
    elsewhere.sign_in()
    form = elsewhere.open("/profile/password")
    elsewhere.fill(form, current=person.password, password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    assert asked(person).step == "AskUsernameAndPassword"


BAD = ["", " ", "0" * 10_000, "12\r\n34", "<b>1</b>", "１２３４５６", "\0", "-1"]


@pytest.mark.parametrize("typed", BAD)
def test_b05_hostile_codes_are_wrong_and_nothing_else(registered: House, typed: str) -> None:
    person = someone(registered)
    page = person.fill(asked(person), send="yes")
    answer = person.fill(page, code=typed)
    assert answer.status in (401, 422)
    assert answer.step == "ExtraProofByCode"
    assert "<b>1</b>" not in answer.response.text


def test_b05_a_forged_form_sends_nothing(registered: House) -> None:
    person = someone(registered)
    page = asked(person)
    assert person.fill(page, send="yes", csrf="x").status == 403
    assert person.post(page, {"send": "yes"}, headers={"Origin": "https://evil.example"}).status_code == 403
    other = person.elsewhere()
    assert other.get(page.path).status_code == 404
    assert codes(registered, person) == []


def test_b05_by_text_message_where_there_is_a_number_alone(new_house: Callable[..., House]) -> None:
    with open_gateway() as gateway:
        house = new_house(environ={**SELF, **gateway.environ})
        person = someone(house, email="", email_confirmed_at=None, mobile="+393471234567")
        page = asked(person)
        assert "We send it by text message to your number" in page.text
        page = person.fill(page, send="yes")
        with house.world.store.begin() as tx:
            ((letter, body),) = tx.outbox.claim(house.clock(), house.world.policy.recovery.code_lifetime, 10)
        assert (letter.channel, letter.to, letter.template) == ("sms", "+393471234567", "extra_code")
        page = person.fill(page, code=house.vault.open_json(body)["code"])
        assert claims(person, page)["acr"] == "extra"


def test_b05_without_a_gateway_nobody_waits_for_a_text_message(new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "self-serve"})
    person = someone(house, mobile="+393471234567")
    page = asked(person)
    assert "We send it to your address" in page.text
    assert claims(person, person.walk(page))["acr"] == "extra"


def test_b05_the_answer_is_asked_where_policy_says_so(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = asked(person)
    assert page.step == "ExtraProof"
    assert person.fill(page, answer="not mine").status == 401
    told = claims(person, person.walk(asked(person)))
    assert (told["acr"], told["amr"]) == ("extra", ["pwd", "pin", "kba"])
    house.clock.move(minutes=11)
    assert asked(person).step == "ExtraProof"
