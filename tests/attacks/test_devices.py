"""Attacks on devices without a browser (case T-38), and the walk of their person, over TCP."""

from typing import Any

import pytest

from idp.policies import device
from tests.harness import House
from tests.people import Page, Person

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
CONNECT, DONE = "Connect a device", "Your device is connected"


def codes(house: House) -> dict[str, Any]:
    answer = house.post("/device_authorization", {"scope": "openid service:read"}, "settop")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def poll(house: House, told: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = house.token("settop", grant_type=DEVICE_CODE, device_code=told["device_code"]).json()
    return body


def arrives(person: Person, told: dict[str, Any]) -> Page:
    """The code typed, and signed in: the question whether to connect the device."""
    return person.walk(person.fill(person.open("/device"), user_code=told["user_code"]))


def test_t38_a_person_connects_the_device_in_front_of_them(house: House) -> None:
    told, person = codes(house), house.customer()
    page = person.open(told["verification_uri_complete"].removeprefix(house.url))
    assert page.heading == CONNECT
    assert page.fields["user_code"]["value"] == told["user_code"]
    # The link alone has decided nothing, and shown nothing of the device.
    assert poll(house, told)["error"] == "authorization_pending"
    page = person.walk(person.fill(page, user_code=told["user_code"].lower().replace("-", " ")))
    assert page.heading == "Connect Norda TV box?"
    assert told["user_code"] in page.text
    assert "See your services and faults" in page.text
    assert person.username in page.text
    house.clock.move(seconds=6)
    assert poll(house, told)["error"] == "authorization_pending"
    page = person.fill(page, decision="allow")
    assert (page.status, page.heading) == (200, DONE)
    house.clock.move(seconds=6)
    issued = poll(house, told)
    assert house.introspect(issued["access_token"], "service")["client_id"] == "settop"
    assert [entry.outcome for entry in house.audit("device.allowed", person.account)] == ["done"]
    # It is not the browser's, and ends with everything else that the person ends.
    person.fill(person.open("/logout"))
    assert house.introspect(issued["access_token"], "service")["active"]
    person.sign_in()
    person.press(person.open("/profile/sessions"), "/profile/sessions/all")
    assert house.refresh(issued["refresh_token"], "settop").status_code == 400


def test_t38_no_is_no(house: House) -> None:
    told, person = codes(house), house.customer()
    page = arrives(person, told)
    assert person.fill(page, decision="deny").heading == "The device is not connected"
    assert poll(house, told)["error"] == "access_denied"
    assert person.fill(page, decision="allow").status == 404
    assert person.fill(person.open("/device"), user_code=told["user_code"]).status == 422


def test_t38_who_is_signed_in_is_asked_all_the_same(house: House) -> None:
    told, person = codes(house), house.customer()
    person.sign_in()
    page = person.fill(person.open("/device"), user_code=told["user_code"])
    assert page.heading == "Connect Norda TV box?"
    assert poll(house, told)["error"] == "authorization_pending"


@pytest.mark.parametrize("typed", ["BBBB-BBBB", "x", "", "<script>", "A" * 5000, "\0"])
def test_t38_a_code_that_no_device_shows_leads_nowhere(house: House, typed: str) -> None:
    person = house.customer()
    page = person.fill(person.open("/device"), user_code=typed)
    assert (page.status, page.heading) == (422, CONNECT)
    assert "user_code" in page.fields
    assert "<script>" not in page.response.text.partition("<main")[2]


def test_t38_guesses_are_throttled_whatever_they_hit(house: House) -> None:
    person = house.person()
    page = person.open("/device")
    tried = [person.fill(page, user_code=device.shown("BCDFGHJK")).status for _ in range(21)]
    assert (tried[0], tried[-1]) == (422, 429)
    assert person.fill(page, user_code=codes(house)["user_code"]).status == 429
    # Somebody elsewhere is not in their way.
    assert arrives(house.customer(), codes(house)).heading == "Connect Norda TV box?"


def test_t38_another_browser_and_another_person_decide_nothing(house: House) -> None:
    told, victim, thief = codes(house), house.customer(), house.customer()
    page = arrives(victim, told)
    thief.sign_in()
    for browser in (thief, thief.elsewhere()):
        assert browser.open(page.path).status == 404
        assert browser.client.post(page.path, data={**page.hidden, "decision": "allow"}).status_code == 404
    # The form of this sign-in is bound to its session.
    foreign = thief.open("/logout").hidden["csrf"]
    for csrf in (None, "x", foreign):
        sent = {"decision": "allow", **({"csrf": csrf} if csrf else {})}
        assert victim.client.post(page.path, data=sent).status_code == 403
    assert poll(house, told)["error"] == "authorization_pending"
    victim.fill(victim.open("/logout"))
    assert victim.client.post(page.path, data={**page.hidden, "decision": "allow"}).status_code == 404
    house.clock.move(seconds=6)
    assert poll(house, told)["error"] == "authorization_pending"


def test_t38_the_question_is_not_reached_before_everything_is_proved(house: House) -> None:
    told, person = codes(house), house.customer()
    page = person.walk(person.fill(person.open("/device"), user_code=told["user_code"]), until="AskPin")
    question = page.path.replace("/sign-in/", "/device/")
    assert person.open(question).step == "AskPin"
    answer = person.client.post(question, data={**page.hidden, "decision": "allow"})
    assert answer.headers["Location"] == page.path
    assert poll(house, told)["error"] == "authorization_pending"


def test_t38_an_answer_that_is_none_is_asked_again(house: House) -> None:
    told, person = codes(house), house.customer()
    page = arrives(person, told)
    for decision in ("", "yes", None):
        again = Page(person.post(page, {"decision": decision}))
        assert (again.status, again.heading) == (422, "Connect Norda TV box?")
    assert poll(house, told)["error"] == "authorization_pending"
