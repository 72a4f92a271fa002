"""B7: a returning person is welcomed by name on the same device only, by a cookie that holds no personal data."""

import pytest

from tests import returning
from tests.harness import House
from tests.people import Page
from tests.returning import back, carried, close_browser, drop, put, sign_in, value


def welcomed(page: Page) -> bool:
    assert page.step == "AskUsernameAndPassword"
    assert page.heading in ("Welcome back, Maria", "Sign in"), page.heading
    return page.heading != "Sign in"


def test_b07_a_returning_person_is_welcomed_by_the_given_name_and_nothing_else(open_registration: House) -> None:
    person = open_registration.customer()
    assert not welcomed(person.open("/sign-in"))
    sign_in(person)
    page = back(person)
    assert welcomed(page)
    account = person.account
    for secret in (account.username, account.id, account.email, account.family_name):
        assert secret not in page.response.text
    assert "remember" not in page.fields
    assert page.fields["username"].get("value") in (None, "")


def test_b07_elsewhere_nobody_is_welcomed(open_registration: House) -> None:
    person = open_registration.customer()
    sign_in(person)
    assert not welcomed(person.elsewhere().open("/sign-in"))
    assert not welcomed(open_registration.person().open("/sign-in"))


def test_b07_the_cookie_holds_no_personal_data_and_is_the_same_whatever_the_name(open_registration: House) -> None:
    person = open_registration.customer()
    sign_in(person)
    cookie, account = value(person, "device"), person.account
    assert len(cookie.strip('"')) == len("x" * 43 + "." + "x" * 32)
    for said in (account.username, account.id, account.email, "Maria", "Rossi"):
        assert said not in cookie
    assert carried(person, "remember") is None


def test_b07_who_refuses_the_cookie_loses_the_welcome_and_not_the_sign_in(open_registration: House) -> None:
    person = open_registration.customer()
    for _ in range(2):
        page = person.open("/sign-in")
        assert not welcomed(page)
        sign_in(person, page=page)
        drop(person, "device")
        assert person.signed_in()
        close_browser(person)
    assert "code" in person.authorize().answer


@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "A" * 43 + "." + "0" * 32, ".", "é", "a" * 5000])
def test_b07_a_made_up_cookie_welcomes_nobody(open_registration: House, forged: str) -> None:
    person = open_registration.customer()
    sign_in(person)
    close_browser(person)
    drop(person, "device")
    transaction = person.open("/sign-in").path
    header = "; ".join(f"{one.name}={one.value}" for one in person.client.cookies.jar)
    assert not welcomed(person.open(transaction, headers={"Cookie": f"{header}; idp_device={forged}".encode()}))


def test_b07_another_cookie_of_the_house_is_not_taken_for_the_device(open_registration: House) -> None:
    person = open_registration.customer()
    sign_in(person)
    close_browser(person)
    mine = value(person, "device")
    person.open("/sign-in")
    put(person, "device", value(person, "browser"))
    assert not welcomed(person.open("/sign-in"))
    put(person, "device", mine)
    assert welcomed(person.open("/sign-in"))


def test_b07_a_device_s_cookie_brings_the_name_alone(open_registration: House) -> None:
    """Whoever takes the cookie has the device as far as the house can tell: a given name, and no step is spared."""
    person = open_registration.customer()
    sign_in(person)
    thief = person.elsewhere(password="not the password")
    put(thief, "device", value(person, "device"))
    page = thief.open("/sign-in")
    assert welcomed(page)
    assert person.username not in page.response.text
    assert thief.fill(page, username=person.username, password=thief.password).status == 401
    assert not thief.signed_in()


def test_b07_on_a_shared_device_the_last_to_sign_in_is_welcomed(open_registration: House) -> None:
    one, two = open_registration.customer(given_name="Ada"), open_registration.customer(given_name="Bruno")
    two.client = one.client
    for person in (one, two, two, one):
        sign_in(person)
        assert back(person).heading == f"Welcome back, {person.account.given_name}"


@pytest.mark.parametrize("end", returning.ENDS)
def test_b07_who_is_shut_or_has_forgotten_their_devices_is_not_welcomed(open_registration: House, end: str) -> None:
    person = open_registration.customer()
    sign_in(person)
    assert welcomed(back(person))
    returning.ENDS[end](open_registration, person)
    assert not welcomed(person.open("/sign-in"))


def test_b07_the_welcome_tells_nothing_of_unused_or_locked_access(open_registration: House) -> None:
    person = open_registration.customer()
    sign_in(person)
    close_browser(person)
    stranger = person.elsewhere()
    for _ in range(6):
        stranger.try_password()
    assert welcomed(person.open("/sign-in"))
    open_registration.leave(days=121)
    assert welcomed(person.open("/sign-in"))


def test_b07_who_is_named_is_not_welcomed_by_another_name_and_an_error_welcomes_nobody(open_registration: House) -> None:
    person, other = open_registration.customer(), open_registration.customer()
    sign_in(person)
    close_browser(person)
    for named in (other.username, person.username, "nobody.at.all"):
        assert not welcomed(person.ask(login_hint=named)), "the same for all: no name is confirmed"
        page = person.fill(person.open("/sign-in"), username=named, password="wrong wrong wrong")
        assert not welcomed(page)
    assert welcomed(person.ask())


def test_b07_the_client_is_named_in_a_whole_sentence(open_registration: House) -> None:
    person = open_registration.customer()
    sign_in(person)
    page = close_browser(person).ask()
    assert welcomed(page)
    assert "Sign in to continue to Norda My Account" in page.text


def test_b07_a_name_is_shown_as_text_and_in_italian_too(open_registration: House) -> None:
    person = open_registration.customer(given_name='<b>"Eve"</b> & co')
    sign_in(person)
    page = back(person)
    assert page.heading == 'Welcome back, <b>"Eve"</b> & co'
    assert "<b>" not in page.response.text
    person.client.headers["Accept-Language"] = "it"
    assert person.open("/sign-in").heading == 'Lieti di rivederLa, <b>"Eve"</b> & co'


def test_b07_where_policy_is_off_nobody_is_welcomed(house: House) -> None:
    person = house.customer()
    sign_in(person)
    assert not welcomed(back(person))
