"""My Profile under every profile: each secret that the policy has is changed under the present one, and what ends with it."""

import pytest

from tests.alarms import letters_to
from tests.harness import House
from tests.people import NEW_PIN
from tests.profiles import laws
from tests.profiles.members import SECOND, Member, member

QUESTION, ANSWER = "first_trip", "To the lake"
DIALOGS = ("password", "pin", "question")


def has(house: House, name: str) -> bool:
    law = house.world.policy
    return {"password": True, "pin": law.pin.enabled, "question": law.security_question.enabled}[name]


def written(person: Member, name: str) -> dict[str, str]:
    """What is written into the form of a change."""
    fields = {
        "password": {"current": person.password, "password": SECOND, "password_again": SECOND},
        "pin": {"current": person.pin, "pin": NEW_PIN, "pin_again": NEW_PIN},
        "question": {"current": person.password, "question": QUESTION, "answer": ANSWER},
    }
    return fields[name]


@pytest.mark.parametrize("name", DIALOGS)
def test_a_secret_of_the_policy_is_changed_and_no_other_can_be(portal: House, name: str) -> None:
    person = member(portal)
    person.sign_in()
    links = person.open("/profile").links
    assert (f"/profile/{name}" in links) is has(portal, name)
    page = person.open(f"/profile/{name}")
    assert page.status == (200 if has(portal, name) else 404)
    if page.status == 404:
        assert person.client.post(f"/profile/{name}", data=written(person, name)).status_code == 404
        return
    other = person.elsewhere()
    issued = other.tokens()
    before = person.account
    wrong = person.fill(page, **{**written(person, name), "current": "913913" if name == "pin" else "not the present one 1"})
    assert wrong.status == 401
    assert person.account.credentials == before.credentials
    done = person.fill(page, **written(person, name))
    assert (done.status, done.path) == (200, f"/profile?done={name}")
    assert person.account.credential(laws.PIECE_FACTORS[name]) != before.credential(laws.PIECE_FACTORS[name])
    assert person.signed_in()
    ends = portal.world.policy.change.end_others == "always"
    assert other.signed_in() is not ends
    assert portal.refresh(issued["refresh_token"]).status_code == (400 if ends else 200)
    assert len(portal.letters(person.account, "changed")) == 1


def test_a_password_may_not_be_one_of_those_before(portal: House) -> None:
    person = member(portal)
    person.sign_in()
    first = person.password
    person.fill(person.open("/profile/password"), **written(person, "password"))
    stale = person.elsewhere()
    assert stale.try_password(first).status == 401
    back = {"current": SECOND, "password": first, "password_again": first}
    again = person.fill(person.open("/profile/password"), **back)
    assert (again.status == 422) is (portal.world.policy.password.history > 0)
    fresh = person.elsewhere(password=SECOND if again.status == 422 else first)
    fresh.sign_in()
    assert fresh.signed_in()


def test_a_new_address_counts_after_its_code_and_the_old_one_is_told(portal: House) -> None:
    person = member(portal)
    person.sign_in()
    old, new = person.account.email, f"{portal.name('new')}@example.org"
    page = person.fill(person.open("/profile/email"), current=person.password, email=new)
    assert page.path == "/profile/email/confirm"
    code = letters_to(portal, new, "confirm_address")[-1]["code"]
    assert len(code) == portal.world.policy.recovery.code_length
    assert person.account.email == old
    person.fill(page, code=code)
    assert person.account.email == new
    assert len(letters_to(portal, old, "changed")) == len(letters_to(portal, new, "changed")) == 1
    taken = "email" in portal.world.policy.sign_in.identify_by
    assert (person.elsewhere(username=new).try_password(person.password).status == 200) is taken


def test_the_username_stays_as_it_is(portal: House) -> None:
    person = member(portal)
    person.sign_in()
    person.fill(person.open("/profile/password"), **written(person, "password"), username="somebody.else")
    assert person.account.username == person.username
    assert person.open("/profile/username").status == 404
