"""Attacks on what people agree to: answers nobody gave, to words nobody saw, for somebody else, twice, or far too long."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from idp.flows.agree import mark, texts
from idp.model import AccountState, Agreement
from tests.agreements import KINDS, answers, asked, ledger, member
from tests.harness import House, open_house, together
from tests.people import Page, Person

HOME = "/profile/consents"
PURPOSES = ("news", "third_parties")
YES = {f"purpose-{name}": "yes" for name in PURPOSES}
NO = {f"purpose-{name}": "no" for name in PURPOSES}


@pytest.fixture(scope="module", params=KINDS)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house under a profile with terms to be accepted and purposes to be answered."""
    folder = tmp_path_factory.mktemp("consumer")
    with open_house(request.param, folder, environ={"IDP_PROFILE": "consumer"}) as opened:
        yield opened


def before_terms(house: House) -> tuple[Person, Page]:
    person = member(house)
    return person, asked(person, "AcceptTerms")


def before_purposes(house: House) -> tuple[Person, Page]:
    person, page = before_terms(house)
    return person, person.fill(page)


def signed_in(house: House) -> Person:
    person, page = before_purposes(house)
    person.fill(page, **NO)
    assert person.signed_in()
    return person


@pytest.mark.parametrize("seen", ["", "0" * 64, "A" * 10_000, "\x00", "2026-11"])
def test_words_that_were_not_shown_are_not_agreed_to(consumer: House, seen: str) -> None:
    person, page = before_terms(consumer)
    assert person.post(page, {"seen": seen}).status_code == 409
    assert person.post(page, {"seen": None}).status_code == 409
    assert ledger(consumer, person) == []
    person, page = before_purposes(consumer)
    assert person.post(page, {**YES, "seen": seen}).status_code == 409
    assert [one[0] for one in answers(consumer, person)] == ["terms"]


def test_the_mark_of_one_page_is_worth_nothing_on_another(consumer: House) -> None:
    person, page = before_terms(consumer)
    terms, both = page.hidden["seen"], mark(texts(consumer.world, PURPOSES), "en")
    assert person.post(page, {"seen": both}).status_code == 409
    page = person.fill(page)
    assert page.hidden["seen"] == both
    assert person.post(page, {**YES, "seen": terms}).status_code == 409
    assert person.post(page, {**YES, "seen": mark(texts(consumer.world, ("news",)), "en")}).status_code == 409
    old = tuple(replace(one, version="2026-10") for one in texts(consumer.world, PURPOSES))
    assert person.post(page, {**YES, "seen": mark(old, "en")}).status_code == 409
    assert [one[0] for one in answers(consumer, person)] == ["terms"]


def test_purposes_that_nobody_asked_are_passed_over(consumer: House) -> None:
    person, page = before_purposes(consumer)
    more = {"purpose-profiling": "yes", "purpose-terms": "no", "purpose-": "yes", "purpose-" + "x" * 10_000: "yes"}
    person.fill(page, **{**NO, **more})
    assert answers(consumer, person)[1:] == [("news", "2026-11", False), ("third_parties", "2026-11", False)]
    person.press(person.open(HOME), HOME, **{**NO, **more})
    assert len(ledger(consumer, person)) == 3


def test_two_answers_to_one_purpose_are_none(consumer: House) -> None:
    person, page = before_purposes(consumer)
    sent = [*page.hidden.items(), *YES.items(), ("purpose-news", "no")]
    answer = person.client.post(page.action, data={name: [v for n, v in sent if n == name] for name, _ in sent})
    assert answer.status_code == 422
    assert [one[0] for one in answers(consumer, person)] == ["terms"]


def test_the_answer_to_another_step_is_not_taken_for_this_one(consumer: House) -> None:
    person, page = before_terms(consumer)
    seen = mark(texts(consumer.world, PURPOSES), "en")
    assert person.fill(page, **YES, step="AnswerPurposes", seen=seen).step == "AcceptTerms"
    assert ledger(consumer, person) == []
    # Nor is the question reached by skipping the password.
    stranger = person.elsewhere()
    first = stranger.ask()
    assert stranger.fill(first, step="AcceptTerms", seen=page.hidden["seen"]).step == "AskUsernameAndPassword"
    assert ledger(consumer, person) == []


