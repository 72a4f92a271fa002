"""C7: a session ends after thirty minutes without use; My Profile shows where one is signed in and ends it there.

It shows the browsers that are known too, each of which can be forgotten.
"""

import pytest

from idp.model import Device, Factor, Session
from tests.harness import House
from tests.people import Page, Person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ONE = "/profile/sessions/end"
FORGET, FORGET_OTHERS = "/profile/devices/forget", "/profile/devices/others"


@pytest.fixture
def house(consumer: House) -> House:
    """The profile that these stories are of."""
    return consumer


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
        assert "Firefox" not in person.open("/profile/sessions").text.partition("Browsers that are known")[0]


def devices_of(house: House, person: Person) -> list[Device]:
    with house.world.store.read() as tx:
        return tx.devices.of_account(person.account.id, house.clock(), house.world.policy.lockout.known_device_lifetime)


def forgets(person: Person, device_id: str) -> Page:
    """What the list answers to "Forget" at the device of that id."""
    page = person.open("/profile/sessions")
    return person.follow(person.client.post(FORGET, data={"csrf": page.forms[FORGET]["csrf"], "id": device_id}))


def test_c07_the_list_tells_of_each_browser_that_is_known_since_when_and_which_is_at_hand(house: House) -> None:
    person = house.customer()
    other = person.elsewhere(headers={"User-Agent": FIREFOX})
    other.sign_in()
    other.fill(other.open("/logout"))
    person.sign_in()
    told = person.open("/profile/sessions").text.partition("Browsers that are known")[2]
    assert told.index("Chrome") < told.index("This is where you are now.") < told.index("Firefox")
    assert told.count("This is where you are now.") == 1
    assert told.count("First used: ") == told.count("Last signed in: ") == 2
    assert "Your username is filled in here." not in told
    assert {one.agent for one in devices_of(house, person)} == {"chrome", "firefox"}


def test_c07_a_browser_that_says_to_be_another_now_is_listed_as_such(house: House) -> None:
    person = house.customer()
    person.sign_in()
    person.fill(person.open("/logout"))
    person.client.headers["User-Agent"] = FIREFOX
    person.sign_in()
    (device,) = devices_of(house, person)
    assert device.agent == "firefox"


def test_c07_a_device_forgotten_counts_as_any_stranger_s_and_who_is_signed_in_there_stays(house: House) -> None:
    here = house.customer()
    there = here.elsewhere(headers={"User-Agent": FIREFOX})
    there.sign_in()
    here.sign_in()
    (gone,) = [one for one in devices_of(house, here) if one.agent == "firefox"]
    page = forgets(here, gone.id)
    assert "That browser is no longer known." in page.text
    assert [one.agent for one in devices_of(house, here)] == ["chrome"]
    assert there.signed_in()
    assert "This is where you are now." not in there.open("/profile/sessions").text.partition("Browsers that are known")[2]
    there.fill(there.open("/logout"))
    there.try_password()
    assert house.counter(here.account, Factor.PASSWORD).failures == 1
    assert house.counter(here.account, Factor.PASSWORD, gone.id).failures == 0
    (told,) = house.audit("devices.forgotten", here.account)
    assert (told.outcome, told.facts["device"]) == ("one", gone.id)


def test_c07_all_other_devices_are_forgotten_at_once_and_this_one_stays(house: House) -> None:
    here = house.customer()
    others = [here.elsewhere(headers={"User-Agent": FIREFOX}) for _ in range(3)]
    for other in others:
        other.sign_in()
    here.sign_in()
    page = here.press(here.open("/profile/sessions"), FORGET_OTHERS)
    assert "No other browser is known any more." in page.text
    assert FORGET_OTHERS not in page.forms
    assert [one.agent for one in devices_of(house, here)] == ["chrome"]
    assert all(other.signed_in() for other in others)
    here.fill(here.open("/logout"))
    here.try_password()
    assert house.counter(here.account, Factor.PASSWORD).failures == 0, "counted at the device, which is still known"


def test_c07_the_device_at_hand_can_be_forgotten_too(house: House) -> None:
    person = house.customer()
    person.sign_in()
    (mine,) = devices_of(house, person)
    page = forgets(person, mine.id)
    assert devices_of(house, person) == []
    assert "Browsers that are known" not in page.text
    assert person.signed_in()
    person.fill(person.open("/logout"))
    person.sign_in()
    (known,) = devices_of(house, person)
    assert known.id != mine.id


def test_c07_the_page_of_devices_speaks_italian(house: House) -> None:
    person = house.customer()
    person.sign_in()
    (mine,) = devices_of(house, person)
    assert "Browser riconosciuti" in person.open("/profile/sessions?ui_locales=it").text
    assert "Quel browser non è più riconosciuto." in forgets(person, mine.id).text
