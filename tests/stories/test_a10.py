"""A10: after 120 days unused access is suspended; at the next sign-in one more proof wakes it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from idp.model import Factor
from idp.policies.lifecycle import Standing
from tests.gateways import open_gateway
from tests.harness import House
from tests.people import Page, Person
from tests.quiet import KINDS, asleep, stands, sweep, tried, woken_by
from tests.recoveries import templates


@pytest.mark.parametrize(
    ("span", "asked"),
    [
        ({"days": 119}, False),
        ({"days": 120, "seconds": -1}, False),
        ({"days": 120}, True),
        ({"days": 121}, True),
        ({"days": 180, "seconds": -1}, True),
    ],
)
def test_a10_suspension_comes_to_the_second(house: House, span: dict[str, float], asked: bool) -> None:
    with house.clock.stopped():
        person = house.customer()
        person.sign_in()
        house.leave(**span)
        visitor = person.elsewhere()
        page = visitor.sign_in(until="Reactivate")
        assert (page.step == "Reactivate") is asked, page.text
        assert visitor.signed_in() is not asked
        assert person.signed_in() is False


@pytest.mark.parametrize("kind", KINDS)
def test_a10_the_answer_wakes_it_and_the_next_round_lets_it_be(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    person = asleep(house)
    sweep(house)
    assert person.account.quiet.suspended_at is not None
    page = person.sign_in(until="Reactivate")
    assert page.heading == "Welcome back"
    assert "put your access to sleep" in page.text
    assert not person.signed_in()
    person.fill(page, answer="  SCUOLA   manzoni ")
    assert person.signed_in()
    (row,) = house.audit("account.reactivated", person.account)
    assert (row.actor, row.facts["before"]) == ("person", "suspended")
    (letter,) = house.letters(person.account, "reactivated")
    assert letter[1]["by"] == "person"
    assert [one for one in sweep(house) if one.username == person.username] == []
    house.leave(days=119)
    sweep(house)
    assert stands(house, person) is Standing.ACTIVE
    assert len(house.audit("account.suspended", person.account)) == 1
    person.elsewhere().sign_in()
    house.leave(days=120)
    assert stands(house, person) is Standing.SUSPENDED


def test_a10_five_wrong_answers_lock_the_answer_alone(house: House) -> None:
    person = asleep(house)
    before = person.account
    page = person.sign_in(until="Reactivate")
    for _ in range(4):
        page = person.fill(page, answer="Liceo Volta")
        assert (page.status, page.step) == (401, "Reactivate")
        assert "not the one you gave us" in page.text
    page = person.fill(page, answer="Liceo Volta")
    assert page.status == 403
    assert page.heading == "Blocked for a while"
    assert "You can try again from" in page.text
    assert tried(house, person, Factor.ANSWER) == (5, 5)
    assert tried(house, person, Factor.PASSWORD) == tried(house, person, Factor.PIN) == (0, 0)
    assert len(house.letters(person.account, "locked")) == 1
    # Password and PIN are taken as before; what follows is told, and the right answer is not even looked at.
    again = person.elsewhere()
    assert again.fill(again.open("/sign-in"), username=person.username, password=person.password).step == "AskPin"
    assert again.sign_in(until="Reactivate").heading == "Blocked for a while"
    # Nothing but a finished reactivation restarts the clock.
    assert person.account == before
    assert stands(house, person) is Standing.SUSPENDED
    house.clock.move(days=1)
    tomorrow = person.elsewhere()
    tomorrow.sign_in()
    assert tomorrow.signed_in()
    assert stands(house, person) is Standing.ACTIVE


def test_a10_in_the_persons_language(house: House) -> None:
    person = asleep(house)
    visitor = person.elsewhere(headers={"Accept-Language": "it"})
    page = visitor.sign_in(until="Reactivate")
    assert page.heading == "È bello rivederLa"
    assert "abbiamo sospeso il Suo accesso" in page.text


# By a code


@pytest.fixture(params=KINDS)
def by_mail(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house in which a mailed code wakes, or the answer of whoever has no mailbox left, which is nobody."""
    return new_house(request.param, policy=woken_by("email_code", "answer"))


def to_code(person: Person) -> Page:
    """As far as the page that offers to send a code."""
    page = person.walk(person.open("/sign-in"), until="ReactivateByCode")
    assert page.step == "ReactivateByCode", page.text
    return page


def codes(house: House, person: Person) -> list[str]:
    return [context["code"] for _, context in house.letters(person.account, "reactivation_code")]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def test_a10_a_code_is_sent_when_it_is_asked_for_and_wakes(by_mail: House) -> None:
    person = asleep(by_mail)
    page = to_code(person)
    plain = page.text.replace("\u2060", "")
    assert f"{person.username[0]}…@example.com" in plain
    assert person.account.email not in plain
    assert person.open(page.path).step == "ReactivateByCode"
    assert templates(by_mail, person) == []
    page = person.fill(page, send="yes")
    assert "We have sent a code to your address" in page.text
    assert "It works for 10 minutes." in page.text
    (code,) = codes(by_mail, person)
    # Seen again, it is still that code that is asked for.
    assert "code" in person.open(page.path).fields
    assert codes(by_mail, person) == [code]
    page = person.fill(page, code=other_than(code))
    assert (page.status, page.step) == (401, "ReactivateByCode")
    assert "That code is not right" in page.text
    person.fill(page, code=f" {code[:3]} {code[3:]} ")
    assert person.signed_in()
    assert templates(by_mail, person) == ["reactivation_code", "reactivated"]
    assert len(by_mail.audit("account.reactivated", person.account)) == 1
    assert [row.outcome for row in by_mail.audit("reactivation.asked", person.account)] == ["sent"]
    assert all(tried(by_mail, person, factor) == (0, 0) for factor in (Factor.PASSWORD, Factor.PIN, Factor.ANSWER))
    assert sweep(by_mail) == []
    assert stands(by_mail, person) is Standing.ACTIVE


