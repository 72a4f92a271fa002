"""D8: who did not make a change says so by the link in the letter: access is frozen, the address is back, recovery is next."""

import pytest

from idp.model import Factor
from tests.alarms import letters_to, move, renumber, reset
from tests.harness import House
from tests.people import QUESTION, Page, Person

OTHERS = "a stranger's long password"


@pytest.fixture
def house(customer_code: House) -> House:
    """The profile that these stories are of."""
    return customer_code


def raised(house: House, code: str, **more: str) -> Page:
    """Someone with the letter opens its link and presses the button."""
    reader = house.person()
    page = reader.open(f"/not-me?code={code}", **more)
    assert page.status == 200, page.text
    return reader.fill(page)


def recovered(house: House, owner: Person) -> None:
    """The owner comes back by the way that policy offers."""
    email = owner.account.email
    visitor = house.person(username=owner.username, password="a new password of my own")
    page = visitor.fill(visitor.open("/recover/password"), username=owner.username, email=email)
    assert page.step == "MailSent", page.text
    temporary = letters_to(house, email, "temporary_password")[-1]["password"]
    page = visitor.fill(visitor.open("/sign-in"), username=owner.username, password=temporary)
    page = visitor.fill(page, password=visitor.password, password_again=visitor.password)
    visitor.walk(page)
    visitor.sign_in()
    assert visitor.signed_in()


def test_d08_the_old_address_is_told_and_its_link_brings_the_address_back(house: House) -> None:
    owner = house.customer()
    address = owner.account.email
    code = move(house, owner.username, "thief@example.net")
    page = raised(house, code)
    assert (page.status, page.heading) == (200, "Your access is frozen")
    assert "/recover/password" in page.links
    assert owner.account.email == address
    told = letters_to(house, address, "frozen") + letters_to(house, "thief@example.net", "frozen")
    assert [letter["link"] for letter in told] == [f"{house.url}/recover"] * 2
    (entry,) = house.audit("account.frozen", owner.account)
    assert entry.facts["restored"] == ["email"]
    assert address not in str(entry.facts)
    recovered(house, owner)


def test_d08_reading_the_link_changes_nothing(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    code = move(house, owner.username, "thief@example.net")
    for _ in range(3):
        page = house.person().open(f"/not-me?code={code}")
        assert (page.status, page.heading) == (200, "Was this not you?")
        assert "email address of your access was changed" in page.text
    assert owner.account.email == "thief@example.net"
    assert house.counter(owner.account).disabled_at is None
    assert house.audit("account.frozen", owner.account) == []


def test_d08_everything_open_ends_and_the_right_password_is_told_what_a_wrong_one_is(house: House) -> None:
    owner = house.customer()
    stranger = owner.elsewhere(password=OTHERS)
    code = reset(house, owner.username, OTHERS)
    issued = stranger.tokens()
    assert stranger.signed_in()
    assert raised(house, code).status == 200
    assert not stranger.signed_in()
    assert house.refresh(issued["refresh_token"]).json()["error"] == "invalid_grant"
    assert not house.introspect(issued["access_token"])["active"]
    right, wrong = stranger.elsewhere().try_password(OTHERS), stranger.elsewhere().try_password("wrong wrong wrong")
    assert (right.status, right.text) == (wrong.status, wrong.text) == (401, wrong.text)
    # The browser that was known is no better off.
    assert stranger.try_password(OTHERS).status == 401
    recovered(house, owner)
    assert stranger.elsewhere().try_password(OTHERS).status == 401


def test_d08_the_link_about_a_password_brings_back_an_address_changed_after_it(house: House) -> None:
    owner = house.customer(mobile="+390255501")
    address = owner.account.email
    code = reset(house, owner.username, OTHERS)
    move(house, owner.username, "b@example.net")
    later = move(house, owner.username, "c@example.net")
    renumber(house, owner.username, "+390255502")
    assert raised(house, code).status == 200
    account = owner.account
    assert (account.email, account.mobile) == (address, "+390255501")
    # What came after it died with it: the letter in the stranger's mailbox moves nothing back.
    assert house.person().open(f"/not-me?code={later}").status == 404


@pytest.mark.parametrize("first", ["earlier", "later"])
def test_d08_of_two_changes_in_a_row_the_earlier_link_wins(house: House, first: str) -> None:
    owner = house.customer()
    address = owner.account.email
    earlier = move(house, owner.username, "b@example.net")
    later = move(house, owner.username, "c@example.net")
    if first == "later":
        raised(house, later)
        assert owner.account.email == "b@example.net"
    raised(house, earlier)
    assert owner.account.email == address
    assert house.person().open(f"/not-me?code={later}").status == 404


def test_d08_a_number_that_was_not_there_before_goes(house: House) -> None:
    owner = house.customer()
    raised(house, renumber(house, owner.username, "+390255503"))
    assert owner.account.mobile is None


def test_d08_a_number_that_was_taken_away_is_back(house: House) -> None:
    owner = house.customer(mobile="+390255504")
    raised(house, renumber(house, owner.username, None))
    assert owner.account.mobile == "+390255504"


def test_d08_what_was_chosen_since_is_closed_and_what_stood_before_is_not(house: House) -> None:
    owner = house.customer()
    before = reset(house, owner.username, OTHERS)
    reset(house, owner.username, "another answer", Factor.ANSWER, QUESTION)
    raised(house, before)
    assert house.counter(owner.account, Factor.ANSWER).disabled_at is not None
    assert house.counter(owner.account, Factor.PIN).disabled_at is None
    assert house.counter(owner.account, Factor.PASSWORD).disabled_at is not None


def test_d08_the_page_speaks_the_reader_s_language_on_the_reader_s_clock(house: House) -> None:
    owner = house.customer(locale="it", zone="Europe/Rome")
    page = house.person().open(f"/not-me?code={move(house, owner.username, 'thief@example.net')}")
    assert page.heading == "Non è stato Lei?"
    assert "indirizzo e-mail" in page.text


def test_d08_the_former_password_opens_nothing_either(house: House) -> None:
    """Whoever had the password may have had it before the change: only a new one opens."""
    owner = house.customer()
    raised(house, move(house, owner.username, "thief@example.net"))
    assert owner.elsewhere().try_password(owner.password).status == 401
    recovered(house, owner)
