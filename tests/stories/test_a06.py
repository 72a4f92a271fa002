"""A6: a forgotten PIN is recovered behind a correct password only: the answer, a new PIN by mail, and by policy one's own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from idp.flows import assist
from idp.model import Factor
from idp.policies.policy import Policy
from tests.harness import House
from tests.people import NEW_PIN, Page, Person
from tests.recoveries import known, templates

KINDS = ("sqlite", "postgresql+redis")
FORGOTTEN = "/recover/pin"


def asked(person: Person) -> Page:
    """As far as the question."""
    page = person.press(person.sign_in(until="AskPin"), FORGOTTEN)
    assert page.step == "AnswerToRecover"
    return page


def sent(house: House, person: Person) -> list[dict[str, Any]]:
    return [context for _, context in house.letters(person.account, "new_pin")]


def changed(**pin: Any) -> Callable[[Policy], Policy]:
    return lambda law: replace(law, pin=replace(law.pin, **pin))


def proving(**how: Any) -> Callable[[Policy], Policy]:
    def law(policy: Policy) -> Policy:
        recovery = policy.recovery
        return replace(policy, recovery=replace(recovery, pin=replace(recovery.pin, **how)))

    return law


def test_a06_a_new_pin_comes_by_letter_and_is_replaced_at_the_next_sign_in(house: House) -> None:
    person = house.customer()
    page = asked(person)
    assert page.heading == "Your security question"
    page = person.fill(page, answer=person.answer)
    assert page.step == "AskPin"
    assert "A new PIN is on its way" in page.text
    ((letter, context),) = house.letters(person.account, "new_pin")
    assert (letter.to, context["must_change"]) == (person.account.email, True)
    assert person.fill(page, pin=person.pin).status == 401
    page = person.fill(page, pin=context["pin"])
    assert page.step == "ReplacePin"
    assert not person.signed_in()
    assert person.fill(page, pin=context["pin"], pin_again=context["pin"]).status == 422
    person.walk(page)
    assert person.signed_in()
    again = person.elsewhere(pin=NEW_PIN)
    again.sign_in()
    assert again.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_a06_where_policy_does_not_ask_for_it_the_mailed_pin_stays(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=changed(change_after_reset=False))
    person = house.customer()
    page = person.fill(asked(person), answer=person.answer)
    (context,) = sent(house, person)
    assert (context["must_change"], context["expires"]) == (False, None)
    person.fill(page, pin=context["pin"])
    assert person.signed_in()
    house.clock.move(days=30)
    again = person.elsewhere(pin=context["pin"])
    again.sign_in()
    assert again.signed_in()


def test_a06_a_mailed_pin_that_must_be_changed_ends_to_the_second(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.fill(asked(person), answer=person.answer)
        (context,) = sent(house, person)
        clock.move(hours=24, microseconds=-1)
        early, late = (person.elsewhere(pin=context["pin"]) for _ in range(2))
        assert early.sign_in(until="ReplacePin").step == "ReplacePin"
        waiting = late.sign_in(until="AskPin")
        clock.move(microseconds=1)
        assert late.fill(waiting, pin=context["pin"]).status == 401


def test_a06_without_the_right_password_nothing_is_begun(house: House) -> None:
    person = house.customer()
    page = person.open("/sign-in")
    assert FORGOTTEN not in page.forms
    transaction = page.action.rpartition("/")[2]
    data = {"csrf": page.hidden["csrf"], "sign_in": transaction}
    assert person.follow(person.client.post(FORGOTTEN, data=data)).step == "AskUsernameAndPassword"
    page = person.try_password()
    assert page.status == 401
    assert person.follow(person.client.post(FORGOTTEN, data={**data, "sign_in": page.action.rpartition("/")[2]})).status == 200
    assert person.client.post(FORGOTTEN, data={**data, "sign_in": "x"}).status_code == 404
    assert templates(house, person) == []
    page = person.sign_in(until="AskPin")
    forged = {"csrf": "x", "sign_in": page.forms[FORGOTTEN]["sign_in"]}
    assert person.client.post(FORGOTTEN, data=forged).status_code == 403


def test_a06_a_temporary_password_opens_no_way_to_the_pin(house: House) -> None:
    person = house.customer()
    page = person.try_password(house.temporary_password(person))
    assert page.step == "ReplacePassword"
    assert FORGOTTEN not in page.forms
    data = {"csrf": page.hidden["csrf"], "sign_in": page.action.rpartition("/")[2]}
    assert person.follow(person.client.post(FORGOTTEN, data=data)).step == "ReplacePassword"
    assert sent(house, person) == []


def test_a06_asking_changes_nothing_and_the_way_back_leads_to_the_pin(house: House) -> None:
    person = house.customer()
    page = person.sign_in(until="AskPin")
    before = known(house, person)
    page = person.press(page, FORGOTTEN)
    assert "Back to your PIN" in page.text
    back = person.press(page, "/recover/cancel")
    assert back.step == "AskPin"
    assert known(house, person) == before
    person.walk(back)
    assert person.signed_in()


def test_a06_wrong_answers_close_the_answer_and_leave_the_pin_as_it_is(house: House) -> None:
    person = house.customer()
    page = asked(person)
    for _ in range(5):
        assert person.fill(page, answer="wrong").status == 401
    right = person.fill(page, answer=person.answer)
    assert right.status == 401
    assert sent(house, person) == []
    person.walk(person.press(right, "/recover/cancel"))
    assert person.signed_in()


def test_a06_a_locked_or_disabled_pin_is_recovered_from_the_refusal_and_opens(house: House) -> None:
    person = house.customer()
    for _ in range(5):
        browser = person.elsewhere()
        page = browser.fill(browser.sign_in(until="AskPin"), pin="999111")
    assert (page.status, page.heading) == (403, "Blocked for a while")
    page = browser.press(page, FORGOTTEN)
    page = browser.fill(page, answer=browser.answer)
    assert page.step == "AskPin"
    (context,) = sent(house, person)
    browser.walk(browser.fill(page, pin=context["pin"]))
    assert browser.signed_in()
    assert house.counter(person.account, Factor.PIN).locked_until is None


def test_a06_once_sent_other_sessions_end_and_every_address_is_told(house: House) -> None:
    person = house.customer()
    issued = person.tokens("app")
    other = person.elsewhere()
    page = other.fill(asked(other), answer=other.answer)
    assert not person.signed_in()
    assert house.refresh(issued["refresh_token"], "app").status_code == 400
    assert [context["changed"] for _, context in house.letters(person.account, "changed")] == ["pin"]
    assert page.step == "AskPin"


def test_a06_three_go_out_in_an_hour(house: House) -> None:
    person = house.customer()
    for _ in range(4):
        browser = person.elsewhere()
        page = browser.fill(asked(browser), answer=browser.answer)
        assert "A new PIN is on its way" in page.text
    assert len(sent(house, person)) == 3


def test_a06_a_person_without_a_question_is_offered_nothing_that_could_not_work(house: House) -> None:
    person = house.customer(secrets=(Factor.PASSWORD, Factor.PIN))
    page = person.sign_in(until="AskPin")
    assert FORGOTTEN not in page.forms
    assert "Forgotten your PIN" not in page.text


def test_a06_whoever_is_blocked_is_not_helped_to_a_pin(house: House) -> None:
    person = house.customer()
    page = person.sign_in(until="AskPin")
    assist.change_state(house.world, person.username, assist.Act.BLOCK, "test")
    refused = person.press(page, FORGOTTEN)
    assert (refused.status, refused.heading) == (403, "Your access is blocked")
    assert FORGOTTEN not in refused.forms
    assert templates(house, person) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a06_a_policy_may_have_a_new_pin_chosen_at_once_by_answer_and_code(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=proving(prove_by=("answer",), then="choose_new"))
    person = house.customer()
    page = person.fill(asked(person), answer=person.answer)
    assert (page.step, page.heading) == ("EnterCode", "Enter your code")
    code = house.code(person)
    wrong = "".join(str(9 - int(digit)) for digit in code)
    refused = person.fill(page, code=wrong)
    assert refused.status == 401
    assert "That code is not right" in refused.text
    page = person.fill(refused, code=code)
    assert page.step == "ReplacePin"
    assert "Back to your PIN" in page.text
    person.walk(page)
    assert person.pin == NEW_PIN
    assert person.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_a06_a_policy_may_ask_no_more_than_the_password(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=proving(prove_by=()))
    person = house.customer(secrets=(Factor.PASSWORD, Factor.PIN))
    page = person.press(person.sign_in(until="AskPin"), FORGOTTEN)
    assert page.step == "AskPin"
    assert "A new PIN is on its way" in page.text
    assert len(sent(house, person)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a06_a_policy_may_close_it(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=proving(enabled=False))
    person = house.customer()
    page = person.sign_in(until="AskPin")
    assert FORGOTTEN not in page.forms
    data = {"csrf": page.hidden["csrf"], "sign_in": page.action.rpartition("/")[2]}
    assert person.follow(person.client.post(FORGOTTEN, data=data)).step == "AskPin"
