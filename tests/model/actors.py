"""Who does things in the recovery model: browsers, what their owners know of each account, and what they type at each step."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp.flows import enrol, reactivate, recover, second_factor, sign_in
from idp.flows.facts import Looked
from idp.flows.world import World
from idp.model import Factor
from idp.policies.steps import (
    AnswerToRecover,
    AskPin,
    AskSecondFactor,
    AskUsernameAndPassword,
    Done,
    EnterCode,
    ExtraProof,
    MailSent,
    Reactivate,
    ReactivateByCode,
    ReplacePassword,
    ReplacePin,
    ResetByCode,
)
from tests.model.portals import ATTACKER, KNOWLEDGE, OWNER, Portal

SECRETS = {
    OWNER: {"password": "correct horse battery", "pin": "280571", "answer": "Scuola Manzoni"},
    ATTACKER: {"password": "wicked staple of eve", "pin": "937146", "answer": "Liceo Volta"},
}


@dataclass
class Browser:
    """One browser of an actor: its cookies, the sign-in in front of it, whose it is, and the pages it saw before."""

    actor: str
    secret: str
    device: str | None = None
    transaction: str = ""
    about: str = OWNER
    stale: list[Looked] = field(default_factory=list)


@dataclass
class Given:
    """A secret that was mailed: when, until when it works, and how often it has."""

    value: str
    sent: datetime
    ends: datetime
    uses: int = 0

    def worked(self, now: datetime) -> None:
        """It was taken for right just now."""
        self.uses += 1
        assert self.uses == 1, "it worked twice"
        assert self.sent <= now < self.ends, "it worked outside its time"


class People:
    """What each actor knows of each account, from the beginning or since."""

    def __init__(self, portal: Portal, attacker_knows: frozenset[str]) -> None:
        self.portal = portal
        self.knows: dict[tuple[str, str], frozenset[str]] = {
            (OWNER, OWNER): frozenset(KNOWLEDGE),
            (ATTACKER, ATTACKER): frozenset(KNOWLEDGE),
            (ATTACKER, OWNER): attacker_knows,
            (OWNER, ATTACKER): frozenset(),
        }
        self._learned: dict[tuple[str, str], dict[str, str]] = {
            (actor, about): {what: SECRETS[about][what] for what in known if what in SECRETS[about]}
            for (actor, about), known in self.knows.items()
        }
        self._tried: set[tuple[str, str]] = set()
        self._numbers = itertools.count(1)
        self._chosen = {Factor.PASSWORD: "", Factor.PIN: ""}

    def reads_mail(self, actor: str, about: str) -> bool:
        return "mailbox" in self.knows[actor, about]

    def secret(self, actor: str, about: str, what: str) -> str:
        return self._learned[actor, about].get(what, f"guessed {what}")

    def keeps(self, actor: str, about: str, factor: Factor) -> None:
        """What this actor chose last was accepted; a PIN of the house's own making stands in the letter."""
        held = self.portal.account(about).credential(factor)
        if held is not None and self.portal.world.vault.verify(self._chosen[factor], held.hash):
            self._learned[actor, about][factor.value] = self._chosen[factor]

    def password(self, actor: str, about: str) -> str:
        """A temporary password that can be read and was not tried by this actor yet, else the password as they know it."""
        mailed = self.portal.mailbox(about, "temporary_password", "password") if self.reads_mail(actor, about) else ""
        if mailed and (actor, mailed) not in self._tried:
            self._tried.add((actor, mailed))
            return mailed
        return self.secret(actor, about, "password")

    def pin(self, actor: str, about: str) -> str:
        """The PIN as this actor knows it, or the one mailed last where that is the one in force."""
        mailed = self.portal.mailbox(about, "new_pin", "pin") if self.reads_mail(actor, about) else ""
        held = self.portal.account(about).credential(Factor.PIN)
        current = mailed and held is not None and self.portal.world.vault.verify(mailed, held.hash)
        return mailed if current else self.secret(actor, about, "pin")

    def code(self, actor: str, about: str) -> str:
        return (self.portal.mailbox(about, "recovery_code", "code") if self.reads_mail(actor, about) else "") or "123890"

    def app_code(self, actor: str, about: str) -> str:
        return self.portal.app_code(about) if "totp" in self.knows[actor, about] else "000000"

    def new_password(self) -> str:
        self._chosen[Factor.PASSWORD] = f"a fresh phrase no {next(self._numbers)} of ours"
        return self._chosen[Factor.PASSWORD]

    def new_pin(self) -> str:
        self._chosen[Factor.PIN] = f"{480_000 + 7 * next(self._numbers)}"
        return self._chosen[Factor.PIN]

    # Steps

    def answer(self, world: World, looked: Looked, browser: Browser, *, right: bool) -> Any:
        """Answer the step at hand, as well as the actor can or wrongly; steps that ask nothing are left alone."""
        by = _ANSWERS.get(type(looked.step))
        return looked if by is None else by(_Answer(self, world, looked, browser.actor, browser.about, right))


