"""X3: ``idp explain``: which rules apply to one account at one moment, how far each counter is, and what comes next, when."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.cli.explain import _COMES, _DOES, _ENDINGS, _SINCE, _STANDS
from idp.flows import assist, reminding
from idp.flows.attempt import REMINDER
from idp.model import Account, Counter, Ending, Factor, Period, Quiet
from idp.policies.explaining import Event
from idp.policies.inactivity import Act, due, foreseen
from idp.policies.lifecycle import Standing
from tests.alarms import move
from tests.harness import CONFIG, House
from tests.people import ANSWER, PASSWORD, PIN, Person

DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def fresh(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house whose clock nobody has moved: the command has its own, and tells of moments to come what it foresees."""
    return new_house(request.param)


def run(house: House, *arguments: str) -> Result:
    """The command as its users run it: from the configuration and the environment, on the house's own database."""
    return CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["explain", *arguments])


def page(house: House, person: Person, at: datetime | None = None) -> str:
    said = run(house, person.username, "--at", (at or house.clock()).isoformat())
    assert said.exit_code == 0, said.output
    return said.output


def document(house: House, person: Person, at: datetime | None = None) -> dict[str, Any]:
    said = run(house, person.username, "--json", "--at", (at or house.clock()).isoformat())
    assert said.exit_code == 0, said.output
    read: dict[str, Any] = json.loads(said.output)
    return read


def moment(shown: str) -> datetime:
    return datetime.fromisoformat(shown)


def coming(found: dict[str, Any], event: Event) -> list[tuple[datetime, str, Any]]:
    return [(moment(one["at"]), one["rule"]["key"], one["rule"]["value"]) for one in found["coming"] if one["event"] == event]


def counter(found: dict[str, Any], factor: Factor) -> dict[str, Any]:
    (one,) = [one for one in found["counters"] if (one["factor"], one["device"]) == (factor, "")]
    return dict(one)


def quiet(house: House, days: float) -> Person:
    """Someone who has not been here for some days, and whom upkeep and the mail server have seen to meanwhile."""
    now = house.clock()
    person = house.customer(created_at=now - 400 * DAY, enrolled_at=None, last_sign_in_at=now - days * DAY)
    left = foreseen(person.account, house.world.policy, now - days * DAY, now)
    with house.world.store.begin() as tx:
        tx.unused.set_quiet(left.id, left.quiet)
    return person


def ask(house: House, person: Person, *, refused: str | None = None) -> str:
    """Upkeep asks for the reminder that is due, and the mail server may refuse it; returns the letter's id."""
    now = house.clock()
    with house.world.store.begin() as tx:
        account = tx.accounts.locked(person.account.id)
        assert account is not None
        wanted = due(account, house.world.policy, now)
        assert wanted is not None
        asked = reminding.ask(house.world, tx, account, wanted, now)
        letter = asked.quiet.reminders[-1].letter
        if refused is not None:
            tx.outbox.failed(letter, now, refused, None)
    return letter


def test_x03_an_active_account_its_counters_and_what_comes_next(house: House) -> None:
    person = house.customer()
    person.try_password()
    person.try_password()
    found = document(house, person)
    account = person.account
    assert found["account"] == {"id": account.id, "username": account.username, "capacities": []}
    assert found["policy"]["digest"] == house.world.policy.digest
    assert (found["why"]["standing"], found["why"]["missing"]) == ("active", [])
    password = counter(found, Factor.PASSWORD)
    assert (password["failures"], password["threshold"], password["consecutive"], password["cap"]) == (2, 5, 2, 50)
    assert counter(found, Factor.PIN)["failures"] == 0
    ((at, key, value),) = coming(found, Event.WINDOW_ENDS)
    stored = house.counter(account)
    assert stored.window_from is not None
    assert (at, key, value) == (stored.window_from + timedelta(minutes=30), "lockout.window", "30m")
    said = page(house, person)
    assert "active since" in said
    assert "2 of 5" in said
    assert "2 of 50" in said
    assert "inactivity.suspend_after = 120d" in said


