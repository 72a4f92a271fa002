"""A13: contact, feedback and helpdesk links stand on every page and every error page, from configuration."""

from collections.abc import Callable

import pytest

from tests.harness import House
from tests.people import Page, Person


def has_contacts(house: House, page: Page, language: str = "en") -> None:
    brand = house.settings.brand
    assert len(brand.links) >= 3
    for link in brand.links:
        assert link.href in page.links, page.text
        assert link.label[language] in page.text
    assert brand.phone in page.text
    assert f"tel:{brand.phone.replace(' ', '')}" in page.links


def test_a13_every_page_of_a_first_sign_in_has_the_contacts(house: House) -> None:
    person, code = house.invited()
    has_contacts(house, person.open("/sign-in"))
    page = person.open(f"/invitation?code={code}")
    while page.left is None:
        has_contacts(house, page)
        fields = {"code": code} if page.path.startswith("/invitation") else person.given(page) or {}
        page = person.fill(page, **fields)
    has_contacts(house, person.open("/"))


def test_a13_every_page_of_a_later_sign_in_has_the_contacts_also_after_mistakes(house: House) -> None:
    person = house.customer()
    has_contacts(house, person.try_password())
    page = person.sign_in(until="AskPin")
    has_contacts(house, page)
    for _ in range(5):
        page = person.fill(page, pin="999111")
        has_contacts(house, page)
    assert page.heading == "Blocked for a while"
    house.leave(days=121)
    has_contacts(house, person.elsewhere().sign_in(until="Reactivate"))


ERRORS: dict[str, Callable[[Person], Page]] = {
    "404": lambda person: person.open("/no/such/page"),
    "404 sign-in": lambda person: person.open("/sign-in/nothing"),
    "404 static": lambda person: person.open("/static/nothing.css"),
    "405": lambda person: Page(person.client.put("/sign-in")),
    "403": lambda person: Page(person.post(person.open("/sign-in"), {"csrf": "wrong"})),
    "403 invitation": lambda person: Page(person.post(person.open("/invitation"), {"csrf": "wrong", "code": "x"})),
    "400 twice": lambda person: Page(person.post(person.open("/sign-in"), {"username": ["a", "b"], "password": "x"})),
    "413": lambda person: Page(person.post(person.open("/sign-in"), {"username": "x" * 70000, "password": "x"})),
    "400 client": lambda person: person.open("/authorize?client_id=nobody"),
    "400 redirect": lambda person: person.ask(redirect_uri="https://evil.example/"),
    "400 logout": lambda person: person.open("/logout?state=a&state=b"),
}


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("language", ["en", "it"])
def test_a13_every_error_page_has_the_contacts(house: House, case: str, language: str) -> None:
    person = house.person(headers={"Accept-Language": language})
    page = ERRORS[case](person)
    assert page.status == int(case[:3]), page.text
    has_contacts(house, page, language)


def test_a13_the_page_of_too_many_requests_has_the_contacts(house: House) -> None:
    person = house.customer()
    page = person.open("/sign-in")
    for _ in range(61):
        page = Page(person.post(page, {"step": "Nothing"}, to=page.path if page.status == 429 else page.action))
        if page.status == 429:
            break
        page = person.open("/sign-in")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) <= 60
    has_contacts(house, page)
