"""Which sessions count, for how long, and what a change ends elsewhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import AccountState, Client, Factor, Proof, Session
from idp.policies import sessions
from idp.policies.policy import Change
from idp.policies.policy import Session as Rules
from tests.policies.values import DAY, MINUTE, NOW, account, credential

RULES = Rules()
SECOND = timedelta(seconds=1)
SESSION = Session("id", "public", "acc_maria", (Proof(Factor.PASSWORD, NOW),), NOW, NOW, NOW + 30 * MINUTE)


@pytest.mark.parametrize(
    ("end_others", "wished", "ends"),
    [("always", True, True), ("always", False, True), ("choose", True, True), ("choose", False, False)],
)
def test_a_change_ends_the_rest_unless_policy_and_the_person_say_otherwise(end_others, wished, ends):
    assert sessions.ends_others(Change(end_others=end_others), wished=wished) is ends


@pytest.mark.parametrize(
    ("cut", "counts"), [(None, True), (NOW - SECOND, True), (NOW, True), (NOW + timedelta(microseconds=1), False)]
)
def test_a_session_counts_from_the_account_s_last_cut(cut, counts):
    assert sessions.counts(SESSION, account(sessions_valid_from=cut), RULES, NOW + MINUTE) is counts


@pytest.mark.parametrize(("after", "counts"), [(29 * MINUTE, True), (30 * MINUTE - SECOND, True), (30 * MINUTE, False)])
def test_a_session_ends_when_nothing_is_done(after, counts):
    assert sessions.counts(SESSION, account(), RULES, NOW + after) is counts


def test_where_the_rest_may_stay_open_a_session_outlives_the_secret_it_began_with():
    replaced = account(credentials=(credential(Factor.PASSWORD, set_at=NOW + SECOND),), sessions_valid_from=NOW - DAY)
    assert sessions.counts(SESSION, replaced, RULES, NOW + MINUTE)


@pytest.mark.parametrize(
    ("rules", "ticked", "said"),
    [
        ({}, True, ("", "")),
        ({"welcome_cookie": True}, True, ("Maria", "")),
        ({"remember_me": "username"}, True, ("", "Maria.Rossi")),
        ({"remember_me": "username"}, False, ("", "")),
        ({"remember_me": "username", "welcome_cookie": True}, True, ("Maria", "Maria.Rossi")),
        ({"remember_me": "username", "welcome_cookie": True}, False, ("Maria", "")),
    ],
)
def test_a_device_says_what_policy_and_the_tick_allow(rules, ticked, said):
    assert sessions.recalled(account(), Rules(**rules), ticked=ticked) == sessions.Recalled(*said)
    assert sessions.recalls(Rules(**rules)) is bool(rules)


@pytest.mark.parametrize("state", [state for state in AccountState if state is not AccountState.ACTIVE])
def test_a_device_says_nothing_of_an_account_that_is_shut(state):
    rules = Rules(remember_me="username", welcome_cookie=True)
    assert sessions.recalled(account(state=state), rules, ticked=True) == sessions.Recalled()


@pytest.mark.parametrize(
    ("used", "at", "absolute"),
    [
        (0, 30, False),
        (29, 59, False),
        (12 * 60 - 31, 12 * 60 - 1, False),
        (12 * 60 - 30, 12 * 60, True),
        (12 * 60 - 1, 12 * 60, True),
    ],
)
def test_an_ending_tells_when_whom_to_warn_and_whether_activity_moves_it(used, at, absolute):
    seen = NOW + used * MINUTE
    session = replace(SESSION, last_seen_at=seen, expires_at=sessions.expires_at(NOW, seen, RULES))
    end = sessions.ending(session, RULES)
    assert end == sessions.Ending(NOW + at * MINUTE, NOW + (at - 2) * MINUTE, absolute=absolute)


def test_a_policy_that_became_stricter_counts_for_sessions_that_began_before():
    assert sessions.ending(SESSION, replace(RULES, idle=5 * MINUTE)).at == NOW + 5 * MINUTE
    assert sessions.ending(SESSION, replace(RULES, idle=60 * MINUTE)).at == NOW + 30 * MINUTE


@pytest.mark.parametrize(
    ("limits", "asked", "unused", "since"),
    [
        ({}, None, 60, None),
        ({}, 10, 60, 10),
        ({"default_max_age": 480 * MINUTE}, None, 0, 480),
        ({"default_max_age": 480 * MINUTE}, 10, 0, 10),
        ({"default_max_age": 10 * MINUTE}, 480, 0, 10),
        ({"default_max_age": 480 * MINUTE}, 0, 0, 0),
        ({"session_idle": 15 * MINUTE}, None, 15, None),
        ({"session_idle": 15 * MINUTE}, None, 16, 0),
        ({"session_idle": 15 * MINUTE}, 480, 16, 0),
        ({"session_idle": 15 * MINUTE, "default_max_age": 480 * MINUTE}, None, 14, 480),
        ({"session_idle": 15 * MINUTE, "default_max_age": 480 * MINUTE}, None, 16, 0),
    ],
)
def test_the_stricter_of_the_client_s_limit_and_the_request_s_counts(limits, asked, unused, since):
    session = replace(SESSION, last_seen_at=NOW - unused * MINUTE)
    told = sessions.fresh_since(Client("c", "C", **limits), None if asked is None else asked * MINUTE, session, NOW)
    assert told == (None if since is None else NOW - since * MINUTE)


def test_who_is_not_signed_in_has_nothing_that_could_have_rested():
    assert sessions.fresh_since(Client("c", "C", session_idle=15 * MINUTE), None, None, NOW) is None


@pytest.mark.parametrize(
    ("idle", "after", "worth"), [(30, 59, False), (30, 60, True), (720, 60, True), (720, 59, False), (5, 10, True)]
)
def test_activity_is_written_at_most_a_minute_late(idle, after, worth):
    assert sessions.worth_touching(SESSION, replace(RULES, idle=idle * MINUTE), NOW + after * SECOND) is worth
