"""C3: a person cancels online, one service or everything; after a while to think it over the data is deleted.

T5 and T3 as far as they follow: nothing gives a token to whoever has cancelled, and what was given is worth nothing.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.flows import upkeep
from idp.language import format_instant
from idp.model import AccountState, Capacity, Factor, Role
from idp.policies.credentials import canonical_username
from tests.harness import CONFIG, House, open_house
from tests.leaving import ALL, FORM, cancel, cancelled, is_there, upkept
from tests.leftovers import places
from tests.people import BILLING, SERVICE, Person
from tests.profiles.members import FIRST, agreed, member

SECOND = timedelta(seconds=1)
GRACE = timedelta(days=14)
KINDS = ("sqlite", "postgresql+redis")
ENVIRON = {"IDP_PROFILE": "consumer"}
NAME, FAMILY, STEM, NUMBER = "Zefirina", "Quagliarulo", "zq.marker", "+393331234509"
MARKERS = (NAME, FAMILY, STEM, NUMBER)


@pytest.fixture(scope="module", params=KINDS)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house under the profile "consumer" that these tests share: the clock only ever moves on."""
    with open_house(request.param, tmp_path_factory.mktemp("consumer"), environ=ENVIRON) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """One that nobody else lives in."""
    return new_house(request.param, environ=ENVIRON)


def without_grace(rules: Any) -> Any:
    return replace(rules, leaving=replace(rules.leaving, grace=timedelta(0)))


def command(house: House, *arguments: str) -> Result:
    """A command of staff, on the house's own database."""
    return CliRunner(env={**house.secrets, **ENVIRON, "IDP_CONFIG": str(CONFIG)}).invoke(idp, list(arguments))


def scopes(house: House, tokens: dict[str, Any], resource: str) -> list[str]:
    """What a refresh gives for a resource; the family goes on in ``tokens``."""
    issued = house.refresh(tokens["refresh_token"], resource=resource).json()
    tokens["refresh_token"] = issued["refresh_token"]
    found: list[str] = issued["scope"].split()
    return found


# One service


def test_c03_the_page_says_in_plain_words_what_each_choice_means_and_from_which_date(consumer: House) -> None:
    person = member(consumer)
    with consumer.clock.stopped() as clock:
        person.sign_in()
        assert FORM in person.open("/profile").links
        page = person.open(FORM)
        date = format_instant(clock() + GRACE, "en", "UTC", clock())
    assert page.heading == "What would you like to cancel?"
    assert page.text.index("Bills") < page.text.index("Services and faults") < page.text.index("Everything: my whole access")
    assert f"Your personal data is deleted on this date: {date}. Until then you can take it back: just sign in." in page.text
    assert "is not touched" in page.text


def test_c03_a_service_cancelled_is_worth_nothing_in_any_token_and_the_rest_stays(consumer: House) -> None:
    person = member(consumer)
    tokens = person.tokens()
    for_service = consumer.refresh(tokens["refresh_token"], resource=SERVICE).json()
    for_bills, tokens["refresh_token"] = tokens["access_token"], for_service["refresh_token"]
    assert consumer.introspect(for_bills)["scope"] == "billing:read"
    page = cancel(person, "billing")
    assert "That service is cancelled." in page.text
    assert "Services and faults" in page.text
    assert "Bills" not in page.text.replace("Bills and", "")
    assert person.account.entitlements == {"service"}
    assert consumer.introspect(for_bills) == {"active": False}
    assert consumer.introspect(for_service["access_token"], "service")["scope"] == "service:read"
    assert (scopes(consumer, tokens, BILLING), scopes(consumer, tokens, SERVICE)) == ([], ["service:read"])
    assert person.signed_in()
    assert person.account.state is AccountState.ACTIVE
    ((_, told),) = consumer.letters(person.account, "service_cancelled")
    assert told["service"] == "billing"
    (entry,) = consumer.audit("service.cancelled", person.account)
    assert entry.facts["service"] == "billing"


def test_c03_a_token_for_a_service_cancelled_does_not_name_the_account_behind_it(consumer: House) -> None:
    number = "IT-4711-0815-ZX"
    acting = Capacity("c1", Role.CONSUMER, "", consumer.vault.seal(number.encode()))
    person = member(consumer, capacities=(acting,))
    tokens = person.tokens()
    assert consumer.introspect(tokens["access_token"])["account_number"] == number
    cancel(person, "billing")
    found = consumer.introspect(consumer.refresh(tokens["refresh_token"], resource=BILLING).json()["access_token"])
    assert (found["active"], found["scope"], found["capacity"]) == (True, "", "consumer")
    assert "account_number" not in found


