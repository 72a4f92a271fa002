"""Passkeys over HTTP, with an authenticator in software: set up, as second factor, as the whole sign-in, and abused."""

import dataclasses
from typing import Any

import jwt
import pytest
from webauthn.helpers import bytes_to_base64url

from idp.flows import alarm
from idp.model import Factor, Passkey, Source
from tests.harness import House, together
from tests.people import Page, Person
from tests.second_factor.authenticators import PRESENT, Authenticator, asked_on
from tests.second_factor.phones import codes_on

HOME = "/profile/second-factor"


def enrolled(house: House, **device: Any) -> tuple[Person, Authenticator]:
    """Someone whose second factor is a passkey, set up at the first sign-in."""
    person = house.customer(secrets=(Factor.PASSWORD,))
    page = person.sign_in(until="EnrolSecondFactor")
    key = Authenticator(house.url, **device)
    shown = person.fill(page, passkey=key.make(asked_on(page)))
    assert len(codes_on(shown)) == 10, shown.text
    person.open(next(link for link in shown.links if link.startswith("/sign-in/")))
    assert person.signed_in()
    return person, key


def by_passkey(person: Person, key: Authenticator, page: Page | None = None, **how: Any) -> Page:
    """Sign in with the passkey alone."""
    page = page or person.open("/sign-in")
    return person.fill(page, passkey=key.sign(asked_on(page), **how))


def test_a_passkey_is_set_up_at_the_first_sign_in_and_is_the_whole_next_one(guarded: House) -> None:
    person, key = enrolled(guarded)
    other = person.elsewhere()
    page = by_passkey(other, key, other.ask())
    issued = other.redeem(page).json()
    claims = jwt.decode(issued["id_token"], options={"verify_signature": False})
    assert claims["acr"] == "mfa"
    assert claims["amr"] == ["hwk"]
    assert claims["sub"] == person.account.id
    assert other.signed_in()
    with guarded.world.store.read() as tx:
        (held,) = tx.passkeys.of(person.account.id)
    assert held.last_used_at is not None


def test_a_passkey_is_the_second_factor_after_the_password(guarded: House) -> None:
    person, key = enrolled(guarded, counts=7)
    other = person.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    asked = asked_on(page)
    assert [one["id"] for one in asked["allowCredentials"]] == [bytes_to_base64url(key.id)]
    assert asked["userVerification"] == "required"
    other.fill(page, passkey=key.sign(asked, user=b""))
    assert other.signed_in()


def test_which_passkeys_there_are_is_told_after_the_password_only(guarded: House) -> None:
    person, _ = enrolled(guarded)
    page = person.elsewhere().open("/sign-in")
    assert asked_on(page)["allowCredentials"] == []


def test_the_registration_asks_for_a_discoverable_key_and_a_verified_person(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    asked = asked_on(person.sign_in(until="EnrolSecondFactor"))
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["attestation"] == "none"
    assert asked["rp"] == {"id": "localhost", "name": "Norda"}


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0x04},
    ],
    ids=["origin", "port", "rp-id", "not-verified", "not-present"],
)
def test_what_was_made_for_someone_else_or_unverified_opens_nothing(guarded: House, change: dict[str, Any]) -> None:
    person, key = enrolled(guarded)
    other = person.elsewhere()
    page = by_passkey(other, dataclasses.replace(key, **change))
    assert page.status == 401
    assert "That passkey did not open anything." in page.text
    assert not other.signed_in()
    new = guarded.customer(secrets=(Factor.PASSWORD,))
    page = new.sign_in(until="EnrolSecondFactor")
    page = new.fill(page, passkey=Authenticator(**{"origin": guarded.url, **change}).make(asked_on(page)))
    assert page.status == 401
    assert new.account.credential(Factor.PASSKEY) is None


