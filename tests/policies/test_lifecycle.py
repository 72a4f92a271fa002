from datetime import timedelta

import pytest

from idp.model import AccountState, Quiet
from idp.policies.lifecycle import Standing, leaves_at, missing_pieces, standing
from tests.policies.values import ALL_THREE, DAY, NOW, POLICY, account, policy, reminded

SECOND = timedelta(seconds=1)


def quiet_for(span, rules=POLICY, **changes):
    return reminded(account(created_at=NOW - 999 * DAY, enrolled_at=None, last_sign_in_at=NOW - span, **changes), rules)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (119 * DAY, Standing.ACTIVE),
        (120 * DAY - SECOND, Standing.ACTIVE),
        (120 * DAY, Standing.SUSPENDED),
        (121 * DAY, Standing.SUSPENDED),
        (179 * DAY, Standing.SUSPENDED),
        (180 * DAY - SECOND, Standing.SUSPENDED),
        (180 * DAY, Standing.EXPIRED),
        (181 * DAY, Standing.EXPIRED),
    ],
)
def test_inactivity_counts_to_the_second(span, expected):
    assert standing(quiet_for(span), POLICY, NOW) is expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (AccountState.INVITED, Standing.INVITED),
        (AccountState.BLOCKED, Standing.BLOCKED),
        (AccountState.CLOSED, Standing.CLOSED),
        (AccountState.LEAVING, Standing.LEAVING),
        (AccountState.PENDING, Standing.PENDING),
        (AccountState.ACTIVE, Standing.EXPIRED),
    ],
)
def test_what_was_decided_stands_before_what_is_derived(state, expected):
    assert standing(quiet_for(500 * DAY, state=state), POLICY, NOW) is expected


def test_who_cancelled_has_until_the_date_that_was_told_whatever_the_grace_is_now():
    told = account(state=AccountState.LEAVING, state_at=NOW, quiet=Quiet(goes_at=NOW + 5 * DAY))
    for grace in (0, 1, 60):
        assert leaves_at(told, policy(leaving={"grace": grace * DAY})) == NOW + 5 * DAY
    untold = account(state=AccountState.LEAVING, state_at=NOW)
    assert leaves_at(untold, policy(leaving={"grace": 2 * DAY})) == NOW + 2 * DAY
    assert leaves_at(account(quiet=Quiet(goes_at=NOW)), POLICY) is None


def test_reactivation_restarts_the_clock():
    assert standing(quiet_for(300 * DAY, reactivated_at=NOW - DAY), POLICY, NOW) is Standing.ACTIVE


def test_a_rule_switched_on_does_not_fall_on_old_accounts_at_once():
    rules = policy(inactivity={"in_force_since": "2026-02-27"})
    assert standing(quiet_for(300 * DAY, rules), rules, NOW) is Standing.ACTIVE
    assert standing(quiet_for(300 * DAY, rules), rules, NOW + 120 * DAY) is Standing.SUSPENDED


def test_rules_that_are_off_never_apply():
    rules = policy(inactivity={"suspend_after": None, "expire_after": None})
    assert standing(quiet_for(9999 * DAY), rules, NOW) is Standing.ACTIVE


def test_missing_pieces_follow_policy():
    nothing = account(credentials=())
    assert missing_pieces(nothing, POLICY) == ("password", "pin", "question")
    assert missing_pieces(account(credentials=ALL_THREE[:2]), POLICY) == ("question",)
    assert missing_pieces(nothing, policy(pin={"enabled": False})) == ("password", "question")
