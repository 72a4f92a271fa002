"""How long people stay signed in under every profile, and what their device knows of them."""

from datetime import timedelta

from tests.harness import House
from tests.profiles.laws import where
from tests.profiles.members import Member, member
from tests.returning import back, carried, close_browser

MOMENT = timedelta(seconds=1)


def passes(house: House, span: timedelta) -> None:
    house.clock.move(seconds=span.total_seconds())


def in_session(house: House) -> Member:
    person = member(house)
    person.sign_in()
    assert person.signed_in()
    return person


def test_a_session_ends_after_the_policy_s_time_without_use_and_not_before(portal: House) -> None:
    rules = portal.world.policy.session
    with portal.clock.stopped():
        person = in_session(portal)
        passes(portal, rules.idle - MOMENT)
        assert person.signed_in()
        passes(portal, rules.idle - MOMENT)
        assert person.get("/session").json()["signed_in"], "use moved the end"
        passes(portal, MOMENT)
        assert person.get("/session").json()["signed_in"] is False
        assert not person.signed_in()
        assert person.ask(prompt="none").answer["error"] == "login_required"


def test_a_session_ends_after_the_longest_time_whatever_is_done(portal: House) -> None:
    rules = portal.world.policy.session
    with portal.clock.stopped() as clock:
        person = in_session(portal)
        end = clock() + rules.absolute
        while clock() + rules.idle < end:
            passes(portal, rules.idle - MOMENT)
            assert person.signed_in()
        passes(portal, end - clock() - MOMENT)
        assert person.signed_in()
        passes(portal, MOMENT)
        assert not person.signed_in()


def test_signing_out_ends_the_session_and_what_is_bound_to_it(portal: House) -> None:
    person = member(portal)
    bound = person.tokens(scope="openid billing:read service:read")
    assert person.signed_in()
    page = person.fill(person.open("/logout"))
    assert page.heading == "You are signed out"
    assert not person.signed_in()
    assert portal.refresh(bound["refresh_token"]).status_code == 400
    assert portal.introspect(bound["access_token"]) == {"active": False}
    assert person.ask(prompt="none").answer["error"] == "login_required"


@where(lambda law: law.session.remember_me == "off")
def test_where_nobody_is_remembered_there_is_no_box(portal: House) -> None:
    person = in_session(portal)
    page = back(person)
    assert "remember" not in page.fields
    assert page.fields["username"].get("value") in (None, "")
    assert carried(person, "remember") is None


@where(lambda law: law.session.remember_me == "username")
def test_who_ticked_the_box_finds_the_name_filled_in_and_nothing_is_skipped(portal: House) -> None:
    person = member(portal)
    form = person.open("/sign-in")
    assert "checked" not in form.fields["remember"]
    person.walk(person.fill(form, username=person.username, password=person.password, remember="yes"))
    page = back(person)
    assert page.fields["username"]["value"] == person.username
    assert "checked" in page.fields["remember"]
    person.walk(person.fill(page, username=person.username, password=person.password))
    assert person.signed_in()
    assert back(person).fields["username"].get("value") in (None, ""), "unticked, it is taken back"


def test_a_returning_person_is_welcomed_by_name_where_the_policy_says_so(portal: House) -> None:
    person = in_session(portal)
    page = back(person)
    welcomed = portal.world.policy.session.welcome_cookie
    assert page.heading == ("Welcome back, Maria" if welcomed else "Sign in")
    assert person.elsewhere().open("/sign-in").heading == "Sign in"
    close_browser(person)
    person.sign_in()
    assert person.signed_in()


def test_of_more_sessions_than_the_policy_allows_the_oldest_ends(portal: House) -> None:
    most, person = portal.world.policy.session.per_account, member(portal)
    browsers = [person.elsewhere() for _ in range(most + 1)]
    for browser in browsers:
        portal.clock.move(seconds=1)
        browser.sign_in()
    assert [browser.signed_in() for browser in browsers] == [False, *[True] * most]
