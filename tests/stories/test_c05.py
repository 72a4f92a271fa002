"""C5: a new version of the terms is told at the next sign-in, and accepted, or taken notice of, as policy says."""

import hashlib
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.model import Agreed
from tests.agreements import KINDS, answers, asked, ledger, member, new_terms, text, with_terms
from tests.harness import House
from tests.people import Person

ANSWERED = (Agreed("news", "2026-11", False), Agreed("third_parties", "2026-11", False))
NewHouse = Callable[..., House]


@pytest.fixture(params=KINDS[:1])
def consumer(request: pytest.FixtureRequest, new_house: NewHouse) -> House:
    """A house under the profile that demands acceptance; it may be started again under another law."""
    return new_house(request.param, environ={"IDP_PROFILE": "consumer"})


def regular(house: House) -> Person:
    """Someone who has answered everything but the terms."""
    return member(house, agreed=ANSWERED)


def test_c05_terms_are_accepted_before_any_token_and_once(consumer: House) -> None:
    person = regular(consumer)
    page = asked(person, "AcceptTerms")
    heading, *paragraphs = text(consumer, "terms").words["en"].split("\n\n")
    assert page.heading == "Our terms"
    assert heading in page.text
    assert all(" ".join(one.split()) in page.text for one in paragraphs)
    assert text(consumer, "terms").href["en"] in page.links
    assert not person.signed_in()
    done = person.fill(page)
    assert person.redeem(done).status_code == 200
    (kept,) = ledger(consumer, person)
    assert (kept.to, kept.version, kept.given, kept.locale) == ("terms", "2026-11", True, "en")
    assert kept.digest == hashlib.sha256(text(consumer, "terms").words["en"].encode()).hexdigest()
    (event,) = consumer.audit("terms.accepted", person.account)
    assert (event.facts["version"], event.facts["language"]) == ("2026-11", "en")
    assert person.elsewhere().authorize().answer["code"]
    assert len(ledger(consumer, person)) == 1


def test_c05_who_does_not_accept_leaves_with_nothing_issued_and_nothing_changed(consumer: House) -> None:
    person = regular(consumer)
    page = asked(person, "AcceptTerms")
    assert "If you do not accept, nothing opens" in page.text
    transaction = page.action.rsplit("/", 1)[-1]
    assert f"/authorize/{transaction}" in page.links
    left = person.open(f"/authorize/{transaction}")
    assert left.answer["error"] == "access_denied"
    assert "code" not in left.answer
    assert ledger(consumer, person) == []
    assert person.account.agreed == ANSWERED
    assert not person.signed_in()
    # Nothing is lost: the same page comes at the next sign-in.
    assert asked(person.elsewhere(), "AcceptTerms").status == 200


def test_c05_without_a_portal_the_way_out_leads_home(consumer: House) -> None:
    person = regular(consumer)
    page = person.sign_in(until="AcceptTerms")
    assert consumer.settings.brand.home in page.links


def test_c05_a_new_version_is_asked_at_the_next_sign_in_and_what_is_open_goes_on_until_then(consumer: House) -> None:
    person = regular(consumer)
    issued = person.tokens()
    consumer.restart(with_terms(), [new_terms(consumer)])
    # Sessions and tokens of before go on.
    assert person.get("/profile").status_code == 200
    renewed = consumer.refresh(issued["refresh_token"])
    assert renewed.status_code == 200
    assert consumer.introspect(issued["access_token"])["active"]
    # A client that asks anew gets nothing unseen, and the person is asked.
    assert person.ask(prompt="none").answer["error"] == "interaction_required"
    page = person.ask()
    assert (page.step, page.heading) == ("AcceptTerms", "Our terms have changed")
    assert "The terms of 2027-03".casefold() in page.text.casefold()
    done = person.fill(page)
    assert person.redeem(done).status_code == 200
    assert answers(consumer, person) == [("terms", "2026-11", True), ("terms", "2027-03", True)]
    assert "code" in person.ask(prompt="none").answer


def test_c05_a_new_version_is_asked_in_a_fresh_sign_in_too(consumer: House) -> None:
    person = member(consumer, agreed=(*ANSWERED, Agreed("terms", "2026-05", True)))
    page = asked(person, "AcceptTerms")
    assert page.heading == "Our terms have changed"
    assert not person.signed_in()
    assert person.redeem(person.fill(page)).status_code == 200


def test_c05_a_notice_is_told_once_and_asks_for_nothing(consumer: House) -> None:
    consumer.restart(with_terms("2026-11", "notice"))
    person = regular(consumer)
    page = asked(person, "AcceptTerms")
    transaction = page.action.rsplit("/", 1)[-1]
    assert "I accept" not in page.text
    assert "Leave without accepting" not in page.text
    # There is nothing to decline: who goes back to the client unseen stands before it again.
    assert person.open(f"/authorize/{transaction}").step == "AcceptTerms"
    assert person.redeem(person.fill(page)).status_code == 200
    assert answers(consumer, person) == [("terms", "2026-11", False)]
    assert [one.outcome for one in consumer.audit("terms.noticed", person.account)] == ["done"]
    assert person.elsewhere().authorize().answer["code"]


def test_c05_terms_that_were_noticed_are_accepted_where_policy_comes_to_demand_it(consumer: House) -> None:
    consumer.restart(with_terms("2026-11", "notice"))
    person = regular(consumer)
    person.fill(asked(person, "AcceptTerms"))
    consumer.restart(with_terms("2026-11", "accept"))
    page = asked(person.elsewhere(), "AcceptTerms")
    assert "I accept" in page.text
    assert person.ask(prompt="none").answer["error"] == "interaction_required"


def test_c05_a_version_that_changed_while_the_page_was_open_is_not_accepted_by_it(consumer: House) -> None:
    person = regular(consumer)
    page = asked(person, "AcceptTerms")
    consumer.restart(with_terms(), [new_terms(consumer)])
    again = person.fill(page)
    assert (again.status, again.step) == (409, "AcceptTerms")
    assert "has changed while this page was open" in again.text
    assert "the terms of 2027-03" in again.text
    assert ledger(consumer, person) == []
    assert person.redeem(person.fill(again)).status_code == 200
    assert answers(consumer, person) == [("terms", "2027-03", True)]


def test_c05_the_terms_come_before_the_purposes_and_both_before_the_code(consumer: House) -> None:
    person = member(consumer)
    steps = [page := asked(person, "AcceptTerms")]
    steps.append(page := person.fill(page))
    assert [one.step for one in steps] == ["AcceptTerms", "AnswerPurposes"]
    done = person.walk(page)
    assert done.answer["code"]
    assert [one[0] for one in answers(consumer, person)] == ["terms", "news", "third_parties"]


def test_c05_in_italian_the_italian_words_are_what_is_kept(consumer: House) -> None:
    person = regular(consumer)
    page = asked(person, "AcceptTerms", ui_locales="it")
    assert "Accetto" in page.response.text
    answer = person.fill(page)
    (kept,) = ledger(consumer, person)
    assert kept.locale == "it"
    assert kept.digest == hashlib.sha256(text(consumer, "terms").words["it"].encode()).hexdigest()
    assert parse_qs(urlsplit(answer.left or "").query)["code"]