def test_c03_a_new_sign_in_at_a_portal_gets_nothing_of_a_service_cancelled(consumer: House) -> None:
    person = member(consumer)
    person.sign_in()
    cancel(person, "billing")
    issued = person.elsewhere().tokens(resource=BILLING)
    assert issued["scope"] == ""
    assert consumer.userinfo(person.tokens(resource=None, scope="openid profile")["access_token"]).status_code == 200


def test_c03_whoever_cancels_the_last_service_keeps_the_access_until_they_cancel_that_too(consumer: House) -> None:
    person = member(consumer)
    person.sign_in()
    cancel(person, "service")
    page = cancel(person, "billing")
    assert person.account.entitlements == frozenset()
    assert "Bills" not in page.text
    assert "Everything: my whole access" in page.text
    assert person.elsewhere().sign_in().status == 200
    assert cancel(person, ALL).heading == "Your access is cancelled"


# Everything


def test_c03_everything_cancelled_ends_what_is_open_everywhere_and_tells_the_date(consumer: House) -> None:
    person = member(consumer)
    there = person.elsewhere()
    tokens = there.tokens()
    person.sign_in()
    with consumer.clock.stopped() as clock:
        page = cancel(person, ALL)
        now = clock()
    assert page.heading == "Your access is cancelled"
    assert format_instant(now + GRACE, "en", "UTC", now) in page.text
    assert (person.signed_in(), there.signed_in()) == (False, False)
    account = person.account
    assert (account.state, account.state_at, account.quiet.goes_at) == (AccountState.LEAVING, now, now + GRACE)
    _nothing_opens(consumer, there, tokens)
    ((_, told),) = consumer.letters(account, "cancelled")
    assert (told["goes"], told["link"]) == ((now + GRACE).isoformat(), f"{consumer.url}/sign-in")
    (entry,) = consumer.audit("account.cancelled", account)
    assert entry.facts["goes_at"] == (now + GRACE).isoformat()


def _nothing_opens(house: House, person: Person, tokens: dict[str, Any]) -> None:
    """No token by any path (T5), and what was given is dead (T3)."""
    assert house.introspect(tokens["access_token"]) == {"active": False}
    assert house.introspect(tokens["refresh_token"], "portal") == {"active": False}
    assert house.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert house.userinfo(tokens["access_token"]).status_code == 401
    silent = person.ask(prompt="none")
    assert silent.answer["error"] == "login_required"


def test_c03_a_text_message_tells_it_too_where_there_is_a_number(new_house: Callable[..., House]) -> None:
    house = new_house(environ={**ENVIRON, "IDP_SMS_URL": "http://127.0.0.1:9/sms"})
    person = member(house, mobile=NUMBER)
    goes_at = cancelled(house, person)
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock(), timedelta(0), 100)
    ((letter, body),) = [one for one in waiting if (one[0].template, one[0].channel) == ("cancelled", "sms")]
    assert (letter.to, house.vault.open_json(body)["goes"]) == (NUMBER, goes_at.isoformat())


def test_c03_a_code_on_its_way_when_everything_is_cancelled_gives_no_token(consumer: House) -> None:
    person = member(consumer)
    page = person.authorize(scope="openid offline_access billing:read")
    cancel(person, ALL)
    assert person.redeem(page).json()["error"] == "invalid_grant"


def test_c03_until_the_date_a_whole_sign_in_asks_whether_to_keep_it_and_keeping_brings_everything_back(
    consumer: House,
) -> None:
    person = member(consumer)
    with consumer.clock.stopped() as clock:
        goes_at = cancelled(consumer, person)
        clock.move(days=13, hours=23)
        page = person.elsewhere().sign_in()
        assert (page.step, page.heading) == ("KeepAccount", "Keep your access?")
        assert format_instant(goes_at, "en", "UTC", clock()) in page.text
        page = person.sign_in()
        assert not person.signed_in()
        page = person.fill(page)
        assert person.signed_in()
        account = person.account
        assert (account.state, account.reactivated_at, account.quiet.goes_at) == (AccountState.ACTIVE, clock(), None)
        assert account.entitlements == {"billing", "service"}
    ((_, told),) = consumer.letters(account, "kept")
    assert told["by"] == "person"
    (entry,) = consumer.audit("account.kept", account)
    assert (entry.actor, entry.facts["cancelled"]) == ("person", (goes_at - GRACE).isoformat())
    assert consumer.introspect(person.tokens()["access_token"])["active"]
    consumer.clock.move(days=2)
    assert account.id not in upkept(consumer)
    assert is_there(consumer, account.id)


