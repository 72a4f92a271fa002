"""In which capacity a person acts: chosen at sign-in, added and given up in My Profile, and seen to by staff.

A customer number is added where the operator's records say what was typed; of what did not match nothing is told, and tries
count for the number and for the account. The number itself is sealed, and shown to nobody whole.
"""

from collections.abc import Mapping
from enum import Enum, auto

from idp.flows import belonging, keeping
from idp.flows.choosing import Faulty
from idp.flows.facts import Looked, advance
from idp.flows.resident import Resident, proved, unchanged
from idp.flows.world import World
from idp.model import Account, Capacity, Changed, Customer, Factor, Role
from idp.policies import capacities, matching, registration
from idp.policies.credentials import canonical_username
from idp.policies.registration import Claimed
from idp.policies.steps import ChooseCapacity
from idp.post import RecordsDown
from idp.store import Transaction


class NotDone(Enum):
    """Why nothing was changed. WRONG_PASSWORD is also said where no more tries are taken."""

    WRONG_PASSWORD = auto()
    NO_MATCH = auto()  # whatever it was; also where as many act for that customer already as may
    HELD = auto()  # by this account itself
    TOO_MANY_GUESSES = auto()
    TOO_MANY = auto()  # capacities
    NUMBER = auto()  # the account number is none
    UNKNOWN = auto()  # no such account, or it has no such capacity
    OVER = auto()  # signed out meanwhile, or not offered


# At sign-in


def choose(world: World, looked: Looked, capacity_id: str) -> Looked | Faulty | None:
    """Act in one of the capacities that the person has, from here on; None where the sign-in is gone."""
    if not isinstance(looked.step, ChooseCapacity):
        return looked
    if capacity_id not in looked.step.capacities:
        return Faulty(looked, ("capacity_unknown",))
    return advance(world, looked, capacity=capacity_id)


# In My Profile


def shown(world: World, capacity: Capacity) -> str:
    """The last marks of the billing account number behind a capacity, by which its owner knows it."""
    return capacities.last_marks(world.vault.open(capacity.reference).decode()) if capacity.reference else ""


def offered(world: World) -> bool:
    """Whether people may add capacities by themselves: there are records to hold them against."""
    return bool(world.policy.registration.match_customer)


def add(world: World, who: Resident, current: str, typed: Mapping[str, str]) -> Capacity | NotDone:
    """Act for a customer of the operator too, proved by the password and matched by all that policy names."""
    if not offered(world):
        return NotDone.OVER
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_PASSWORD
    claimed = _claimed(world, typed)
    guesses = _guesses(who.account, claimed)
    # Each is counted, also where one is too many already.
    counted = [belonging.may_guess(world, *guess) for guess in guesses]
    if not all(counted):
        return NotDone.TOO_MANY_GUESSES
    try:
        customer = belonging.record(world, claimed)
    except RecordsDown:
        # Nobody could say: it was no guess, of the account neither.
        belonging.no_guess(world, *guesses[0])
        raise
    matched = customer if registration.matches(customer, claimed, world.policy.registration) else None
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None:
            return NotDone.OVER
        outcome = _joined(world, tx, before, matched)
        told = outcome.name.lower() if isinstance(outcome, NotDone) else "done"
        role = outcome.role if isinstance(outcome, Capacity) else None
        world.record(tx, who.now, "capacity.add", told, account=before, source=who.source, role=role)
        if isinstance(outcome, Capacity):
            _keep(tx, before, (*before.capacities, outcome), joins=outcome.customer)
            keeping.changed(world, tx, before, Changed.CAPACITY, now=who.now, by=who.by(end_others=False))
    # What is told as no match counts as one, or the limit would tell whose number it is.
    for guess in guesses if outcome is not NotDone.NO_MATCH else ():
        belonging.no_guess(world, *guess)
    return outcome


