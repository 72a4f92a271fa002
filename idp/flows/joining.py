"""An account about to be made of what somebody said of themselves; or the owners of what is theirs already are told instead."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final

from idp.flows import belonging, confirming, erasing
from idp.flows.world import World
from idp.model import Account, AccountState, Customer, Source
from idp.policies import recovery, registration
from idp.policies.credentials import canonical_username
from idp.policies.recovery import same_address
from idp.policies.registration import Claimed
from idp.store import Taken, Transaction
from idp.vault import Busy

# Of many who want one name at once one goes on at each try.
_TRIES: Final = 50
# An address may be shared, and so may a customer; each of the first few owners is told.
_MOST_OWNERS: Final = 5


def somebody(world: World, claimed: Claimed, locale: str, now: datetime) -> Account:
    """Whoever says this of themselves, as an account without a secret."""
    return Account(
        id=f"acc_{world.vault.token(20)}",
        username=registration.username(claimed),
        email=claimed.email,
        given_name=claimed.given_name,
        family_name=claimed.family_name,
        state=AccountState.PENDING,
        created_at=now,
        mobile=claimed.mobile,
        locale=locale,
        entitlements=frozenset(world.policy.registration.entitlements),
    )


def customer_of(world: World, account: Account, customer: Customer | None) -> Account:
    """The account as that of a customer, with the names of the record where others were not given."""
    if customer is None:
        return account
    given, family = account.given_name or customer.given_name, account.family_name or customer.family_name
    return replace(account, given_name=given, family_name=family, capacities=(belonging.capacity(world, customer),))


class NotMade(Enum):
    """Why no account was made."""

    NAME_TAKEN = auto()  # a name that people choose is somebody's
    ADDRESS_FULL = auto()  # too many gave the address, and never showed that it is theirs
    TURNED_AWAY = auto()  # the address or the customer is somebody's, who was told; or no letter may go out


@dataclass(frozen=True, slots=True)
class _Round:
    """What the house knows of what was typed.

    The name that the account can have, who waits for a code under it, whose the address or the customer is, and what cannot be.
    """

    username: str
    before: Account | None
    owners: tuple[tuple[Account, str], ...]
    fault: NotMade | None = None


@dataclass(frozen=True, slots=True)
class Joining:
    """An account about to be made, or not."""

    world: World
    now: datetime
    source: Source
    claimed: Claimed
    customer: Customer | None
    account: Account
    channel: str | None

    def run(self) -> Account | NotMade:
        """Make the account, or write to the owners of what is theirs; a name that somebody took meanwhile is looked at anew."""
        allowed: bool | None = None
        for _ in range(_TRIES):
            found = self._look_round()
            if found.fault is not None:
                return found.fault
            if allowed is None:
                allowed = self._may_write()
            if found.owners or not allowed:
                self._turn_away(found, allowed=allowed)
                return NotMade.TURNED_AWAY
            try:
                return self._made(found)
            except Taken:
                continue
        raise Busy

    def _may_write(self) -> bool:
        to = self.account.mobile if self.channel == "sms" else self.account.email
        return self.channel is None or belonging.may_write(self.world, self.channel, same_address(to or ""))

    def _look_round(self) -> _Round:
        """Who waits for a code holds nothing: neither the address nor, where it is their own, the name."""
        world, claimed, owners = self.world, self.claimed, []
        with world.store.read() as tx:
            named = tx.accounts.by_username(canonical_username(self.account.username))
            by_email = tx.accounts.by_email(claimed.email) if claimed.email else []
            acting = tx.particulars.acting_for(belonging.of_customer(world, self.customer)) if self.customer else ()
            if len(acting) >= world.policy.registration.per_customer:
                owners = [(one, "customer") for id_ in acting[:_MOST_OWNERS] if (one := tx.accounts.by_id(id_)) is not None]
        theirs = [one for one in by_email if not confirming.waiting(one)]
        if self._named_by_address():
            owners += [(one, "email") for one in theirs[:_MOST_OWNERS]]
        elif self.channel is None and sum(one.email_confirmed_at is None for one in theirs) >= _MOST_OWNERS:
            return _Round(self.account.username, None, (), NotMade.ADDRESS_FULL)
        if named is not None and self._was_theirs(named):
            # Whoever reads the mailbox now is found by the address; the name is another's for good.
            earlier = next((one for one in by_email if confirming.waiting(one)), None)
            username = earlier.username if earlier is not None else f"{claimed.email} ({world.vault.digits(3)})"
            return _Round(username, earlier, tuple(owners))
        held = named is not None and not (confirming.waiting(named) and self._same_person(named))
        if held and not claimed.username and named is not None and all(one.id != named.id for one, _ in owners):
            owners.append((named, "email"))
        return _Round(self.account.username, named, tuple(owners), NotMade.NAME_TAKEN if held and claimed.username else None)

    def _named_by_address(self) -> bool:
        return not self.claimed.username or "email" in self.world.policy.sign_in.identify_by

    def _was_theirs(self, named: Account) -> bool:
        """Whether an account is named by an address that is no longer its own, and that a code is about to confirm."""
        another = same_address(named.email) != same_address(self.account.email)
        return another and not self.claimed.username and self.channel == "email"

    def _same_person(self, named: Account) -> bool:
        """Whether a registration that waits is taken for an earlier one of the same person, which this one replaces."""
        email = same_address(self.account.email)
        if not self.claimed.username or (email and same_address(named.email) == email):
            return True
        # The address may have been mistyped, where the customer is the same.
        customers = {one.customer for one in self.account.capacities if one.customer}
        return any(one.customer in customers for one in named.capacities)

    def _made(self, found: _Round) -> Account:
        """The account, in the place of one that waited for its code; raises ``Taken`` where another was faster."""
        world, account = self.world, replace(self.account, username=found.username)
        with world.store.begin() as tx:
            self._replace(tx, found.before)
            tx.accounts.add(account, canonical_username(account.username))
            outcome = "done" if self.channel is None else "waiting"
            world.record(tx, self.now, "account.registered", outcome, account=account, source=self.source, channel=self.channel)
            if self.channel is None:
                if not confirming.may_act(world, tx, account):
                    raise Taken(account.id)
                account = confirming.join(world, tx, account, now=self.now, source=self.source)
            else:
                confirming.send_code(world, tx, account.id, self.now)
        return account

    def _replace(self, tx: Transaction, before: Account | None) -> None:
        present = tx.accounts.locked(before.id) if before is not None else None
        if present is None:
            return
        if not confirming.waiting(present):
            raise Taken(present.id)
        erasing.erase(self.world, tx, present, now=self.now, actor="person", why="registered_again")

    def _turn_away(self, found: _Round, *, allowed: bool) -> None:
        """Nothing is made; the owners are told, each as often as letters may go to an address."""
        world, offered = self.world, bool(recovery.offered(self.world.policy))
        told = [(owner, what) for owner, what in found.owners if allowed and self._may_tell(owner)]
        with world.store.begin() as tx:
            outcome, who = "taken" if found.owners else "throttled", found.owners[0][0] if found.owners else None
            world.record(tx, self.now, "account.registered", outcome, account=who, source=self.source, channel=self.channel)
            confirming.send_code(world, tx, confirming.NOBODY, self.now)
            for owner, what in told:
                # What is closed neither a sign-in nor a recovery opens.
                shut = owner.state is AccountState.CLOSED
                context = {
                    "name": owner.called,
                    "username": owner.username,
                    "taken": what,
                    "link": f"{world.issuer}/sign-in" if not shut else None,
                    "recover": f"{world.issuer}/recover" if offered and not shut else None,
                }
                world.send(tx, self.now, "already_registered", owner, context)

    def _may_tell(self, owner: Account) -> bool:
        if not owner.email:
            return False
        counted = self.channel == "email" and same_address(owner.email) == same_address(self.account.email)
        return counted or belonging.may_write(self.world, "email", same_address(owner.email))