def test_a_challenge_is_used_once_and_belongs_to_its_sign_in(guarded: House) -> None:
    person, key = enrolled(guarded)
    other, third = person.elsewhere(), person.elsewhere()
    page = other.open("/sign-in")
    signed = key.sign(asked_on(page))
    stranger = third.open("/sign-in")
    assert third.fill(stranger, passkey=signed).status == 401
    other.fill(page, passkey=signed)
    assert other.signed_in()
    assert not third.signed_in()
    late = person.elsewhere()
    page = late.open("/sign-in")
    signed = key.sign(asked_on(page))
    assert late.fill(page, passkey="{}").status == 401
    # Used up by the wrong answer before it.
    assert late.post(page, {"passkey": signed}).status_code == 401
    assert not late.signed_in()


def test_an_unknown_passkey_and_a_wrong_signature_are_told_the_same(guarded: House) -> None:
    person, key = enrolled(guarded)
    unknown, wrong = person.elsewhere(), person.elsewhere()
    one = by_passkey(unknown, Authenticator(guarded.url, user=key.user))
    two = by_passkey(wrong, dataclasses.replace(key, key=Authenticator(guarded.url).key))
    assert one.status == two.status == 401
    assert one.text == two.text
    (row,) = [entry for entry in guarded.audit("attempt", person.account) if entry.facts["factor"] == "passkey"]
    assert row.outcome == "wrong"


def test_a_passkey_says_whose_it_is_and_lies_in_vain(guarded: House) -> None:
    person, key = enrolled(guarded)
    victim, _ = enrolled(guarded)
    for user in (victim.account.id.encode(), b"", b"\xff"):
        other = person.elsewhere()
        assert by_passkey(other, key, user=user).status == 401
        assert not other.signed_in()


def test_somebody_elses_passkey_is_no_second_factor(guarded: House) -> None:
    victim, _ = enrolled(guarded)
    thief, key = enrolled(guarded)
    other = victim.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    for user in (None, b"", victim.account.id.encode()):
        page = other.fill(page, passkey=key.sign(asked_on(page), user=user))
        assert page.status == 401
        assert not other.signed_in()
    assert thief.signed_in()


def test_a_copied_passkey_is_found_out_by_its_counter(guarded: House) -> None:
    person, key = enrolled(guarded, counts=5)
    copy = dataclasses.replace(key)
    by_passkey(person.elsewhere(), key)
    by_passkey(person.elsewhere(), key)
    thief = person.elsewhere()
    assert by_passkey(thief, copy).status == 401
    assert not thief.signed_in()
    (row,) = guarded.audit("passkey.counter", person.account)
    assert (row.facts["known"], row.facts["told"]) == (7, 6)
    silent = dataclasses.replace(key, counts=0)
    assert by_passkey(person.elsewhere(), silent).status == 401
    late = person.elsewhere()
    by_passkey(late, key)
    assert late.signed_in()


def test_a_counter_may_be_as_large_as_four_bytes_hold(guarded: House) -> None:
    person, key = enrolled(guarded, counts=2**32 - 3)
    other = person.elsewhere()
    by_passkey(other, key)
    assert other.signed_in()


def test_guessing_signatures_locks_the_passkey_and_not_the_password(guarded: House) -> None:
    person, key = enrolled(guarded)
    forged = dataclasses.replace(key, key=Authenticator(guarded.url).key)
    thief = person.elsewhere()
    page = thief.open("/sign-in")
    for _ in range(5):
        page = by_passkey(thief, forged, page)
    assert by_passkey(person.elsewhere(), key).status == 401
    other = person.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    other.fill(page, passkey=key.sign(asked_on(page)))
    assert other.signed_in()


def test_of_two_uses_of_one_answer_at_once_one_gets_in(guarded: House) -> None:
    person, key = enrolled(guarded)
    other = person.elsewhere()
    page = other.open("/sign-in")
    signed = key.sign(asked_on(page))
    answers = together([lambda: other.post(page, {"passkey": signed}) for _ in range(5)])
    assert [answer.status_code for answer in answers].count(303) == 1


def test_a_passkey_alone_signs_in_where_policy_says_so_and_nowhere_else(house: House) -> None:
    person = house.customer()
    page = person.open("/sign-in")
    assert "data-options" not in page.response.text
    answer = person.post(page, {"passkey": Authenticator(house.url).sign({"challenge": "x" * 43})})
    assert answer.status_code == 303
    assert not person.signed_in()