def test_c03_keeping_leads_on_to_the_portal_that_asked(consumer: House) -> None:
    person = member(consumer)
    cancelled(consumer, person)
    page = person.authorize(scope="openid billing:read", resource=BILLING)
    assert page.step == "KeepAccount"
    page = person.fill(page)
    assert person.redeem(page, resource=BILLING).json()["scope"] == "billing:read"


def test_c03_leaving_it_cancelled_leads_back_to_the_portal_without_a_code(consumer: House) -> None:
    person = member(consumer)
    cancelled(consumer, person)
    page = person.authorize()
    assert "If you wish to leave it cancelled, you need not do anything." in page.text
    (back,) = [link for link in page.links if link.startswith("/authorize/")]
    assert person.open(back).answer["error"] == "access_denied"
    assert person.account.state is AccountState.LEAVING


def test_c03_the_password_alone_takes_nothing_back_where_more_is_asked(house: House) -> None:
    person = house.customer()
    cancelled(house, person)
    page = person.walk(person.open("/sign-in"), until="AskPin")
    person.fill(page, pin="000111", step="KeepAccount")
    assert person.account.state is AccountState.LEAVING


def test_c03_on_the_date_to_the_second_it_is_over_for_the_person_and_for_upkeep(consumer: House) -> None:
    person, half_way = member(consumer), member(consumer)
    with consumer.clock.stopped() as clock:
        goes_at = cancelled(consumer, person)
        subject = person.account.id
        clock.move(seconds=(goes_at - clock() - SECOND).total_seconds())
        asked = person.elsewhere()
        page = asked.sign_in()
        assert page.step == "KeepAccount"
        assert subject not in upkept(consumer)
        clock.move(seconds=1)
        assert asked.fill(page).heading == "This access is closed"
        refused = person.elsewhere().sign_in()
        assert (refused.status, refused.heading) == (403, "This access is closed")
        assert person.account.state is AccountState.LEAVING
        assert upkept(consumer)[subject] == "cancelled"
        assert not is_there(consumer, subject)
    (entry,) = [one for one in consumer.audit("account.purged") if one.account_id == subject]
    assert (entry.actor, entry.facts["why"], entry.facts["state"]) == ("policy", "cancelled", "leaving")
    assert person.elsewhere().try_password(person.password).status == half_way.elsewhere().try_password("wrong").status == 401


def test_c03_whoever_forgot_the_password_can_recover_it_and_take_everything_back(consumer: House) -> None:
    person = member(consumer)
    cancelled(consumer, person)
    person.password = consumer.temporary_password(person)
    browser = person.elsewhere()
    page = browser.walk(browser.sign_in())
    assert page.step == "KeepAccount", page.text
    browser.fill(page)
    assert browser.signed_in()
    assert person.account.state is AccountState.ACTIVE


def test_c03_after_the_date_nothing_is_sent_to_recover_by(consumer: House) -> None:
    person = member(consumer)
    cancelled(consumer, person)
    consumer.clock.move(days=15)
    browser = person.elsewhere()
    # A right answer is told as wrong, as it is to whoever is unknown.
    page = browser.walk(browser.recover("password"))
    assert (page.status, page.step) == (401, "AnswerToRecover")
    assert consumer.letters(person.account, "temporary_password") == []


def test_c03_nobody_who_has_cancelled_is_reminded_to_come_back(consumer: House) -> None:
    person = member(consumer)
    cancelled(consumer, person)
    consumer.clock.move(days=13)
    mine = person.account
    foreseen = [one for stretch in upkeep.foresee(consumer.world) for one in stretch.done]
    assert [one for one in foreseen if one.account_id == mine.id] == []
    consumer.clock.move(days=100)
    foreseen = [one for stretch in upkeep.foresee(consumer.world) for one in stretch.done]
    assert [(one.due.act, one.of) for one in foreseen if one.account_id == mine.id] == [("purge", "cancelled")]
    assert consumer.letters(mine, "suspension_reminder") == []


# Without grace, and not at all


