"""Invitations: an account manager provisions access, and the person comes in by a one-time link or code (A1)."""

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from idp.flows.facts import Looked, Visit, advance, see, turned, under_way
from idp.flows.world import World
from idp.model import Account, AccountState, Factor, Invitation, Proof
from idp.policies import credentials
from idp.store import Taken, Transaction
from idp.vault import digest

_LONGEST_CODE = 64


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to invite. ``entitlements`` are the tools they may use; they decide which scopes a token can carry."""

    username: str
    email: str
    given_name: str
    family_name: str
    mobile: str | None = None
    locale: str = "en"
    zone: str = "UTC"
    entitlements: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NotInvited:
    """Why nobody was invited: a fault of the username, or it is taken."""

    why: str


def invite(world: World, person: Person, client_id: str | None, actor: str) -> Account | NotInvited:
    """Provision access and put the invitation letter into the outbox with it."""
    now = world.clock()
    faults = credentials.username_faults(person.username)
    if faults:
        return NotInvited(faults[0])
    account = Account(
        id=f"acc_{world.vault.token(20)}",
        username=person.username,
        email=person.email,
        given_name=person.given_name,
        family_name=person.family_name,
        state=AccountState.INVITED,
        created_at=now,
        mobile=person.mobile,
        locale=person.locale,
        zone=person.zone,
        entitlements=person.entitlements,
    )
    try:
        with world.store.begin() as tx:
            tx.accounts.add(account, credentials.canonical_username(person.username))
            world.record(
                tx, now, "account.invited", "done", account=account, actor=actor, entitlements=sorted(person.entitlements)
            )
            _send(world, tx, account, client_id, now)
    except Taken:
        return NotInvited("username_taken")
    return account


def invite_again(world: World, username: str, client_id: str | None, actor: str) -> Account | NotInvited:
    """Send a fresh invitation to someone who has not finished; the one before it dies."""
    now = world.clock()
    with world.store.begin() as tx:
        named = tx.accounts.by_username(credentials.canonical_username(username))
        # They may be choosing a password this very moment.
        account = tx.accounts.locked(named.id) if named is not None else None
        if account is None:
            return NotInvited("unknown")
        if account.credential(Factor.PASSWORD) is not None or account.state is not AccountState.INVITED:
            return NotInvited("already_came")
        # Whoever never comes is purged a time after this, not after the first invitation.
        tx.accounts.set_state(account.id, AccountState.INVITED, now)
        world.record(tx, now, "account.invited", "again", account=account, actor=actor)
        _send(world, tx, account, client_id, now)
    return account


def accept(world: World, visit: Visit, code: str) -> Looked | None:
    """Open an invitation: the code becomes a proof of a sign-in, the one under way in this browser or a new one.

    Nothing is consumed until a password is chosen, so a mail scanner or a closed window costs nothing.
    """
    now = world.clock()
    prepared = code.strip().upper()
    with world.store.begin() as tx:
        invitation = tx.invitations.live(digest(prepared), now) if len(prepared) <= _LONGEST_CODE else None
        account_id = invitation.account_id if invitation else None
        world.record(tx, now, "invitation.opened", "done" if invitation else "refused", account=account_id, source=visit.source)
    if invitation is None:
        return None
    visit, sign_in = under_way(world, visit, invitation.client_id, now)
    theirs = turned(sign_in, invitation.account_id)
    invited = replace(theirs, invitation=invitation.digest, proofs=(), recovering=None, registering=None)
    return advance(world, see(world, visit, invited, now), Proof(Factor.INVITATION, now))


def _send(world: World, tx: Transaction, account: Account, client_id: str | None, now: datetime) -> None:
    code = world.vault.code()
    lifetime = world.policy.registration.invitation_lifetime
    tx.invitations.put(Invitation(digest(code), account.id, now, now + lifetime, client_id))
    link = f"{world.issuer}/invitation?{urlencode({'code': code})}"
    context = {
        "name": account.called,
        "username": account.username,
        "link": link,
        "code": code,
        "expires": (now + lifetime).isoformat(),
    }
    world.send(tx, now, "invitation", account, context, lifetime=lifetime)
