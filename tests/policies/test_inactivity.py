"""The schedule of access that nobody uses: to the second, as reminders are accepted, and through every change of the rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from idp.model import AccountState, Ending, Period, Quiet, Reminder
from idp.policies.inactivity import (
    ASK_AGAIN,
    NOTED_EVERY,
    STILL_GOOD,
    Act,
    Due,
    Since,
    counted_from,
    counts_from,
    course,
    due,
    falls,
    next_due,
    period,
    watched_after,
    worth_noting,
)
from idp.policies.lifecycle import Standing, standing
from tests.policies.values import DAY, NOW, POLICY, account, policy, reminded

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
LONG_AGO = NOW - 999 * DAY
SUSPENSION, EXPIRY = Ending.SUSPENSION, Ending.EXPIRY


def used(at=NOW, **changes):
    """Someone who came last at a moment."""
    return account(**{"created_at": LONG_AGO, "enrolled_at": None, "last_sign_in_at": at, **changes})


def moments(who, rules=POLICY):
    return course(who, rules)[2:]


def taken(who, *reminders):
    """The account, with reminders (ending, days ahead, day asked, day accepted) in days after ``NOW``."""
    quiet = tuple(
        Reminder(ending, ahead * DAY, f"letter {ahead}", NOW + asked * DAY, None if accepted is None else NOW + accepted * DAY)
        for ending, ahead, asked, accepted in reminders
    )
    return replace(who, quiet=replace(who.quiet, reminders=quiet))


def under(*periods, **rules):
    """A policy after others: (day after ``NOW`` on which it began, suspend, expire, purge) in days, the present one last."""
    spans = [
        Period(NOW + began * DAY, *(None if span is None else span * DAY for span in (*more, None, None, None)[:3]))
        for began, *more in periods
    ]
    last = spans[-1]
    facts = {"suspend_after": last.suspend_after, "expire_after": last.expire_after, "purge_after": last.purge_after}
    return replace(policy(inactivity={**facts, **rules}), periods=tuple(spans))


def dues(who, rules, now):
    """What is due, said shortly: the act, and the days ahead of a reminder."""
    found = due(who, rules, now)
    if found is None:
        return None
    return (found.act, found.notice.ahead // DAY) if found.notice is not None else found.act


def done(who, found, now, accepted=True):
    """The account once what was due about it was done; None where it is gone."""
    quiet = who.quiet
    if found.act is Act.PURGE:
        return None
    if found.act is Act.SUSPEND:
        return replace(who, quiet=replace(quiet, suspended_at=now))
    if found.act is Act.EXPIRE:
        return replace(who, quiet=replace(quiet, expired_at=now))
    notice = found.notice
    others = tuple(one for one in quiet.reminders if (one.ending, one.ahead) != (notice.ending, notice.ahead))
    asked = Reminder(notice.ending, notice.ahead, "letter", now, now if accepted else None)
    return replace(who, quiet=replace(quiet, reminders=(*others, asked)))


# Boundaries


@pytest.mark.parametrize(
    ("days", "stands", "act"),
    [
        (119, (Standing.ACTIVE, Standing.ACTIVE), (None, None)),
        (120, (Standing.ACTIVE, Standing.SUSPENDED), (None, Act.SUSPEND)),
        (121, (Standing.SUSPENDED, Standing.SUSPENDED), (Act.SUSPEND, Act.SUSPEND)),
        (179, (Standing.SUSPENDED, Standing.SUSPENDED), (Act.SUSPEND, Act.SUSPEND)),
        (180, (Standing.SUSPENDED, Standing.EXPIRED), (Act.SUSPEND, Act.EXPIRE)),
        (181, (Standing.EXPIRED, Standing.EXPIRED), (Act.EXPIRE, Act.EXPIRE)),
        (209, (Standing.EXPIRED, Standing.EXPIRED), (Act.EXPIRE, Act.EXPIRE)),
        (210, (Standing.EXPIRED, Standing.EXPIRED), (Act.EXPIRE, Act.PURGE)),
    ],
)
def test_the_day_and_the_second_of_each_ending(days, stands, act):
    quiet, at = reminded(used()), NOW + days * DAY
    for shift, place in ((-SECOND, 0), (-TICK, 0), (timedelta(0), 1), (SECOND, 1)):
        assert standing(quiet, POLICY, at + shift) is stands[place]
        assert dues(quiet, POLICY, at + shift) == act[place]


@pytest.mark.parametrize(("day", "ahead"), [(90, 30), (106, 14), (117, 3)])
def test_the_second_at_which_each_reminder_falls_due(day, ahead):
    before = [(SUSPENSION, other, 120 - other, 120 - other) for other in (30, 14, 3) if other > ahead]
    quiet = taken(used(), *before)
    assert dues(quiet, POLICY, NOW + day * DAY - TICK) is None
    assert dues(quiet, POLICY, NOW + day * DAY) == (Act.REMIND, ahead)
    assert due(quiet, POLICY, NOW + day * DAY).at == NOW + day * DAY


@pytest.mark.parametrize(("day", "ahead"), [(150, 30), (166, 14), (177, 3)])
def test_the_reminders_before_expiry_follow_those_before_suspension(day, ahead):
    before = [(SUSPENSION, other, 120 - other, 120 - other) for other in (30, 14, 3)]
    before += [(EXPIRY, other, 180 - other, 180 - other) for other in (30, 14, 3) if other > ahead]
    quiet = taken(used(), *before)
    quiet = replace(quiet, quiet=replace(quiet.quiet, suspended_at=NOW + 120 * DAY))
    assert dues(quiet, POLICY, NOW + day * DAY - TICK) is None
    assert dues(quiet, POLICY, NOW + day * DAY) == (Act.REMIND, ahead)


# What waits for the mail server


@pytest.mark.parametrize(
    ("accepted", "suspends"),
    [
        ((90, 106, 117), 120),
        # Late by less than the next one is ahead: it moves that one, too.
        ((91, 107, 118), 121),
        ((97, 113, 124), 127),
        # A week without mail, in the midst and at the end.
        ((90, 113, 124), 127),
        ((90, 106, 124), 127),
        ((90, 106, 117.5), 120.5),
        ((190, 206, 217), 220),
    ],
)
def test_a_reminder_accepted_late_moves_the_ending_by_exactly_that(accepted, suspends):
    late = zip((30, 14, 3), accepted, strict=True)
    quiet = taken(used(), *((SUSPENSION, ahead, day, day) for ahead, day in late))
    ends = moments(quiet)
    assert ends[0] == NOW + suspends * DAY
    assert standing(quiet, POLICY, NOW + suspends * DAY - TICK) is Standing.ACTIVE
    assert standing(quiet, POLICY, NOW + suspends * DAY) is Standing.SUSPENDED
    # Expiry keeps its distance, and waits for reminders of its own.
    assert ends[1:] == (None, None)
    expiry = {one.ahead // DAY: one.due_at for one in course(quiet, POLICY).notices if one.ending is EXPIRY}
    assert expiry == {ahead: NOW + (suspends + 60 - ahead) * DAY for ahead in (30, 14, 3)}


@pytest.mark.parametrize("missing", [30, 14, 3])
@pytest.mark.parametrize("asked", [True, False])
def test_one_that_was_never_accepted_holds_the_ending_back_for_ever(missing, asked):
    reminders = [(SUSPENSION, ahead, 120 - ahead, 120 - ahead) for ahead in (30, 14, 3) if ahead != missing]
    if asked:
        reminders.append((SUSPENSION, missing, 120 - missing, None))
    quiet = taken(used(), *reminders)
    assert moments(quiet) == (None, None, None)
    assert standing(quiet, POLICY, NOW + 99_999 * DAY) is Standing.ACTIVE
    assert dues(quiet, POLICY, NOW + 99_999 * DAY) == (Act.REMIND, missing)


@pytest.mark.parametrize("missing", [30, 14, 3])
def test_one_before_expiry_holds_back_expiry_and_purge_but_not_suspension(missing):
    reminders = [(SUSPENSION, ahead, 120 - ahead, 120 - ahead) for ahead in (30, 14, 3)]
    reminders += [(EXPIRY, ahead, 180 - ahead, 180 - ahead) for ahead in (30, 14, 3) if ahead != missing]
    quiet = taken(used(), *reminders)
    assert moments(quiet) == (NOW + 120 * DAY, None, None)
    assert standing(quiet, POLICY, NOW + 99_999 * DAY) is Standing.SUSPENDED


def test_a_refused_one_is_asked_anew_after_a_week_and_those_after_it_wait():
    quiet = taken(used(), (SUSPENSION, 30, 90, None))
    again = NOW + 90 * DAY + ASK_AGAIN
    assert dues(quiet, POLICY, again - TICK) is None
    assert dues(quiet, POLICY, again) == (Act.REMIND, 30)
    # Day 106 has come, on which the second would be due; the first still waits.
    weekly = taken(used(), (SUSPENSION, 30, 104, None))
    assert dues(weekly, POLICY, NOW + 106 * DAY) is None
    assert dues(weekly, POLICY, NOW + 111 * DAY) == (Act.REMIND, 30)
    # It is accepted at last, and the second falls due sixteen days later, as policy has it.
    late = taken(used(), (SUSPENSION, 30, 111, 112))
    assert dues(late, POLICY, NOW + 128 * DAY - TICK) is None
    assert dues(late, POLICY, NOW + 128 * DAY) == (Act.REMIND, 14)


def test_what_was_asked_for_before_the_last_use_is_of_no_account():
    before = taken(used(), *((SUSPENSION, ahead, -ahead, -ahead) for ahead in (30, 14, 3)))
    assert moments(before) == (None, None, None)
    assert dues(before, POLICY, NOW + 90 * DAY) == (Act.REMIND, 30)


def test_where_reminders_are_not_required_the_ending_comes_in_time_and_late_ones_are_skipped():
    rules = policy(inactivity={"require_reminders": False})
    assert moments(used(), rules) == (NOW + 120 * DAY, NOW + 180 * DAY, NOW + 210 * DAY)
    assert dues(used(), rules, NOW + 90 * DAY) == (Act.REMIND, 30)
    assert dues(used(), rules, NOW + 118 * DAY) == (Act.REMIND, 3)
    refused = taken(used(), (SUSPENSION, 3, 118, None))
    assert dues(refused, rules, NOW + 119 * DAY) is None
    assert dues(refused, rules, NOW + 120 * DAY) == Act.SUSPEND
    assert dues(used(), rules, NOW + 180 * DAY) == Act.EXPIRE


def test_only_the_reminders_that_policy_lists_are_waited_for():
    rules = policy(inactivity={"suspend_reminders": (7 * DAY,), "expire_reminders": (1 * DAY,)})
    quiet = taken(used(), (SUSPENSION, 7, 115, 115), (EXPIRY, 1, 181, 181))
    assert moments(quiet, rules) == (NOW + 122 * DAY, NOW + 182 * DAY, NOW + 212 * DAY)


# What is off


@pytest.mark.parametrize(
    ("off", "ends"),
    [
        ({"suspend_after": None}, (None, 180, 210)),
        ({"expire_after": None}, (120, None, None)),
        ({"purge_after": None}, (120, 180, None)),
        ({"suspend_after": None, "expire_after": None}, (None, None, None)),
    ],
)
def test_a_rule_that_is_off_brings_nothing_and_moves_nothing_else(off, ends):
    rules = policy(inactivity=off)
    quiet = reminded(used(), rules)
    assert moments(quiet, rules) == tuple(None if day is None else NOW + day * DAY for day in ends)
    endings = {one.ending for one in course(quiet, rules).notices}
    assert endings == {ending for ending, day in ((SUSPENSION, ends[0]), (EXPIRY, ends[1])) if day is not None}
    if ends == (None, None, None):
        assert AccountState.ACTIVE not in watched_after(rules)
        assert due(used(), rules, NOW + 99_999 * DAY) is None
    else:
        assert dues(replace(quiet, quiet=Quiet()), rules, NOW + 150 * DAY) == (Act.REMIND, 30)


def test_expired_for_ever_where_nothing_is_purged():
    rules = policy(inactivity={"purge_after": None})
    quiet = reminded(used(), rules)
    assert dues(quiet, rules, NOW + 9999 * DAY) == Act.EXPIRE
    quiet = replace(quiet, quiet=replace(quiet.quiet, expired_at=NOW + 9999 * DAY))
    assert due(quiet, rules, NOW + 99_999 * DAY) is None


# What counts as activity


@pytest.mark.parametrize(
    ("activity", "since"),
    [
        (("sign_in",), ("signed_in", 0)),
        (("sign_in", "refresh"), ("refreshed", 20)),
        (("sign_in", "step_up"), ("stepped_up", 10)),
        (("sign_in", "refresh", "step_up"), ("refreshed", 20)),
    ],
)
def test_refreshes_and_extra_proofs_count_only_where_policy_lists_them(activity, since):
    rules = policy(inactivity={"activity": activity})
    what, days = since
    who = used(last_refresh_at=NOW + 20 * DAY, last_step_up_at=NOW + 10 * DAY)
    assert counts_from(who, rules.inactivity) == (NOW + days * DAY, what)
    assert moments(reminded(who, rules), rules)[0] == NOW + (days + 120) * DAY


def test_a_use_that_is_older_than_the_last_sign_in_takes_nothing_away():
    rules = policy(inactivity={"activity": ("sign_in", "refresh", "step_up")})
    who = used(last_refresh_at=NOW - DAY, last_step_up_at=NOW - TICK)
    assert counts_from(who, rules.inactivity) == (NOW, "signed_in")


def test_a_use_beside_signing_in_is_noted_once_an_hour():
    assert worth_noting(None, NOW)
    assert not worth_noting(NOW, NOW)
    assert not worth_noting(NOW, NOW + NOTED_EVERY - TICK)
    assert worth_noting(NOW, NOW + NOTED_EVERY)
    # The clock was set back: nothing is newer than what was noted.
    assert not worth_noting(NOW, NOW - 9 * DAY)


@pytest.mark.parametrize(
    ("since", "counts"),
    [
        ("", (NOW, "signed_in")),
        ("2026-02-28", (NOW, "signed_in")),
        ("2026-03-02", (datetime(2026, 3, 2, tzinfo=UTC), "in_force")),
    ],
)
def test_inactivity_before_the_date_of_the_rules_does_not_count(since, counts):
    rules = policy(inactivity={"in_force_since": since})
    assert counts_from(used(), rules.inactivity) == counts
    assert moments(reminded(used(), rules), rules)[0] == counts[0] + 120 * DAY


# Rules that change

YEAR, OFF = 365, None


@pytest.mark.parametrize(
    ("periods", "day"),
    [
        # One rule all along, however often written down anew with another rule of the policy.
        ([(0, 120)], 120),
        ([(5, 120), (50, 120), (119, 120)], 120),
        # Switched on: it counts from then.
        ([(0, OFF), (200, 120)], 320),
        ([(0, OFF), (2000, 120)], 2120),
        # Switched on before the last use: nothing to be told from one that always was.
        ([(-300, OFF), (-10, 120)], 120),
        # Made stricter: the old one goes on counting beside it, whichever is over first.
        ([(0, YEAR), (100, 120)], 220),
        ([(0, YEAR), (300, 120)], 365),
        ([(0, YEAR), (245, 120)], 365),
        ([(-50, YEAR), (-10, 120)], 120),
        # Made looser: at once.
        ([(0, 120), (100, YEAR)], 365),
        ([(0, 120), (100, OFF)], None),
        # Tried and taken back.
        ([(0, YEAR), (100, 120), (110, YEAR)], 365),
        ([(0, YEAR), (100, 120), (110, YEAR), (200, 120)], 320),
        ([(0, OFF), (100, 120), (110, OFF)], None),
        ([(0, OFF), (100, 120), (110, OFF), (300, 120)], 420),
        ([(0, 120), (10, OFF), (20, 120)], 140),
        # In steps: each counts from its own beginning.
        ([(0, YEAR), (50, 240), (100, 120)], 220),
        ([(0, YEAR), (50, 200), (200, 120)], 250),
        ([(0, YEAR), (250, 240), (300, 120)], 365),
        # A looser one between two strict ones is what held then.
        ([(0, 100), (50, 200), (60, 100)], 160),
        ([(0, 100), (50, 120), (60, 100)], 120),
    ],
)
def test_a_rule_made_stricter_counts_from_when_it_took_effect_and_the_older_one_beside_it(periods, day):
    rules = under(*periods)
    spans = [(one.began_at, one.suspend_after) for one in rules.periods]
    assert falls(NOW, spans) == (None if day is None else NOW + day * DAY)
    assert moments(reminded(used(), rules), rules)[0] == (None if day is None else NOW + day * DAY)


def test_a_stricter_expiry_and_purge_count_from_when_they_took_effect_too():
    rules = under((0, 120, 180, None), (400, 120, 180, 30))
    assert moments(reminded(used(), rules), rules) == (NOW + 120 * DAY, NOW + 180 * DAY, NOW + 430 * DAY)
    rules = under((0, 120, OFF, 30), (400, 120, 180, 30))
    assert moments(reminded(used(), rules), rules) == (NOW + 120 * DAY, NOW + 580 * DAY, NOW + 610 * DAY)
    rules = under((0, OFF, OFF, 30), (300, 120, 180, 30))
    assert moments(reminded(used(), rules), rules) == (NOW + 420 * DAY, NOW + 480 * DAY, NOW + 510 * DAY)


def test_from_where_a_span_counts_is_told():
    day = [NOW + days * DAY for days in (0, 100, 300)]
    assert counted_from(NOW, [(day[0], None), (day[1], 120 * DAY)]) == (day[1], 120 * DAY)
    assert counted_from(NOW, [(day[0], 365 * DAY), (day[2], 120 * DAY)]) == (NOW, 365 * DAY)
    assert counted_from(NOW, [(day[0], 120 * DAY)]) == (NOW, 120 * DAY)
    assert counted_from(NOW, [(day[0], 120 * DAY), (day[1], None)]) is None
    # Both are over at once: what has always been goes before what took effect.
    assert counted_from(NOW, [(day[0], 220 * DAY), (day[1], 120 * DAY)]) == (NOW, 220 * DAY)


def test_what_was_reminded_of_long_before_is_reminded_of_anew():
    """120 days, all reminders accepted; then a year: somebody told of day 120 was not told of day 365."""
    told = taken(used(), *((SUSPENSION, ahead, 120 - ahead, 120 - ahead) for ahead in (30, 14, 3)))
    rules = under((0, 120), (118, YEAR))
    assert moments(told, rules)[0] is None
    assert dues(told, rules, NOW + 335 * DAY - TICK) is None
    assert dues(told, rules, NOW + 335 * DAY) == (Act.REMIND, 30)
    # Within a month of the day they were told of they need not be told again.
    later = 120 + STILL_GOOD // DAY
    assert moments(told, under((0, 120), (118, later)))[0] == NOW + later * DAY
    assert moments(told, under((0, 120), (118, later + 1)))[0] is None


def test_what_came_once_does_not_go_back_because_policy_lists_another_reminder():
    quiet = reminded(used())
    asleep = replace(quiet, quiet=replace(quiet.quiet, suspended_at=NOW + 120 * DAY, expired_at=NOW + 180 * DAY))
    more = policy(
        inactivity={
            "suspend_reminders": (60 * DAY, 30 * DAY, 14 * DAY, 3 * DAY),
            "expire_reminders": (45 * DAY, 30 * DAY, 14 * DAY, 3 * DAY),
        }
    )
    assert standing(quiet, more, NOW + 130 * DAY) is Standing.ACTIVE
    assert standing(asleep, more, NOW + 130 * DAY) is Standing.SUSPENDED
    assert standing(asleep, more, NOW + 190 * DAY) is Standing.EXPIRED
    assert moments(asleep, more) == (NOW + 120 * DAY, NOW + 180 * DAY, NOW + 210 * DAY)
    # Nor do the reminders that will never be asked for move what is foreseen.
    assert course(asleep, more, accepted_at=NOW + 190 * DAY)[2:] == moments(asleep, more)
    # Only time that is given brings it back, and then it is announced anew.
    looser = under((0, 120, 180, 30), (190, 400, 500, 30))
    assert standing(asleep, looser, NOW + 190 * DAY) is Standing.ACTIVE
    assert standing(asleep, looser, NOW + 400 * DAY) is Standing.ACTIVE
    assert dues(asleep, looser, NOW + 400 * DAY) == (Act.REMIND, 30)


def test_what_was_written_before_the_last_use_does_not_come_again():
    asleep = used(quiet=Quiet(suspended_at=NOW - TICK, expired_at=NOW - TICK))
    assert moments(asleep) == (None, None, None)


# The calendar and the clock


def test_a_leap_day_is_a_day():
    leap = datetime(2028, 2, 29, 23, 30, tzinfo=UTC)
    assert moments(reminded(used(leap)))[0] == datetime(2028, 6, 28, 23, 30, tzinfo=UTC)
    before = datetime(2027, 12, 1, tzinfo=UTC)
    assert moments(reminded(used(before)))[0] == datetime(2028, 3, 30, tzinfo=UTC)
    not_leap = datetime(2026, 12, 1, tzinfo=UTC)
    assert moments(reminded(used(not_leap)))[0] == datetime(2027, 3, 31, tzinfo=UTC)


@pytest.mark.parametrize("month", [3, 10])
def test_days_have_24_hours_whatever_the_clocks_of_a_country_do(month):
    rome = ZoneInfo("Europe/Rome")
    came = datetime(2027, month, 1, 12, tzinfo=rome)
    ends = moments(reminded(used(came.astimezone(UTC))))[0]
    assert ends - came.astimezone(UTC) == 120 * DAY
    # Summer time began or ended between: by the wall of Rome it is an hour off.
    assert ends.astimezone(rome).hour == (13 if month == 3 else 11)


def test_the_clock_set_back_does_nothing_and_undoes_nothing_written():
    quiet = reminded(used())
    at = NOW + 120 * DAY
    asleep = done(quiet, due(quiet, POLICY, at), at)
    assert due(asleep, POLICY, at - 5 * DAY) is None
    assert standing(asleep, POLICY, at - 5 * DAY) is Standing.ACTIVE
    assert due(asleep, POLICY, at) is None
    assert standing(asleep, POLICY, at) is Standing.SUSPENDED
    # A reminder asked for by a clock that was ahead is not asked for twice.
    ahead = taken(used(), (SUSPENSION, 30, 95, None))
    assert dues(ahead, POLICY, NOW + 92 * DAY) is None
    # And a use written by such a clock is the last use.
    assert due(used(NOW + 5 * DAY), POLICY, NOW) is None


# Accounts that the clock of inactivity does not run for


@pytest.mark.parametrize(
    ("state", "days", "key"),
    [(AccountState.INVITED, 7, "registration.purge_unconfirmed_after"), (AccountState.CLOSED, 30, "retention.closed_accounts")],
)
def test_those_who_never_came_and_those_closed_are_purged_a_time_after(state, days, key):
    section, name = key.split(".")
    rules = policy(**{section: {name: days * DAY}})
    who = used(state=state, state_at=NOW)
    assert due(who, rules, NOW + days * DAY - TICK) is None
    assert due(who, rules, NOW + days * DAY) == Due(Act.PURGE, NOW + days * DAY)
    # An account of before states had a moment.
    bare = used(state=state, created_at=NOW - DAY, last_sign_in_at=None)
    assert due(bare, rules, NOW + (days - 1) * DAY) == Due(Act.PURGE, NOW + (days - 1) * DAY)


@pytest.mark.parametrize("grace", [0, 1, 14, 90])
def test_who_cancelled_is_purged_when_they_were_told_and_reminded_of_nothing(grace):
    rules = policy(leaving={"grace": grace * DAY})
    who = used(state=AccountState.LEAVING, state_at=NOW, quiet=Quiet(goes_at=NOW + 14 * DAY))
    assert due(who, rules, NOW + 14 * DAY - TICK) is None
    assert due(who, rules, NOW + 14 * DAY) == Due(Act.PURGE, NOW + 14 * DAY)
    # What upkeep looks at is enough to find it.
    assert watched_after(rules)[AccountState.LEAVING] <= 14 * DAY
    kept = used(state=AccountState.ACTIVE, state_at=NOW + 13 * DAY, reactivated_at=NOW + 13 * DAY)
    assert due(kept, rules, NOW + 14 * DAY) is None
    assert counts_from(kept, rules.inactivity) == Since(NOW + 13 * DAY, "reactivated")


def test_nothing_is_ever_due_about_those_whom_staff_blocked():
    assert due(used(state=AccountState.BLOCKED, state_at=NOW), POLICY, NOW + 99_999 * DAY) is None
    assert AccountState.BLOCKED not in watched_after(POLICY)


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ({}, 90),
        ({"suspend_after": None}, 150),
        ({"expire_after": None}, 90),
        ({"suspend_reminders": (), "require_reminders": False}, 120),
        ({"expire_reminders": (170 * DAY,)}, 10),
    ],
)
def test_how_long_an_account_must_have_been_quiet_to_be_looked_at(rules, days):
    assert watched_after(policy(inactivity=rules))[AccountState.ACTIVE] == days * DAY


# Whatever the rules were

DAYS = st.integers(1, 500).map(lambda days: days * DAY)
CHANGES = st.lists(st.tuples(st.integers(-400, 800).map(lambda day: NOW + day * DAY), st.none() | DAYS), min_size=1, max_size=6)


@given(spans=CHANGES.map(lambda all_: sorted(all_, key=lambda one: one[0])))
def test_an_ending_comes_when_and_only_when_one_rule_held_long_enough(spans):
    """By trying every day: some day at or after the last use, since which no looser span than the one now over was in force."""
    ends = falls(NOW, spans)
    over = []
    for day in range(1200):
        begin = NOW + day * DAY
        held = [span for place, (_, span) in enumerate(spans) if place + 1 == len(spans) or spans[place + 1][0] > begin]
        if None not in held:
            over.append(begin + max(held))
    assert ends == min(over, default=None)


@given(spans=CHANGES, looser=DAYS, when=st.integers(800, 900))
def test_more_time_never_brings_an_ending_nearer_and_less_counts_from_its_beginning(spans, looser, when):
    spans = sorted(spans, key=lambda one: one[0])
    began, last = NOW + when * DAY, spans[-1][1]
    before, after = falls(NOW, spans), falls(NOW, [*spans, (began, looser)])
    assert falls(NOW, [*spans, (began, None)]) is None
    if last is None:
        assert after == began + looser
    elif looser >= last:
        assert after >= before
    else:
        assert after == min(before, began + looser)
    # Nobody's time is ever shorter than the rule now in force says.
    assert after >= NOW + looser


@st.composite
def laws(draw):
    """A policy after several others, each of which holds what judges ask of it."""
    periods, began = [], draw(st.integers(-600, 0))
    for _ in range(draw(st.integers(1, 4))):
        suspend = draw(st.none() | st.integers(40, 300))
        more = draw(st.none() | st.integers(40, 200))
        expire = None if more is None else (suspend or 0) + more
        periods.append((began, suspend, expire, draw(st.none() | st.integers(0, 60))))
        began += draw(st.integers(1, 200))
    aheads = st.lists(st.integers(1, 39), min_size=1, max_size=3, unique=True).map(
        lambda all_: tuple(one * DAY for one in all_)
    )
    rules = {"suspend_reminders": draw(aheads), "expire_reminders": draw(aheads), "require_reminders": draw(st.booleans())}
    return under(*periods, **rules)


@given(rules=laws(), steps=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40))
def test_upkeep_at_any_times_ends_nothing_unreminded_and_stands_where_it_should(rules, steps):
    who, now = used(), NOW
    for days, accepted in steps:
        now += days * DAY
        for _ in range(10):
            found = due(who, rules, now)
            if found is None:
                break
            assert found.at <= now
            # What upkeep looks at is enough to find it.
            assert now >= NOW + watched_after(rules)[AccountState.ACTIVE]
            _allowed(who, rules, found)
            stood = standing(who, rules, now)
            who = done(who, found, now, accepted)
            if who is None:
                assert stood is Standing.EXPIRED
                return
            # It was done: what is due now is something else, or nothing.
            assert due(who, rules, now) != found
        else:
            pytest.fail("there was always more to do")
        _in_order(who, rules)
        ends = course(who, rules)
        if standing(who, rules, now) is Standing.SUSPENDED:
            assert who.quiet.suspended_at >= ends.suspends_at
        if standing(who, rules, now) is Standing.EXPIRED:
            assert who.quiet.expired_at >= ends.expires_at


def _allowed(who, rules, found):
    """Nothing ends that was not announced, and none before the time that was announced."""
    endings = {Act.SUSPEND: [SUSPENSION], Act.EXPIRE: [EXPIRY], Act.PURGE: [EXPIRY]}.get(found.act, [])
    if not rules.inactivity.require_reminders:
        return
    if found.act is not Act.SUSPEND and endings and rules.inactivity.suspend_after is not None:
        endings.append(SUSPENSION)
    for ending in endings:
        listed = rules.inactivity.suspend_reminders if ending is SUSPENSION else rules.inactivity.expire_reminders
        got = {one.ahead: one.accepted_at for one in who.quiet.reminders if one.ending is ending}
        for ahead in listed:
            assert got[ahead] is not None
            assert found.at >= got[ahead] + ahead


def _in_order(who, rules):
    ends = course(who, rules)
    known = [one for one in ends[2:] if one is not None]
    assert known == sorted(known)
    spans = (rules.inactivity.suspend_after, rules.inactivity.expire_after)
    for at, span in zip(ends[2:4], spans, strict=True):
        assert at is None or at >= ends.since.at + span
    for ending in (SUSPENSION, EXPIRY):
        dates = [one.due_at for one in ends.notices if one.ending is ending]
        assert dates == sorted(dates)
    foreseen = course(who, rules, accepted_at=NOW)
    assert all(sooner <= at for sooner, at in zip(foreseen[2:], ends[2:], strict=True) if at is not None)


@given(rules=laws(), day=st.integers(0, 2000))
def test_where_each_reminder_goes_out_in_time_the_endings_come_to_the_day(rules, day):
    assume(rules.inactivity.require_reminders)
    who = reminded(used(), rules)
    plain = replace(rules, inactivity=replace(rules.inactivity, require_reminders=False))
    assert moments(who, rules) == moments(used(), plain)
    now = NOW + day * DAY
    assert standing(who, rules, now) is standing(used(), plain, now)


def test_a_period_is_the_spans_of_a_policy():
    assert period(POLICY, NOW) == Period(NOW, 120 * DAY, 180 * DAY, 30 * DAY)


def test_whoever_gave_no_address_is_reminded_of_nothing_and_waits_where_reminders_are_required():
    nobody = used(NOW - 119 * DAY, email="")
    assert due(nobody, POLICY, NOW) is None
    assert course(nobody, POLICY).suspends_at is None
    assert course(nobody, POLICY, accepted_at=NOW).suspends_at is None
    assert next_due(nobody, POLICY, NOW) is None
    unasked = policy(inactivity={"require_reminders": False})
    assert due(nobody, unasked, NOW) is None
    assert due(nobody, unasked, NOW + DAY).act is Act.SUSPEND
