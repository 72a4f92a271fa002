"""A12: several letters ask the person to come back before access ends; nothing ends whose letters were not accepted."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from idp.flows.deliver import Fate
from idp.model import Ending
from idp.policies.lifecycle import Standing
from tests.harness import House
from tests.quiet import KINDS, Months, day, months, stands, words


@pytest.fixture(params=KINDS)
def time(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> Iterator[Months]:
    """Months in a house of their own, with a mail server that takes what it is given."""
    with months(new_house(request.param)) as passing:
        yield passing


SUBJECTS = {
    "en": {"suspension": "Please sign in to keep your access", "expiry": "Your access will soon expire"},
    "it": {"suspension": "Acceda per mantenere il Suo accesso", "expiry": "Il Suo accesso sta per scadere"},
}
NOT_BEFORE = {"en": "not before", "it": "non prima di"}


@pytest.mark.parametrize(("locale", "zone"), [("en", "America/New_York"), ("it", "Europe/Rome")])
def test_a12_reminded_in_ones_own_language_before_each_ending(time: Months, locale: str, zone: str) -> None:
    house = time.house
    person = house.customer(locale=locale, zone=zone)
    began, account = person.account.enrolled_at, person.account
    assert began is not None
    told = {}
    for number in range(1, 211):
        time.go_on(1)
        for letter in time.received():
            assert number not in told
            told[number] = str(letter["Subject"])
            assert letter["To"] == account.email
            text, ending = words(letter), "suspension" if number < 120 else "expiry"
            ends = began + timedelta(days=120 if ending == "suspension" else 180)
            assert f"{NOT_BEFORE[locale]} {day(ends, account)}." in text
            assert day(began, account) in text
            assert f"{house.url}/sign-in" in text
            assert account.username in text
        if number in {119, 120, 179, 180}:
            expected = {119: Standing.ACTIVE, 120: Standing.SUSPENDED, 179: Standing.SUSPENDED, 180: Standing.EXPIRED}
            assert stands(house, person) is expected[number]
    subjects = SUBJECTS[locale]
    assert told == {
        **dict.fromkeys((90, 106, 117), subjects["suspension"]),
        **dict.fromkeys((150, 166, 177), subjects["expiry"]),
    }
    ended = [(row.event, row.at - began) for row in house.audit() if row.event.startswith("account.")]
    assert ended == [
        ("account.suspended", timedelta(days=120)),
        ("account.expired", timedelta(days=180)),
        ("account.purged", timedelta(days=210)),
    ]


def test_a12_the_link_of_a_reminder_and_one_sign_in_are_enough(time: Months) -> None:
    house = time.house
    person = house.customer()
    time.go_on(95)
    (letter,) = time.received()
    link = next(word for word in words(letter).split() if word.startswith(house.url))
    person.walk(person.open(link.removeprefix(house.url)))
    assert person.signed_in()
    # Whoever came back is reminded of nothing more, until as long has passed again.
    time.go_on(89)
    assert time.received() == []
    time.go_on(1)
    (letter,) = time.received()
    since = person.account.last_sign_in_at
    assert since is not None
    assert day(since + timedelta(days=120), person.account) in words(letter)
    assert stands(house, person) is Standing.ACTIVE
    assert len(person.account.quiet.reminders) == 1


def test_a12_a_round_twice_a_day_reminds_once(time: Months) -> None:
    time.house.customer()
    time.go_on(90)
    time.round()
    time.round()
    assert len(time.received()) == 1


def test_a12_who_is_refused_mail_for_good_keeps_the_access(time: Months) -> None:
    house = time.house
    person = house.customer()
    time.refuse()
    fates = time.go_on(250)
    assert set(fates) == {Fate.DEAD}
    # Asked anew each week: staff find a letter on their list, not a flood of them.
    assert len(fates) == 1 + (250 - 90) // 7
    assert stands(house, person) is Standing.ACTIVE
    assert {row.event for row in house.audit(account=person.account)} == {"reminder.asked"}
    with house.world.store.read() as tx:
        dead = tx.outbox.dead(house.clock(), 100)
    assert {one.error for one in dead} == {"550 no such user"}
    person.sign_in()
    assert person.signed_in()


def test_a12_once_the_address_works_the_whole_time_is_given(time: Months) -> None:
    house = time.house
    person = house.customer()
    time.refuse()
    time.go_on(130)
    time.accept()
    told = []
    for number in range(1, 45):
        time.go_on(1)
        told += [(number, words(letter)) for letter in time.received()]
        if stands(house, person) is Standing.SUSPENDED:
            break
    first, ends = told[0][0], number
    assert ends - first == 30
    assert [ends - at for at, _ in told] == [30, 14, 3]
    assert all(f"not before {day(house.clock(), person.account)}." in text for _, text in told)


def test_a12_a_week_without_mail_server_moves_the_dates(time: Months) -> None:
    house = time.house
    person, later = house.customer(), house.customer()
    began = person.account.created_at
    time.go_on(20)
    later.sign_in()
    time.go_on(69)
    # Down from the 90th day, on which the first reminder is due, until the 97th.
    time.down = True
    assert Fate.SENT not in time.go_on(7)
    assert time.received() == []
    time.down = False
    told = {}
    for number in range(97, 140):
        time.go_on(1)
        for letter in time.received():
            if letter["To"] == person.account.email:
                told[number] = words(letter)
        if stands(house, person) is Standing.SUSPENDED:
            break
    accepted = min(told)
    assert accepted in (97, 98)
    assert number == accepted + 30
    ends = began + timedelta(days=number)
    # The letters after the delayed one tell the day on which it comes; that one tells a day before which it does not.
    assert sorted(told) == [accepted, number - 14, number - 3]
    late = [f"not before {day(ends, person.account)}." in told[at] for at in sorted(told)[1:]]
    assert late == [True, True]
    suspension = [one for one in person.account.quiet.reminders if one.ending is Ending.SUSPENSION]
    assert {one.accepted_at is not None for one in suspension} == {True}
    # Whose reminders fall due after that week is none the later for it.
    time.go_on(20 + 120 - number)
    assert stands(house, later) is Standing.SUSPENDED


def test_a12_a_reminder_that_waits_is_not_sent_to_whoever_came_back(time: Months) -> None:
    house = time.house
    person = house.customer()
    time.go_on(89)
    time.down = True
    assert set(time.go_on(2)) == {Fate.RETRY}
    person.sign_in()
    time.down = False
    assert time.go_on(2) == [Fate.WITHDRAWN]
    assert time.received() == []
    with house.world.store.read() as tx:
        assert tx.outbox.depth() == {"waiting": 0, "dead": 0}


def test_a12_nothing_is_lost_where_the_worker_rests(time: Months) -> None:
    house = time.house
    person = house.customer()
    house.clock.move(days=400)
    assert stands(house, person) is Standing.ACTIVE
    time.round()
    (letter,) = time.received()
    ends = house.clock() + timedelta(days=30)
    assert f"not before {day(ends, person.account)}." in words(letter)
    time.go_on(29)
    assert stands(house, person) is Standing.ACTIVE
    time.go_on(1)
    assert stands(house, person) is Standing.SUSPENDED
