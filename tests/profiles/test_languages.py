"""D10 under every profile: each page of the first sign-in, of recovery and of My Profile speaks Italian and English."""

from tests.harness import House
from tests.people import Page
from tests.profiles import laws
from tests.profiles.members import FIRST, Member, invited, member

# The same in both: what people are called, and the name of the thing itself.
ALIKE: set[str] = set()


def seen(house: House, language: str) -> list[Page]:
    """The pages of a newcomer, in a language."""
    person, code = invited(house)
    person.client.headers["Accept-Language"] = language
    pages = [person.open_invitation(code)]
    while pages[-1].step is not None:
        pages.append(person.fill(pages[-1], **(person.given(pages[-1]) or {})))
    pages[-1:] = [person.open("/"), person.open("/profile"), *_inside(person)]
    stranger = member(house).elsewhere(headers={"Accept-Language": language})
    pages += [stranger.open("/sign-in"), stranger.try_password("wrong wrong wrong 9"), stranger.open("/recover")]
    return pages + [stranger.recover(lost.value) for lost in laws.offered(house.world.policy)]


def _inside(person: Member) -> list[Page]:
    named = sorted({link for link in person.open("/profile").links if link.startswith("/profile/")})
    return [person.open(link) for link in named]


def test_d10_every_page_speaks_both_languages_and_no_heading_is_left_untranslated(portal: House) -> None:
    english, italian = seen(portal, "en"), seen(portal, "it")
    assert [page.step for page in english] == [page.step for page in italian]
    for language, pages in (("en", english), ("it", italian)):
        assert all(f'<html lang="{language}">' in page.response.text for page in pages), language
    alike = {one.heading for one, other in zip(english, italian, strict=True) if one.heading == other.heading}
    assert alike <= ALIKE, alike
    assert FIRST not in "".join(page.response.text for page in (*english, *italian))


def test_d10_letters_are_in_the_language_of_the_account(portal: House) -> None:
    for locale in ("en", "it"):
        person, _ = invited(portal, locale=locale)
        ((letter, _),) = portal.letters(person.account, "invitation")
        assert letter.locale == locale
