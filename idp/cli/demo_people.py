"""The demo's people, one in every state of life, made by the product's own flows with the clock turned back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from idp.flows import assist, enrol, invite, reminding, sign_in, upkeep
from idp.flows.assist import Act
from idp.flows.facts import Looked, Visit, look
from idp.flows.invite import Person
from idp.flows.world import World
from idp.model import Account, Ask, Source
from idp.policies.inactivity import next_due
from idp.settings import Settings
from idp.vault import Hasher, HashPool, Vault

PASSWORD = "quiet harbour lantern"  # noqa: S105 - told to everyone
PIN = "190476"
ANSWER = "Greenfield"
PORTAL = "portal"
_BROWSER = "the demo's own browser"
_OF_THE_PAST = {"enrolled", *reminding.TEMPLATES.values()}
_PIECES = ("password", "PIN", "question")


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


@dataclass(frozen=True, slots=True)
class Sample:
    """One person: how long ago they last came, what is left to do, and what was done to them since."""

    username: str
    name: str
    stands: str
    shows: str
    days_ago: int = 1
    pieces: int = len(_PIECES)
    language: str = "en"
    mobile: str | None = None
    entitlements: frozenset[str] = frozenset({"billing", "service"})
    wrong_passwords: int = 0
    wrong_pins: int = 0
    act: Act | None = None


class People:
    """The demo's people and how they move in."""

    ALL: ClassVar[tuple[Sample, ...]] = (
        Sample("maria", "Maria Rossi", "active", "password, PIN, then her bill and her fault", mobile="+447700900123"),
        Sample(
            "john",
            "John Smith",
            "active",
            "may use billing only: the portal shows no fault",
            entitlements=frozenset({"billing"}),
        ),
        Sample("anna", "Anna Keller", "invited", "follow the link in her letter: see the inbox", days_ago=0, pieces=0),
        Sample("luca", "Luca Conti", "invited", "the same in Italian", days_ago=0, pieces=0, language="it"),
        Sample("hugo", "Hugo Half", "half enrolled", "chose a password, then left: creates his PIN", pieces=1),
        Sample("sofia", "Sofia Soon", "active", "115 days away, reminded twice: as usual", days_ago=115),
        Sample("sven", "Sven Sleeper", "suspended", "after the PIN, his answer wakes his access", days_ago=130),
        Sample("elsa", "Elsa Ended", "expired", "told after the password: only staff can help", days_ago=200),
        Sample(
            "lena", "Lena Locked", "password locked", "the words of a wrong password; a letter tells her", wrong_passwords=5
        ),
        Sample("paul", "Paul Pin", "PIN locked", "after the password, that his PIN is locked", wrong_pins=5),
        Sample("bea", "Bea Blocked", "blocked by staff", "told so after the password", act=Act.BLOCK),
        Sample("carl", "Carl Closed", "closed", "told so after the password", act=Act.CLOSE),
    )

    def __init__(self, world: World) -> None:
        self.world = world

    def move_in(self) -> None:
        """Make everyone, letters about the past left out."""
        for sample in self.ALL:
            self._one(sample)

    def _one(self, sample: Sample) -> None:
        past = self._past(timedelta(days=sample.days_ago))
        given, _, family = sample.name.partition(" ")
        person = Person(
            sample.username,
            f"{sample.username}@example.com",
            given,
            family,
            mobile=sample.mobile,
            locale=sample.language,
            zone="Europe/Rome" if sample.language == "it" else "Europe/London",
            entitlements=sample.entitlements,
        )
        account = invite.invite(past, person, PORTAL, "demo")
        if not isinstance(account, Account) or sample.pieces == 0:
            return
        self._enrol(past, self._code(past), sample.pieces)
        for _ in range(sample.wrong_passwords):
            self._wrong_password(sample.username)
        for _ in range(sample.wrong_pins):
            self._wrong_pin(sample.username)
        if sample.pieces == len(_PIECES):
            self._keep_up(past.clock(), account.id)
        if sample.act is not None:
            assist.change_state(self.world, sample.username, sample.act, "demo")

    def _past(self, ago: timedelta) -> World:
        return self._at(self.world.clock() - ago)

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

    def _enrol(self, past: World, code: str, pieces: int) -> None:
        looked = invite.accept(past, Visit("", _BROWSER, Source()), code)
        choices: tuple[Callable[[Looked], object], ...] = (
            lambda looked: enrol.choose_password(past, looked, PASSWORD),
            lambda looked: enrol.choose_pin(past, looked, PIN),
            lambda looked: enrol.choose_question(past, looked, "first_school", ANSWER),
        )
        for choose in choices[:pieces]:
            looked = _still(choose(_still(looked)))
        if looked is not None and pieces == len(choices):
            sign_in.finish(past, looked)
            self._drop_letters(past)

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
