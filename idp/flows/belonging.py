"""What an account has to do with a customer of the operator: the record, who else acts for it, and the capacity it gives."""

from idp.flows import codes
from idp.flows.world import World
from idp.model import Capacity, Customer
from idp.policies import registration
from idp.policies.finding import rate
from idp.policies.registration import Claimed
from idp.post import RecordsDown
from idp.store import Transaction


def record(world: World, claimed: Claimed) -> Customer | None:
    """The operator's record that a reference names, from the store or from whoever keeps the records.

    Where nobody can say it raises ``RecordsDown``, and the try that was counted before is none.
    """
    asked = registration.reference(claimed)
    if asked is None or not asked[1]:
        return None
    if world.records is not None:
        try:
            return world.records(*asked)
        except RecordsDown:
            no_guess(world, *asked)
            raise
    with world.store.read() as tx:
        by_code = asked[0] == "customer_code"
        return tx.customers.by_customer_code(asked[1]) if by_code else tx.customers.by_account_number(asked[1])


def may_guess(world: World, what: str, key: str) -> bool:
    """Count one more try at a reference, whether or not anybody has it; False: there were too many."""
    most, window = rate(world.policy.registration.guesses)
    return world.store.hit(f"registration:{digest(world, what, key)}", window) <= most


def may_write(world: World, what: str, key: str) -> bool:
    """Count one more letter to an address or number, whoever registers with it; False: there were too many today.

    By the day, as for recovery: each code can be tried a few times, and registering again brings another.
    """
    return world.store.hit(f"letters:{digest(world, what, key)}", codes.DAY) <= world.policy.recovery.codes_per_day


def no_guess(world: World, what: str, key: str) -> None:
    """A try at a reference matched, or nobody could say: it was none of the guesses that are limited."""
    world.store.hit(f"registration:{digest(world, what, key)}", rate(world.policy.registration.guesses)[1], -1)


def digest(world: World, what: str, key: str) -> str:
    """The keyed digest of a reference or address: worth nothing without the master key."""
    return world.vault.keyed("customer", f"{what}|{key}")


def of_customer(world: World, customer: Customer) -> str:
    """The keyed digest by which the accounts of a customer are found, whichever reference was given."""
    if customer.account_number:
        return digest(world, "account_number", customer.account_number)
    return digest(world, "customer_code", customer.customer_code)


def may_join(world: World, tx: Transaction, customer: Customer) -> bool:
    """Whether one more account may act for the customer; until the transaction ends nobody else is told so."""
    return has_room(world, tx, of_customer(world, customer))


def has_room(world: World, tx: Transaction, key: str) -> bool:
    """The same of a customer by the keyed digest."""
    tx.particulars.alone_for(key)
    return len(tx.particulars.acting_for(key)) < world.policy.registration.per_customer


def capacity(world: World, customer: Customer) -> Capacity:
    """The capacity in which an account of the customer acts; its account number is sealed."""
    sealed = world.vault.seal(customer.account_number.encode()) if customer.account_number else b""
    role, of = registration.role(customer), of_customer(world, customer)
    return Capacity(new_id(world), role, customer.organisation, sealed, of)


def new_id(world: World) -> str:
    """The id of one more capacity; it can be typed as a word of a command."""
    return f"cap_{world.vault.token(9)}"
