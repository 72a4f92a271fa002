"""A10: people whom reminders do not reach keep their access, and staff are told who they are."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from idp.cli import idp
from idp.flows import reminding, upkeep
from idp.model import AccountState, Letter
from idp.policies.lifecycle import Standing, standing
from tests.harness import CONFIG, House
from tests.people import Person

DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def house(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house whose clock is the command's."""
    return new_house(request.param)


def run(house: House, *arguments: str) -> str:
    said = CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["accounts", *arguments])
    assert said.exit_code == 0, said.output
    return said.output


def listed(house: House) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(house, "unreached", "--json").splitlines()]


def away(house: House, days: float) -> Person:
    now = house.clock()
    return house.customer(created_at=now - 400 * DAY, enrolled_at=None, last_sign_in_at=now - days * DAY)


def sweep(house: House) -> None:
    for _ in upkeep.sweep(house.world):
        pass


def letter(house: House, person: Person) -> Letter:
    """The reminder that waits for the mail server."""
    return house.letters(person.account, "suspension_reminder")[-1][0]


def refuse(house: House, person: Person, words: str) -> None:
    refused = letter(house, person)
    with house.world.store.begin() as tx:
        tx.outbox.failed(refused.id, house.clock(), words, None)


def accept(house: House, person: Person) -> None:
    """What the worker does when the mail server has taken the letter."""
    taken = letter(house, person)
    with house.world.store.begin() as tx:
        tx.outbox.sent(taken.id, house.clock())
        reminding.accepted(house.world, tx, [(taken, house.clock())])


def stands(house: House, person: Person) -> Standing:
    return standing(person.account, house.world.policy, house.clock())


def test_a10_whom_a_reminder_did_not_reach_is_listed_with_the_words_and_what_waits(house: House) -> None:
    assert listed(house) == []
    assert "was accepted" in run(house, "unreached")
    late, early, reached, fresh = (away(house, days) for days in (130, 95, 95, 95))
    sweep(house)
    refuse(house, late, "550 5.1.1 no [such] user")
    refuse(house, early, "552 mailbox full")
    accept(house, reached)
    found = {one["username"]: one for one in listed(house)}
    # Whose letter has waited for less than a day is nobody to look for.
    assert set(found) == {late.username, early.username} != {fresh.username}
    since = late.account.last_sign_in_at
    assert since is not None
    assert found[late.username]["words"] == "550 5.1.1 no [such] user"
    assert (found[late.username]["ending"], found[late.username]["ahead"]) == ("suspension", "30d")
    assert found[late.username]["waits_from"] == (since + 120 * DAY).isoformat()
    assert late.account.email not in json.dumps(found)
    assert "***" in found[late.username]["address"] or "…" in found[late.username]["address"]
    said = run(house, "unreached")
    assert f"suspension since {since + 120 * DAY:%Y-%m-%d}" in said
    assert "suspension from" in said
    assert "no [such] user" in said
    assert late.account.email not in said
    assert stands(house, late) is Standing.ACTIVE


def test_a10_a_letter_that_has_waited_for_a_day_is_trouble_too(house: House) -> None:
    person = away(house, 95)
    house.clock.move(days=-1, minutes=-1)
    sweep(house)
    house.clock.move(days=1, minutes=1)
    (one,) = listed(house)
    assert (one["username"], one["words"]) == (person.username, None)
    assert "no answer yet" in run(house, "unreached")


def test_a10_who_came_back_or_was_blocked_since_is_nobody_to_look_for(house: House) -> None:
    came, blocked = away(house, 95), away(house, 95)
    sweep(house)
    for person in (came, blocked):
        refuse(house, person, "550 no")
    assert len(listed(house)) == 2
    came.sign_in()
    with house.world.store.begin() as tx:
        tx.accounts.set_state(blocked.account.id, AccountState.BLOCKED, house.clock())
    assert listed(house) == []


def test_a10_a_reminder_that_came_back_later_counts_no_more(house: House) -> None:
    person = away(house, 95)
    sweep(house)
    accept(house, person)
    assert listed(house) == []
    assert run(house, "bounced", person.username.upper()) == "1 reminder(s) count no more.\n"
    (one,) = listed(house)
    assert (one["username"], one["words"]) == (person.username, "came back")
    (entry,) = house.audit("reminder.bounced", person.account)
    assert entry.actor.startswith("cli:")
    assert "no reminder to take back" in run(house, "bounced", person.username)
    # It is asked for anew a week later, and not before.
    house.clock.move(days=6)
    sweep(house)
    assert house.letters(person.account, "suspension_reminder") == []
    house.clock.move(days=1, minutes=1)
    sweep(house)
    assert len(house.letters(person.account, "suspension_reminder")) == 1
    unknown = CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["accounts", "bounced", "nobody"])
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no account of that name.\n")


def test_a10_what_came_back_ends_nothing_until_it_is_accepted_anew(house: House) -> None:
    person = away(house, 0)
    for days in (90, 16, 11):
        house.clock.move(days=days, minutes=1)
        sweep(house)
        accept(house, person)
    run(house, "bounced", person.username)
    house.clock.move(days=4)
    assert stands(house, person) is Standing.ACTIVE
    house.clock.move(days=300)
    assert stands(house, person) is Standing.ACTIVE
    sweep(house)
    accept(house, person)
    house.clock.move(days=29)
    assert stands(house, person) is Standing.ACTIVE


def test_a10_at_a_new_address_it_is_asked_for_at_once(house: House) -> None:
    person = away(house, 95)
    sweep(house)
    refuse(house, person, "550 no such user")
    with house.world.store.begin() as tx:
        account = tx.accounts.locked(person.account.id)
        assert account is not None
        tx.accounts.set_email(account.id, f"new.{account.email}", house.clock())
        reminding.readdressed(tx, account)
    assert listed(house) == []
    sweep(house)
    assert letter(house, person).to == person.account.email


def test_a10_whoever_gave_no_address_is_on_the_list_and_makes_no_round_busy(house: House) -> None:
    now = house.clock()
    facts = {"email": "", "email_confirmed_at": None, "created_at": now - 400 * DAY, "enrolled_at": None}
    person = house.customer(**facts, last_sign_in_at=now - 130 * DAY)
    fresh = house.customer(**facts, last_sign_in_at=now - 95 * DAY)
    before = len(house.audit())
    for _ in range(3):
        assert [one for stretch in upkeep.sweep(house.world) for one in stretch.done] == []
        house.clock.move(days=8)
    # Nothing but the rounds themselves is written down.
    assert {entry.event for entry in house.audit()[before:]} == {"upkeep"}
    found = {one["username"]: one for one in listed(house)}
    assert set(found) == {person.username, fresh.username}
    told = found[person.username]
    assert (told["ending"], told["ahead"], told["address"], told["asked_at"]) == ("suspension", "30d", "", None)
    assert told["words"] == "no address on file"
    assert told["waits_from"] == (now - 10 * DAY).isoformat()
    said = run(house, "unreached")
    assert "never" in said
    assert "no address on file" in said
    # Nobody is suspended unreminded; who gives an address is reminded from then on.
    assert stands(house, person) is Standing.ACTIVE
    explained = CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["explain", person.username])
    assert "there is no address that a reminder could go to" in " ".join(explained.output.split()), explained.output
    with house.world.store.begin() as tx:
        tx.accounts.set_email(person.account.id, "maria.late@example.com", house.clock())
    sweep(house)
    assert letter(house, person).to == "maria.late@example.com"
    assert {one["username"] for one in listed(house)} == {fresh.username}
