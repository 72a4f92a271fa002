"""B8: a session ends after twenty minutes without use, where policy says so; signing out everywhere is one button."""

import pytest

from idp.model import Factor
from tests.harness import House
from tests.people import Page, Person

EVERYWHERE, ELSEWHERE = "/profile/sessions/all", "/profile/sessions/others"


def three_browsers(house: House) -> tuple[Person, Person, Person]:
    """One person, signed in here and at two other browsers."""
    person = house.customer()
    browsers = (person, person.elsewhere(), person.elsewhere())
    for browser in browsers:
        browser.sign_in()
    return browsers


def leaves(person: Person, way: str) -> Page:
    return person.press(person.open("/profile/sessions"), way)


@pytest.mark.parametrize(("after", "alive"), [({"minutes": 19, "seconds": 59}, True), ({"minutes": 20}, False)])
def test_b08_a_session_ends_after_twenty_minutes_without_use(
    open_registration: House, after: dict[str, float], alive: bool
) -> None:
    person = open_registration.customer()
    with open_registration.clock.stopped() as clock:
        person.sign_in()
        clock.move(**after)
        assert person.get("/session").json()["signed_in"] is alive
        assert person.signed_in() is alive


def test_b08_signing_out_everywhere_ends_every_browser_and_every_app(open_registration: House) -> None:
    here, there, _ = browsers = three_browsers(open_registration)
    app = here.elsewhere().tokens("app", resource=None)
    bound = there.tokens(scope="openid billing:read")
    page = leaves(here, EVERYWHERE)
    assert page.heading == "You are signed out"
    assert page.response.headers["Clear-Site-Data"]
    assert [browser.signed_in() for browser in browsers] == [False, False, False]
    assert open_registration.refresh(app["refresh_token"], "app").status_code == 400
    assert open_registration.refresh(bound["refresh_token"]).status_code == 400
    assert open_registration.introspect(bound["access_token"]) == {"active": False}
    (told,) = open_registration.audit("sessions.ended", here.account)
    assert told.outcome == "all"
    here.sign_in()
    assert here.signed_in()


def test_b08_signing_out_everywhere_else_keeps_this_browser_and_what_is_bound_to_it(open_registration: House) -> None:
    here, there, further = three_browsers(open_registration)
    mine = here.tokens(scope="openid billing:read")
    theirs = there.tokens(scope="openid billing:read")
    app = further.tokens("app", resource=None)
    page = leaves(here, ELSEWHERE)
    assert "You are signed out everywhere else." in page.text
    assert [browser.signed_in() for browser in (here, there, further)] == [True, False, False]
    assert open_registration.introspect(mine["access_token"])["active"] is True
    assert open_registration.introspect(theirs["access_token"]) == {"active": False}
    assert open_registration.refresh(theirs["refresh_token"]).status_code == 400
    assert open_registration.refresh(app["refresh_token"], "app").status_code == 400
    (told,) = open_registration.audit("sessions.ended", here.account)
    assert (told.outcome, told.facts["sessions"]) == ("others", 2)


def test_b08_signing_out_everywhere_else_does_not_begin_the_longest_time_anew(open_registration: House) -> None:
    person = open_registration.customer()
    with open_registration.clock.stopped() as clock:
        person.sign_in()
        for _ in range(39):
            clock.move(minutes=18)
            leaves(person, ELSEWHERE)
        assert person.signed_in()
        clock.move(minutes=18)
        assert not person.signed_in()


def test_b08_devices_elsewhere_are_known_no_more(open_registration: House) -> None:
    here, there, _ = three_browsers(open_registration)
    leaves(here, ELSEWHERE)
    there.try_password()
    # A stranger's counter, which is the one without a device.
    assert open_registration.counter(here.account, Factor.PASSWORD).failures == 1
    here.fill(here.open("/logout"))
    here.try_password()
    assert open_registration.counter(here.account, Factor.PASSWORD).failures == 1