@pytest.mark.parametrize("kind", KINDS)
def test_c03_without_grace_the_data_goes_at_once(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=ENVIRON, policy=without_grace)
    person = member(house)
    subject, tokens = person.account.id, person.tokens()
    assert "It cannot be taken back." in person.open(FORM).text
    page = cancel(person, ALL)
    assert (page.heading, "your personal data is deleted" in page.text) == ("Your access is cancelled", True)
    assert not is_there(house, subject)
    assert not person.signed_in()
    _nothing_opens(house, person, tokens)
    (entry,) = house.audit("account.purged")
    assert (entry.account_id, entry.actor, entry.facts["why"]) == (subject, "person", "cancelled")
    assert places(house, (person.username,)) - {"sign_ins", "redis sign-in"} == set()


def test_c03_where_policy_does_not_offer_it_there_is_no_such_page(new_house: Callable[..., House]) -> None:
    house = new_house(policy=lambda rules: replace(rules, leaving=replace(rules.leaving, enabled=False)))
    person = house.customer()
    person.sign_in()
    assert FORM not in person.open("/profile").links
    assert person.open(FORM).status == 404


# What is left


def test_c03_after_the_date_no_row_of_any_table_nor_redis_names_the_person(own: House) -> None:
    person = member(
        own,
        given_name=NAME,
        family_name=FAMILY,
        username=STEM,
        email=f"{STEM}@example.com",
        mobile=NUMBER,
    )
    subject = person.account.id
    person.tokens()
    person.elsewhere().try_password()
    with own.clock.stopped() as clock:
        goes_at = cancelled(own, person)
        assert "accounts" in places(own, MARKERS)
        assert "cancelled" in {letter.template for letter, _ in own.letters(person.account)}
        clock.move(seconds=(goes_at - clock()).total_seconds())
        assert upkept(own) == {subject: "cancelled"}
    assert places(own, MARKERS) == set()
    # Clients and backends are told yet that it is gone, by the same identifier.
    assert places(own, (subject,)) - {"sign_ins", "redis sign-in"} == {"audit", "tombstones", "grants", "signals"}


def test_c03_name_and_address_may_come_again_and_are_somebody_else_to_everyone(consumer: House) -> None:
    person = member(consumer)
    account, tokens = person.account, person.tokens()
    cancel(person, ALL)
    consumer.clock.move(days=14)
    assert upkept(consumer)[account.id] == "cancelled"
    again = consumer.customer(
        username=account.username, email=account.email, agreed=agreed(consumer), secrets=(Factor.PASSWORD,), password=FIRST
    )
    assert again.account.id != account.id
    assert canonical_username(again.account.username) == canonical_username(account.username)
    _nothing_opens(consumer, person, tokens)


# Staff


def test_c03_staff_see_the_date_and_can_take_it_back_for_who_asks(own: House) -> None:
    person = member(own)
    goes_at = cancelled(own, person)
    shown = command(own, "accounts", "show", person.username)
    assert "leaving" in shown.output
    assert f"{goes_at:%Y-%m-%d %H:%M} UTC, unless the person takes it back" in shown.output
    assert command(own, "accounts", "reactivate", person.username).exit_code != 0
    kept = command(own, "accounts", "keep", person.username)
    assert kept.exit_code == 0, kept.output
    assert person.account.state is AccountState.ACTIVE
    ((_, told),) = own.letters(person.account, "kept")
    assert told["by"] == "staff"
    assert command(own, "accounts", "keep", person.username).exit_code != 0
    person.sign_in()
    assert person.signed_in()


def test_c03_explain_and_the_dry_run_of_upkeep_tell_the_date(own: House) -> None:
    person = member(own)
    goes_at = cancelled(own, person)
    found = json.loads(command(own, "explain", person.username, "--json").output)
    assert (found["why"]["standing"], found["ends"]) == ("leaving", None)
    (purged,) = [one for one in found["coming"] if one["event"] == "purged"]
    assert (purged["at"], purged["rule"]["key"]) == (goes_at.isoformat(), "leaving.grace")
    said = command(own, "explain", person.username)
    assert "cancelled by its person, who can take it back by signing in until the data goes" in said.output
    at = ("upkeep", "--dry-run", "--list", "--json", "--at")
    before = json.loads(command(own, *at, (goes_at - SECOND).isoformat()).stdout)
    then = json.loads(command(own, *at, goes_at.isoformat()).stdout)
    assert before["listed"] == []
    assert [(one["id"], one["act"], one["of"]) for one in then["listed"]] == [(person.account.id, "purge", "cancelled")]