def test_x03_after_115_quiet_days_the_dates_to_come_and_the_key_each_comes_from(house: House) -> None:
    person = quiet(house, 115)
    since = person.account.last_sign_in_at
    assert since is not None
    found = document(house, person)
    assert found["why"]["since"] == {"at": since.isoformat(), "what": "signed_in"}
    assert coming(found, Event.SUSPEND_REMINDER) == [(since + 117 * DAY, "inactivity.suspend_reminders", ["30d", "14d", "3d"])]
    assert coming(found, Event.SUSPENDS) == [(since + 120 * DAY, "inactivity.suspend_after", "120d")]
    assert coming(found, Event.EXPIRES) == [(since + 180 * DAY, "inactivity.expire_after", "180d")]
    assert coming(found, Event.PURGED) == [(since + 210 * DAY, "inactivity.purge_after", "30d")]
    moments = [one["at"] for one in found["coming"]]
    assert moments == sorted(moments)
    said = page(house, person)
    assert f"{since + 120 * DAY:%Y-%m-%d %H:%M:%S} UTC" in said
    assert "the access is suspended" in said


@pytest.mark.parametrize(
    ("days", "stands", "key"),
    [(120, "suspended", "inactivity.suspend_after = 120d"), (180, "expired", "inactivity.expire_after = 180d")],
)
def test_x03_suspended_and_expired_since_when_and_by_which_rule(house: House, days: int, stands: str, key: str) -> None:
    person = quiet(house, days + 2)
    since = person.account.last_sign_in_at
    assert since is not None
    found = document(house, person)
    assert (found["why"]["standing"], moment(found["why"]["at"])) == (stands, since + days * DAY)
    said = page(house, person)
    assert f"{stands} since {since + days * DAY:%Y-%m-%d %H:%M:%S} UTC" in said
    assert key in said


def test_x03_a_moment_to_come_is_explained_as_it_will_happen(house: House) -> None:
    person = quiet(house, 1)
    (ends, _, _) = coming(document(house, person), Event.SUSPENDS)[0]
    assert document(house, person, ends - timedelta(seconds=1))["why"]["standing"] == "active"
    assert document(house, person, ends)["why"]["standing"] == "suspended"
    assert document(house, person, ends + 60 * DAY)["why"]["standing"] == "expired"


def test_x03_what_is_explained_happens_at_the_door(house: House) -> None:
    person = quiet(house, 119.9)
    (ends, _, _) = coming(document(house, person), Event.SUSPENDS)[0]
    with house.clock.stopped() as clock:
        left = ends - clock()
        clock.move(seconds=left.total_seconds())
        assert clock() >= ends
        assert person.elsewhere().sign_in(until="Reactivate").step == "Reactivate"


def test_x03_the_reminders_so_far_and_what_upkeep_does_next(fresh: House) -> None:
    house = fresh
    person = quiet(house, 115)
    since = person.account.last_sign_in_at
    assert since is not None
    found = document(house, person)
    told = [(one["ending"], one["ahead"], moment(one["due_at"]), one["accepted_at"] is not None) for one in found["reminders"]]
    assert told == [
        ("suspension", "30d", since + 90 * DAY, True),
        ("suspension", "14d", since + 106 * DAY, True),
        ("suspension", "3d", since + 117 * DAY, False),
    ]
    suspension, expiry = found["endings"]
    assert (suspension["at"], suspension["missing"], moment(suspension["not_before"])) == (None, 1, since + 120 * DAY)
    assert (expiry["at"], expiry["missing"], moment(expiry["not_before"])) == (None, 4, since + 180 * DAY)
    assert (moment(found["upkeep"]["at"]), found["upkeep"]["due"]["act"]) == (since + 117 * DAY, "remind")
    said = page(house, person)
    assert f"suspended not before {since + 120 * DAY:%Y-%m-%d %H:%M:%S} UTC: waits for 1 reminder to be accepted" in said
    assert f"Upkeep, next: {since + 117 * DAY:%Y-%m-%d %H:%M:%S} UTC, it asks for the reminder 3d before suspension." in said
    assert "expired not before" not in said


def test_x03_a_reminder_that_waits_and_one_that_was_refused(fresh: House) -> None:
    house = fresh
    person = quiet(house, 95)
    with house.world.store.begin() as tx:
        tx.unused.set_quiet(person.account.id, Quiet())
    said = page(house, person)
    assert "Upkeep, next: at once, due since" in said
    letter = ask(house, person)
    said = page(house, person)
    assert "waits for the mail server" in said
    asked = person.account.quiet.reminders[0].asked_at
    assert f"suspended not before {asked + 30 * DAY:%Y-%m-%d}" in page(house, person, asked)
    with house.world.store.begin() as tx:
        tx.outbox.failed(letter, house.clock(), "550 5.1.1 no [such] user", None)
    found = document(house, person)
    assert found["reminders"][0]["refused"] == "550 5.1.1 no [such] user"
    assert moment(found["reminders"][0]["asked_again_at"]) == asked + 7 * DAY
    assert (found["upkeep"]["due"]["act"], moment(found["upkeep"]["at"])) == ("remind", asked + 7 * DAY)
    said = page(house, person)
    assert f"was refused: asked again {asked + 7 * DAY:%Y-%m-%d %H:%M:%S} UTC (550 5.1.1 no [such] user)" in said


