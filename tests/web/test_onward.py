"""Whoever opens a page of ours signed out comes to it after signing in, and nowhere else."""

from urllib.parse import quote

import pytest

from tests.harness import House


@pytest.mark.parametrize(("page", "heading"), [("/profile", "My Profile"), ("/profile/second-factor", "Second step")])
def test_the_page_asked_for_is_the_one_that_is_reached(house: House, page: str, heading: str) -> None:
    person = house.customer()
    asked = person.open(page)
    assert asked.step == "AskUsernameAndPassword"
    reached = person.walk(asked)
    assert (reached.response.url.path, reached.heading) == (page, heading)


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/profile", "javascript:alert(1)", "nowhere", "x" * 9000]
)
def test_only_names_of_our_own_pages_lead_anywhere(house: House, to: str) -> None:
    person = house.customer()
    reached = person.walk(person.open(f"/sign-in?to={quote(to, safe='')}"))
    assert reached.response.url.path == "/"
