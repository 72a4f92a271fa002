"""C7: a session ends after thirty minutes without use; My Profile shows where one is signed in and ends it there."""

import pytest

from idp.model import Session
from tests.harness import House
from tests.people import Page, Person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ONE = "/profile/sessions/end"


def sessions_of(house: House, person: Person) -> list[Session]:
    return house.world.store.sessions.of_account(person.account.id, house.clock())


def ends(person: Person, public_id: str) -> Page:
    """What the list answers to "End" at the session of that id."""
    page = person.open("/profile/sessions")
    csrf = page.forms["/profile/sessions/others"]["csrf"]
    return person.follow(person.client.post(ONE, data={"csrf": csrf, "id": public_id}))


@pytest.mark.parametrize(("idle", "alive"), [(29 * 60 + 59, True), (30 * 60, False)])
def test_c07_thirty_minutes_without_use_end_a_session(house: House, idle: int, alive: bool) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=10)
        assert person.signed_in()
        clock.move(seconds=idle)
        assert person.signed_in() is alive


def test_c07_the_list_tells_of_each_browser_what_it_is_since_when_and_last_used(house: House) -> None:
    person = house.customer()
    other = person.elsewhere(headers={"User-Agent": FIREFOX})
    person.sign_in()
    other.sign_in()
    text = person.open("/profile/sessions").text
    assert text.index("Chrome") < text.index("This is where you are now.") < text.index("Firefox")
    assert text.count("Signed in: ") == text.count("Last used: ") == 2
    assert [one.agent for one in sessions_of(house, person)] == ["chrome", "firefox"]
    assert "/profile/sessions" in person.open("/profile").links


def test_c07_a_browser_ended_from_another_is_signed_out_with_all_it_had_opened(house: House) -> None:
    here = house.customer()
    there = here.elsewhere()
    here.sign_in()
    issued = there.tokens(scope="openid billing:read")
    kept = here.tokens(scope="openid billing:read")
    _, gone = sessions_of(house, here)
    page = ends(here, gone.public_id)
    assert "That browser is signed out." in page.text
    assert (here.signed_in(), there.signed_in()) == (True, False)
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert house.refresh(issued["refresh_token"]).status_code == 400
    assert house.introspect(kept["access_token"])["active"] is True
    (told,) = house.audit("session.ended", here.account)
    assert (told.facts["why"], told.facts["grants"]) == ("chosen", 1)


def test_c07_one_s_own_browser_can_be_ended_like_any_other(house: House) -> None:
    person = house.customer()
    person.sign_in()
    (mine,) = sessions_of(house, person)
    assert ends(person, mine.public_id).heading == "Sign in"
    assert not person.signed_in()


def test_c07_a_session_that_is_over_is_not_in_the_list(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.elsewhere(headers={"User-Agent": FIREFOX}).sign_in()
        clock.move(minutes=30)
        person.sign_in()
        assert "Firefox" not in person.open("/profile/sessions").text