def test_a10_a_new_code_may_be_asked_for_and_so_many_a_day(by_mail: House) -> None:
    person = asleep(by_mail)
    page = to_code(person)
    for number in range(1, 6):
        page = person.fill(page, send="yes")
        assert (page.status, len(codes(by_mail, person))) == (200, number)
    page = person.fill(page, send="yes")
    assert page.status == 429
    assert "That was the last code for today." in page.text
    assert len(codes(by_mail, person)) == 5
    # The last one works all the same, those before it do not.
    first, *_, last = codes(by_mail, person)
    assert person.fill(page, code=first).status == 401
    person.fill(page, code=last)
    assert person.signed_in()


def test_a10_after_three_wrong_codes_only_a_new_one_helps(by_mail: House) -> None:
    person = asleep(by_mail)
    page = person.fill(to_code(person), send="yes")
    (code,) = codes(by_mail, person)
    for _ in range(3):
        page = person.fill(page, code=other_than(code))
    page = person.fill(page, code=code)
    assert (page.status, page.step) == (401, "ReactivateByCode")
    page = person.fill(page, send="yes")
    person.fill(page, code=codes(by_mail, person)[-1])
    assert person.signed_in()


def test_a10_all_codes_used_up_it_goes_on_tomorrow(by_mail: House) -> None:
    person = asleep(by_mail)
    page = to_code(person)
    for _ in range(5):
        page = person.fill(page, send="yes")
        code = codes(by_mail, person)[-1]
        for _ in range(3):
            page = person.fill(page, code=other_than(code))
    assert person.fill(page, send="yes").status == 429
    assert stands(by_mail, person) is Standing.SUSPENDED
    by_mail.clock.move(days=1)
    tomorrow = person.elsewhere()
    tomorrow.sign_in()
    assert tomorrow.signed_in()


def test_a10_there_is_time_to_find_the_letter(by_mail: House) -> None:
    person = asleep(by_mail)
    with by_mail.clock.stopped() as clock:
        page = to_code(person)
        clock.move(minutes=9)
        page = person.fill(page, send="yes")
        clock.move(minutes=10, seconds=-1)
        person.fill(page, code=codes(by_mail, person)[-1])
        assert person.signed_in()


def test_a10_a_code_is_over_with_its_time(by_mail: House) -> None:
    person = asleep(by_mail)
    with by_mail.clock.stopped() as clock:
        page = person.fill(to_code(person), send="yes")
        clock.move(minutes=5)
        page = person.fill(page, send="yes")
        stale, fresh = codes(by_mail, person)
        clock.move(minutes=5)
        assert person.fill(page, code=stale).status == 401
        clock.move(minutes=5)
        assert person.fill(page, code=fresh).status == 404
    assert not person.signed_in()
    assert stands(by_mail, person) is Standing.SUSPENDED


def test_a10_what_is_left_empty_is_asked_for(by_mail: House) -> None:
    person = asleep(by_mail)
    page = person.fill(to_code(person), send="yes")
    page = person.fill(page, code="")
    assert page.status == 422
    assert "Please fill this in." in page.text


def test_a10_the_client_gets_its_answer_and_the_extra_proof_counts(by_mail: House) -> None:
    person = asleep(by_mail)
    answer = person.authorize(scope="openid").answer
    assert "code" in answer, answer


def test_a10_by_text_message_where_there_is_a_number(new_house: Callable[..., House]) -> None:
    with open_gateway() as gateway:
        house = new_house(policy=woken_by("sms_code", "answer"), environ={"IDP_SMS_URL": gateway.environ["IDP_SMS_URL"]})
        person = house.customer(mobile="+393332805719")
        without = asleep(house)
        assert without.sign_in(until="Reactivate").step == "Reactivate"
        page = to_code(person)
        assert "text message to your number …719" in page.text
        page = person.fill(page, send="yes")
        ((channel, to, context),) = texted(house, "reactivation_code")
        assert (channel, to) == ("sms", "+393332805719")
        person.fill(page, code=context["code"])
        assert person.signed_in()
        # Every address is told, the number too.
        assert [to for _, to, _ in texted(house, "reactivated")] == ["+393332805719"]
        assert templates(house, person) == ["reactivated"]


def texted(house: House, template: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The text messages that wait, opened."""
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock() + timedelta(microseconds=1), timedelta(0), 1000)
    opened = [(letter, house.vault.open_json(body)) for letter, body in waiting]
    return [(one.channel, one.to, body) for one, body in opened if (one.template, one.channel) == (template, "sms")]


def test_a10_who_has_no_proof_of_those_listed_is_told_whom_to_ask(new_house: Callable[..., House]) -> None:
    house = new_house(policy=woken_by("totp", "passkey"))
    person = asleep(house)
    page = person.sign_in()
    assert (page.status, page.heading) == (403, "Your access is asleep")
    assert "Our helpdesk or your account manager can wake it." in page.text