def test_without_the_token_of_the_form_nothing_is_agreed_to(consumer: House) -> None:
    person, page = before_terms(consumer)
    assert person.post(page, {"csrf": "x" * 43}).status_code == 403
    assert person.post(page, headers={"Origin": "https://evil.example"}).status_code == 403
    assert ledger(consumer, person) == []
    resident = signed_in(consumer)
    form = resident.open(HOME)
    assert resident.post(form, {**YES, "csrf": None}, to=HOME).status_code == 403
    assert resident.post(form, YES, to=HOME, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert resident.get(f"{HOME}?purpose-news=yes&seen={form.forms[HOME]['seen']}").status_code == 200
    assert len(ledger(consumer, resident)) == 3


def test_another_s_form_answers_for_nobody(consumer: House) -> None:
    victim, mallory = signed_in(consumer), signed_in(consumer)
    theirs = victim.open(HOME)
    assert mallory.client.post(HOME, data={**theirs.forms[HOME], **YES}).status_code == 403
    other, page = before_terms(consumer)
    assert mallory.client.post(page.action, data=page.hidden).status_code == 404
    assert [len(ledger(consumer, one)) for one in (victim, mallory, other)] == [3, 3, 0]


def test_two_tabs_answer_once_and_the_second_goes_on_where_things_stand(consumer: House) -> None:
    person, page = before_purposes(consumer)
    person.post(page, NO)
    second = person.fill(page, **YES)
    assert second.answer["code"]
    assert answers(consumer, person)[1:] == [("news", "2026-11", False), ("third_parties", "2026-11", False)]


def test_the_same_answers_at_once_are_one(consumer: House) -> None:
    person, page = before_terms(consumer)
    results = together([lambda: person.post(page) for _ in range(8)])
    assert {one.status_code for one in results} == {303}
    assert answers(consumer, person) == [("terms", "2026-11", True)]
    page = asked(person.elsewhere(), "AnswerPurposes")
    person, page = before_purposes(consumer)
    together([lambda fields=fields: person.post(page, fields) for fields in (YES, NO) * 4])
    kept = answers(consumer, person)[1:]
    assert len(kept) == len(PURPOSES)
    assert len({given for _, _, given in kept}) == 1


def test_changes_at_once_leave_the_account_as_the_ledger_s_last_row_says(consumer: House) -> None:
    person = signed_in(consumer)
    form = person.open(HOME).forms[HOME]
    together([lambda fields=fields: person.client.post(HOME, data={**form, **fields}) for fields in (YES, NO) * 4])
    last = {one.to: one.given for one in ledger(consumer, person)}
    assert {one.to: one.given for one in person.account.agreed} == last
    rows = [given for to, _, given in answers(consumer, person) if to == "news"]
    assert all(before != after for before, after in pairwise(rows))


def test_a_thousand_changes_of_mind_make_no_endless_page(consumer: House) -> None:
    person = signed_in(consumer)
    (news,) = texts(consumer.world, ["news"])
    with consumer.world.store.begin() as tx:
        account = tx.accounts.locked(person.account.id)
        assert account is not None
        for number in range(1000):
            row = Agreement(account.id, "news", news.version, number % 2 == 0, "en", "", consumer.clock())
            tx.particulars.agree(account, row)
    page = person.open(HOME)
    assert page.response.text.count("<li>") < 60
    assert "The newest 50; the file has all." in page.text
    assert len(ledger(consumer, person)) > 1000


def test_who_was_blocked_meanwhile_agrees_to_nothing_more(consumer: House) -> None:
    person, page = before_terms(consumer)
    resident = signed_in(consumer)
    form = resident.open(HOME)
    with consumer.world.store.begin() as tx:
        for one in (person, resident):
            tx.accounts.set_state(one.account.id, AccountState.BLOCKED, consumer.clock())
    assert person.fill(page).status == 403
    assert resident.post(form, YES, to=HOME).status_code == 303
    assert ledger(consumer, person) == []
    assert len(ledger(consumer, resident)) == 3


def test_ten_thousand_letters_are_no_answer_in_my_profile(consumer: House) -> None:
    person = signed_in(consumer)
    form = person.open(HOME)
    person.post(form, {"purpose-news": "yes" * 3_334}, to=HOME)
    assert person.post(form, {**YES, "seen": "x" * 10_000}, to=HOME).status_code == 409
    assert len(ledger(consumer, person)) == 3
