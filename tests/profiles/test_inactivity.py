"""Access that nobody uses, under every profile: when it sleeps, by what it wakes, when it has expired, or never."""

from datetime import timedelta

from idp.flows import assist
from idp.model import Account, Factor
from idp.policies.policy import Policy
from tests.harness import House
from tests.profiles.laws import later_steps, secrets, where
from tests.profiles.members import Member, member

MOMENT = timedelta(seconds=1)
WAKE = {"answer": "Reactivate", "email_code": "ReactivateByCode"}


def leaves(house: House, span: timedelta) -> None:
    """Nobody comes for so long; everyone is reminded in time."""
    house.leave(seconds=span.total_seconds())


def wakes_by(law: Policy) -> str | None:
    """The step that wakes whoever has what everybody has; None where signing in whole is enough."""
    without = set() if Factor.ANSWER in secrets(law) else {"answer"}
    return next((WAKE[way] for way in law.inactivity.reactivate_by if way in WAKE.keys() - without), None)


def gone(house: House, span: timedelta) -> tuple[Member, Member]:
    """Somebody who was signed in once and stayed away for so long, back at another browser."""
    person = member(house)
    person.sign_in()
    assert person.signed_in()
    leaves(house, span)
    return person, person.elsewhere()


@where(lambda law: law.inactivity.suspend_after)
def test_unused_access_sleeps_to_the_second_and_wakes_by_the_policy_s_proof(portal: House) -> None:
    law = portal.world.policy
    after = law.inactivity.suspend_after or timedelta(0)
    with portal.clock.stopped():
        early, visitor = gone(portal, after - MOMENT)
        assert tuple(visitor.steps_of(visitor.open("/sign-in"))[0]) == later_steps(law)
        assert visitor.signed_in()
        late, visitor = gone(portal, after)
        page = visitor.walk(visitor.open("/sign-in"), until=wakes_by(law))
        if wakes_by(law) is not None:
            assert page.step == wakes_by(law), page.text
            assert not visitor.signed_in()
            assert visitor.ask(prompt="none").answer["error"] == "login_required"
            visitor.walk(page)
        assert visitor.signed_in()
        assert len(portal.audit("account.reactivated", late.account)) == 1
        assert early.signed_in() is late.signed_in() is False


@where(lambda law: law.inactivity.suspend_after)
def test_what_was_issued_before_access_slept_is_dead_and_stays_so(portal: House) -> None:
    person = member(portal)
    issued = person.tokens("app", resource=None)
    leaves(portal, portal.world.policy.inactivity.suspend_after or timedelta(0))
    assert portal.refresh(issued["refresh_token"], "app").status_code == 400
    assert not person.signed_in()
    visitor = person.elsewhere()
    visitor.sign_in()
    assert visitor.signed_in()
    assert portal.refresh(issued["refresh_token"], "app").status_code == 400


@where(lambda law: law.inactivity.suspend_after is None)
def test_where_nothing_sleeps_whoever_comes_back_signs_in_as_ever(portal: House) -> None:
    law = portal.world.policy
    span = (law.inactivity.expire_after or timedelta(days=3650)) - MOMENT
    person, visitor = gone(portal, span)
    seen, _ = visitor.steps_of(visitor.open("/sign-in"))
    assert tuple(seen) == later_steps(law)
    assert visitor.signed_in()
    assert person.account.username == visitor.username


@where(lambda law: law.inactivity.expire_after)
def test_access_expires_to_the_second_and_staff_brings_it_back_until_the_data_goes(portal: House) -> None:
    rules = portal.world.policy.inactivity
    with portal.clock.stopped():
        person, visitor = gone(portal, rules.expire_after or timedelta(0))
        page = visitor.sign_in()
        assert (page.status, page.heading) == (403, "Your access has expired")
        assert not visitor.signed_in()
        visitor.recover("password")
        assert portal.letters(person.account) == []
        assert isinstance(assist.reactivate(portal.world, person.username, "test"), Account)
        visitor.sign_in()
        assert visitor.signed_in()
