"""Upkeep run twice, at once, killed, overtaken, without a database and by clocks that jump: each act once, none early."""

import random
import signal
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.flows import erasing, upkeep
from idp.model import AccountState
from idp.policies.inactivity import Act
from tests.harness import together
from tests.upkeep.conftest import DAY, DUE, PATIENCE, Crowd, done

ALL = tuple(DUE)


def test_a_second_round_does_nothing(crowd: Crowd) -> None:
    crowd.add(12, *ALL)
    first = crowd.sweep()
    assert first[-1].whole
    crowd.judge()
    crowd.clock.move(seconds=1)
    second = crowd.sweep()
    assert second[-1].whole
    assert done(second) == []
    crowd.judge()


@pytest.mark.parametrize("count", [4])
def test_rounds_at_once_do_each_thing_once(crowd: Crowd, count: int) -> None:
    crowd.add(30, *ALL)
    rounds = together([crowd.sweep] * count)
    assert not [one for one in rounds if isinstance(one, Exception)], rounds
    assert sum(bool(one) and one[-1].whole for one in rounds) == 1
    crowd.judge()


@pytest.mark.parametrize("count", [4])
def test_rounds_that_all_lose_their_turn_do_each_thing_once(crowd: Crowd, count: int) -> None:
    """Worse than any worker can be: each takes the turn from the others whenever it comes to it, and all act at once."""
    crowd.add(30, *ALL)

    def round_() -> int:
        acts = 0
        for _ in range(6):
            for stretch in upkeep.sweep(crowd.world):
                crowd.clock.move(minutes=6)
                acts += len(stretch.done)
        return acts

    told = together([round_] * count)
    assert not [one for one in told if isinstance(one, Exception)], told
    crowd.sweep()
    crowd.judge()
    assert sum(told) <= crowd.wanted().total()


@pytest.mark.parametrize("count", [4])
def test_processes_at_once_do_each_thing_once(crowd: Crowd, count: int) -> None:
    crowd.add(40, *ALL)
    processes = [crowd.run("--json") for _ in range(count)]
    said = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    assert any('"whole": true' in out for out, _ in said)
    crowd.judge()


@pytest.mark.timeout(300)
def test_killed_at_any_point_it_is_ended_by_the_next(crowd: Crowd) -> None:
    crowd.add(90, *(kind for kind, (_, _, acts) in DUE.items() if acts), "quiet")
    chance, kills = random.Random(41), 0  # noqa: S311 - when to kill is no secret
    wanted = crowd.wanted().total()
    for part in range(1, 4):
        process, ends = crowd.run("--json"), time.monotonic() + PATIENCE
        while crowd.written() < wanted * part // 5 and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.005)
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        assert max(crowd.acts().values()) == 1
        crowd.let_turns_end()
    assert kills >= 2
    code, said, beside = crowd.ran()
    assert (code, said["whole"]) == (0, True), beside
    crowd.judge()
    assert crowd.ran()[1]["acts"] == [{**one, "count": 0} for one in said["acts"]]


def test_who_comes_back_between_the_reading_and_the_lock_is_left_alone(crowd: Crowd) -> None:
    crowd.add(60, "suspend")
    going = crowd.pausing()
    untouched = [one for one in crowd.due if one not in {account_id for account_id, _ in crowd.acts()}]
    back = untouched[::2]
    for account_id in back:
        with crowd.world.store.begin() as tx:
            assert tx.accounts.signed_in(account_id, crowd.clock())
        crowd.due[account_id] = []
    assert back
    assert {one.account_id for one in done(going)} == set(untouched) - set(back)
    crowd.judge()


def test_what_changes_between_the_reading_and_the_lock_counts(crowd: Crowd) -> None:
    crowd.add(60, "suspend")
    going = crowd.pausing()
    untouched = [one for one in crowd.due if one not in {account_id for account_id, _ in crowd.acts()}]
    blocked, closed, reactivated, purged, other = untouched[:5]
    now = crowd.clock()
    with crowd.world.store.begin() as tx:
        tx.accounts.set_state(blocked, AccountState.BLOCKED, now)
        tx.accounts.set_state(closed, AccountState.CLOSED, now)
        tx.accounts.reactivated(reactivated, now)
        gone = tx.accounts.locked(purged)
        assert gone is not None
        erasing.erase(crowd.world, tx, gone, now=now, why="closed")
    for account_id in (blocked, closed, reactivated):
        crowd.due[account_id] = []
    crowd.due[purged] = ["account.purged"]
    told = {one.account_id for one in done(going)}
    assert other in told
    assert not told & {blocked, closed, reactivated, purged}
    crowd.judge()