def test_x03_whom_no_reminder_reached_stays_whatever_the_day(fresh: House) -> None:
    house = fresh
    person = quiet(house, 300)
    with house.world.store.begin() as tx:
        tx.unused.set_quiet(person.account.id, Quiet())
    ask(house, person, refused="550 no such user")
    found = document(house, person)
    assert found["why"]["standing"] == "active"
    assert (found["ends"]["suspends_at"], found["endings"][0]["missing"]) == (None, 3)
    assert "not before" in page(house, person)
    assert person.elsewhere().sign_in().step != "Reactivate"


def test_x03_a_rule_that_took_effect_later_than_the_last_use_counts_from_then(fresh: House) -> None:
    house = fresh
    person = quiet(house, 300)
    with house.world.store.begin() as tx:
        tx.policies.began("another", Period(house.clock() - 400 * DAY, None, None, None))
    before = house.clock()
    found = document(house, person, before + DAY)
    suspension = found["endings"][0]
    assert before - DAY <= moment(suspension["took_effect_at"]) <= house.clock()
    assert found["why"]["standing"] == "active"
    said = page(house, person)
    assert "inactivity.suspend_after = 120d counts from" in said
    assert "when it took effect" in said
    with house.world.store.read() as tx:
        assert tx.policies.periods()[-1].suspend_after is None


def test_x03_a_moment_to_come_is_told_as_such(new_house: Callable[..., House]) -> None:
    house = new_house()
    person = quiet(house, 100)
    later = house.clock() + 150 * DAY
    assert "each reminder is accepted" in page(house, person, later)
    assert document(house, person, later)["foreseen"] is True
    now = house.clock() - timedelta(seconds=1)
    assert document(house, person, now)["foreseen"] is False
    assert "each reminder is accepted" not in page(house, person, now)


def test_x03_a_lock_until_when_and_a_lock_that_has_passed(house: House) -> None:
    person = house.customer()
    for _ in range(5):
        person.try_password()
    until = house.counter(person.account).locked_until
    assert until is not None
    found = document(house, person)
    assert moment(counter(found, Factor.PASSWORD)["locked_until"]) == until
    assert coming(found, Event.LOCK_ENDS) == [(until, "lockout.duration", "30m")]
    assert f"locked until {until:%Y-%m-%d %H:%M:%S} UTC" in page(house, person)
    later = counter(document(house, person, until), Factor.PASSWORD)
    assert (later["locked_until"], later["failures"], later["consecutive"]) == (None, 0, 5)


def test_x03_a_disabled_factor_waits_for_a_reset(house: House) -> None:
    person = house.customer()
    closed = Counter(person.account.id, Factor.PIN, consecutive=50, disabled_at=house.clock())
    with house.world.store.begin() as tx:
        assert tx.counters.swap(Counter(person.account.id, Factor.PIN), closed)
    assert counter(document(house, person), Factor.PIN)["disabled_by"] == "cap"
    said = page(house, person)
    assert "until a reset: the cap was reached" in said
    assert "frozen" not in said


def test_x03_frozen_by_its_owner(house: House) -> None:
    person = house.customer()
    code = move(house, person.username, f"{house.name('thief')}@example.net")
    reader = house.person()
    reader.fill(reader.open(f"/not-me?code={code}"))
    found = document(house, person)
    assert found["why"]["frozen_at"] == house.counter(person.account).disabled_at.isoformat()  # type: ignore[union-attr]
    said = page(house, person)
    assert "frozen since" in said
    assert "its owner said so" in said


