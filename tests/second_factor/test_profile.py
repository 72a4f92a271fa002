"""The second step in My Profile: set up, taken away, codes made anew; the password each time, and what ends with it."""

from typing import Any

import pytest

from idp.model import Factor
from tests.harness import House
from tests.people import Page, Person
from tests.second_factor.phones import Phone, codes_on, scanned

HOME = "/profile/second-factor"


def resident(house: House) -> Person:
    person = house.customer()
    person.sign_in()
    assert person.signed_in()
    return person


def add_app(person: Person) -> tuple[Phone, list[str], Page]:
    page = person.fill(person.open(f"{HOME}/app"), current=person.password)
    phone = scanned(page)
    page = person.fill(page, code=phone.code(person.house))
    assert page.status == 200, page.text
    return phone, codes_on(page), page


def test_a_person_sets_up_an_app_and_is_asked_for_it_from_then_on(house: House) -> None:
    person = resident(house)
    elsewhere = person.elsewhere()
    elsewhere.sign_in()
    assert elsewhere.signed_in()
    assert "Not set up" in person.open(HOME).text
    phone, codes, page = add_app(person)
    assert len(codes) == 10
    assert person.signed_in()
    assert not elsewhere.signed_in()
    page = person.open(f"{HOME}?done=app")
    assert "Your authenticator app is set up." in page.text
    assert "10 left" in page.text
    (_, letter) = house.letters(person.account, "changed")[-1]
    assert letter["changed"] == "second_factor"
    page = elsewhere.sign_in(until="AskSecondFactor")
    assert page.step == "AskSecondFactor"
    elsewhere.fill(page, code=phone.next_code(house))
    assert elsewhere.signed_in()


def test_nothing_is_shown_or_changed_without_the_password(house: House) -> None:
    person = resident(house)
    page = person.fill(person.open(f"{HOME}/app"), current="wrong wrong wrong")
    assert page.status == 401
    assert "That is not your present password" in page.text
    assert "otpauth" not in page.response.text
    phone, _, _ = add_app(person)
    for act in ("app", "remove-app", "codes", "passkey"):
        page = person.fill(person.open(f"{HOME}/{act}"), current="wrong wrong wrong")
        assert page.status == 401, act
    assert person.account.credential(Factor.TOTP)
    assert phone.key not in person.open(HOME).response.text


def test_the_key_is_shown_to_the_page_that_the_password_opened_and_to_no_other(house: House) -> None:
    person = resident(house)
    page = person.fill(person.open(f"{HOME}/app"), current=person.password)
    phone = scanned(page)
    # Whoever has the session alone asks for the page again: nothing of the key.
    assert phone.key[:4] not in person.open(f"{HOME}/app").response.text
    stolen = {"handle": "x" * 43, "code": phone.code(house)}
    assert person.fill(page, **stolen).status == 401
    assert person.account.credential(Factor.TOTP) is None
    page = person.fill(page, code=phone.wrong_code(house))
    assert page.status == 401
    assert scanned(page) == phone
    person.fill(page, code=phone.code(house))
    assert person.account.credential(Factor.TOTP)


def test_three_wrong_codes_end_it(house: House) -> None:
    person = resident(house)
    page = person.fill(person.open(f"{HOME}/app"), current=person.password)
    phone = scanned(page)
    for _ in range(2):
        page = person.fill(page, code=phone.wrong_code(house))
    over = person.fill(page, code=phone.wrong_code(house))
    assert "Please begin again." in over.text
    assert person.fill(page, code=phone.code(house)).status == 401
    assert person.account.credential(Factor.TOTP) is None


def test_a_form_from_elsewhere_changes_nothing(house: House) -> None:
    person = resident(house)
    page = person.open(f"{HOME}/app")
    for token in (None, "", "0" * 64, house.person().open("/sign-in").hidden["csrf"]):
        answer = person.post(page, {"csrf": token, "current": person.password})
        assert answer.status_code == 403
        assert "otpauth" not in answer.text
    (elsewhere,) = (resident(house),)
    theirs = elsewhere.open(f"{HOME}/app").hidden["csrf"]
    assert person.post(page, {"csrf": theirs, "current": person.password}).status_code == 403


