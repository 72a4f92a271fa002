"""E3: forgotten password by email address: the answer, or a 4-digit code where there is no question; then signed in."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.model import Factor
from idp.policies.policy import Policy
from tests.harness import House
from tests.people import NEW_PASSWORD, PASSWORD, Page, Person
from tests.recoveries import known, masked, templates

KINDS = ("sqlite", "postgresql+redis")
QUESTION, NO_QUESTION = (Factor.PASSWORD, Factor.ANSWER), (Factor.PASSWORD,)
CHOSEN = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}


UNDER = {"IDP_PROFILE": "self-serve"}


def careless(policy: Policy) -> Policy:
    """The profile as the operator had it: the answer alone lets a new password be chosen."""
    return replace(policy, recovery=replace(policy.recovery, answer_needs_mailbox=False))


def other_than(code: str) -> str:
    return "".join(str(9 - int(digit)) for digit in code)


def asked(person: Person) -> Page:
    page = person.recover("password")
    assert page.step == "ResetByCode"
    return page


@pytest.mark.parametrize("kind", KINDS)
def test_e03_who_has_a_question_answers_it_chooses_and_is_signed_in(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER, policy=careless)
    person = house.customer(secrets=QUESTION)
    other = person.elsewhere()
    issued = other.tokens("app", resource=None, scope="openid offline_access")
    page = person.ask()
    (way,) = [link for link in page.links if link.startswith("/recover?")]
    form = person.open(way)
    assert (form.heading, set(form.fields)) == ("Forgotten your password?", {"csrf", "sign_in", "email"})
    before = known(house, person)
    page = person.recover("password", page=form)
    assert page.step == "AnswerToRecover"
    assert person.fill(page, answer="wrong").status == 401
    page = person.fill(page, answer=person.answer)
    assert page.step == "ReplacePassword"
    assert page.fields["username"]["value"] == person.username
    assert known(house, person) == before
    assert other.signed_in()
    page = person.walk(page)
    assert person.redeem(page).json()["access_token"]
    assert person.signed_in()
    assert not other.signed_in()
    assert house.refresh(issued["refresh_token"], "app").status_code == 400
    assert templates(house, person) == ["changed"]
    assert person.elsewhere().try_password(PASSWORD).status == 401
    again = person.elsewhere()
    again.sign_in()
    assert again.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_e03_who_has_none_enters_a_code_of_four_digits_with_the_new_password(
    new_house: Callable[..., House], kind: str
) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=NO_QUESTION)
    page = asked(person)
    assert {"code", "password", "password_again"} <= set(page.fields)
    assert page.fields["code"]["autocomplete"] == "one-time-code"
    ((letter, context),) = house.letters(person.account, "recovery_code")
    assert letter.to == person.account.email
    assert len(context["code"]) == 4
    page = person.fill(page, code=f" {context['code'][:2]} {context['code'][2:]} ", **CHOSEN)
    assert person.signed_in()
    assert sorted(templates(house, person)) == ["changed", "recovery_code"]
    # Used once: the same code opens nothing more.
    other = person.elsewhere()
    assert other.try_password(NEW_PASSWORD).left is None


@pytest.mark.parametrize("kind", KINDS)
def test_e03_a_policy_may_want_the_mailbox_beside_the_answer(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=QUESTION)
    page = person.recover("password")
    assert page.step == "AnswerToRecover"
    assert templates(house, person) == []
    page = person.fill(page, answer=person.answer)
    assert page.step == "ResetByCode"
    assert templates(house, person) == ["recovery_code"]
    person.walk(page)
    assert person.signed_in()
    assert person.password == NEW_PASSWORD


@pytest.mark.parametrize("kind", KINDS)
def test_e03_an_unknown_address_sees_what_a_known_one_sees(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    known_pages = {}
    for secrets in (QUESTION, NO_QUESTION):
        person = house.customer(secrets=secrets)
        page = person.recover("password")
        wrong = person.fill(page, **_wrongly(page, house.code(person)))
        known_pages[page.step] = (masked(page), masked(wrong))
    seen = {}
    for number in range(120):
        visitor = house.person()
        page = visitor.fill(visitor.open("/recover/password"), email=f"nobody{number}@example.com")
        told = (masked(page), masked(visitor.fill(page, **_wrongly(page, "1234"))))
        if page.step == "ResetByCode":
            assert told == known_pages["ResetByCode"]
        seen.setdefault(page.step, set()).add(str(told))
    assert set(seen) == {"AnswerToRecover", "ResetByCode"}
    # Strangers are asked every question that somebody may have chosen.
    assert len(seen["AnswerToRecover"]) == len(house.world.policy.security_question.questions)
    assert str(known_pages["AnswerToRecover"]) in seen["AnswerToRecover"]


def _wrongly(page: Page, code: str) -> dict[str, str]:
    return {"answer": "wrong"} if page.step == "AnswerToRecover" else {"code": other_than(code), **CHOSEN}


@pytest.mark.parametrize("kind", KINDS)
def test_e03_three_tries_a_code_and_a_slip_of_the_new_password_costs_none(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=NO_QUESTION)
    page = asked(person)
    code = house.code(person)
    for _ in range(4):
        slip = person.fill(page, code=code, password=NEW_PASSWORD, password_again="something else entirely")
        assert (slip.status, slip.step) == (422, "ResetByCode")
        assert "not the same" in slip.text
    for _ in range(3):
        refused = person.fill(page, code=other_than(code), password="short", password_again="short")
        assert refused.status == 401
        assert "That code is not right" in refused.text
        # Nothing is said of the password before the code was right.
        assert "Please use at least" not in refused.text
    assert masked(person.fill(page, code=code, **CHOSEN)) == masked(refused)
    (again,) = [link for link in page.links if link.startswith("/recover/password")]
    house.clock.move(seconds=1)
    page = person.recover("password", page=person.open(again))
    newer = house.code(person)
    person.fill(page, code=newer, **CHOSEN)
    assert person.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_e03_a_poor_password_after_the_right_code_asks_for_the_password_alone(
    new_house: Callable[..., House], kind: str
) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=NO_QUESTION)
    page = person.fill(asked(person), code=house.code(person), password="short", password_again="short")
    assert (page.status, page.step) == (422, "ReplacePassword")
    assert "code" not in page.fields
    assert "at least 8 characters" in page.text
    assert person.fill(page, password=PASSWORD, password_again=PASSWORD).status == 422
    person.fill(page, **CHOSEN)
    assert person.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_e03_a_code_ends_to_the_second_and_the_newest_alone_works(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=NO_QUESTION)
    with house.clock.stopped() as clock:
        page = asked(person)
        older = house.code(person)
        clock.move(seconds=1)
        browser = person.elsewhere()
        later = asked(browser)
        newer = house.code(person)
        if older != newer:
            assert person.fill(page, code=older, **CHOSEN).status == 401
        clock.move(minutes=10)
        assert browser.open(later.action).status == 404
        final = asked(browser)
        code = house.code(person)
        clock.move(minutes=10, microseconds=-1)
        browser.fill(final, code=code, **CHOSEN)
        assert browser.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_e03_five_codes_a_day_and_the_page_says_no_more(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    person = house.customer(secrets=NO_QUESTION)
    pages = {str(masked(asked(person.elsewhere()))) for _ in range(7)}
    assert len(pages) == 1
    assert templates(house, person) == ["recovery_code"] * 5


@pytest.mark.parametrize("kind", KINDS)
def test_e03_an_address_that_two_people_share_recovers_neither(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER)
    address = f"{house.name('family')}@example.com"
    people = [house.customer(secrets=secrets, email=address) for secrets in (QUESTION, NO_QUESTION)]
    page = people[0].recover("password")
    assert page.step in ("AnswerToRecover", "ResetByCode")
    assert templates(house, people[0]) == []
    assert people[0].fill(page, **_wrongly(page, "1234")).status == 401