def give_up(world: World, who: Resident, current: str, capacity_id: str) -> Capacity | NotDone:
    """Act in a capacity no more, proved by the password: what was granted in it gives no token from now on."""
    if not proved(world, who, Factor.PASSWORD, current):
        return NotDone.WRONG_PASSWORD
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        gone = capacities.held(before, capacity_id) if before is not None else None
        if before is None or gone is None:
            return NotDone.OVER
        _without(tx, before, gone)
        world.record(tx, who.now, "capacity.remove", "done", account=before, source=who.source, role=gone.role)
        keeping.changed(world, tx, before, Changed.CAPACITY, now=who.now, by=who.by(end_others=False))
    return gone


def _claimed(world: World, typed: Mapping[str, str]) -> Claimed:
    names = {name: typed.get(name, "") for name in ("account_number", "customer_code", "given_name", "family_name")}
    return Claimed(**names, number=world.numbers.key(typed.get("number", "")))


def _guesses(account: Account, claimed: Claimed) -> list[tuple[str, str]]:
    """What a try counts for: the account and, where there is one, the number."""
    asked = registration.reference(claimed)
    return [("account", account.id), *([asked] if asked is not None and asked[1] else [])]


def _joined(world: World, tx: Transaction, account: Account, customer: Customer | None) -> Capacity | NotDone:
    """The capacity that the account is to have of a customer whose record matched."""
    if customer is None:
        return NotDone.NO_MATCH
    if any(one.customer == belonging.of_customer(world, customer) for one in account.capacities):
        return NotDone.HELD
    if len(account.capacities) >= capacities.MOST:
        return NotDone.TOO_MANY
    return belonging.capacity(world, customer) if belonging.may_join(world, tx, customer) else NotDone.NO_MATCH


# By staff


def grant(
    world: World, username: str, role: Role, actor: str, *, organisation: str = "", number: str = ""
) -> Capacity | NotDone:
    """Let a person act in a capacity, by the word of staff: it is held against no record, and any number may act for one."""
    key = matching.reference_key(number)
    if number and not key:
        return NotDone.NUMBER
    now = world.clock()
    with world.store.begin() as tx:
        account = _locked(tx, username)
        if account is None:
            return NotDone.UNKNOWN
        if len(account.capacities) >= capacities.MOST:
            return NotDone.TOO_MANY
        sealed = world.vault.seal(key.encode()) if key else b""
        customer = belonging.digest(world, "account_number", key) if key else ""
        if any((one.role, one.organisation, one.customer) == (role, organisation, customer) for one in account.capacities):
            return NotDone.HELD
        made = Capacity(belonging.new_id(world), role, organisation, sealed, customer)
        _keep(tx, account, (*account.capacities, made), joins=customer)
        world.record(tx, now, "capacity.add", "done", account=account, actor=actor, role=role)
    return made


def take_away(world: World, username: str, capacity_id: str, actor: str) -> Capacity | NotDone:
    """Take a capacity away from a person: what was granted in it gives no token from now on."""
    now = world.clock()
    with world.store.begin() as tx:
        account = _locked(tx, username)
        gone = capacities.held(account, capacity_id) if account is not None else None
        if account is None or gone is None:
            return NotDone.UNKNOWN
        _without(tx, account, gone)
        world.record(tx, now, "capacity.remove", "done", account=account, actor=actor, role=gone.role)
    return gone


def _locked(tx: Transaction, username: str) -> Account | None:
    known = tx.accounts.by_username(canonical_username(username))
    return tx.accounts.locked(known.id) if known is not None else None


def _keep(tx: Transaction, account: Account, kept: tuple[Capacity, ...], *, joins: str) -> None:
    tx.particulars.set_capacities(account.id, kept)
    if joins:
        tx.particulars.act_for(account.id, joins)


def _without(tx: Transaction, account: Account, gone: Capacity) -> None:
    """The account without a capacity; it acts for that customer no more, unless another of its capacities does."""
    kept = tuple(one for one in account.capacities if one.id != gone.id)
    tx.particulars.set_capacities(account.id, kept)
    if gone.customer and all(one.customer != gone.customer for one in kept):
        tx.particulars.cease(account.id, gone.customer)
