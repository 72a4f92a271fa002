"""D9: the username can never be changed, and is the same name in every form it can be typed."""

from collections.abc import Callable

import pytest

from idp.flows import invite
from idp.model import Account
from tests.harness import House


@pytest.fixture
def house(customer_code: House) -> House:
    """The profile that these stories are of."""
    return customer_code


def test_d09_no_form_changes_the_username(house: House) -> None:
    person, code = house.invited()
    page = person.open_invitation(code)
    while page.left is None:
        page = person.fill(page, **{**(person.given(page) or {}), "username": "somebody.else"})
    account = house.account(person.username)
    assert account.username == person.username
    person.elsewhere().sign_in()
    assert house.account(person.username).id == account.id


def test_d09_my_profile_shows_it_and_changes_it_nowhere(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for name in ("password", "email"):
        page = person.open(f"/profile/{name}")
        assert page.fields["username"]["value"] == person.username
        assert "readonly" in page.fields["username"]
    new = "plum orchard under seven lanterns"
    fields = {"current": person.password, "password": new, "password_again": new, "username": "somebody.else"}
    assert person.fill(person.open("/profile/password"), **fields).status == 200
    assert house.account(person.username).username == person.username
    assert person.username in person.open("/profile").text
    for path in ("/profile/username", "/profile/name"):
        assert person.open(path).status == 404


def test_d09_the_username_is_shown_as_it_was_given(house: House) -> None:
    name = house.name("Maria.ROSSI")
    person, code = house.invited(username=name)
    page = person.open_invitation(code)
    assert page.fields["username"]["value"] == name
    assert "readonly" in page.fields["username"]
    issued = None
    person.walk(page)
    issued = person.redeem(person.authorize(scope="openid profile")).json()
    assert house.userinfo(issued["access_token"]).json()["preferred_username"] == name


FORMS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "spaces": "  {}  ".format,
    "other spaces": "\u00a0{}\t".format,
    "invisible": "\u200b{}\ufeff".format,
    "full width": lambda name: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in name),
}


@pytest.mark.parametrize("form", FORMS)
def test_d09_case_width_and_space_make_no_second_name(house: House, form: str) -> None:
    person = house.customer()
    typed = FORMS[form](person.username)
    other = person.elsewhere(username=typed)
    other.try_password()
    assert house.counter(person.account).failures == 1
    other.sign_in()
    assert other.signed_in()
    taken = invite.invite(house.world, invite.Person(typed.strip() or typed, "a@example.com", "A", "B"), None, "test")
    assert not isinstance(taken, Account)
