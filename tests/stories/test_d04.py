"""D4: forgotten password by username and registered email alone: the letter brings a temporary password, never the old one."""

from tests.harness import House
from tests.people import PASSWORD
from tests.recoveries import known, masked, templates


def test_d04_name_and_address_bring_a_temporary_password_that_must_be_replaced(customer_code: House) -> None:
    house = customer_code
    person = house.customer()
    before = known(house, person)
    page = person.recover("password")
    assert (page.step, page.heading) == ("MailSent", "Check your mailbox")
    ((letter, context),) = house.letters(person.account, "temporary_password")
    assert letter.to == person.account.email
    assert PASSWORD not in str(context)
    assert known(house, person)[1] == before[1]
    assert person.elsewhere().try_password(PASSWORD).status == 200
    page = person.fill(person.fill(page), username=person.username, password=context["password"])
    assert page.step == "ReplacePassword"
    person.walk(page)
    assert person.signed_in()
    assert person.elsewhere().try_password(PASSWORD).status == 401


def test_d04_whoever_does_not_match_sees_the_same_and_gets_nothing(customer_code: House) -> None:
    house = customer_code
    person, other = house.customer(), house.customer()
    ways = {
        "match": (person.username, person.account.email),
        "another's address": (other.username, person.account.email),
        "unknown": (house.name("nobody"), f"{house.name('nobody')}@example.com"),
        "two addresses": (other.username, f"{other.account.email},evil@example.com"),
        "a header": (other.username, f"{other.account.email}\nCc: evil@example.com"),
    }
    told = {}
    for kind_of, (username, email) in ways.items():
        visitor = house.person()
        told[kind_of] = masked(visitor.fill(visitor.open("/recover/password"), username=username, email=email))
    assert {kind_of for kind_of, page in told.items() if page != told["match"]} == set()
    assert templates(house, person) == ["temporary_password"]
    assert templates(house, other) == []


def test_d04_asked_again_and_again_the_owner_is_never_locked_out(customer_code: House) -> None:
    house = customer_code
    person = house.customer()
    for _ in range(12):
        person.elsewhere().recover("password")
    assert templates(house, person) == ["temporary_password"] * 3
    person.sign_in()
    assert person.signed_in()
