"""D7: each consent is answered yes or no before any token; none is ticked beforehand, none is implied."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.agreements import KINDS, answers, asked, ledger, member, text
from tests.harness import House, open_house
from tests.people import Page, Person

PURPOSES = ("news", "profiling", "third_parties")
NO = {f"purpose-{name}": "no" for name in PURPOSES}


@pytest.fixture(scope="module", params=KINDS)
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house under the profile that asks three purposes."""
    folder = tmp_path_factory.mktemp("coded")
    with open_house(request.param, folder, environ={"IDP_PROFILE": "customer-code"}) as opened:
        yield opened


def question(house: House) -> tuple[Person, Page]:
    person = member(house)
    return person, asked(person, "AnswerPurposes")


def test_d07_every_purpose_is_asked_in_words_of_its_own_and_nothing_is_ticked(coded: House) -> None:
    _, page = question(coded)
    html = page.response.text
    assert html.count("<fieldset") == len(PURPOSES)
    assert html.count('type="radio"') == 2 * len(PURPOSES)
    assert "checked" not in html
    for name in PURPOSES:
        heading, *paragraphs = text(coded, name).words["en"].split("\n\n")
        assert heading in page.text
        assert all(" ".join(one.split()) in page.text for one in paragraphs)
        assert page.fields[f"purpose-{name}"]["type"] == "radio"


def test_d07_no_is_an_answer_and_opens_as_much_as_yes(coded: House) -> None:
    for answer in ("no", "yes"):
        person, page = question(coded)
        done = person.fill(page, **dict.fromkeys(NO, answer))
        assert person.redeem(done).status_code == 200
        assert answers(coded, person) == [(name, "2026-11", answer == "yes") for name in PURPOSES]


def test_d07_each_answer_is_kept_with_time_version_language_and_digest_of_the_words(coded: House) -> None:
    person, page = question(coded)
    before = coded.clock()
    person.fill(page, **{**NO, "purpose-news": "yes"})
    kept = {one.to: one for one in ledger(coded, person)}
    assert set(kept) == set(PURPOSES)
    for name, one in kept.items():
        words = text(coded, name).words["en"]
        assert (one.version, one.locale, one.given) == ("2026-11", "en", name == "news")
        assert one.digest == hashlib.sha256(words.encode()).hexdigest()
        assert before <= one.at <= coded.clock()
    events = [
        (one.event, one.facts["text"], one.facts["version"], one.facts["language"]) for one in coded.audit("purpose.given")
    ]
    assert events[-1] == ("purpose.given", "news", "2026-11", "en")
    refused = [one.facts["text"] for one in coded.audit("purpose.refused", person.account)]
    assert sorted(refused) == ["profiling", "third_parties"]


def test_d07_the_language_kept_is_that_of_the_page_which_was_shown(coded: House) -> None:
    person = member(coded)
    page = asked(person, "AnswerPurposes", ui_locales="it")
    assert text(coded, "news").words["it"].split("\n\n")[0] in page.text
    # The language is changed elsewhere after the page was shown.
    person.get("/sign-in?ui_locales=en")
    person.fill(page, **NO)
    kept = ledger(coded, person)
    assert {one.locale for one in kept} == {"it"}
    assert kept[0].digest == hashlib.sha256(text(coded, kept[0].to).words["it"].encode()).hexdigest()


@pytest.mark.parametrize("left_out", PURPOSES)
def test_d07_one_that_is_not_answered_keeps_everything_shut_and_is_named(coded: House, left_out: str) -> None:
    person, page = question(coded)
    field = f"purpose-{left_out}"
    again = person.fill(page, **{**NO, field: None})
    assert (again.status, again.step, again.left) == (422, "AnswerPurposes", None)
    html = again.response.text
    assert f'id="{field}-errors"' in html
    assert html.count("Please answer yes or no.") == 1
    assert html.count(" checked") == len(PURPOSES) - 1
    assert answers(coded, person) == []
    assert not person.signed_in()


@pytest.mark.parametrize("forged", ["", "on", "true", "1", "YES", "yes no", "y" * 10_000])
def test_d07_a_forged_form_without_a_yes_or_no_agrees_to_nothing(coded: House, forged: str) -> None:
    person, page = question(coded)
    again = person.fill(page, **dict.fromkeys(NO, forged))
    assert again.status == 422
    assert answers(coded, person) == []
    assert person.account.agreed == ()


def test_d07_no_other_page_and_no_endpoint_opens_before_the_answers(coded: House) -> None:
    person, page = question(coded)
    transaction = page.action.rsplit("/", 1)[-1]
    back = person.open(f"/authorize/{transaction}")
    assert (back.step, back.left) == ("AnswerPurposes", None)
    assert person.get("/profile").status_code == 303
    assert person.ask(prompt="none").answer["error"] == "login_required"
    # Half-way out and in again: the question stands where it stood.
    assert asked(person.elsewhere(), "AnswerPurposes").status == 200


def test_d07_invited_people_are_asked_the_same_at_the_end_of_their_first_sign_in(coded: House) -> None:
    person, code = coded.invited()
    page = person.walk(person.open_invitation(code), until="AnswerPurposes")
    assert page.step == "AnswerPurposes"
    assert not person.signed_in()
    person.fill(page, **NO)
    assert answers(coded, person) == [(name, "2026-11", False) for name in PURPOSES]
    assert person.signed_in()


def test_d07_who_has_answered_is_not_asked_again(coded: House) -> None:
    person, page = question(coded)
    person.fill(page, **NO)
    assert person.elsewhere().authorize().answer["code"]
    assert len(answers(coded, person)) == len(PURPOSES)
