"""An owner and an attacker, several browsers each, in any order: whatever is tried, nobody gets what policy does not give.

The flows are the real ones over a real store. What each may come to is worked out beside them, in ``portals.Reach``.
"""

import itertools
import shutil
import tempfile
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from idp.flows import recover, second_factor, sign_in
from idp.flows.choosing import Faulty
from idp.flows.facts import Looked, Visit, look
from idp.flows.sign_in import Opened
from idp.model import Account, Ask, AuthorizationCode, Factor, Grant, Lost, Source
from idp.policies.recovery import Named, method
from idp.policies.steps import AskUsernameAndPassword, Done, MailSent, Refused, ReplacePassword
from idp.vault import digest
from tests.model.actors import SECRETS, Browser, Given, People, out_of_turn
from tests.model.portals import ATTACKER, OWNER, POLICIES, Portal, Reach, portal

NAMES = {OWNER: ("Maria", "Rossi"), ATTACKER: ("Eve", "Neri")}
KEPT = 6
SECOND = timedelta(seconds=1)
ACTORS = st.sampled_from([OWNER, OWNER, ATTACKER, ATTACKER, ATTACKER])
NUMBERS = st.integers(0, 1)
ABOUT = st.sampled_from([OWNER, OWNER, OWNER, ATTACKER])
RIGHT = st.sampled_from([True] * 7 + [False])
STEPS = st.integers(0, 6)
# Whose turn it is, for two who are at it at once: the owner's or the attacker's.
TURNS = st.lists(st.booleans(), min_size=8, max_size=16)
# What an attacker may know of the owner: nothing, one thing, and almost enough in several ways.
KNOWN: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset({"password"}),
    frozenset({"answer"}),
    frozenset({"mailbox"}),
    frozenset({"pin", "totp"}),
    frozenset({"answer", "mailbox"}),
    frozenset({"password", "pin", "answer"}),
    frozenset({"password", "pin", "mailbox"}),
    frozenset({"password", "answer", "totp"}),
)
PAUSES = st.sampled_from([SECOND, 30 * SECOND, 300 * SECOND, 660 * SECOND, timedelta(hours=1), timedelta(days=2)])
WRONG = (recover.Wrong, sign_in.Wrong, second_factor.Wrong, Faulty)


