"""What an explanation tells is what the rules do: each moment it names is the one at which they change their mind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.model import AccountState, Counter, DeviceClass, Ending, Factor, Invitation, Period, Quiet
from idp.policies import lockout
from idp.policies.credentials import must_replace
from idp.policies.explaining import Event, Rule, explain
from idp.policies.inactivity import Act, Due, course, due, foreseen
from idp.policies.lifecycle import Standing, standing
from tests.policies.values import ALL_THREE, DAY, MINUTE, NOW, POLICY, account, credential, policy, reminded

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
LAPSES = {Event.SUSPENDS: Standing.SUSPENDED, Event.EXPIRES: Standing.EXPIRED}


def quiet_for(span, **changes):
    return reminded(account(created_at=NOW - 999 * DAY, enrolled_at=None, last_sign_in_at=NOW - span, **changes))


def told(explained):
    return [(one.event, one.at, one.rule) for one in explained.coming]


def test_all_that_comes_to_a_quiet_account_stands_in_the_order_of_time_with_its_rule():
    explained = explain(quiet_for(115 * DAY), (), POLICY, NOW)
    before = Rule("inactivity.suspend_reminders", (30 * DAY, 14 * DAY, 3 * DAY))
    ends = Rule("inactivity.expire_reminders", (30 * DAY, 14 * DAY, 3 * DAY))
    assert told(explained) == [
        (Event.SUSPEND_REMINDER, NOW + 2 * DAY, before),
        (Event.SUSPENDS, NOW + 5 * DAY, Rule("inactivity.suspend_after", 120 * DAY)),
        (Event.EXPIRE_REMINDER, NOW + 35 * DAY, ends),
        (Event.EXPIRE_REMINDER, NOW + 51 * DAY, ends),
        (Event.EXPIRE_REMINDER, NOW + 62 * DAY, ends),
        (Event.EXPIRES, NOW + 65 * DAY, Rule("inactivity.expire_after", 180 * DAY)),
        (Event.PURGED, NOW + 95 * DAY, Rule("inactivity.purge_after", 30 * DAY)),
    ]
    assert [one.ahead for one in explained.coming if one.ahead] == [3 * DAY, 30 * DAY, 14 * DAY, 3 * DAY]


@pytest.mark.parametrize(
    ("days", "stands", "since", "first"),
    [
        (119, Standing.ACTIVE, 0, Event.SUSPENDS),
        (120, Standing.SUSPENDED, 120, Event.EXPIRE_REMINDER),
        (121, Standing.SUSPENDED, 120, Event.EXPIRE_REMINDER),
        (179, Standing.SUSPENDED, 120, Event.EXPIRES),
        (180, Standing.EXPIRED, 180, Event.PURGED),
        (181, Standing.EXPIRED, 180, Event.PURGED),
        (210, Standing.EXPIRED, 180, None),
    ],
)
@pytest.mark.parametrize("second", [-1, 0, 1])
def test_the_day_and_the_second_on_which_it_suspends_and_expires(days, second, stands, since, first):
    quiet = quiet_for(timedelta(0))
    at = NOW + days * DAY + second * SECOND
    explained = explain(quiet, (), POLICY, at)
    if second >= 0:
        assert explained.why.standing is stands
        assert explained.why.at == NOW + since * DAY
        assert [one.event for one in explained.coming[:1]] == [first] * (first is not None)
    assert explained.why.standing is standing(quiet, POLICY, at)
    assert all(one.at > at for one in explained.coming)


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - they get one
SPANS = st.timedeltas(2 * DAY, 400 * DAY)
# Shorter than any span, as judges ask of them.
AHEADS = st.lists(st.timedeltas(TICK, 2 * DAY - TICK), min_size=1, max_size=3, unique=True).map(tuple)
AHEAD = st.fixed_dictionaries({"suspend_reminders": AHEADS, "expire_reminders": AHEADS, "require_reminders": st.booleans()})


@given(
    made=MOMENTS,
    later=st.lists(st.one_of(st.none(), MOMENTS), min_size=3, max_size=3),
    suspend=st.one_of(st.none(), SPANS),
    more=st.one_of(st.none(), SPANS),
    in_force=st.one_of(st.just(""), st.dates(datetime(2024, 1, 1).date(), datetime(2028, 12, 31).date()).map(str)),  # noqa: DTZ001
    ahead=AHEAD,
    kept_up=st.booleans(),
    at=MOMENTS,
)
def test_the_standing_changes_at_the_explained_moments_and_at_no_other(
    *, made, later, suspend, more, in_force, ahead, kept_up, at
):
    expire = (suspend or timedelta(0)) + more if more is not None else None
    rules = policy(inactivity={**ahead, "suspend_after": suspend, "expire_after": expire, "in_force_since": in_force})
    enrolled, signed_in, reactivated = later
    who = account(created_at=made, enrolled_at=enrolled, last_sign_in_at=signed_in, reactivated_at=reactivated)
    who = foreseen(who, rules, made, at) if kept_up else who
    explained = explain(who, (), rules, at)
    assert explained.why.standing is standing(who, rules, at)
    before = explained.why.standing
    for one in [one for one in explained.coming if one.event in LAPSES]:
        assert standing(foreseen(who, rules, at, one.at - TICK), rules, one.at - TICK) is before
        before = LAPSES[one.event]
        assert standing(foreseen(who, rules, at, one.at), rules, one.at) is before
    assert standing(foreseen(who, rules, at, at + 9999 * DAY), rules, at + 9999 * DAY) is before
    # Without the mail server's word for it, none of it comes.
    if not kept_up and rules.inactivity.require_reminders:
        assert standing(who, rules, at + 9999 * DAY) is Standing.ACTIVE
    # And so it came to be what it is.
    if explained.why.standing in LAPSES.values():
        assert explained.why.at is not None
        assert standing(who, rules, explained.why.at) is explained.why.standing
        assert standing(who, rules, explained.why.at - TICK) is not explained.why.standing


@given(made=MOMENTS, signed_in=MOMENTS, suspend=SPANS, more=SPANS, ahead=AHEAD, kept_up=st.booleans(), at=MOMENTS)
def test_what_upkeep_does_next_is_what_it_finds_then_and_nothing_before(*, made, signed_in, suspend, more, ahead, kept_up, at):
    rules = policy(inactivity={**ahead, "suspend_after": suspend, "expire_after": suspend + more})
    who = account(created_at=made, enrolled_at=None, last_sign_in_at=signed_in)
    who = foreseen(who, rules, made, at) if kept_up else who
    coming = explain(who, (), rules, at).upkeep
    if coming is None:
        assert due(who, rules, at + 9999 * DAY) is None
        return
    assert due(who, rules, coming.at) == coming.due
    assert coming.at == at or due(who, rules, coming.at - TICK) is due(who, rules, at) is None


def test_an_ending_that_waits_is_told_with_the_day_before_which_it_cannot_come():
    quiet = quiet_for(130 * DAY)
    asked = [replace(one, accepted_at=None) if one.ahead == 14 * DAY else one for one in quiet.quiet.reminders[:2]]
    quiet = replace(quiet, quiet=Quiet(tuple(asked)))
    explained = explain(quiet, (), POLICY, NOW, refusals={"letter": "550 no such user"})
    assert explained.why.standing is Standing.ACTIVE
    suspension, expiry = explained.endings
    assert (suspension.ending, suspension.at, suspension.missing) == (Ending.SUSPENSION, None, 2)
    assert suspension.not_before == NOW + 14 * DAY
    # Expiry waits for those of suspension too, and keeps its distance.
    assert (expiry.at, expiry.missing, expiry.not_before) == (None, 5, NOW + 74 * DAY)
    first, second, third = explained.reminders
    assert (first.accepted_at, first.asked_again_at, first.refused) == (NOW - 40 * DAY, None, None)
    assert (second.asked_at, second.accepted_at, second.refused) == (NOW - 24 * DAY, None, "550 no such user")
    assert second.asked_again_at == NOW - 17 * DAY
    assert (third.due_at, third.asked_at, third.asked_again_at, third.refused) == (NOW - 13 * DAY, None, None, None)
    assert explained.upkeep is not None
    assert (explained.upkeep.at, explained.upkeep.due.act, explained.upkeep.due.notice.ahead) == (NOW, Act.REMIND, 14 * DAY)


def test_what_came_waits_for_nothing_and_what_is_off_is_not_told():
    suspension, expiry = explain(quiet_for(130 * DAY), (), POLICY, NOW).endings
    assert (suspension.at, suspension.not_before, suspension.missing) == (NOW - 10 * DAY, NOW - 10 * DAY, 0)
    assert (expiry.at, expiry.missing) == (NOW + 50 * DAY, 0)
    off = policy(inactivity={"suspend_after": None})
    assert [one.ending for one in explain(account(), (), off, NOW).endings] == [Ending.EXPIRY]
    loose = policy(inactivity={"require_reminders": False})
    assert [one.missing for one in explain(account(), (), loose, NOW).endings] == [0, 0]


def test_from_when_a_rule_counts_that_took_effect_later():
    never = Period(NOW - 500 * DAY, None, 180 * DAY, None)
    rules = replace(POLICY, periods=(never, Period(NOW - DAY, 120 * DAY, 180 * DAY, 30 * DAY)))
    quiet = reminded(replace(quiet_for(100 * DAY), quiet=Quiet()), rules)
    suspension, expiry = explain(quiet, (), rules, NOW).endings
    assert (suspension.took_effect_at, suspension.at) == (NOW - DAY, NOW + 119 * DAY)
    # The other rule is as old as the account's rest; it keeps its distance all the same.
    assert (expiry.took_effect_at, expiry.at) == (None, NOW + 179 * DAY)
    assert [one.took_effect_at for one in explain(account(last_sign_in_at=NOW), (), rules, NOW).endings] == [None, None]


@pytest.mark.parametrize(
    ("changes", "what", "days"),
    [
        ({"enrolled_at": None, "last_sign_in_at": None}, "created", 20),
        ({"last_sign_in_at": None}, "enrolled", 10),
        ({}, "signed_in", 1),
        ({"reactivated_at": NOW - timedelta(hours=12)}, "reactivated", 0.5),
    ],
)
def test_from_where_inactivity_counts_is_told(changes, what, days):
    why = explain(account(**changes), (), POLICY, NOW).why
    assert (why.since.what, why.since.at) == (what, NOW - days * DAY)


def test_rules_that_took_effect_later_are_named():
    rules = policy(inactivity={"in_force_since": "2026-02-27"})
    why = explain(quiet_for(300 * DAY), (), rules, NOW).why
    assert why.since == (datetime(2026, 2, 27, tzinfo=UTC), "in_force")
    assert Rule("inactivity.in_force_since", "2026-02-27") in why.rules


def test_what_was_decided_is_not_left_to_the_clock():
    closed = explain(quiet_for(300 * DAY, state=AccountState.CLOSED, state_at=NOW - DAY), (), POLICY, NOW)
    assert (closed.why.standing, closed.why.at, closed.ends) == (Standing.CLOSED, NOW - DAY, None)
    assert (closed.endings, closed.reminders) == ((), ())
    assert told(closed) == [(Event.PURGED, NOW + 29 * DAY, Rule("retention.closed_accounts", 30 * DAY))]
    assert closed.upkeep == (NOW + 29 * DAY, Due(Act.PURGE, NOW + 29 * DAY))
    leaving = explain(quiet_for(300 * DAY, state=AccountState.LEAVING, state_at=NOW - DAY), (), POLICY, NOW)
    assert (leaving.why.standing, leaving.why.at, leaving.ends) == (Standing.LEAVING, NOW - DAY, None)
    assert told(leaving) == [(Event.PURGED, NOW + 13 * DAY, Rule("leaving.grace", 14 * DAY))]
    assert leaving.upkeep == (NOW + 13 * DAY, Due(Act.PURGE, NOW + 13 * DAY))
    blocked = explain(quiet_for(300 * DAY, state=AccountState.BLOCKED), (), POLICY, NOW)
    assert (blocked.why.standing, blocked.why.at, blocked.coming, blocked.upkeep) == (Standing.BLOCKED, None, (), None)


@pytest.mark.parametrize(("hours", "waits"), [(71, True), (72, False)])
def test_someone_invited_still_has_to_choose_while_the_link_works(hours, waits):
    invited = account(state=AccountState.INVITED, credentials=ALL_THREE[:1], created_at=NOW, enrolled_at=None)
    link = Invitation("digest", invited.id, NOW, NOW + timedelta(hours=72))
    explained = explain(invited, (), POLICY, NOW + timedelta(hours=hours), invitation=link)
    assert explained.why.standing is Standing.INVITED
    assert explained.why.missing == ("pin", "question")
    rule = Rule("registration.invitation_lifetime", timedelta(hours=72))
    goes = (Event.PURGED, NOW + 30 * DAY, Rule("registration.purge_unconfirmed_after", 30 * DAY))
    assert told(explained) == [*[(Event.INVITATION_ENDS, link.expires_at, rule)] * waits, goes]
    used = replace(link, used_at=NOW)
    assert told(explain(invited, (), POLICY, NOW, invitation=used)) == [goes]


def failed(times, *, device="", every=SECOND, factor=Factor.PASSWORD, rules=POLICY):
    counter = Counter("acc_maria", factor, device)
    for number in range(times):
        after = lockout.spend(counter, rules.lockout, NOW + number * every)
        assert isinstance(after, Counter)
        counter = after
    return counter


def of(explained, factor=Factor.PASSWORD, device=""):
    (found,) = [one for one in explained.counters if (one.factor, one.device) == (factor, device)]
    return found


def test_before_the_first_failure_each_secret_has_a_counter_at_nothing():
    counters = explain(account(), (), POLICY, NOW).counters
    assert [(one.factor, one.failures, one.threshold, one.consecutive, one.cap) for one in counters] == [
        (Factor.PASSWORD, 0, 5, 0, 50),
        (Factor.PIN, 0, 5, 0, 50),
        (Factor.ANSWER, 0, 5, 0, 50),
    ]
    assert all(one.device_class is DeviceClass.UNKNOWN for one in counters)


@pytest.mark.parametrize(("after", "failures"), [(30 * MINUTE - TICK, 3), (30 * MINUTE, 0)])
def test_failures_count_while_their_window_is_open(after, failures):
    at = NOW + after
    explained = explain(account(), [failed(3)], POLICY, at)
    one = of(explained)
    assert (one.failures, one.consecutive, one.locked_until) == (failures, 3, None)
    assert one.window_ends_at == (NOW + 30 * MINUTE if failures else None)
    window = [coming for coming in explained.coming if coming.event is Event.WINDOW_ENDS]
    assert [(coming.at, coming.factor, coming.device) for coming in window] == (
        [(NOW + 30 * MINUTE, Factor.PASSWORD, "")] if failures else []
    )
    # The next failure is the first of a new window from the moment told, and not a moment before.
    following = lockout.spend(failed(3), POLICY.lockout, at)
    assert isinstance(following, Counter)
    assert following.failures == failures + 1


@pytest.mark.parametrize(("after", "locked"), [(timedelta(0), True), (30 * MINUTE - TICK, True), (30 * MINUTE, False)])
def test_a_lock_ends_at_the_moment_told(after, locked):
    counter = failed(5)
    ends = NOW + 4 * SECOND + 30 * MINUTE
    at = ends - 30 * MINUTE + after
    explained = explain(account(), [counter], POLICY, at)
    one = of(explained)
    assert (one.locked_until, one.failures) == ((ends, 5) if locked else (None, 0))
    locks = [(coming.at, coming.rule) for coming in explained.coming if coming.event is Event.LOCK_ENDS]
    assert locks == [(ends, Rule("lockout.duration", 30 * MINUTE))] * locked
    assert isinstance(lockout.spend(counter, POLICY.lockout, at), lockout.Locked) is locked
    assert Event.WINDOW_ENDS not in [coming.event for coming in explained.coming]


def test_a_known_device_has_its_own_counter_and_threshold():
    rules = policy(lockout={"known_device_threshold": 9})
    explained = explain(account(), [failed(6, device="d1", rules=rules), failed(2)], rules, NOW + MINUTE)
    assert (of(explained).failures, of(explained).threshold) == (2, 5)
    known = of(explained, device="d1")
    assert (known.failures, known.threshold, known.device_class) == (6, 9, DeviceClass.KNOWN)
    assert known.rules[0] == Rule("lockout.known_device_threshold", 9)


def test_a_factor_that_reached_the_cap_is_disabled_and_waits_for_no_date():
    counter = failed(50, every=timedelta(hours=1))
    explained = explain(account(), [counter], POLICY, NOW + 50 * DAY)
    one = of(explained)
    assert (one.disabled_at, one.disabled_by, one.consecutive) == (NOW + timedelta(hours=49), "cap", 50)
    assert explained.why.frozen_at is None
    assert not {Event.LOCK_ENDS, Event.WINDOW_ENDS} & {coming.event for coming in explained.coming}


@pytest.mark.parametrize("before", [0, 3, 50])
def test_what_the_owner_had_closed_is_told_as_frozen(before):
    password = lockout.disable(failed(before, every=timedelta(hours=1)), NOW + 9 * DAY)
    passkey = Counter("acc_maria", Factor.PASSKEY, disabled_at=NOW + 9 * DAY)
    explained = explain(account(), [password, passkey], POLICY, NOW + 10 * DAY)
    assert explained.why.frozen_at == NOW + 9 * DAY
    assert explained.why.standing is Standing.ACTIVE
    assert of(explained, Factor.PASSKEY).disabled_by == "owner"


def test_a_password_ages_at_the_moment_told():
    rules = policy(password={"max_age": 90 * DAY})
    (password, *_) = ALL_THREE
    ages = password.set_at + 90 * DAY
    explained = explain(account(), (), rules, NOW)
    assert (Event.PASSWORD_AGES, ages, Rule("password.max_age", 90 * DAY)) in told(explained)
    assert not must_replace(password, rules, ages - TICK)
    assert must_replace(password, rules, ages)
    assert explain(account(), (), rules, ages).factors[0].must_change
    assert [one.ages_at for one in explained.factors] == [ages, None, None]


def test_what_was_mailed_stops_working_and_what_was_used_is_told_as_used():
    lives = credential(Factor.TEMPORARY, set_at=NOW, expires_at=NOW + timedelta(hours=1))
    pin = credential(Factor.PIN, must_change=True, expires_at=NOW + timedelta(hours=5))
    explained = explain(account(credentials=(lives, pin)), (), POLICY, NOW)
    assert told(explained)[:2] == [
        (Event.CREDENTIAL_ENDS, lives.expires_at, Rule("temporary_password.lifetime", timedelta(hours=1))),
        (Event.CREDENTIAL_ENDS, pin.expires_at, Rule("pin.mailed_lifetime", timedelta(hours=24))),
    ]
    assert [(one.factor, one.must_change, one.over) for one in explained.factors] == [
        (Factor.PIN, True, None),
        (Factor.TEMPORARY, False, None),
    ]
    late = explain(account(credentials=(lives, pin)), (), POLICY, NOW + timedelta(hours=5))
    assert [one.over for one in late.factors] == ["expired", "expired"]
    used = replace(lives, expires_at=datetime.fromtimestamp(0, UTC))
    (one,) = explain(account(credentials=(used,)), (), POLICY, NOW).factors
    assert (one.over, one.expires_at) == ("used", None)


def test_no_explanation_holds_a_secret_or_what_the_question_was():
    explained = explain(account(), [failed(3)], POLICY, NOW)
    assert "hash of" not in repr(explained)
    assert "first_school" not in repr(explained.factors)


def test_rules_that_are_off_bring_nothing():
    rules = policy(inactivity={"suspend_after": None, "expire_after": None})
    explained = explain(quiet_for(9999 * DAY), (), rules, NOW)
    assert explained.coming == ()
    assert course(quiet_for(DAY), rules)[1:] == ((), None, None, None)