def test_added_in_the_profile_with_a_name_used_and_removed(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.fill(person.open(f"{HOME}/passkey"), current=person.password, name="  My \u202e <b>phone</b> ")
    key = Authenticator(house.url)
    asked = asked_on(page)
    assert asked["authenticatorSelection"]["residentKey"] == "preferred"
    page = person.fill(page, passkey=key.make(asked))
    assert len(codes_on(page)) == 10
    assert person.signed_in()
    page = person.open(HOME)
    assert "My <b>phone</b>" in page.text
    other = person.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    other.fill(page, passkey=key.sign(asked_on(page)))
    assert other.signed_in()
    page = other.open(HOME)
    remove = next(link for link in page.links if "remove-passkey" in link)
    page = other.fill(other.open(remove), current="wrong wrong wrong")
    assert page.status == 401
    page = other.fill(page, current=other.password)
    assert "The passkey is removed." in page.text
    assert person.account.credential(Factor.PASSKEY) is None
    assert len(house.letters(person.account, "changed")) == 2
    assert not person.signed_in()


def test_of_two_passkeys_one_is_removed_and_the_other_stays(house: House) -> None:
    person = house.customer()
    person.sign_in()
    keys = [Authenticator(house.url), Authenticator(house.url)]
    for key in keys:
        page = person.fill(person.open(f"{HOME}/passkey"), current=person.password)
        person.fill(page, passkey=key.make(asked_on(page)))
    first = person.account.credential(Factor.PASSKEY)
    remove = next(link for link in person.open(HOME).links if "remove-passkey" in link)
    person.fill(person.open(remove), current=person.password)
    assert person.account.credential(Factor.PASSKEY) == first
    other = person.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    assert len(asked_on(page)["allowCredentials"]) == 1


def test_one_device_is_registered_once_whoever_asks(house: House) -> None:
    key = Authenticator(house.url)
    for number in range(2):
        person = house.customer()
        person.sign_in()
        page = person.fill(person.open(f"{HOME}/passkey"), current=person.password)
        page = person.fill(page, passkey=key.make(asked_on(page)))
        assert (page.status == 401) is bool(number)
    assert person.account.credential(Factor.PASSKEY) is None


def test_a_passkey_asked_for_in_one_session_is_not_taken_from_another(house: House) -> None:
    person = house.customer()
    thief = person.elsewhere()
    person.sign_in()
    thief.sign_in()
    page = person.fill(person.open(f"{HOME}/passkey"), current=person.password)
    made = Authenticator(house.url).make(asked_on(page))
    form = thief.open(f"{HOME}/app")
    answer = thief.post(form, {"passkey": made}, to=f"{HOME}/passkey/confirm")
    assert answer.status_code == 303
    assert person.account.credential(Factor.PASSKEY) is None
    assert codes_on(person.fill(page, passkey=made))


def test_no_more_passkeys_than_twenty(house: House) -> None:
    person = house.customer()
    person.sign_in()
    with house.world.store.begin() as tx:
        for number in range(20):
            tx.passkeys.add(Passkey(house.vault.token(), person.account.id, "", 0, str(number), house.clock()))
    page = person.fill(person.open(f"{HOME}/passkey"), current=person.password)
    assert page.status == 403
    assert "as many passkeys as we keep" in page.text


def test_an_alarm_takes_back_the_first_passkey_with_its_codes(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.fill(person.open(f"{HOME}/passkey"), current=person.password)
    person.fill(page, passkey=Authenticator(house.url).make(asked_on(page)))
    (_, letter) = house.letters(person.account, "changed")[-1]
    assert alarm.freeze(house.world, letter["link"].partition("=")[2], Source())
    assert person.account.credential(Factor.PASSKEY) is None
    with house.world.store.read() as tx:
        assert not tx.passkeys.of(person.account.id)
        assert tx.recovery_codes.left(person.account.id) == 0
