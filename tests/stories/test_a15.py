"""A15: long work shows a loading indicator: every form says what to show, and the script that shows it is served."""

import re

from tests.harness import House


def test_a15_every_form_names_its_loading_indicator_in_both_languages(house: House) -> None:
    for language, words in (("en", "One moment …"), ("it", "Un momento …")):
        person, code = house.invited()
        person.client.headers["Accept-Language"] = language
        page = person.open(f"/invitation?code={code}")
        shown = 0
        while page.left is None:
            assert re.findall(r'data-busy="([^"]*)"', page.response.text) == [words]
            shown += 1
            page = person.fill(page, **({"code": code} if "code" in page.fields else person.given(page) or {}))
        assert shown == 4


def test_a15_the_script_that_shows_it_is_served_from_here_and_may_be_kept_for_ever(house: House) -> None:
    person = house.person()
    page = person.open("/sign-in")
    (address,) = re.findall(r'<script src="([^"]+)"', page.response.text)
    script = person.get(address)
    assert script.status_code == 200
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in script.headers["Cache-Control"]
    assert "aria-busy" in script.text
