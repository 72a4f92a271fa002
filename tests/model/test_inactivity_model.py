"""Years in which people come and go, laws change, the mail server fails and workers are killed: nobody loses access unwarned.

The flows are the real ones over a real store. What should come of each access is worked out beside them, in ``chronicle``.
"""

import shutil
import tempfile
from collections import Counter as Tally
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from idp.flows import assist, upkeep
from idp.flows.sign_in import Opened
from idp.policies.lifecycle import standing
from idp.policies.policy import Inactivity
from idp.policies.steps import Refused
from tests.model.chronicle import ASKED_AGAIN, Asked, Life
from tests.model.laws import ACTIVITY, JUMPS, LAWS
from tests.model.portal_of_years import NEVER_CAME, PEOPLE, REMINDERS, Years, years
from tests.servers import Kind

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
WHO = st.sampled_from(PEOPLE)
TICKS = st.sampled_from([-SECOND, timedelta(0), SECOND])
# Access that was blocked is of no more interest until it is not.
ACTS = [assist.Act.BLOCK, assist.Act.UNBLOCK, assist.Act.UNBLOCK, assist.Act.UNBLOCK, assist.Act.CLOSE]
EVERYWHERE = {
    "reminded of suspension",
    "reminded of expiry",
    "suspended",
    "expired",
    "purged, active",
    "purged, invited",
    "purged, closed",
    "reactivated by the person",
    "reactivated by staff, suspended",
    "law changed",
}


