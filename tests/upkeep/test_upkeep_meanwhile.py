"""Upkeep while the rest of the world goes on: people sign in, the mail server is down, the database goes and comes back."""

import contextlib
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy.engine import make_url

from idp.app.composition import put_in_force
from idp.cli import rounds
from idp.flows import upkeep
from idp.flows.deliver import PostOffice, deliver, expire
from idp.language import Words
from idp.model import Brand, Quiet, Reminder
from idp.policies.inactivity import Act, course
from idp.post import Letterhead, Letters, Smtp
from idp.store import StoreDown
from tests.harness import House, together
from tests.post.scripted import Script, serving
from tests.servers import postgres_url
from tests.upkeep.conftest import DAY, DUE, PATIENCE, Crowd, done

REFUSING = {"connect": "421 gone for the week"}


def test_fifty_people_who_sign_in_during_rounds_are_not_suspended(new_house: Any, kind: Any) -> None:
    house: House = new_house(kind)
    world, now = put_in_force(house.world), house.clock()
    # So near to their day that rounds under way may have read them already.
    seen = now - 120 * DAY + timedelta(seconds=120)
    people = [house.customer(created_at=seen, enrolled_at=seen, last_sign_in_at=seen) for _ in range(50)]
    others = [house.customer(created_at=seen - DAY, enrolled_at=seen - DAY, last_sign_in_at=seen - DAY) for _ in range(50)]
    with world.store.begin() as tx:
        for person in (*people, *others):
            notices = course(person.account, world.policy, accepted_at=seen).notices[:3]
            reminders = tuple(Reminder(one.ending, one.ahead, "old", one.due_at, one.due_at) for one in notices)
            tx.unused.set_quiet(person.account.id, Quiet(reminders))
    over: list[bool] = []

    def rounds() -> int:
        acts = 0
        while not over:
            acts += len(done(upkeep.sweep(world)))
        return acts

    def sign_in(part: int) -> list[bool]:
        try:
            return [person.sign_in() is not None and person.signed_in() for person in people[part::5]]
        finally:
            if part == 0:
                over.append(True)

    told = together([rounds, *(lambda part=part: sign_in(part) for part in range(5))])
    assert not [one for one in told if isinstance(one, Exception)], told
    assert all(all(signed_in) for signed_in in told[1:])
    house.clock.move(minutes=5)
    list(upkeep.sweep(world))
    events = {(entry.account_id, entry.event) for entry in house.audit("account.suspended")}
    assert events == {(person.account.id, "account.suspended") for person in others}
    assert all(person.account.quiet == Quiet() for person in people)


