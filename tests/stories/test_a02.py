"""A2: the first sign-in chooses password, PIN, question and answer, all three before any token is issued."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from idp.model import AccountState, Factor
from tests.harness import House
from tests.people import QUESTION, Person

STEP_OF = {"password": "ChoosePassword", "pin": "CreatePin", "question": "ChooseQuestion"}


def no_token(person: Person) -> None:
    """Neither a session nor, silently, a code."""
    assert not person.signed_in()
    assert person.ask(prompt="none").answer["error"] == "login_required"


def test_a02_the_first_sign_in_chooses_password_then_pin_then_question_and_only_then_gives_a_token(house: House) -> None:
    person, code = house.invited()
    page = person.open_invitation(code)
    for number, step in enumerate(("ChoosePassword", "CreatePin", "ChooseQuestion"), 1):
        assert page.step == step
        assert f"Step {number} of 3" in page.text
        no_token(person)
        assert person.account.state is AccountState.INVITED
        page = person.fill(page, **(person.given(page) or {}))
    assert page.left
    assert person.account.state is AccountState.ACTIVE
    assert person.signed_in()
    assert "code" in person.ask(prompt="none").answer
    ((letter, context),) = house.letters(person.account, "enrolled")
    assert letter.to == person.account.email
    assert not {person.password, person.pin, person.answer} & set(context.values())
    assert len(house.audit("account.enrolled", person.account)) == 1
    assert len(house.audit("credential.set", person.account)) == 3


@pytest.mark.parametrize("done", [1, 2])
def test_a02_leaving_half_way_and_coming_back_elsewhere_resumes_at_the_missing_piece(house: House, done: int) -> None:
    person, code = house.invited()
    page = person.open_invitation(code)
    for _ in range(done):
        page = person.fill(page, **(person.given(page) or {}))
    missing = page.step
    back = person.elsewhere()
    page = back.walk(back.open("/sign-in"), until=missing)
    assert page.step == missing
    no_token(back)
    page = back.walk(page)
    assert back.signed_in()
    assert page.status in (200, 303)
    # The first browser's page is still open: its answer creates nothing twice.
    late = person.fill(person.open("/sign-in"), username=person.username, password=person.password)
    assert late.step == "AskPin"


def test_a02_leaving_half_way_and_reloading_stays_at_the_missing_piece(house: House) -> None:
    person, code = house.invited()
    page = person.open_invitation(code)
    page = person.fill(page, **(person.given(page) or {}))
    assert page.step == "CreatePin"
    assert person.open(page.path).step == "CreatePin"


def test_a02_after_the_password_is_chosen_the_invitation_is_spent(house: House) -> None:
    person, code = house.invited()
    page = person.open_invitation(code)
    person.fill(page, **(person.given(page) or {}))
    assert person.elsewhere().open_invitation(code).status == 401


@pytest.mark.parametrize("order", list(permutations(STEP_OF))[1:])
def test_a02_the_pieces_come_in_any_order_the_policy_lists(new_house: Callable[..., House], order: tuple[str, ...]) -> None:
    def law(policy: Any) -> Any:
        return replace(policy, registration=replace(policy.registration, enrolment=order))

    house = new_house(policy=law)
    person, code = house.invited()
    page = person.open_invitation(code)
    for piece in order:
        assert page.step == STEP_OF[piece], page.text
        no_token(person)
        page = person.fill(page, **(person.given(page) or {}))
    assert person.signed_in()
    # Left half-way, each piece that is done stays done.
    other, code = house.invited()
    page = other.open_invitation(code)
    page = other.fill(page, **(other.given(page) or {}))
    back = other.elsewhere()
    page = back.open("/sign-in") if order[0] == "password" else back.open_invitation(code)
    page = back.walk(page, until=STEP_OF[order[1]])
    assert page.step == STEP_OF[order[1]], page.text
    back.walk(page)
    assert back.signed_in()


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("short", "short", "at least 8 characters"),
        ("correct horse battery staple", "correct horse battery stable", "not the same"),
        ("x" * 129, "x" * 129, "no more than 128"),
        ("password1", "password1", "stolen passwords"),
        ("Maria.Rossi 22", "Maria.Rossi 22", "leave out your name"),
    ],
)
def test_a02_a_password_that_may_not_be_is_refused_with_a_clear_message(
    house: House, password: str, again: str, words: str
) -> None:
    person, code = house.invited()
    page = person.fill(person.open_invitation(code), password=password, password_again=again)
    assert page.status == 422
    assert page.step == "ChoosePassword"
    assert words in page.text
    assert password not in page.response.text
    assert person.account.credential(Factor.PASSWORD) is None


WEAK = "000000 123456 654321 112233 121212 123321 12345 1234567 12345a -28057 2e1057 28057 339988 ٢٨٠٥٧١ ２８０５７１"


@pytest.mark.parametrize("pin", [*WEAK.split(), " 280571", "280571\n"])
def test_a02_a_pin_that_is_weak_or_no_six_ascii_digits_is_refused(house: House, pin: str) -> None:
    person, code = house.invited(mobile="+39 333 339 9887")
    page = person.walk(person.open_invitation(code), until="CreatePin")
    page = person.fill(page, pin=pin, pin_again=pin)
    assert page.status == 422
    assert page.step == "CreatePin"
    assert person.account.credential(Factor.PIN) is None


def test_a02_leading_zeros_of_a_pin_are_kept(house: House) -> None:
    person, code = house.invited()
    person.pin = "005827"
    person.walk(person.open_invitation(code))
    other = person.elsewhere()
    assert other.fill(other.sign_in(until="AskPin"), pin="5827").status == 401
    assert other.sign_in().status == 200
    assert other.signed_in()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        *((QUESTION, easy) for easy in ("ab", "aaaa", "Maria", " ROSSI ", "123", "x" * 300)),
        ("mothers_maiden_name", "Bianchi"),
        ("", "Bianchi"),
    ],
)
def test_a02_an_answer_that_is_easy_to_guess_or_to_no_question_of_the_range_is_refused(
    house: House, question: str, answer: str
) -> None:
    person, code = house.invited()
    page = person.walk(person.open_invitation(code), until="ChooseQuestion")
    page = person.fill(page, question=question, answer=answer)
    assert page.status == 422
    assert person.account.credential(Factor.ANSWER) is None
    assert not person.signed_in()


def test_a02_an_answer_is_compared_without_regard_to_capitals_width_and_spaces(house: House) -> None:
    person, code = house.invited()
    person.answer = "  Scuola   MANZONI "
    person.walk(person.open_invitation(code))
    other = person.elsewhere(answer="ｓｃｕｏｌａ manzoni")
    house.leave(days=121)
    page = other.sign_in()
    assert other.signed_in(), page.text