class Inactive(RuleBasedStateMachine):
    """See the module."""

    reached: ClassVar[Tally[str]] = Tally()
    kind: ClassVar[Kind] = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="idp-model-"))
        self.working: list[Generator[upkeep.Stretch]] = []

    @initialize(rules=LAWS, activity=ACTIVITY, since=st.sampled_from(["", "", "2031-06-01"]))
    def open(self, rules: Inactivity, activity: Any, since: str) -> None:
        rules = replace(rules, activity=activity, in_force_since=since)
        # A page of two and an act at a time: between any two of them anything may happen.
        self.small = patch.multiple(upkeep, READ_AT_ONCE=2, DONE_AT_ONCE=1)
        self.small.start()
        self.opening = years(self.kind, self.folder, rules)
        self.portal: Years = self.opening.__enter__()

    def teardown(self) -> None:
        if hasattr(self, "portal"):
            self.stop_working()
            self.opening.__exit__(None, None, None)
            self.small.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What people do

    @rule(who=WHO, answers=st.sampled_from([True, True, False]))
    def sign_in(self, who: str, answers: bool) -> None:
        life, before = self.portal.lives[who], self.standing_of(who)
        came = self.portal.sign_in(who, answers=answers)
        opens = before == "active" or (before == "suspended" and answers)
        assert isinstance(came, Opened) is opens, (before, came)
        if opens:
            life.used("sign_in", self.portal.now, self.portal.law)
            if before == "suspended":
                self.note("reactivated by the person")
                life.used("reactivated", self.portal.now, self.portal.law)
            # Whoever has just come is not touched by the next sweep.
            self.sweep()
            assert self.standing_of(who) == "active"
        self.hear()

    @rule(who=WHO, stretches=st.integers(1, 6), by=st.sampled_from([1, 15, 200]))
    def sign_in_meanwhile(self, who: str, stretches: int, by: int) -> None:
        """Somebody comes while a worker is about it: what it read of them before is of no account."""
        self.stop_working()
        self.portal.move(by * DAY)
        going = upkeep.sweep(self.portal.world)
        for _ in range(stretches):
            next(going, None)
        self.hear()
        before = self.standing_of(who)
        if isinstance(self.portal.sign_in(who), Opened):
            for how in ("sign_in", *(["reactivated"] if before == "suspended" else [])):
                self.portal.lives[who].used(how, self.portal.now, self.portal.law)
        for _ in going:
            self.hear()

    @rule(who=WHO)
    def sign_in_wrongly(self, who: str) -> None:
        """Nothing comes of it, and nothing is restarted."""
        before = self.portal.account(who)
        assert not isinstance(self.portal.sign_in(who, right=False), Opened | Refused)
        assert self.portal.account(who) == before

    @rule(who=WHO)
    def refresh(self, who: str) -> None:
        if self.standing_of(who) == "active" and self.portal.refresh(who):
            self.portal.lives[who].used("refresh", self.portal.now, self.portal.law)

    # What staff do

    @rule(who=st.sampled_from([*PEOPLE, NEVER_CAME]), act=st.sampled_from(ACTS), after=st.sampled_from([0, 29, 30]))
    def decide(self, who: str, act: assist.Act, after: int) -> None:
        life, now = self.portal.lives[who], self.portal.now
        if assist.change_state(self.portal.world, who, act, "staff") is None:
            return
        entered = "active" if who != NEVER_CAME else "invited"
        life.decided({assist.Act.BLOCK: "blocked", assist.Act.CLOSE: "closed"}.get(act, entered), now)
        if act is assist.Act.UNBLOCK:
            life.used("reactivated", now, self.portal.law)
        self.portal.move(after * DAY)
        self.sweep()

    @rule(who=WHO)
    def reactivate(self, who: str) -> None:
        before = self.standing_of(who)
        done = assist.reactivate(self.portal.world, who, "staff")
        assert not isinstance(done, assist.NotReactivated) or before not in {"suspended", "expired"}
        if before in {"suspended", "expired"}:
            self.note(f"reactivated by staff, {before}")
            self.portal.lives[who].used("reactivated", self.portal.now, self.portal.law)
            self.sweep()
            assert self.standing_of(who) == "active"

    @rule(rules=LAWS)
    def enact(self, rules: Inactivity) -> None:
        """A law is made stricter or looser: processes begin anew with it."""
        self.stop_working()
        if self.portal.now > self.portal.law.history[-1][0]:
            old = self.portal.law.rules
            self.portal.enact(replace(rules, activity=old.activity, in_force_since=old.in_force_since))
            self.note("law changed")

    # What time and machines do

    @rule(by=JUMPS)
    def wait(self, by: timedelta) -> None:
        self.portal.move(by)

    @rule(who=WHO, which=st.integers(0, 9), tick=TICKS)
    def wait_until(self, who: str, which: int, tick: timedelta) -> None:
        """Until just before, at, or just after something happens."""
        life = self.portal.lives[who]
        ahead = [at for at in life.moments(self.portal.law) if at + tick > self.portal.now]
        if ahead and life.state == "active":
            self.portal.time[0] = ahead[min(which // 3, len(ahead) - 1)] + tick

    @rule(by=st.integers(1, 7200))
    def set_back(self, by: int) -> None:
        self.portal.move(-by * SECOND)
        for life in self.portal.lives.values():
            life.set_back = True

    @rule(up=st.booleans(), refuses=st.sets(WHO, max_size=1))
    def mail_server(self, up: bool, refuses: set[str]) -> None:
        self.portal.mail.up, self.portal.mail.refuses = up, refuses

    @rule()
    def deliver(self) -> None:
        before = len(self.portal.mail.taken)
        self.portal.post()
        for letter, at in self.portal.mail.taken[before:]:
            if letter.template in REMINDERS:
                self.reminded(letter.id, str(letter.account_id), at)
        self.hear()

    @rule(
        who=WHO,
        until=st.sampled_from(["suspended", "suspended", "suspended", "expired", "gone", ""]),
        step=st.sampled_from([2, 3, 5]),
        then=st.sampled_from(["sign_in", "reactivate", ""]),
    )
    def live(self, who: str, until: str, step: int, then: str) -> None:
        """Days on which everything works and nobody comes, until something has become of somebody, who perhaps comes then."""
        self.portal.mail.up, self.portal.mail.refuses = True, set()
        for _ in range(40):
            if self.standing_of(who) == until or self.portal.lives[who].gone:
                break
            self.portal.move(step * DAY)
            self.sweep()
            self.deliver()
        if then == "sign_in":
            self.sign_in(who, answers=True)
        elif then == "reactivate":
            self.reactivate(who)

    @rule()
    def sweep(self) -> None:
        """A whole round, whatever was left of another."""
        self.stop_working()
        while self.place() is not None:
            assert list(upkeep.sweep(self.portal.world))[-1].whole
        assert list(upkeep.sweep(self.portal.world))[-1].whole
        self.hear()
        self.swept()

    @rule(stretches=st.integers(0, 6), killed=st.booleans())
    def sweep_a_little(self, stretches: int, killed: bool) -> None:
        """A worker comes to its end half-way: well, or not, when its turn stays its own until the time is over."""
        going = upkeep.sweep(self.portal.world)
        for _ in range(stretches):
            next(going, None)
        if killed:
            self.working.append(going)
        else:
            going.close()
        self.hear()

    @rule(turns=st.lists(st.integers(0, 1), min_size=4, max_size=12), apart=st.sampled_from([SECOND, 6 * 60 * SECOND]))
    def sweep_twice(self, turns: list[int], apart: timedelta) -> None:
        """Two workers at once, one of them so slow that the other takes its turn."""
        going = [upkeep.sweep(self.portal.world) for _ in range(2)]
        for which in turns:
            next(going[which], None)
            self.portal.move(apart)
        self.working += going
        self.hear()

    @rule(which=st.integers(0, 3), stretches=st.integers(1, 6))
    def go_on(self, which: int, stretches: int) -> None:
        """One of those that stood still for whatever time goes on with what it read then."""
        for _ in range(stretches if self.working else 0):
            next(self.working[which % len(self.working)], None)
        self.hear()

    # How it is done

    def stop_working(self) -> None:
        for going in self.working:
            going.close()
        self.working.clear()

    def place(self) -> Any:
        with self.portal.world.store.read() as tx:
            return tx.turns.of(upkeep.TASK).place

    def note(self, what: str) -> None:
        self.reached[what] += 1

    def standing_of(self, who: str) -> str:
        account = self.portal.account(who)
        return "gone" if account is None else standing(account, self.portal.world.policy, self.portal.now).value

    def life_of(self, account_id: str) -> Life:
        return self.portal.lives[account_id.removeprefix("acc_")]

    # What may come of it

    def reminded(self, letter: str, account_id: str, at: datetime) -> None:
        """The mail server took a reminder: one that was asked for in this quiet period, and none twice."""
        life = self.life_of(account_id)
        asked = next((one for one in life.asked if one.letter == letter), None)
        if asked is None or life.current(asked.ending, asked.ahead) is not asked:
            # Whoever came back meanwhile, or one given up since.
            return
        assert asked.accepted is None, "delivered twice"
        asked.accepted = max(at, asked.at)
        which = asked.ending, asked.ahead
        assert which not in life.taken or life.bent, "the same reminder twice"
        life.taken.append(which)
        if asked.ends is not None and not life.bent:
            life.ends.append(asked.ends)
        self.note(f"reminded of {asked.ending}")

    def hear(self) -> None:
        """What upkeep did since: in its time, and to nobody unreminded."""
        for entry in self.portal.news():
            if entry.event in {"reminder.asked", "account.suspended", "account.expired", "account.purged"}:
                life = self.life_of(entry.account_id)
                assert not life.gone
                getattr(self, f"heard_{entry.event.partition('.')[2]}")(life, entry)

    def heard_asked(self, life: Life, entry: Any) -> None:
        ending, days = entry.facts["ending"], entry.facts["ahead"]
        ahead = next(one for one in self.portal.law.reminders(ending) if str(one) == days)
        before = life.current(ending, ahead)
        given_up = before is None or (before.accepted is None and entry.at - before.at >= ASKED_AGAIN)
        assert given_up or life.bent, "asked for twice"
        assert life.state == "active"
        earliest = life.earliest(self.portal.law, ending)
        assert earliest is not None
        assert entry.at >= earliest - ahead
        letter = entry.facts["letter"]
        life.asked.append(Asked(ending, ahead, letter, entry.at, self.portal.told(letter)))

    def heard_suspended(self, life: Life, entry: Any) -> None:
        self.ended(life, "suspension", entry.at)
        assert "suspended" not in life.told or life.bent, "suspended twice"
        life.told.append("suspended")
        self.note("suspended")

    def heard_expired(self, life: Life, entry: Any) -> None:
        self.ended(life, "expiry", entry.at)
        assert "expired" not in life.told or life.bent, "expired twice"
        life.told.append("expired")
        self.note("expired")

    def heard_purged(self, life: Life, entry: Any) -> None:
        if life.state == "active":
            self.ended(life, "expiry", entry.at)
        else:
            goes = life.goes(self.portal.law)
            assert goes is not None
            assert entry.at >= goes
        life.gone = True
        assert self.portal.traces(life.id) == {**dict.fromkeys(self.portal.traces(life.id), 0), "tombstones": 1}
        self.note(f"purged, {life.state}")

    def ended(self, life: Life, ending: str, at: datetime) -> None:
        """Access ended now: not before its time under every law, not before each reminder's, nor the day that a letter told."""
        law = self.portal.law
        earliest = life.earliest(law, ending)
        assert life.state == "active"
        assert earliest is not None
        assert at >= earliest
        came = bool(life.told) and life.bent
        for ahead in law.reminders(ending) if law.rules.require_reminders and not came else ():
            asked = life.current(ending, ahead)
            assert asked is not None, "nobody was asked to be reminded"
            assert asked.accepted is not None, "the mail server never took it"
            assert at >= asked.accepted + ahead
        if law.rules.require_reminders and not life.bent and life.ends:
            assert at >= (min if ending == "suspension" else max)(life.ends), "earlier than the letter told"

    def swept(self) -> None:
        """After a whole round, what was done is what is so."""
        law, now = self.portal.law, self.portal.now
        for who, life in self.portal.lives.items():
            stands = self.standing_of(who)
            assert (stands == "gone") is life.gone
            if stands in {"suspended", "expired"}:
                assert stands in life.told, "nobody was told"
            if stands == "active" and life.plain(law) and not (life.set_back or life.bent):
                assert not life.told
            if life.plain(law) and not life.gone:
                goes = life.goes(law)
                assert goes is None or now < goes, "its data should be gone"
            if life.plain(law) and not life.gone and (wanted := life.wanted(law, now)) is not None:
                asked = life.current(*wanted)
                assert asked is not None, "nobody was asked to be reminded"
                assert now < asked.at + ASKED_AGAIN, "it is not tried any more"

    @invariant()
    def as_they_should_be(self) -> None:
        law, now = self.portal.law, self.portal.now
        for who, life in self.portal.lives.items():
            stands = self.standing_of(who)
            if life.gone:
                assert stands == "gone"
                continue
            assert stands != "gone"
            if life.plain(law):
                assert stands == life.standing(law, now), life
            elif stands in {"suspended", "expired"}:
                self.ended(life, "suspension" if stands == "suspended" else "expiry", now)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "seeds"), [("sqlite", 6), ("postgresql", 1)])
def test_nobody_loses_access_unwarned_or_before_their_time_and_what_is_so_is_done(kind: Kind, seeds: int) -> None:
    reached: Tally[str] = Tally()
    profile = settings(
        max_examples=7,
        stateful_step_count=30,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine = type("Portal", (Inactive,), {"reached": reached, "kind": kind})
    for number in range(seeds):
        run_state_machine_as_test(seed(number)(machine), settings=profile)  # type: ignore[no-untyped-call]
    # The walk went everywhere worth going.
    assert reached.keys() >= EVERYWHERE or kind != "sqlite", reached
    assert "suspended" in reached