def test_new_codes_take_the_place_of_the_old_ones(house: House) -> None:
    person = resident(house)
    _, first, _ = add_app(person)
    page = person.fill(person.open(f"{HOME}/codes"), current=person.password)
    second = codes_on(page)
    assert len(set(first) | set(second)) == 20
    assert person.signed_in()
    other = person.elsewhere()
    page = other.fill(other.sign_in(until="AskSecondFactor"), way="recovery_code", code=first[0])
    assert page.status == 401
    other.fill(page, way="recovery_code", code=second[0])
    assert other.signed_in()
    assert "9 left" in other.open(HOME).text


def test_without_a_second_factor_there_are_no_codes_to_make(house: House) -> None:
    person = resident(house)
    page = person.fill(person.open(f"{HOME}/codes"), current=person.password)
    assert not codes_on(page)
    with house.world.store.read() as tx:
        assert tx.recovery_codes.left(person.account.id) == 0


def test_an_app_is_taken_away_with_its_codes(house: House) -> None:
    person = resident(house)
    _, codes, _ = add_app(person)
    page = person.fill(person.open(f"{HOME}/remove-app"), current=person.password)
    assert "Your authenticator app is removed." in page.text
    assert person.signed_in()
    assert len(house.letters(person.account, "changed")) == 2
    assert person.account.credential(Factor.TOTP) is None
    other = person.elsewhere()
    other.sign_in()
    assert other.signed_in()
    with house.world.store.read() as tx:
        assert tx.recovery_codes.left(person.account.id) == 0
    assert codes


def test_a_session_proved_by_an_app_taken_away_asks_for_what_is_left(house: House) -> None:
    person = resident(house)
    phone, _, _ = add_app(person)
    page = person.walk(person.ask(prompt="login"), until="AskSecondFactor")
    person.fill(page, code=phone.next_code(house))
    person.fill(person.open(f"{HOME}/remove-app"), current=person.password)
    assert person.signed_in()
    page = person.authorize(acr_values="mfa")
    assert page.left
    issued = person.redeem(page).json()
    assert issued["id_token"]


def test_another_app_takes_the_place_of_the_first(house: House) -> None:
    person = resident(house)
    old, codes, _ = add_app(person)
    new, none, page = add_app(person)
    assert not none
    assert page.path.startswith(HOME)
    assert new != old
    other = person.elsewhere()
    page = other.fill(other.sign_in(until="AskSecondFactor"), code=old.next_code(house))
    assert page.status == 401
    other.fill(page, code=new.code(house))
    assert other.signed_in()
    assert codes


def test_whoever_is_not_signed_in_is_sent_to_sign_in(house: House) -> None:
    stranger = house.person()
    assert stranger.get(HOME).headers["Location"] == "/sign-in?to=second-factor"
    for path in (f"{HOME}/{act}" for act in ("app", "remove-app", "passkey", "remove-passkey", "codes")):
        assert stranger.get(path).headers["Location"] == "/sign-in?to=second-factor"
        assert stranger.client.post(path, data={}).headers["Location"] == "/sign-in?to=second-factor"
    for path in (f"{HOME}/app/confirm", f"{HOME}/passkey/confirm"):
        assert stranger.client.post(path, data={}).headers["Location"] == "/sign-in?to=second-factor"


@pytest.mark.parametrize("sent", ["{}", "[]", "null", "x", '{"id": 1}', "\0", "{" * 5000])
def test_a_browser_that_sends_anything_gets_a_page(house: House, sent: str) -> None:
    person = resident(house)
    page = person.fill(person.open(f"{HOME}/passkey"), current=person.password, name="My phone")
    assert page.status == 200
    answer: Any = person.post(page, {"passkey": sent})
    assert answer.status_code in (401, 422)
    assert not person.account.credential(Factor.PASSKEY)
    # The challenge is used up.
    assert person.post(page, {"passkey": "{}"}).status_code in (303, 422)


def test_where_policy_demands_one_the_last_stays(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    page = person.sign_in(until="EnrolSecondFactor")
    phone = scanned(page)
    person.fill(page, code=phone.code(guarded))
    person.open(page.action)
    assert person.signed_in()
    assert "remove-app" not in person.open(HOME).response.text
    page = person.fill(person.open(f"{HOME}/remove-app"), current=person.password)
    assert page.status == 403
    assert "Set up another first" in page.text
    assert person.account.credential(Factor.TOTP)
