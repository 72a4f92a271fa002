"""D10: every page and every letter exists in Italian and in English."""

import pytest

from tests.harness import House

ENGLISH = ("Use your invitation", "Choose a password", "Create a PIN", "Choose a security question", "Hello, Maria Rossi")


def headings(house: House, language: str, **how: object) -> tuple[str, ...]:
    person, code = house.invited()
    person.client.headers["Accept-Language"] = f"{language}-CH,{language};q=0.9,xx;q=0.1"
    page = person.open(f"/invitation?code={code}")
    seen = []
    while page.left is None:
        assert f'<html lang="{language}">' in page.response.text
        seen.append(page.heading)
        page = person.fill(page, **({"code": code} if "code" in page.fields else person.given(page) or {}))
    return (*seen, person.open("/").heading)


def test_d10_the_first_sign_in_speaks_english_and_italian(house: House) -> None:
    english, italian = headings(house, "en"), headings(house, "it")
    assert len(english) == len(italian) == 5
    assert english == ENGLISH
    assert not set(english) & set(italian)


def test_d10_a_later_sign_in_its_mistakes_and_its_refusals_speak_both(house: House) -> None:
    texts: dict[str, list[str]] = {}
    for language in ("en", "it"):
        person = house.customer()
        person.client.headers["Accept-Language"] = language
        pages = [person.open("/sign-in"), person.try_password(), person.sign_in(until="AskPin")]
        pages += [person.fill(pages[-1], pin="999111") for _ in range(5)]
        pages += [
            person.open("/nothing"),
            person.open("/authorize"),
            person.open("/sign-in/nothing"),
            person.open("/invitation"),
        ]
        pages += [person.open_invitation("x")]
        texts[language] = [page.heading for page in pages]
        assert all(f'<html lang="{language}">' in page.response.text for page in pages)
    assert not set(texts["en"]) & set(texts["it"])


def test_d10_an_unknown_language_gets_the_first_and_the_choice_in_the_address_is_remembered(house: House) -> None:
    person = house.person(headers={"Accept-Language": "xx,yy;q=0.5,*;q=0.1"})
    assert '<html lang="en">' in person.open("/sign-in").response.text
    page = person.open("/sign-in")
    italian = next(link for link in page.links if "ui_locales=it" in link)
    assert '<html lang="it">' in person.open(italian).response.text
    assert '<html lang="it">' in person.open("/sign-in").response.text
    assert '<html lang="it">' in person.open("/nothing").response.text


@pytest.mark.parametrize("odd", ["../../etc/passwd", "it\r\nX: y", "x" * 5000, "%00", "it;it", "IT-it it", "<script>"])
def test_d10_an_odd_language_is_no_error(house: House, odd: str) -> None:
    person = house.person()
    page = person.follow(person.get("/invitation", params={"ui_locales": odd}))
    assert page.status == 200
    assert "<script>" not in page.response.text.replace("<script src", "")


def test_d10_the_client_may_ask_for_a_language(house: House) -> None:
    assert '<html lang="it">' in house.person().ask(ui_locales="de it").response.text


def test_d10_letters_are_in_the_language_of_the_account(house: House) -> None:
    for language in ("en", "it"):
        person, _ = house.invited(locale=language)
        (letter, _), *_ = house.letters(person.account, "invitation")
        assert letter.locale == language