def test_a_turn_that_is_lost_ends_the_round_and_another_goes_on(crowd: Crowd) -> None:
    crowd.add(40, "suspend", "remind")
    first = crowd.pausing()
    crowd.clock.move(minutes=6)
    second = upkeep.sweep(crowd.world)
    assert next(second).done == ()
    rest = list(first)
    assert not rest[-1].whole
    assert list(second)[-1].whole
    crowd.judge()


def test_who_has_the_turn_is_left_alone_until_it_is_over(crowd: Crowd) -> None:
    crowd.add(20, "suspend")
    first = crowd.pausing()
    assert crowd.sweep() == []
    crowd.clock.move(minutes=4, seconds=59)
    assert crowd.sweep() == []
    crowd.clock.move(seconds=1)
    assert crowd.sweep()[-1].whole
    assert not any(stretch.whole for stretch in first)
    crowd.judge()


@pytest.mark.parametrize("within", [True, False])
def test_a_clock_set_back_does_nothing_twice_and_nothing_early(crowd: Crowd, within: bool) -> None:
    crowd.add(20, *ALL)
    begun = list(crowd.pausing()) if not within else None
    going = crowd.pausing() if within else None
    crowd.clock.move(days=-1)
    before = crowd.acts()
    stretches = list(going) if going is not None else crowd.sweep()
    told = done(stretches)
    # Each was past its day by less than two days: by the clock as it is now, one day less.
    assert all(one.due.at <= crowd.clock() for one in told)
    assert begun is None or told == []
    assert max((before + crowd.acts()).values()) <= 2
    crowd.clock.move(days=1, minutes=10)
    assert upkeep.is_time(crowd.world, timedelta(minutes=5))
    crowd.sweep()
    crowd.judge()


def test_a_clock_that_was_ahead_holds_up_no_later_round(crowd: Crowd) -> None:
    hour = timedelta(hours=1)
    crowd.clock.move(days=300)
    crowd.sweep()
    assert not upkeep.is_time(crowd.world, hour)
    held = crowd.world.store
    with held.begin() as tx:
        assert tx.turns.take(upkeep.TASK, "a worker that was killed", crowd.clock(), crowd.clock() + upkeep.TURN)
    crowd.clock.move(days=-300)
    assert upkeep.is_time(crowd.world, hour)
    crowd.add(5, "suspend")
    assert crowd.sweep()[-1].whole
    crowd.judge()
    assert not upkeep.is_time(crowd.world, hour)


def _never(policy: Any) -> Any:
    return replace(policy, digest="never", inactivity=replace(policy.inactivity, suspend_after=None, expire_after=None))


def _looser(policy: Any) -> Any:
    rules = replace(policy.inactivity, suspend_after=300 * DAY, expire_after=400 * DAY)
    return replace(policy, digest="looser", inactivity=rules)


def _stricter(policy: Any) -> Any:
    return replace(policy, digest="stricter", inactivity=replace(policy.inactivity, suspend_after=100 * DAY))


@pytest.mark.parametrize("change", [_never, _looser])
def test_a_policy_that_spares_people_counts_from_the_next_stretch_on(crowd: Crowd, change: Any) -> None:
    crowd.add(40, "suspend", "purge")
    crowd.pausing().close()  # type: ignore[attr-defined]
    already = crowd.acts()
    spared = crowd.by(change)
    assert done(crowd.sweep(spared)) == []
    assert crowd.acts() == already


def test_a_stricter_policy_hits_nobody_at_once(crowd: Crowd) -> None:
    people = crowd.add(40, "suspend", "remind")
    seen = crowd.clock() - 89 * DAY
    quiet = crowd.add(40, "quiet", created_at=seen, state_at=seen, last_sign_in_at=seen)
    crowd.pausing().close()  # type: ignore[attr-defined]
    strict = crowd.by(_stricter)
    told = done(crowd.sweep(strict))
    assert {one.account_id for one in told} <= set(people)
    crowd.judge()
    # A hundred days count from the day on which they took effect; the old hundred and twenty go on beside them.
    crowd.clock.move(days=2)
    told = done(crowd.sweep(replace(strict, clock=crowd.clock)))
    assert {(one.account_id, one.due.act) for one in told if one.account_id in quiet} == {(one, Act.REMIND) for one in quiet}
