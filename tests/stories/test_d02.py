"""D2: a confirmation code is emailed at once; until it is entered the account can do nothing; never confirmed, it is purged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.flows import upkeep
from idp.model import AccountState, Customer, Factor
from tests.harness import House
from tests.people import NEW_PASSWORD, Person
from tests.registering import KINDS, codes, elsewhere, known, opened, records, registered

ANNA = Customer("", "K9", "neri", given_name="Anna", family_name="Neri")
Houses = Callable[..., House]


@pytest.fixture(params=KINDS)
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    made = new_house(request.param, **opened("customer-code"))
    records(made, ANNA)
    return made


def anna(house: House) -> Person:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    assert page.step == "ConfirmRegistration", page.text
    return person


def fields(person: Person) -> dict[str, str]:
    who = {"customer_code": "K-9", "given_name": "Anna", "family_name": "Neri", "username": person.username}
    return {**who, "email": address(person)}


def address(person: Person) -> str:
    return f"{person.username}@example.com"


def test_d02_the_code_goes_out_at_once_and_the_account_waits_for_it(house: House) -> None:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    assert page.heading == "Confirm your registration"
    assert f"We have sent a code to {address(person)}." in page.text
    assert "It works for 24 hours." in page.text
    account = known(house, person.username)
    assert account is not None
    assert (account.state, account.enrolled_at, account.email_confirmed_at) == (AccountState.PENDING, None, None)
    (code,) = codes(house, address(person))
    assert len(code) == 6
    assert not person.signed_in()
    person.walk(person.fill(page, code=code))
    assert person.signed_in()
    account = person.account
    assert account.state is AccountState.ACTIVE
    assert account.enrolled_at is not None
    assert account.email_confirmed_at is not None


def test_d02_until_then_nothing_opens(house: House) -> None:
    person = anna(house)
    for way in (person, person.elsewhere()):
        page = way.walk(way.ask())
        assert page.left is None
        assert not way.signed_in()
    # Told like a wrong password: whoever registered with another's address learns nothing by it.
    stranger = person.elsewhere()
    page = stranger.try_password(person.password)
    assert page.status == 401
    assert "That username and password do not match." in page.text
    assert page.status == stranger.try_password("wrong wrong wrong").status
    # Nor does any other way lead in.
    recovery = stranger.open("/recover/password")
    stranger.fill(recovery, username=person.username, email=address(person))
    sent = {letter.template for letter, _ in house.letters(person.account)}
    assert sent == {"registration_code"}
    assert person.account.state is AccountState.PENDING


def test_d02_a_wrong_code_is_told_and_the_right_one_goes_on(house: House) -> None:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    (code,) = codes(house, address(person))
    wrong = person.fill(page, code=f"{(int(code) + 1) % 1_000_000:06}")
    assert wrong.status == 401
    assert "That code is not right" in wrong.text
    person.walk(person.fill(wrong, code=f" {code[:3]} {code[3:]} "))
    assert person.signed_in()


def test_d02_after_three_wrong_codes_the_right_one_is_too_late_and_a_new_one_works(house: House) -> None:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    (code,) = codes(house, address(person))
    for more in range(1, 4):
        person.fill(page, code=f"{(int(code) + more) % 1_000_000:06}")
    assert person.fill(page, code=code).status == 401
    page = person.fill(page, send="yes")
    assert page.step == "ConfirmRegistration"
    first, second = codes(house, address(person))
    assert first == code
    person.walk(person.fill(page, code=second))
    assert person.signed_in()


def test_d02_the_code_is_sent_again_within_the_day_s_limit_and_the_old_one_dies(house: House) -> None:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    most = house.world.policy.recovery.codes_per_day
    for _ in range(most - 1):
        page = person.fill(page, send="yes")
        assert page.step == "ConfirmRegistration"
    sent = codes(house, address(person))
    assert len(sent) == most
    assert "That was the last code for today." in page.text
    refused = person.fill(page, send="yes")
    assert refused.status == 429
    assert len(codes(house, address(person))) == most
    assert person.fill(page, code=sent[0]).status == 401 or sent[0] == sent[-1]
    person.walk(person.fill(page, code=sent[-1]))
    assert person.signed_in()


def test_d02_a_code_ends_with_its_time(house: House) -> None:
    person = anna(house)
    (code,) = codes(house, address(person))
    house.clock.move(hours=24)
    other = person.elsewhere()
    assert elsewhere(other, person.username, code).status == 401
    asked = elsewhere(other, person.username)
    assert "a new one is on its way" in asked.text
    (fresh,) = codes(house, address(person))
    other.walk(elsewhere(other, person.username, fresh))
    assert other.signed_in()


def test_d02_in_another_browser_name_password_and_code_confirm_together(house: House) -> None:
    person = anna(house)
    (code,) = codes(house, address(person))
    other = person.elsewhere()
    for name, password, typed in (
        (person.username, person.password, "000000" if code != "000000" else "111111"),
        (person.username, NEW_PASSWORD, code),
        ("somebody.else", person.password, code),
    ):
        page = elsewhere(other, name, typed, password=password)
        assert page.status == 401
        assert "These three do not belong together" in page.text
    assert person.account.state is AccountState.PENDING
    other.walk(elsewhere(other, person.username, code))
    assert other.signed_in()
    assert person.account.state is AccountState.ACTIVE


def test_d02_back_to_the_sign_in_page_leaves_nothing_behind(house: House) -> None:
    person = house.person(username=house.name("anna"))
    page = registered(person, **fields(person))
    page = person.press(page, "/register/cancel")
    assert page.step == "AskUsernameAndPassword"
    (code,) = codes(house, address(person))
    (link,) = [link for link in page.links if link.startswith("/register/confirm")]
    page = person.open(link)
    person.walk(person.fill(page, username=person.username, password=person.password, code=code))
    assert person.signed_in()


def test_d02_registering_anew_takes_the_place_of_a_registration_that_waits(house: House) -> None:
    person = anna(house)
    first = person.account
    (code,) = codes(house, address(person))
    again = person.elsewhere()
    page = registered(again, **fields(person), password=NEW_PASSWORD)
    assert page.step == "ConfirmRegistration"
    assert person.account.id != first.id
    assert again.fill(page, code=code).status == 401
    again.walk(again.fill(page, code=codes(house, address(person))[-1]))
    assert again.signed_in()


def test_d02_a_name_that_another_waits_with_is_taken(house: House) -> None:
    person = anna(house)
    records(house, ANNA, replace(ANNA, customer_code="K10"))
    other = person.elsewhere()
    page = registered(other, **{**fields(person), "customer_code": "K-10", "email": "other@example.com"})
    assert page.status == 422
    assert "This username is taken." in page.text
    assert codes(house, "other@example.com") == []


def test_d02_never_confirmed_it_is_purged_after_the_period_of_policy(house: House) -> None:
    person = anna(house)
    account = person.account
    period = house.world.policy.registration.purge_unconfirmed_after
    house.clock.move(seconds=(period - timedelta(hours=1)).total_seconds())
    list(upkeep.sweep(house.world))
    assert known(house, person.username) is not None
    house.clock.move(hours=2)
    list(upkeep.sweep(house.world))
    assert known(house, person.username) is None
    (gone,) = house.audit("account.purged", account)
    assert (gone.facts["why"], gone.facts["state"]) == ("never_confirmed", "pending")
    assert house.counter(account, Factor.PASSWORD).failures == 0
    # The name and the customer are free again.
    registered(person, **fields(person))
    person.walk(elsewhere(person, person.username, codes(house, address(person))[-1]))
    assert person.signed_in()
