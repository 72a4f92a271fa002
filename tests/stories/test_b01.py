"""B1: register with only a login name and a password; everything else is optional, asked when a service needs it."""

from collections.abc import Callable

import pytest

from idp.model import AccountState
from tests.harness import House
from tests.people import NEW_PASSWORD, PASSWORD, Page, Person
from tests.registering import KINDS, known, opened, registered

Houses = Callable[..., House]


@pytest.fixture(params=KINDS[:1])
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    return new_house(request.param, **opened("open-registration"))


def past_purposes(person: Person, page: Page) -> Page:
    """What is asked yes or no is answered no."""
    if page.step == "AnswerPurposes":
        asked = {name: held["value"] for name, held in page.fields.items() if held.get("type") == "radio"}
        page = person.fill(page, **dict.fromkeys(asked, "no"))
    return page


def test_b01_a_name_and_a_password_are_enough(house: House) -> None:
    person = house.person(username=house.name("new"))
    form = person.open("/register")
    assert form.heading == "Register"
    required = {name for name, held in form.fields.items() if "required" in held}
    assert required == {"username", "password", "password_again"}
    assert {"given_name", "family_name", "email"} <= form.fields.keys()
    page = past_purposes(person, registered(person, form, username=person.username))
    assert person.signed_in(), page.text
    account = person.account
    assert account.state is AccountState.ACTIVE
    assert (account.email, account.given_name, account.family_name, account.mobile) == ("", "", "", None)
    assert account.entitlements == {"billing", "service"}
    # And again, elsewhere, with the same name and password.
    other = person.elsewhere()
    other.walk(other.open("/sign-in"))
    assert other.signed_in()


def test_b01_the_sign_in_page_leads_there_and_back_to_the_client(house: House) -> None:
    person = house.person(username=house.name("new"))
    page = person.ask()
    (link,) = [link for link in page.links if link.startswith("/register?")]
    page = past_purposes(person, registered(person, person.open(link), username=person.username))
    assert page.left is not None, page.text
    token = person.redeem(page).json()["id_token"]
    assert token


def test_b01_what_is_optional_is_kept_where_it_is_given(house: House) -> None:
    person = house.person(username=house.name("new"))
    registered(person, username=person.username, given_name="  José  María ", family_name="O’Brien", email="jose@example.com")
    account = person.account
    assert (account.full_name, account.email) == ("José María O’Brien", "jose@example.com")
    # Nobody has shown that it is theirs: clients are told so, and no extra proof goes there.
    assert account.email_confirmed_at is None


def test_b01_a_name_that_is_somebody_s_is_told_at_its_field(house: House) -> None:
    taken = house.customer()
    person = house.person()
    page = registered(person, username=taken.username.upper(), given_name="Ada")
    assert page.status == 422
    assert "This username is taken." in page.text
    assert page.fields["username"]["aria-invalid"] == "true"
    assert page.fields["given_name"]["value"] == "Ada"
    assert not page.fields["password"].get("value")


def test_b01_faults_are_told_by_field_and_nothing_is_made(house: House) -> None:
    person = house.person()
    page = registered(person, username="a b", email="no address", password="1234567", password_again="x", given_name="x" * 101)
    assert page.status == 422
    faulty = {name for name, held in page.fields.items() if held.get("aria-invalid")}
    assert faulty == {"username", "email", "password", "password_again", "given_name"}
    page = registered(person, username="", password="", password_again="")
    assert page.text.count("Please fill this in.") == 2
    assert known(house, "a b") is None


def test_b01_a_password_with_one_s_own_name_is_refused(house: House) -> None:
    person = house.person()
    name = house.name("giuseppina")
    page = registered(person, username=name, password=f"{name}!!", password_again=f"{name}!!")
    assert page.status == 422
    assert "Please leave out your name" in page.text


def test_b01_where_people_may_not_register_there_is_no_page(new_house: Houses) -> None:
    house = new_house()
    person = house.person()
    assert person.open("/register").status == 404
    assert person.open("/register/confirm").status == 404
    assert [link for link in person.open("/sign-in").links if "/register" in link] == []
    assert person.client.post("/register", data={"username": "x", "password": PASSWORD}).status_code == 404


def test_b01_the_address_can_be_given_later_when_a_service_needs_it(house: House) -> None:
    person = house.person(username=house.name("new"))
    past_purposes(person, registered(person, username=person.username))
    page = person.fill(person.open("/profile/email"), current=person.password, email="later@example.com")
    assert page.path == "/profile/email/confirm", page.text
    assert person.account.email == ""
    # Nobody writes to an address that was never given.
    person.fill(person.open("/profile/password"), current=person.password, password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock(), house.world.policy.recovery.code_lifetime, 1000)
    assert "" not in {letter.to for letter, _ in waiting}
