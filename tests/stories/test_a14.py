"""A14: a browser that is not on the tested list gets a warning and still works; pages work without JavaScript."""

import re

import pytest

from tests.harness import House
from tests.people import CHROME

UNTESTED = {
    "old": CHROME.replace("Chrome/140", "Chrome/90"),
    "text": "Lynx/2.9.0 libwww-FM/2.14",
    "nothing": "",
}
TESTED = {
    "chrome": CHROME,
    "firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "edge": CHROME + " Edg/140.0.0.0",
    "safari": "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605 (KHTML, like Gecko) Version/18.0 Safari/605",
}
NOTICE = "We have not tested this browser"


@pytest.mark.parametrize("browser", ["old", "text", "nothing"])
def test_a14_an_untested_browser_is_told_so_and_still_signs_in(house: House, browser: str) -> None:
    person = house.customer()
    person.client.headers["User-Agent"] = UNTESTED[browser]
    page = person.open("/sign-in")
    assert NOTICE in page.text
    assert "chrome 109" in page.text.lower()
    page = person.sign_in()
    assert NOTICE in page.text
    assert person.signed_in()


def test_a14_a_browser_that_lies_wildly_gets_a_page_all_the_same(house: House) -> None:
    person = house.person()
    person.client.headers["User-Agent"] = "Chrome/" + "9" * 4000
    assert person.open("/sign-in").status == 200


@pytest.mark.parametrize("browser", TESTED)
def test_a14_a_tested_browser_is_told_nothing(house: House, browser: str) -> None:
    person = house.person()
    person.client.headers["User-Agent"] = TESTED[browser]
    assert NOTICE not in person.open("/sign-in").text


def test_a14_no_page_needs_a_script_and_none_holds_one_inline(house: House) -> None:
    person, code = house.invited()
    page = person.open(f"/invitation?code={code}")
    pages = [person.open("/sign-in"), page]
    while page.left is None:
        pages.append(page)
        page = person.fill(page, **({"code": code} if "code" in page.fields else person.given(page) or {}))
    pages.append(person.open("/"))
    pages.append(person.open("/nothing"))
    for shown in pages:
        html = shown.response.text
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
        assert not re.search(r"\son[a-z]+\s*=|\sstyle=|<style|javascript:", html), html
        policy = shown.response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
