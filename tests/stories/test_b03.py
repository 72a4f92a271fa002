"""B3: email news and third-party sharing: each asked, recorded with time and version, seen and withdrawn in My Profile."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from idp.flows import erasing
from idp.model import Agreed, Text
from tests.agreements import KINDS, answers, asked, ledger, member, text
from tests.harness import House, open_house
from tests.people import Page, Person

HOME = "/profile/consents"
NO = {"purpose-news": "no", "purpose-third_parties": "no"}
ENVIRON = {"IDP_PROFILE": "open-registration"}


@pytest.fixture(scope="module", params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house under the profile that asks about news and third parties."""
    with open_house(request.param, tmp_path_factory.mktemp("opened"), environ=ENVIRON) as house:
        yield house


def settled(house: House, **given: str) -> Person:
    """Someone signed in who has answered both, with no where nothing else is said."""
    person = member(house)
    fields = {f"purpose-{name}": value for name, value in given.items()}
    person.fill(asked(person, "AnswerPurposes"), **{**NO, **fields})
    assert person.signed_in()
    return person


def ticked(page: Page) -> set[str]:
    """The options of the page that are ticked, by their ids."""
    inputs = page.response.text.split("<input ")[1:]
    return {one.split('id="')[1].split('"')[0] for one in inputs if " checked" in one.split(">")[0]}


def test_b03_sharing_with_third_parties_is_given_only_by_an_explicit_yes(opened: House) -> None:
    person = settled(opened, news="yes")
    assert answers(opened, person) == [("news", "2026-11", True), ("third_parties", "2026-11", False)]
    given = {one.to: one.given for one in person.account.agreed}
    assert given == {"news": True, "third_parties": False}


def test_b03_my_profile_shows_each_purpose_the_answer_since_when_and_the_version(opened: House) -> None:
    person = settled(opened, news="yes")
    profile = person.open("/profile")
    assert HOME in profile.links
    page = person.open(HOME)
    assert page.heading == "What you have agreed to"
    assert ticked(page) == {"purpose-news-yes", "purpose-third_parties-no"}
    for name in ("news", "third_parties"):
        assert text(opened, name).words["en"].split("\n\n")[0] in page.text
    assert "Your answer: Yes. Since: " in page.text
    assert page.text.count("(version 2026-11)") == 4


def test_b03_withdrawing_is_one_step_as_giving_is_and_the_ledger_keeps_both(opened: House) -> None:
    person = settled(opened, news="yes", third_parties="yes")
    page = person.open(HOME)
    after = person.press(page, HOME, **{"purpose-news": "yes", "purpose-third_parties": "no"})
    assert (after.status, "Your answers are saved." in after.text) == (200, True)
    assert ticked(after) == {"purpose-news-yes", "purpose-third_parties-no"}
    assert answers(opened, person)[2:] == [("third_parties", "2026-11", False)]
    assert len(ledger(opened, person)) == 3
    (event,) = opened.audit("purpose.withdrawn", person.account)
    assert {name: event.facts[name] for name in ("text", "version", "language")} == {
        "text": "third_parties",
        "version": "2026-11",
        "language": "en",
    }
    person.press(after, HOME, **{"purpose-news": "yes", "purpose-third_parties": "yes"})
    assert answers(opened, person)[3:] == [("third_parties", "2026-11", True)]
    # The whole history, the latest first.
    history = person.open(HOME).text.split("Every answer so far")[1]
    assert [history.count(said) for said in ("Yes:", "No:")] == [3, 1]


def test_b03_saving_without_a_change_adds_nothing(opened: House) -> None:
    person = settled(opened)
    person.press(person.open(HOME), HOME, **NO)
    person.press(person.open(HOME), HOME)
    assert len(ledger(opened, person)) == 2


def test_b03_an_answer_changed_in_italian_is_kept_in_italian(opened: House) -> None:
    person = settled(opened)
    page = person.open(f"{HOME}?ui_locales=it")
    assert page.heading == "I Suoi consensi"
    person.press(page, HOME, **{"purpose-news": "yes"})
    assert [one.locale for one in ledger(opened, person)] == ["en", "en", "it"]


@pytest.mark.parametrize("kind", KINDS)
def test_b03_a_new_version_is_asked_anew_and_the_others_are_not(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=ENVIRON)
    person = settled(house, news="yes")
    words = dict.fromkeys(house.world.languages, "May we send you news by post as well?\n\nOnce a year.")
    purposes = {**house.world.policy.consent.purposes, "news": "2027-01"}
    house.restart(
        lambda policy: replace(policy, consent=replace(policy.consent, purposes=purposes)), [Text("news", "2027-01", words)]
    )
    # My Profile shows the new question; an answer to another one is not taken for an answer to it.
    page = person.open(HOME)
    assert "by post as well?" in page.text
    assert "(version 2026-11)" in page.text
    assert ticked(page) == {"purpose-third_parties-no"}
    fresh = person.elsewhere()
    again = asked(fresh, "AnswerPurposes")
    assert set(again.fields) & {"purpose-news", "purpose-third_parties"} == {"purpose-news"}
    assert fresh.fill(again, **{"purpose-news": "no"}).answer["code"]
    assert answers(house, person)[-1] == ("news", "2027-01", False)
    assert Agreed("news", "2027-01", given=False) in person.account.agreed


def test_b03_what_was_answered_goes_with_the_account(opened: House) -> None:
    person = settled(opened, news="yes")
    before = person.account
    with opened.world.store.begin() as tx:
        account = tx.accounts.locked(before.id)
        assert account is not None
        erasing.erase(opened.world, tx, account, now=opened.clock(), why="closed")
    with opened.world.store.read() as tx:
        assert tx.particulars.ledger(before.id) == []


def test_b03_whoever_is_signed_out_is_asked_to_sign_in(opened: House) -> None:
    person = member(opened)
    assert person.get(HOME).headers["Location"].endswith("/sign-in?to=profile")
    assert person.client.post(HOME, data=NO).status_code == 303


def test_b03_where_nothing_is_asked_there_is_no_such_page(house: House) -> None:
    person = house.customer()
    person.sign_in()
    assert person.get(HOME).status_code == 404
    assert person.client.post(HOME).status_code == 404
    assert HOME not in person.open("/profile").links
