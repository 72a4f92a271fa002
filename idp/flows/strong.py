"""What a person has beside what they know: an authenticator app, passkeys, and recovery codes for the day those are lost.

They are shown, set up and taken away here, for every journey that does one of these. All of them fall on one counter, so
that a wrong code of one is no free try at another.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from idp.flows import keeping
from idp.flows.keeping import By
from idp.flows.world import World
from idp.model import Account, Changed, Credential, Factor, OneTimeCode, Passkey, Purpose, Source
from idp.policies import credentials, proving
from idp.store import Transaction
from idp.vault import apps, passkeys

# Groups of four letters and digits, 20 bits each: 60 bits of chance, and few tries.
_GROUPS: Final = 3
PENDING: Final = timedelta(minutes=10)
# What is alike to the eye is alike to us (Crockford's base 32).
_ALIKE: Final = str.maketrans("oil", "011")


@dataclass(frozen=True, slots=True)
class Kept:
    """Something was set up or taken away: the account after it, and recovery codes that are shown this once."""

    account: Account
    codes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the codes."""
        return f"Kept({self.account.id})"


# Showing


def app_code(world: World, account: Account, typed: str, now: datetime) -> bool:
    """Whether the authenticator app shows this code now; its time step, and those before it, are used up by this."""
    held = account.credential(Factor.TOTP)
    step = apps.step_of(world.vault, held.hash, typed, now) if held is not None else None
    if step is None:
        return False
    with world.store.begin() as tx:
        return tx.accounts.use_step(account.id, Factor.TOTP, step)


def recovery_code(world: World, account: Account, typed: str, now: datetime, source: Source) -> bool:
    """Whether this is one of the recovery codes that are left; it is used up by this."""
    with world.store.begin() as tx:
        used = tx.recovery_codes.spend(account.id, _digest(world, account.id, typed))
        if used:
            left = tx.recovery_codes.left(account.id)
            world.record(tx, now, "recovery_code.used", "done", account=account, source=source, left=left)
    return used


def signature(
    world: World, held: Passkey, challenge: str, sent: str, *, now: datetime, source: Source, discovered: bool = False
) -> bool:
    """Whether this passkey signed the challenge. A counter that goes back tells of a copy: refused, and recorded.

    ``discovered``: nobody was named before, so that the authenticator must say whom it holds the key for.
    """
    signed = passkeys.signed(world.issuer, challenge, sent, held.public_key)
    if signed is None or signed.user not in ((held.account_id,) if discovered else (held.account_id, "")):
        return False
    counts = signed.sign_count or held.sign_count
    with world.store.begin() as tx:
        if counts and signed.sign_count <= held.sign_count:
            facts: dict[str, Any] = {"known": held.sign_count, "told": signed.sign_count}
            world.record(tx, now, "passkey.counter", "refused", account=held.account_id, source=source, **facts)
            return False
        return tx.passkeys.used(held, signed.sign_count, now)


# Setting up


def key_to_confirm(world: World, account: Account, holder: str, now: datetime, *, fresh: bool = False) -> str:
    """The key for an authenticator app, until a code confirms it: base32. ``holder`` alone is shown it again.

    A new one is made where there is none, its time or tries are over, it was shown to someone else, or ``fresh``.
    """
    known = None if fresh else pending_key(world, account, holder, now)
    if known is not None:
        return known
    key, sealed = apps.new_key(world.vault)
    mark = _mark(world, account, holder)
    with world.store.begin() as tx:
        tx.one_time_codes.put(OneTimeCode(account.id, Purpose.TOTP, mark, now, now + PENDING, sealed.encode()))
    return key


def pending_key(world: World, account: Account, holder: str, now: datetime) -> str | None:
    """The key that this holder was shown, while it waits for its code and has tries left."""
    with world.store.read() as tx:
        found = tx.one_time_codes.live(account.id, Purpose.TOTP, now)
    if found is None or found.digest != _mark(world, account, holder) or found.tries >= world.policy.recovery.code_tries:
        return None
    return world.vault.open(found.value).decode()


def confirmed(world: World, account: Account, holder: str, typed: str, now: datetime) -> Credential | None:
    """The authenticator app whose first code this is, not kept yet; one try is counted first."""
    with world.store.begin() as tx:
        found = tx.one_time_codes.attempt(account.id, Purpose.TOTP, world.policy.recovery.code_tries, now)
    if found is None or found.digest != _mark(world, account, holder):
        return None
    sealed = found.value.decode()
    step = apps.step_of(world.vault, sealed, typed, now)
    return Credential(Factor.TOTP, sealed, now, last_step=step) if step is not None else None


def keep_app(world: World, tx: Transaction, account: Account, app: Credential, *, now: datetime, by: By) -> Kept:
    """Keep a confirmed app in the place of the one before it. The account is locked by the caller."""
    tx.one_time_codes.drop(account.id, Purpose.TOTP)
    tx.accounts.set_credential(account.id, app)
    return _kept(world, tx, account, app, now=now, by=by)


