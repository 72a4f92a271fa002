"""A policy that changes between two starts of the service: a stricter rule falls on nobody at once."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.app.composition import as_in_force, put_in_force
from idp.app.factory import create_app
from idp.policies.policy import Policy
from tests.harness import House, _served
from tests.people import Person
from tests.servers import Kind

DAY = timedelta(days=1)


def law(policy: Policy, days: int | None) -> Policy:
    """A policy whose rule is the only thing that matters: no reminder is waited for."""
    suspend = None if days is None else days * DAY
    rules = {"suspend_after": suspend, "expire_after": None, "suspend_reminders": (), "require_reminders": False}
    return replace(policy, inactivity=replace(policy.inactivity, **rules), digest=f"{days} {policy.about}")


@contextmanager
def booted(house: House, days: int | None) -> Iterator[House]:
    """The same database, served anew under another policy and at another address."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        issuer = f"http://localhost:{listener.getsockname()[1]}"
        policy = law(house.settings.policy, days)
        settings = replace(house.settings, issuer=issuer, policy=policy)
        world = replace(house.world, issuer=issuer, policy=policy)
        app = create_app(settings, world)
        with _served(settings, world, app, listener):
            yield replace(house, settings=settings, world=world, app=app)


def away(house: House, days: float) -> Person:
    """Someone who has not been here for some days."""
    now = house.clock()
    return house.customer(created_at=now - 999 * DAY, enrolled_at=None, last_sign_in_at=now - days * DAY)


def asleep(house: House, person: Person) -> bool:
    """Whether the door asks the person, who comes now, to wake their access; whoever it does not ask has signed in."""
    before = house.account(person.username).last_sign_in_at
    step = Person(house, username=person.username).sign_in(until="Reactivate").step
    came = house.account(person.username).last_sign_in_at != before
    assert came is (step != "Reactivate")
    return step == "Reactivate"


Opened = Callable[[int | None], House]


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def opened(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> Opened:
    """Opens a new house that suspends after some days, or never."""
    kind: Kind = request.param
    return lambda days: new_house(kind, policy=lambda policy: law(policy, days))


def test_whoever_was_away_before_a_rule_took_effect_is_given_its_time(opened: Opened) -> None:
    house = opened(None)
    people = [away(house, 300) for _ in range(7)]
    assert not asleep(house, people.pop())
    with booted(house, 120) as strict:
        # On the day itself nobody is hit, and not until its time is over.
        assert not asleep(strict, people.pop())
        house.clock.move(days=119)
        assert not asleep(strict, people.pop())
        recent = away(house, 119)
        house.clock.move(days=2)
        assert asleep(strict, people.pop())
        assert asleep(strict, recent)
    # Taken back: at once.
    with booted(house, None) as mild:
        assert not asleep(mild, people.pop())
    # And again: it counts from its new beginning.
    with booted(house, 120) as again:
        assert not asleep(again, people.pop())
        house.clock.move(days=121)
        assert asleep(again, people.pop())


def test_the_older_rule_goes_on_counting_beside_the_stricter_one(opened: Opened) -> None:
    house = opened(365)
    first, second = away(house, 300), away(house, 10)
    with booted(house, 120) as strict:
        house.clock.move(days=64)
        assert not asleep(strict, away(house, 364))
        house.clock.move(days=2)
        assert asleep(strict, first)
        house.clock.move(days=55)
        assert asleep(strict, second)


def test_who_starts_under_the_same_policy_writes_nothing(opened: Opened) -> None:
    house = opened(None)

    def held() -> tuple[object, object]:
        with house.world.store.read() as tx:
            return tx.policies.periods(), tx.policies.list()

    before = held()
    house.clock.move(days=1)
    for _ in range(2):
        with booted(house, None):
            assert held() == before
    # Nor does a command that only looks, whatever its policy.
    strict = replace(house.world, policy=law(house.settings.policy, 120))
    seen = as_in_force(strict)
    assert held() == before
    assert [one.suspend_after for one in seen.policy.periods] == [None, 120 * DAY]
    # What it sees is what a start under that policy makes true.
    lawful = put_in_force(strict)
    assert [one.suspend_after for one in lawful.policy.periods] == [None, 120 * DAY]
    assert [one.suspend_after for one in as_in_force(strict).policy.periods] == [None, 120 * DAY]
    assert as_in_force(strict).policy.periods == lawful.policy.periods


def test_a_policy_that_changes_in_another_rule_moves_no_ending(opened: Opened) -> None:
    house = opened(120)
    person = away(house, 60)
    house.clock.move(days=30)
    for number in range(3):
        changed = replace(house, settings=replace(house.settings, policy=replace(house.settings.policy, about=f"{number}")))
        with booted(changed, 120) as strict:
            house.clock.move(days=9)
            assert not asleep(strict, away(house, 119))
    with booted(house, 120) as strict:
        house.clock.move(days=4)
        assert asleep(strict, person)
