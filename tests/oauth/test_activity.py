"""What keeps access awake: signing in; refreshing and extra proofs only where policy counts them; failing never."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.model import Account
from idp.policies.inactivity import NOTED_EVERY
from idp.policies.policy import Policy
from tests.harness import House

DAY = timedelta(days=1)
KINDS = ["sqlite", "postgresql+redis"]


def counting(*activity: str) -> Callable[[Policy], Policy]:
    """Suspended after ten days, unreminded; these uses count."""

    def law(policy: Policy) -> Policy:
        rules: dict[str, Any] = {"suspend_reminders": (), "require_reminders": False, "activity": activity}
        inactivity = replace(policy.inactivity, suspend_after=10 * DAY, expire_after=None, **rules)
        lasting = replace(policy.tokens, refresh_idle=30 * DAY, refresh_absolute=90 * DAY)
        return replace(policy, inactivity=inactivity, tokens=lasting)

    return law


def uses(account: Account) -> tuple[object, object]:
    return account.last_refresh_at, account.last_step_up_at


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_refreshes_in_the_background_keeps_nobody_awake(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=counting("sign_in"))
    person = house.customer()
    token = person.tokens()["refresh_token"]
    for _ in range(3):
        house.clock.move(days=3)
        answer = house.refresh(token)
        assert answer.status_code == 200, answer.text
        token = answer.json()["refresh_token"]
    assert uses(person.account) == (None, None)
    house.clock.move(days=2)
    assert house.refresh(token).json()["error"] == "invalid_grant"
    assert person.elsewhere().sign_in(until="Reactivate").step == "Reactivate"


@pytest.mark.parametrize("kind", KINDS)
def test_a_refresh_keeps_awake_where_policy_counts_it(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, policy=counting("sign_in", "refresh"))
    person = house.customer()
    token = person.tokens()["refresh_token"]
    for _ in range(6):
        house.clock.move(days=3)
        answer = house.refresh(token)
        assert answer.status_code == 200, answer.text
        token = answer.json()["refresh_token"]
    noted = person.account.last_refresh_at
    assert noted is not None
    # More often than once an hour it is not written down.
    house.clock.move(minutes=5)
    token = house.refresh(token).json()["refresh_token"]
    assert person.account.last_refresh_at == noted
    house.clock.move(seconds=NOTED_EVERY.total_seconds())
    token = house.refresh(token).json()["refresh_token"]
    noted = person.account.last_refresh_at
    assert noted is not None
    assert noted > house.clock() - timedelta(minutes=5)
    # What is refused is no use: ten days from the last that succeeded it is over.
    house.clock.move(days=9)
    for wrong in (f"{token.partition('.')[0]}.wrong", "nothing"):
        assert house.refresh(wrong).json()["error"] == "invalid_grant"
    assert person.account.last_refresh_at == noted
    house.clock.move(days=2)
    assert person.elsewhere().sign_in(until="Reactivate").step == "Reactivate"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("listed", [True, False])
def test_an_extra_proof_counts_where_policy_says_so(new_house: Callable[..., House], kind: str, *, listed: bool) -> None:
    house = new_house(kind, policy=counting("sign_in", "step_up") if listed else counting("sign_in"))
    person = house.customer()
    person.authorize()
    house.clock.move(minutes=5)
    # Passing through with the session at hand proves nothing anew.
    person.authorize()
    assert person.account.last_step_up_at is None
    page = person.ask(acr_values="extra")
    assert page.step == "ExtraProof"
    page = person.fill(page, answer="a wrong answer")
    assert person.account.last_step_up_at is None
    before = house.clock()
    assert "code" in person.fill(page, answer=person.answer).answer
    noted = person.account.last_step_up_at
    assert (noted is not None and before <= noted <= house.clock()) is listed
    assert person.account.last_sign_in_at < before  # type: ignore[operator]


def test_those_who_fail_at_the_door_wake_nobody(new_house: Callable[..., House]) -> None:
    house = new_house(policy=counting("sign_in", "refresh", "step_up"))
    person = house.customer()
    person.sign_in()
    before = (person.account.last_sign_in_at, *uses(person.account))
    house.clock.move(days=9)
    person.elsewhere().try_password()
    stranger = person.elsewhere()
    page = stranger.fill(stranger.open("/sign-in"), username=person.username, password=person.password)
    assert page.step == "AskPin"
    stranger.fill(page, pin="000000")
    assert (person.account.last_sign_in_at, *uses(person.account)) == before
    house.clock.move(days=1, minutes=1)
    assert person.elsewhere().sign_in(until="Reactivate").step == "Reactivate"
