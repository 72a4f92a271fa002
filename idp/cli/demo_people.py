"""The demo's people, one in every state of life, made by the product's own flows with the clock turned back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyotp

from idp.cli.demo_cast import Sample, cast
from idp.cli.value_file import ValueFile
from idp.flows import acting, agree, assist, customers, enrol, invite, leave, reminding, second_factor, sign_in, upkeep
from idp.flows.customers import Brought
from idp.flows.facts import Looked, Visit, look
from idp.flows.invite import Person
from idp.flows.resident import resident
from idp.flows.world import World
from idp.model import Account, Ask, Factor, Role, Source
from idp.policies.agreeing import TERMS
from idp.policies.inactivity import next_due
from idp.policies.steps import (
    AcceptTerms,
    AnswerPurposes,
    ChoosePassword,
    ChooseQuestion,
    CreatePin,
    Done,
    EnrolSecondFactor,
    Step,
)
from idp.settings import Settings
from idp.vault import Hasher, HashPool, Vault

# Sound under every profile: long, with letters and digits.
PASSWORD = "quiet harbour lantern 27"  # noqa: S105 - told to everyone
PIN = "190476"
ANSWER = "Greenfield"
# What everybody's authenticator app is given, where there must be one.
APP_KEY = "NORDADEMONORDADEMONORDADEMONORDA"
PORTAL = "portal"
_BROWSER = "the demo's own browser"
_OF_THE_PAST = {"cancelled", "enrolled", *reminding.TEMPLATES.values()}


class SharedHashes(Hasher):
    """Real hashes at the full cost, one for each secret: who shares a secret with the others may share its hash."""

    def __init__(self, memory_kib: int, iterations: int, parallelism: int) -> None:
        super().__init__(memory_kib, iterations, parallelism)
        self._made: dict[str, str] = {}

    def hash(self, secret: str) -> str:
        """Hash a secret that was not seen before."""
        if secret not in self._made:
            self._made[secret] = super().hash(secret)
        return self._made[secret]

    def verify(self, secret: str, known: str) -> bool:
        """Whether this very hash was made of the secret; every hash there is was made here."""
        return self._made.get(secret) == known


def thrifty(world: World, settings: Settings) -> World:
    """The World with a vault that computes each of the few shared secrets once."""
    cost = settings.hashing
    hasher = SharedHashes(cost.memory_kib, cost.iterations, cost.parallelism)
    return replace(world, vault=Vault(settings.secrets.master_key, hasher, HashPool(1, 1)))


class People:
    """The demo's people and how they move in; ``all`` of them are those that the policy gives something to show."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.all = cast(world.policy)

    def move_in(self) -> None:
        """Make everyone, letters about the past left out."""
        for sample in self.all:
            self._one(sample)

    def bring_in(self, file: Path) -> None:
        """Bring in the operator's records of customers who may register, where the policy holds them against any."""
        if not self.world.policy.registration.match_customer:
            return
        source = ValueFile(file, customers.FIELDS, customers.NEEDED)
        with file.open("rb") as opened:
            for told in customers.bring_in(self.world, source.records(opened), customers.Rules(faulty=0), "demo"):
                if isinstance(told, Brought) and told.refused:
                    raise ValueError(f"{file} cannot be brought in: {told.refused}")

    def _one(self, sample: Sample) -> None:
        past = self._at(self.world.clock() - sample.away)
        given, _, family = sample.name.partition(" ")
        address = f"{sample.username}@example.com"
        # Where nobody chooses a username, the address is it.
        named = "username" in self.world.policy.sign_in.identify_by
        person = Person(
            sample.username if named else address,
            address,
            given,
            family,
            mobile=sample.mobile,
            locale=sample.language,
            zone="Europe/Rome" if sample.language == "it" else "Europe/London",
            entitlements=sample.entitlements,
        )
        account = invite.invite(past, person, PORTAL, "demo")
        if not isinstance(account, Account) or sample.steps == 0:
            return
        opened = self._enrol(past, self._code(past), sample.steps)
        for organisation in sample.organisations:
            acting.grant(self.world, person.username, Role.ON_BEHALF, "demo", organisation=organisation)
        for _ in range(sample.wrong_passwords):
            self._wrong_password(person.username)
        for _ in range(sample.wrong_pins):
            self._wrong_pin(person.username)
        if opened is not None and sample.leaves:
            self._leave(past, opened.session)
        elif opened is not None:
            self._keep_up(past.clock(), account.id)
        if sample.act is not None:
            assist.change_state(self.world, person.username, sample.act, "demo")

    def _at(self, then: datetime) -> World:
        return replace(self.world, clock=lambda: then)

    def _keep_up(self, since: datetime, account_id: str) -> None:
        """What upkeep and the mail server have done about someone since they came last, on the very days."""
        now, then = self.world.clock(), since
        while True:
            with self.world.store.read() as tx:
                account = tx.accounts.by_id(account_id)
            found = next_due(account, self.world.policy, then) if account is not None else None
            if found is None or found[0] > now:
                return
            then = found[0]
            for _ in upkeep.sweep(self._at(then)):
                self._drop_letters(self._at(then))

    def _code(self, past: World) -> str:
        """Open the invitation as its reader would, and mark it sent: only an invited person's letter is still to come."""
        now = past.clock()
        with past.store.begin() as tx:
            for letter, body in tx.outbox.claim(now, timedelta(seconds=1), 50):
                if letter.template == "invitation":
                    code = str(past.vault.open_json(body)["code"])
                    tx.outbox.sent(letter.id, now)
                    return code
        raise LookupError("no invitation in the outbox")

    def _leave(self, past: World, session: str) -> None:
        held = sign_in.usable_session(past, session)
        if held is not None:
            leave.cancel_all(past, resident(past, *held, Source()), PASSWORD)
            self._drop_letters(past)

    def _enrol(self, past: World, code: str, most: int | None) -> sign_in.Opened | None:
        """Go through the first sign-in, step by step, or as many steps of it as are told; None short of its end."""
        looked, taken = _still(invite.accept(past, Visit("", _BROWSER, Source()), code)), 0
        while not isinstance(looked.step, Done) and taken != most:
            looked, taken = _still(self._take(past, looked, looked.step)), taken + 1
        opened = sign_in.finish(past, looked)
        if opened is not None:
            self._drop_letters(past)
        return opened

    def _take(self, past: World, looked: Looked, step: Step) -> object:
        taken: object = step
        match step:
            case ChoosePassword():
                taken = enrol.choose_password(past, looked, PASSWORD)
            case CreatePin():
                taken = enrol.choose_pin(past, looked, PIN)
            case ChooseQuestion():
                taken = enrol.choose_question(past, looked, "first_school", ANSWER)
            case EnrolSecondFactor():
                taken = self._set_up_app(past, looked)
            case AcceptTerms():
                taken = agree.accept(past, looked, self._mark(past, [TERMS]))
            case AnswerPurposes(purposes):
                taken = agree.answer(past, looked, self._mark(past, purposes), dict.fromkeys(purposes, False))
        return taken

    def _mark(self, past: World, names: Iterable[str]) -> str:
        return agree.mark(agree.texts(past, names), past.languages[0])

    def _set_up_app(self, past: World, looked: Looked) -> object:
        """Set up an app as everybody does, then give it the key that all of the demo's people share."""
        key = second_factor.key(past, looked) or ""
        made = second_factor.enrol_app(past, looked, pyotp.TOTP(key).at(past.clock()))
        account = made.looked.account if isinstance(made, second_factor.Enrolled) else None
        held = account.credential(Factor.TOTP) if account is not None else None
        if account is None or held is None or not isinstance(made, second_factor.Enrolled):
            return made
        with past.store.begin() as tx:
            tx.accounts.set_credential(account.id, replace(held, hash=past.vault.seal(APP_KEY.encode()).decode()))
        return made.looked

    def _drop_letters(self, past: World) -> None:
        """Mark letters about the past as sent, and reminders as accepted: none of them comes to the inbox."""
        now = past.clock()
        with past.store.begin() as tx:
            waiting = (letter for letter, _ in tx.outbox.claim(now, timedelta(seconds=1), 50))
            taken = [(letter, now) for letter in waiting if letter.template in _OF_THE_PAST]
            for letter, at in taken:
                tx.outbox.sent(letter.id, at)
            reminding.accepted(past, tx, taken)

    def _wrong_password(self, username: str) -> None:
        sign_in.password(self.world, self._begin(), username, "a wrong password")

    def _wrong_pin(self, username: str) -> None:
        looked = _still(sign_in.password(self.world, self._begin(), username, PASSWORD))
        sign_in.pin(self.world, looked, "735102")

    def _begin(self) -> Looked:
        transaction = sign_in.begin(self.world, Ask(), _BROWSER)
        return _still(look(self.world, Visit(transaction, _BROWSER, Source())))


def _still(result: object) -> Looked:
    """The sign-in after an answer of the demo, which no rule may refuse."""
    if not isinstance(result, Looked):
        raise TypeError(f"the demo's people could not move in: {result}")
    return result
