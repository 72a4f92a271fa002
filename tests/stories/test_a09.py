"""A9: a session ends after thirty minutes without activity, and its person is warned shortly before, in every tab alike."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.policies.policy import Policy
from tests.harness import House
from tests.people import Page, Person
from tests.store.test_cost import counted, round_trips

MINUTE = 60
BOTH = ("sqlite", "postgresql+redis")


def asked(person: Person) -> dict[str, Any]:
    """What a page hears that asks how long the session lasts."""
    answer = person.get("/session")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told: dict[str, Any] = answer.json()
    return told


def watch_of(page: Page) -> str:
    """The token with which a page's dialog says that someone is there."""
    return page.forms["/logout/confirm"]["csrf"]


def stays(person: Person, token: str) -> dict[str, Any]:
    """What the dialog hears when its button is pressed."""
    answer = person.client.post("/session", headers={"X-Form-Token": token})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a09_to_ask_how_long_it_lasts_is_one_indexed_read(house: House) -> None:
    person = house.customer()
    with house.clock.stopped():
        person.sign_in()
        token = watch_of(person.open("/profile"))
        with counted() as statements, round_trips() as trips:
            assert asked(person)["ends_in"] == 30 * MINUTE
            told = len(statements), len(trips)
            stays(person, token)
            assert (len(statements), len(trips)) == (told[0] * 2, told[1] * 2), "nothing to write within a minute"
            del statements[told[0] :], trips[told[1] :]
    assert len(statements) == 1
    assert trips == ([] if house.kind == "sqlite" else ["HMGET"])
    if house.kind == "sqlite":
        (session,) = house.world.store.sessions.of_account(person.account.id, house.clock())
        made = statements[0].made["sqlite"]
        given = made.given({"one": session.id, "now": house.clock()})
        with closing(house.world.store.engine.raw_connection()) as connection:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {made.sql}", given)]  # type: ignore[attr-defined]
        assert plan
        assert all(step.startswith("SEARCH") for step in plan), plan


@pytest.mark.parametrize(("after", "alive"), [({"minutes": 29, "seconds": 59}, True), ({"minutes": 30}, False)])
def test_a09_a_session_ends_after_thirty_minutes_without_activity(house: House, after: dict[str, float], alive: bool) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(**after)
        assert person.signed_in() is alive
        assert person.open("/profile").heading == ("My Profile" if alive else "Sign in")


def test_a09_whoever_only_asks_how_long_it_lasts_does_not_extend_it(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        for minute in range(30):
            assert asked(person) == {
                "signed_in": True,
                "ends_in": (30 - minute) * MINUTE,
                "warn_in": max(0, 28 - minute) * MINUTE,
                "absolute": False,
            }
            clock.move(minutes=1)
        assert asked(person) == {"signed_in": False}
        assert not person.signed_in()


def test_a09_staying_signed_in_is_activity_and_counts_in_every_tab(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        tab = person.open("/profile")
        clock.move(minutes=29)
        assert asked(person)["warn_in"] == 0
        assert stays(person, watch_of(tab)) == {
            "signed_in": True,
            "ends_in": 30 * MINUTE,
            "warn_in": 28 * MINUTE,
            "absolute": False,
        }
        # What another tab would hear.
        assert asked(person)["ends_in"] == 30 * MINUTE
        clock.move(minutes=29, seconds=59)
        assert person.signed_in()


def test_a09_staying_needs_the_page_s_token_and_a_session(house: House) -> None:
    person, other = house.customer(), house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        other.sign_in()
        clock.move(minutes=29)
        token, foreign = watch_of(person.open("/profile")), watch_of(other.open("/profile"))
        clock.move(minutes=29)
        for sent in (
            {},
            {"X-Form-Token": ""},
            {"X-Form-Token": foreign},
            {"X-Form-Token": token, "Origin": "https://evil.example"},
        ):
            answer = person.client.post("/session", headers=sent)
            assert (answer.status_code, answer.json()) == (403, {"error": "csrf"})
        assert asked(person)["ends_in"] == MINUTE
        clock.move(minutes=1)
        assert person.client.post("/session", headers={"X-Form-Token": token}).status_code == 403
        assert not person.signed_in()


def test_a09_no_other_origin_hears_whether_someone_is_signed_in(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for headers in ({"Origin": "http://localhost:8080"}, {"Origin": "https://evil.example"}):
        answer = person.get("/session", headers=headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert house.get("/session").json() == {"signed_in": False}


@pytest.mark.parametrize("kind", BOTH)
def test_a09_the_longest_time_ends_it_whatever_is_done_and_is_told_as_such(new_house: Callable[..., House], kind: str) -> None:
    def short(policy: Policy) -> Policy:
        return replace(policy, session=replace(policy.session, absolute=timedelta(minutes=45)))

    house = new_house(kind, policy=short)
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        token = watch_of(person.open("/"))
        clock.move(minutes=20)
        assert stays(person, token) == {
            "signed_in": True,
            "ends_in": 25 * MINUTE,
            "warn_in": 23 * MINUTE,
            "absolute": True,
        }
        clock.move(minutes=24, seconds=59)
        assert stays(person, token)["ends_in"] == 1
        clock.move(seconds=1)
        assert asked(person) == {"signed_in": False}
        assert not person.signed_in()


def test_a09_each_page_for_someone_signed_in_carries_the_warning_and_says_the_end_without_javascript(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for path in ("/", "/profile", "/profile/password", "/profile/second-factor", "/profile/sessions"):
        page = person.open(path)
        assert '<dialog class="watch"' in page.response.text, path
        assert "If you do nothing here, you will be signed out at this time:" in page.text, path
    for path in ("/sign-in", "/recover"):
        assert "<dialog" not in person.elsewhere().open(path).response.text, path
    signed_out = person.fill(person.open("/logout"))
    assert signed_out.heading == "You are signed out"
    assert "<dialog" not in signed_out.response.text


def test_a09_at_the_end_a_calm_page_leads_back_to_the_sign_in(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        assert person.get("/session/over").headers["Location"] == "/"
        clock.move(minutes=30)
        page = person.open("/session/over")
        assert (page.status, page.heading) == (200, "You have been signed out")
        assert "/sign-in" in page.links
        italian = person.open("/session/over?ui_locales=it")
        assert italian.heading == "La sessione è terminata"


def test_a09_the_question_is_answered_as_json(house: House) -> None:
    person = house.customer()
    person.sign_in()
    answer = person.get("/session")
    assert answer.headers["Content-Type"] == "application/json"
    assert set(json.loads(answer.text)) == {"signed_in", "ends_in", "warn_in", "absolute"}