class Recoveries(RuleBasedStateMachine):
    """See the module."""

    reached: ClassVar[Tally[str]] = Tally()
    law: ClassVar[str] = ""
    knows: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="idp-model-"))
        self.numbers = itertools.count(1)

    @initialize()
    def open(self) -> None:
        self.opening = portal(self.law, self.folder)
        self.portal: Portal = self.opening.__enter__()
        self.world = self.portal.world
        for username, secrets in SECRETS.items():
            self.portal.add(username, secrets, NAMES[username])
        self.people = People(self.portal, self.knows)
        self.browsers = {(actor, n): Browser(actor, f"{actor}-{n}") for actor in (OWNER, ATTACKER) for n in range(2)}
        self.mailed: dict[str, dict[str, list[Given]]] = {
            "temporary_password": {OWNER: [], ATTACKER: []},
            "recovery_code": {OWNER: [], ATTACKER: []},
        }
        self.sessions: list[tuple[str, str, str]] = []
        self.reset_at: dict[str, datetime] = {}
        self.break_in()

    def teardown(self) -> None:
        if hasattr(self, "opening"):
            self.opening.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    # What people do

    def break_in(self) -> None:
        """To begin with, the attacker goes straight ahead by every way there is, as far as it leads."""
        self.sign_in(ATTACKER, 0, OWNER, True, 6)
        self.recover(ATTACKER, 0, (OWNER, True), Lost.PASSWORD, 8)
        self.recover_pin(ATTACKER, 0, OWNER, True, 6)
        self.portal.move(timedelta(days=1))

    @rule(actor=ACTORS, n=NUMBERS, about=ABOUT, right=RIGHT, steps=STEPS)
    def sign_in(self, actor: str, n: int, about: str, right: bool, steps: int) -> None:
        browser = self.browsers[actor, n]
        browser.transaction, browser.about = sign_in.begin(self.world, Ask(), browser.secret), about
        self.answer_on(browser, right, steps)

    @rule(
        actor=ACTORS,
        n=NUMBERS,
        whom=st.tuples(ABOUT, RIGHT),
        lost=st.sampled_from([Lost.PASSWORD] * 4 + list(Lost)),
        steps=STEPS,
    )
    def recover(self, actor: str, n: int, whom: tuple[str, bool], lost: Lost, steps: int) -> None:
        """Begin a recovery, naming somebody rightly or not quite, and perhaps go on with it."""
        browser, law, (about, right) = self.browsers[actor, n], self.world.policy, whom
        browser.about, before = about, self.standing()
        self.portal.move(SECOND)
        wrong = "" if right else "x"
        password = self.people.secret(actor, about, "password") if steps % 2 else ""
        named = Named(f"{about}{wrong}", f"{about}@example.com", f"{' '.join(NAMES[about])}{wrong}", password)
        looked = recover.begin(self.world, self.visit(browser), lost, named)
        assert (looked is not None) is (method(lost, law).enabled and lost is not Lost.PIN)
        self.only_asked(before, letter=not method(lost, law).prove_by)
        if looked is not None:
            self.arrived(browser, looked)
            self.answer_on(browser, True, steps)

    @rule(n=NUMBERS, turns=TURNS)
    def compete(self, n: int, turns: list[bool]) -> None:
        """Both recover the owner's access at once, step by step in some order."""
        for actor in (OWNER, ATTACKER):
            self.recover(actor, n, (OWNER, True), Lost.PASSWORD, 0)
        self.take_turns(n, turns)

    @rule(n=NUMBERS, turns=TURNS)
    def compete_rested(self, n: int, turns: list[bool]) -> None:
        """The same where no lock and no limit is in their way."""
        self.portal.move(timedelta(days=1))
        self.compete(n, turns)

    @rule(n=NUMBERS, turns=TURNS)
    def compete_after_a_reset(self, n: int, turns: list[bool]) -> None:
        """What the attacker began before, the owner's reset comes in between."""
        self.portal.move(timedelta(days=1))
        self.recover(ATTACKER, n, (OWNER, True), Lost.PASSWORD, len(turns) % 5)
        self.recover(OWNER, n, (OWNER, True), Lost.PASSWORD, 7)
        self.take_turns(n, turns)

    @rule(n=NUMBERS, turns=TURNS)
    def compete_for_the_pin(self, n: int, turns: list[bool]) -> None:
        self.portal.move(timedelta(days=1))
        for actor in (OWNER, ATTACKER):
            self.recover_pin(actor, n, OWNER, afresh=True, steps=0)
        self.take_turns(n, turns)

    def take_turns(self, n: int, turns: list[bool]) -> None:
        for owners in turns:
            self.answer_on(self.browsers[OWNER if owners else ATTACKER, n], True, 1)

    @rule(actor=ACTORS, n=NUMBERS, about=ABOUT, afresh=st.booleans(), steps=STEPS)
    def recover_pin(self, actor: str, n: int, about: str, afresh: bool, steps: int) -> None:
        if afresh:
            self.sign_in(actor, n, about, right=True, steps=1)
        self.act(self.browsers[actor, n], recover.begin_pin)
        self.answer_on(self.browsers[actor, n], True, steps)

    @rule(actor=ACTORS, n=NUMBERS, right=RIGHT, steps=STEPS)
    def go_on(self, actor: str, n: int, right: bool, steps: int) -> None:
        self.answer_on(self.browsers[actor, n], right, steps + 1)

    @rule(actor=ACTORS, n=NUMBERS)
    def go_back(self, actor: str, n: int) -> None:
        self.act(self.browsers[actor, n], recover.abandon)

    @rule(actor=ACTORS, n=NUMBERS, back=st.integers(1, KEPT), which=st.integers(0, 15))
    def come_late(self, actor: str, n: int, back: int, which: int) -> None:
        """A request that was on its way while others were faster: its facts are those of before."""
        browser = self.browsers[actor, n]
        if back > len(browser.stale):
            return
        self.portal.move(SECOND)
        looked = replace(browser.stale[-back], now=self.portal.now)
        if looked.sign_in.expires_at > looked.now:
            self.take(browser, looked, lambda world, old: self.people.answer(world, old, browser, right=which % 2 == 0))

    @rule(actor=ACTORS, n=NUMBERS, which=st.integers(0, 15))
    def skip(self, actor: str, n: int, which: int) -> None:
        """The use case of another step than the one at hand."""
        browser = self.browsers[actor, n]
        self.act(browser, lambda world, looked: out_of_turn(self.people, world, looked, browser, which))

    @rule(by=PAUSES)
    def wait(self, by: timedelta) -> None:
        self.portal.move(by)

    # How it is done

    def visit(self, browser: Browser) -> Visit:
        return Visit(browser.transaction, browser.secret, Source("bucket", browser.device, "other"))

    def answer_on(self, browser: Browser, right: bool, steps: int) -> None:
        """Answer one step after another; where one is answered wrongly, only that one."""
        for _ in range(steps if right else min(steps, 1)):
            self.act(browser, lambda world, looked: self.people.answer(world, looked, browser, right=right))

    def act(self, browser: Browser, call: Callable[..., Any]) -> None:
        # No two things happen at once: what came before is told apart by its time.
        self.portal.move(SECOND)
        looked = look(self.world, self.visit(browser)) if browser.transaction else None
        if looked is not None:
            browser.stale = [*browser.stale, looked][-KEPT:]
            self.take(browser, looked, call)

    def take(self, browser: Browser, looked: Looked, call: Callable[..., Any]) -> None:
        before = {username: self.portal.account(username) for username in SECRETS}
        result = call(self.world, looked)
        for username, old in before.items():
            self.judged(browser, looked, old, self.portal.account(username))
        self.delivered()
        if isinstance(result, Opened):
            self.opened(browser, looked, result)
        elif isinstance(result, Looked):
            self.used(browser, looked, result)
            self.arrived(browser, result)
        elif isinstance(result, WRONG):
            self.arrived(browser, result.looked)

    # What may come of it

    def reach(self, browser: Browser, account: Account) -> Reach:
        known = self.people.knows[browser.actor, account.username]
        return Reach(self.world.policy, known, account.username in self.portal.keys)

    def note(self, browser: Browser, username: str, what: str) -> None:
        self.reached[f"{browser.actor} {what} of {username}"] += 1

    def arrived(self, browser: Browser, looked: Looked) -> None:
        """Nobody is done who may not be, nor while a recovery is under way; a temporary password opens one thing."""
        browser.transaction = looked.visit.transaction
        shown, recovering = {proof.factor for proof in looked.sign_in.proofs}, looked.sign_in.recovering
        if isinstance(looked.step, Done):
            assert looked.account is not None
            assert self.reach(browser, looked.account).session(), looked
            assert recovering is None
            assert Factor.PASSWORD in shown
        if Factor.TEMPORARY in shown and Factor.PASSWORD not in shown:
            assert isinstance(looked.step, ReplacePassword | AskUsernameAndPassword | Refused | MailSent), looked.step

    def judged(self, browser: Browser, looked: Looked, old: Account, new: Account) -> None:
        """Whatever changed about an account was this actor's to change."""
        assert (new.email, new.state, new.username) == (old.email, old.state, old.username)
        for factor in (Factor.PASSWORD, Factor.PIN, Factor.ANSWER, Factor.TOTP):
            was, held = old.credential(factor), new.credential(factor)
            if (was and was.hash) != (held and held.hash):
                assert factor in (Factor.PASSWORD, Factor.PIN)
                self.changed(browser, looked, new, factor)

    def changed(self, browser: Browser, looked: Looked, account: Account, factor: Factor) -> None:
        """A secret was replaced: rightly, by nothing that was begun before the last time, and what was open is dead."""
        reach, username = self.reach(browser, account), account.username
        assert reach.new_password() if factor is Factor.PASSWORD else reach.new_pin(), (reach, looked)
        under_way = looked.sign_in.recovering
        rested_on = under_way.proofs if under_way else [p for p in looked.sign_in.proofs if p.factor is Factor.TEMPORARY]
        for proof in rested_on if factor is Factor.PASSWORD else ():
            assert proof.at >= self.reset_at.get(username, proof.at), "proofs of before the last reset"
        for cookie, whose, grant in [one for one in self.sessions if one[1] == username]:
            assert sign_in.usable_session(self.world, cookie) is None, whose
            with self.world.store.read() as tx:
                assert tx.grants.alive(grant, None, self.portal.now) is None
        self.sessions = [one for one in self.sessions if one[1] != username]
        self.reset_at[username] = looked.now
        self.people.keeps(browser.actor, username, factor)
        self.note(browser, username, f"new {factor}")

    def opened(self, browser: Browser, looked: Looked, result: Opened) -> None:
        account = looked.account
        assert account is not None
        assert self.reach(browser, account).session()
        browser.device, browser.transaction = result.device, ""
        assert sign_in.usable_session(self.world, result.session) is not None
        self.sessions.append((result.session, account.username, self.granted(account, looked.now)))
        self.note(browser, account.username, "session")

    def granted(self, account: Account, now: datetime) -> str:
        """A client gets a grant in the session just opened."""
        number = f"grant-{next(self.numbers)}"
        grant = Grant(number, account.id, "portal", ("openid",), (), (), now, now + timedelta(days=300), session=number)
        code = AuthorizationCode(digest(number), number, "https://x", True, None, None, now, now + SECOND)
        with self.world.store.begin() as tx:
            tx.grants.open(grant, code)
            assert tx.grants.alive(number, None, now) is not None
        return number

    def used(self, browser: Browser, before: Looked, after: Looked) -> None:
        """A temporary password or code that was just taken for right was the newest, in its time, for the first time."""
        under_way = after.sign_in.recovering
        shown = [(Factor.TEMPORARY, "temporary_password", proof) for proof in after.sign_in.proofs]
        shown += [(Factor.CODE, "recovery_code", proof) for proof in under_way.proofs] if under_way else []
        for factor, template, proof in shown:
            if proof.factor is factor and proof.at == before.now and after.account is not None:
                self.mailed[template][after.account.username][-1].worked(before.now)
                self.note(browser, after.account.username, f"{template}")

    def standing(self) -> dict[str, Any]:
        """What asking may not touch: accounts, their secrets and counters, and sessions."""
        kept: dict[str, Any] = {"sessions": [one for one in self.sessions if sign_in.usable_session(self.world, one[0])]}
        for username in SECRETS:
            account = self.portal.account(username)
            with self.world.store.read() as tx:
                counters = [one for one in tx.counters.of(account.id) if one.device != "reminder"]
            secrets = {one.factor: one for one in account.credentials}
            kept[username] = secrets, replace(account, credentials=()), counters
        return kept

    def only_asked(self, before: dict[str, Any], *, letter: bool) -> None:
        self.delivered()
        after = self.standing()
        for username in SECRETS if letter else ():
            for kept in (before, after):
                kept[username][0].pop(Factor.TEMPORARY, None)
        assert after == before

    def delivered(self) -> None:
        """Letters go to addresses on file, within their limits; those with a secret are remembered."""
        for letter, body in self.portal.new_letters():
            username = letter.to.removesuffix("@example.com")
            assert username in SECRETS
            assert letter.channel == "mail"
            if letter.template in self.mailed:
                assert letter.not_after is not None
                value = body.get("password") or body["code"]
                self.mailed[letter.template][username].append(Given(value, letter.created_at, letter.not_after))
                self.within(letter.template, username)

    def within(self, template: str, username: str) -> None:
        rules, sent = self.world.policy, [one.sent for one in self.mailed[template][username]]
        hourly = template == "temporary_password"
        most = rules.temporary_password.per_hour if hourly else rules.recovery.codes_per_day
        since = sent[-1] - (timedelta(hours=1) if hourly else timedelta(days=1))
        assert sum(at > since for at in sent) <= most


@pytest.mark.timeout(600)
@pytest.mark.parametrize("law", POLICIES)
def test_whatever_is_tried_in_whatever_order_nobody_gets_what_policy_does_not_give(law: str) -> None:
    reached: Tally[str] = Tally()
    profile = settings(
        max_examples=3,
        stateful_step_count=14,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    for number, knows in enumerate(KNOWN):
        machine = type("Portals", (Recoveries,), {"reached": reached, "law": law, "knows": knows})
        run_state_machine_as_test(seed(number)(machine), settings=profile)  # type: ignore[no-untyped-call]
    # The walk went everywhere worth going.
    ends = {f"{OWNER} session of {OWNER}", f"{OWNER} new password of {OWNER}", f"{ATTACKER} new password of {OWNER}"}
    assert ends <= reached.keys()