def test_a_mail_server_that_is_down_for_a_week_moves_endings_and_doubles_no_letter(crowd: Crowd) -> None:
    people = crowd.add(3, "remind")
    with serving(Script(says=dict(REFUSING))) as script:
        smtp = Smtp(host="127.0.0.1", port=script.port, letterhead=Letterhead("no-reply@norda.example", "Norda"), timeout=3)
        office = PostOffice(Letters(Words()), Brand("Norda"), {"mail": smtp})

        def days(count: int, hours: int = 6) -> None:
            """A worker's days: rounds and deliveries."""
            for _ in range(count * 24 // hours):
                crowd.clock.move(hours=hours)
                expire(crowd.world)
                crowd.sweep()
                list(deliver(crowd.world, office))

        days(40)
        # Five weeks past the first reminder, ten days past the suspension: nobody was reminded, so nobody is suspended.
        assert script.taken == []
        assert {act for _, act in crowd.acts()} == {"reminder.asked suspension"}
        # Asked for anew each week, and what was asked for before is of no use any more: one letter waits.
        waiting = crowd.rows("SELECT account_id, count(*) FROM outbox WHERE state = 'waiting' GROUP BY account_id")
        assert sorted(waiting) == sorted((account_id, 1) for account_id in people)
        script.says.clear()
        back = crowd.clock()
        days(29)
        assert len(script.taken) == 3 * len(people)
        assert not [act for _, act in crowd.acts() if act == "account.suspended"]
        days(3)
        office.close()
    for account_id in people:
        account = crowd.account(account_id)
        assert account is not None
        assert account.quiet.suspended_at is not None
        # Thirty days behind the first reminder that was taken, to the round.
        assert timedelta(0) <= account.quiet.suspended_at - back - 30 * DAY <= timedelta(days=1)
    assert {count for (one, act), count in crowd.acts().items() if act == "account.suspended"} == {1}


def _administer(sql: str) -> None:
    address = make_url(postgres_url()).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", ["postgresql+redis"])
def test_a_worker_waits_for_a_database_that_goes_and_comes_back(crowd: Crowd) -> None:
    crowd.add(60, "suspend", "remind", "purge")
    name = make_url(crowd.environ["IDP_DATABASE_URL"]).database
    environ = {**crowd.environ, "IDP_MAIL_PORT": "1", "PATH": "/usr/bin:/bin"}
    worker = subprocess.Popen([sys.executable, "-m", "idp", "worker"], env=environ, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + PATIENCE
    try:
        while crowd.written() < 40:
            assert time.monotonic() < ends
            time.sleep(0.01)
        _administer(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        _administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
        time.sleep(1)
        assert worker.poll() is None
        _administer(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        back = time.monotonic()
        while crowd.written() < crowd.wanted().total():
            assert time.monotonic() < ends
            if time.monotonic() > back + 3:
                # What it held when its connection went falls to it again when the turn is over.
                crowd.let_turns_end()
            time.sleep(0.1)
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    with contextlib.suppress(StoreDown):
        # The test's own connections were ended, too.
        crowd.world.store.ping()
    crowd.judge()


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        # The nights on which clocks go forward and back, and a leap day.
        ("Europe/Rome", datetime(2027, 3, 28, 2, 30)),  # noqa: DTZ001 - placed in its zone below
        ("Europe/Rome", datetime(2026, 10, 25, 2, 30)),  # noqa: DTZ001
        ("America/St_Johns", datetime(2028, 2, 29, 12)),  # noqa: DTZ001
    ],
)
def test_days_are_of_24_hours_whatever_the_persons_clocks_do(crowd: Crowd, zone: str, moment: datetime) -> None:
    """The law knows UTC only: a zone is for what letters say."""
    seen = moment.replace(tzinfo=ZoneInfo(zone)).astimezone(crowd.clock().tzinfo)
    crowd.clock.now = seen
    facts = {"created_at": seen, "state_at": seen, "last_sign_in_at": seen, "zone": zone}
    (person,) = crowd.add(1, "suspend", **facts)
    crowd.clock.now = seen + 120 * DAY - timedelta(microseconds=1)
    assert Act.SUSPEND not in {one.due.act for one in done(crowd.sweep())}
    crowd.clock.now = seen + 120 * DAY
    acts = done(crowd.sweep())
    assert [(one.account_id, one.due) for one in acts if one.due.act is Act.SUSPEND] == [
        (person, (Act.SUSPEND, seen + 120 * DAY, None))
    ]


def test_a_worker_under_a_former_policy_leaves_accounts_to_those_under_the_present(crowd: Crowd) -> None:
    crowd.add(5, *DUE)
    present = crowd.by(lambda policy: replace(policy, digest="the present one"))
    list(rounds.once(crowd.world))
    assert crowd.acts().total() == 0
    list(rounds.once(present))
    crowd.judge()


def test_a_worker_whose_clock_is_off_does_nothing(crowd: Crowd) -> None:
    crowd.add(5, *DUE)
    crowd.clock.move(days=2)
    before = crowd.dump()
    told = list(rounds.once(crowd.world))
    # With SQLite there is one clock, and nothing to compare it with.
    assert bool(told) == (crowd.world.store.dialect == "sqlite")
    assert (crowd.dump() == before) == (not told)