@dataclass(frozen=True)
class _Answer:
    people: People
    world: World
    looked: Looked
    actor: str
    about: str
    right: bool

    def typed(self, source: Callable[[str, str], str], otherwise: str) -> str:
        return source(self.actor, self.about) if self.right else otherwise

    def memory(self) -> str:
        return self.people.secret(self.actor, self.about, "answer") if self.right else "no idea"

    def password(self) -> Any:
        return sign_in.password(self.world, self.looked, self.about, self.typed(self.people.password, "wrong wrong wrong"))

    def pin(self) -> Any:
        return sign_in.pin(self.world, self.looked, self.typed(self.people.pin, "111213"))

    def question(self) -> Any:
        return sign_in.answer(self.world, self.looked, self.memory())

    def reactivation(self) -> Any:
        return reactivate.answer(self.world, self.looked, self.memory())

    def reactivation_code(self) -> Any:
        if isinstance(self.looked.step, ReactivateByCode) and not self.looked.step.sent:
            return reactivate.send(self.world, self.looked)
        return reactivate.code(self.world, self.looked, self.typed(self.people.code, "999999"))

    def recovery_answer(self) -> Any:
        return recover.answer(self.world, self.looked, self.memory())

    def code(self) -> Any:
        by_app = isinstance(self.looked.step, EnterCode) and self.looked.step.channel == "totp"
        return recover.code(self.world, self.looked, self.typed(self.people.app_code if by_app else self.people.code, "999999"))

    def reset(self) -> Any:
        typed = self.typed(self.people.code, "999999")
        return recover.reset(self.world, self.looked, typed, self.people.new_password())

    def new_password(self) -> Any:
        return enrol.choose_password(self.world, self.looked, self.people.new_password() if self.right else "short")

    def new_pin(self) -> Any:
        return enrol.choose_pin(self.world, self.looked, self.people.new_pin())

    def second_factor(self) -> Any:
        return second_factor.app_code(self.world, self.looked, self.typed(self.people.app_code, "000000"))

    def leave(self) -> Any:
        return recover.abandon(self.world, self.looked)

    def finish(self) -> Any:
        return sign_in.finish(self.world, self.looked)


_ANSWERS: Mapping[type, Callable[[_Answer], Any]] = {
    AskUsernameAndPassword: _Answer.password,
    AskPin: _Answer.pin,
    Reactivate: _Answer.reactivation,
    ReactivateByCode: _Answer.reactivation_code,
    ExtraProof: _Answer.question,
    AnswerToRecover: _Answer.recovery_answer,
    EnterCode: _Answer.code,
    ResetByCode: _Answer.reset,
    ReplacePassword: _Answer.new_password,
    ReplacePin: _Answer.new_pin,
    AskSecondFactor: _Answer.second_factor,
    MailSent: _Answer.leave,
    Done: _Answer.finish,
}
# Use cases of every step, for whoever calls them out of turn.
OUT_OF_TURN: tuple[Callable[[_Answer], Any], ...] = tuple(dict.fromkeys(_ANSWERS.values()))


def out_of_turn(people: People, world: World, looked: Looked, browser: Browser, which: int) -> Any:
    """The use case of some step, whatever step is at hand."""
    call = OUT_OF_TURN[which % len(OUT_OF_TURN)]
    return call(_Answer(people, world, looked, browser.actor, browser.about, True))