def test_x03_invited_blocked_and_closed(house: House) -> None:
    person, _ = house.invited()
    found = document(house, person)
    assert (found["why"]["standing"], found["why"]["missing"]) == ("invited", ["password", "pin", "question"])
    account = person.account
    assert coming(found, Event.INVITATION_ENDS) == [
        (account.created_at + timedelta(hours=72), "registration.invitation_lifetime", "3d")
    ]
    assert "has not finished the first sign-in" in page(house, person)
    for act, stands in ((assist.Act.BLOCK, "blocked"), (assist.Act.CLOSE, "closed")):
        before = house.clock()
        assist.change_state(house.world, person.username, act, "test")
        found = document(house, person)
        assert found["why"]["standing"] == stands
        decided = moment(found["why"]["at"])
        assert before <= decided <= house.clock()
        assert found["ends"] is None
    assert coming(found, Event.PURGED) == [(decided + 30 * DAY, "retention.closed_accounts", "30d")]
    assert "closed for ever" in page(house, person)


def test_x03_a_temporary_password_until_when_and_no_secret_anywhere(house: House) -> None:
    person = house.customer()
    password = house.temporary_password(person)
    said = page(house, person) + json.dumps(document(house, person))
    assert "the temporary password that was mailed stops working" in said
    account: Account = person.account
    hashes = [credential.hash for credential in account.credentials]
    for secret in (password, PASSWORD, PIN, ANSWER, account.email, *hashes):
        assert secret not in said


def test_x03_by_id_as_by_name_and_who_there_is_not(new_house: Callable[..., House]) -> None:
    house = new_house()
    person = house.customer()
    account = person.account
    impostor = house.customer(username=account.id)
    by_name, by_id = run(house, person.username.upper(), "--json"), run(house, account.id, "--json")
    assert json.loads(by_name.output)["account"] == json.loads(by_id.output)["account"]
    assert json.loads(by_id.output)["account"]["id"] == account.id != impostor.account.id
    unknown = run(house, "nobody\x00here")
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no account of that name or id.\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2031-03-01", datetime(2031, 3, 1, tzinfo=UTC)),
        ("2031-03-01T12:30:00", datetime(2031, 3, 1, 12, 30, tzinfo=UTC)),
        ("2031-03-01T12:30:00Z", datetime(2031, 3, 1, 12, 30, tzinfo=UTC)),
        ("2031-03-01T12:30:00+01:00", datetime(2031, 3, 1, 11, 30, tzinfo=UTC)),
    ],
)
def test_x03_moments_are_written_in_iso_8601(new_house: Callable[..., House], typed: str, meant: datetime) -> None:
    house = new_house()
    person = house.customer()
    said = run(house, person.username, "--json", "--at", typed)
    assert moment(json.loads(said.output)["at"]) == meant


@pytest.mark.parametrize("typed", ["tomorrow", "", "2031-02-29", "9999-12-31T23:59:59-05:00"])
def test_x03_what_is_no_moment_is_refused_in_words(new_house: Callable[..., House], typed: str) -> None:
    house = new_house()
    said = run(house, house.customer().username, "--at", typed)
    assert said.exit_code == 2
    assert "Write a date or a moment" in said.output


def test_x03_a_moment_that_is_past_is_said_to_be_judged_by_what_is_known_today(new_house: Callable[..., House]) -> None:
    house = new_house()
    person = house.customer()
    now = house.clock()
    assert "judged by today's facts" in page(house, person, now - DAY)
    assert "judged by today's facts" not in page(house, person, now + DAY)


def test_x03_every_event_standing_and_beginning_has_its_words() -> None:
    assert set(_COMES) == set(Event)
    assert set(_STANDS) == set(Standing)
    assert set(_SINCE) == {"created", "enrolled", "signed_in", "refreshed", "stepped_up", "reactivated", "in_force"}
    assert set(_DOES) == set(Act)
    assert set(_ENDINGS) == set(Ending)


def test_x03_explaining_writes_nothing(house: House) -> None:
    person = quiet(house, 130)
    before = (person.account, house.counters(person.account), house.audit(account=person.account))
    page(house, person)
    assert (person.account, house.counters(person.account), house.audit(account=person.account)) == before


def test_x03_staff_are_shown_whose_failures_a_counter_counts(fresh: House) -> None:
    person = fresh.customer()
    person.try_password()
    for device in (REMINDER, "a device"):
        empty = Counter(person.account.id, Factor.PASSWORD, device)
        with fresh.world.store.begin() as tx:
            assert tx.counters.swap(empty, replace(empty, consecutive=1))
    told = CliRunner(env={**fresh.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["accounts", "show", person.username])
    assert told.exit_code == 0, told.output
    lines = [line for line in told.output.splitlines() if line.startswith("password")]
    assert sorted(line.split(":")[0].removeprefix("password").strip() for line in lines) == [
        "known device",
        "other devices",
        "username reminders",
    ]