def keep_passkey(world: World, tx: Transaction, account: Account, passkey: Passkey, *, now: datetime, by: By) -> Kept | None:
    """Keep a passkey; None where that one is registered already. The account is locked by the caller."""
    if not tx.passkeys.add(passkey):
        return None
    held = account.credential(Factor.PASSKEY)
    if held is None:
        held = Credential(Factor.PASSKEY, "", now)
        tx.accounts.set_credential(account.id, held)
    return _kept(world, tx, account, held, now=now, by=by)


def made(world: World, account_id: str, challenge: str, sent: str, *, name: str, now: datetime) -> Passkey | None:
    """The passkey that a browser made for the challenge, not kept yet."""
    new = passkeys.registered(world.issuer, challenge, sent)
    return Passkey(new.id, account_id, new.public_key, new.sign_count, name, now) if new is not None else None


def new_codes(world: World, tx: Transaction, account: Account) -> tuple[str, ...]:
    """Fresh recovery codes; those before them are dead."""
    codes = tuple(world.vault.code(_GROUPS) for _ in range(world.policy.second_factor.recovery_codes))
    tx.recovery_codes.replace(account.id, [_digest(world, account.id, code) for code in codes])
    return codes


# Taking away


def drop(world: World, tx: Transaction, account: Account, factors: Iterable[Factor], *, now: datetime, by: By) -> Account:
    """Take factors away, and the recovery codes with the last of them. The account is locked by the caller."""
    for factor in factors:
        tx.accounts.drop_credential(account.id, factor)
        tx.one_time_codes.drop(account.id, Purpose.TOTP if factor is Factor.TOTP else Purpose.PASSKEY)
        if factor is Factor.PASSKEY:
            for passkey in tx.passkeys.of(account.id):
                tx.passkeys.remove(account.id, passkey.id)
        world.record(tx, now, "credential.dropped", "done", account=account, actor=by.actor, source=by.source, factor=factor)
        account = replace(account, credentials=tuple(one for one in account.credentials if one.factor is not factor))
    if not proving.second_factors(account):
        tx.recovery_codes.replace(account.id, ())
    return keeping.changed(world, tx, account, Changed.SECOND_FACTOR, now=now, by=by)


def drop_passkey(world: World, tx: Transaction, account: Account, passkey_id: str, *, now: datetime, by: By) -> Account | None:
    """Take one passkey away; None where the account has none of that id. The account is locked by the caller."""
    known = {passkey.id for passkey in tx.passkeys.of(account.id)}
    if passkey_id not in known:
        return None
    if len(known) == 1:
        return drop(world, tx, account, (Factor.PASSKEY,), now=now, by=by)
    tx.passkeys.remove(account.id, passkey_id)
    facts = {"factor": Factor.PASSKEY, "left": len(known) - 1}
    world.record(tx, now, "credential.dropped", "done", account=account, actor=by.actor, source=by.source, **facts)
    return keeping.changed(world, tx, account, Changed.SECOND_FACTOR, now=now, by=by)


def forget_passkeys(tx: Transaction, account: Account, since: datetime) -> None:
    """Passkeys added at ``since`` or later are gone, and with the last factor the recovery codes; nobody is told by this."""
    left = []
    for passkey in tx.passkeys.of(account.id):
        if passkey.created_at >= since:
            tx.passkeys.remove(account.id, passkey.id)
        else:
            left.append(passkey)
    held = account.credential(Factor.PASSKEY)
    # Who had a passkey before is still asked for one: a mailbox alone is no way round a second factor.
    if left or held is None or held.set_at < since:
        return
    tx.accounts.drop_credential(account.id, Factor.PASSKEY)
    if account.credential(Factor.TOTP) is None:
        tx.recovery_codes.replace(account.id, ())


def _kept(world: World, tx: Transaction, before: Account, held: Credential, *, now: datetime, by: By) -> Kept:
    """What follows: the audit, recovery codes with the first factor, and every address is told."""
    first = not proving.second_factors(before)
    others = tuple(one for one in before.credentials if one.factor is not held.factor)
    outcome = "replaced" if len(others) < len(before.credentials) else "created"
    world.record(tx, now, "credential.set", outcome, account=before, actor=by.actor, source=by.source, factor=held.factor)
    codes = new_codes(world, tx, before) if first else ()
    after = replace(before, credentials=(*others, held))
    return Kept(keeping.changed(world, tx, after, Changed.SECOND_FACTOR, now=now, by=by), codes)


def _mark(world: World, account: Account, holder: str) -> str:
    """Who is shown a key that is not confirmed: somebody else who knows the password must not learn the one that is."""
    return world.vault.keyed("pending", f"{account.id}|{holder}")


def _digest(world: World, account_id: str, typed: str) -> str:
    """The verifier of a recovery code, bound to its account; letters and digits alone count, in either case."""
    return world.vault.keyed("recovery code", f"{account_id}|{credentials.prepare_spoken(typed).translate(_ALIKE)}")
