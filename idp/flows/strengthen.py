"""My Profile: someone signed in sets up a second factor, takes one away, or has recovery codes made anew.

The password is proved first, each time; what is to be confirmed is then shown to that page alone, so that a stolen session
learns nothing of it. Every address is told, and what was open elsewhere ends.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final

from idp.flows import keeping, strong
from idp.flows.resident import Resident, proved, stay, unchanged
from idp.flows.strong import Kept
from idp.flows.world import World
from idp.model import Account, Changed, Factor, OneTimeCode, Passkey, Purpose
from idp.policies import proving
from idp.store import Transaction
from idp.vault import passkeys

# The time step of authenticator apps, in seconds (RFC 6238).
_STEP: Final = 30
_LONGEST_NAME: Final = 60
_MOST_PASSKEYS: Final = 20


class NotDone(Enum):
    """Why nothing was changed. WRONG_PASSWORD is also said where no more tries are taken."""

    WRONG_PASSWORD = auto()
    WRONG_CODE = auto()
    WRONG_PASSKEY = auto()
    LAST = auto()  # policy demands one, and this is the last
    TOO_MANY = auto()  # passkeys
    OVER = auto()  # signed out meanwhile, too late, or nothing of that kind


@dataclass(frozen=True, slots=True)
class Held:
    """What the person has, as far as it is shown. ``app_used_at`` is near enough: the time step last used."""

    app_set_at: datetime | None
    app_used_at: datetime | None
    passkeys: tuple[Passkey, ...]
    codes_left: int


@dataclass(frozen=True, slots=True)
class AppBegun:
    """A key to be confirmed: base32, and the handle of the one page that shows it."""

    key: str
    handle: str

    def __repr__(self) -> str:
        """Without the key."""
        return "AppBegun()"


@dataclass(frozen=True, slots=True)
class PasskeyBegun:
    """What to ask the browser for."""

    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """It is changed: the value of the new cookie, and recovery codes that are shown this once."""

    session: str
    codes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without cookie and codes."""
        return "Done()"


def held(world: World, account: Account) -> Held:
    """What the person has."""
    app = account.credential(Factor.TOTP)
    used = datetime.fromtimestamp(app.last_step * _STEP, UTC) if app is not None and app.last_step is not None else None
    with world.store.read() as tx:
        return Held(
            app.set_at if app is not None else None,
            used,
            tuple(tx.passkeys.of(account.id)),
            tx.recovery_codes.left(account.id),
        )


# The authenticator app


def begin_app(world: World, who: Resident, password: str) -> AppBegun | NotDone:
    """A key for an authenticator app, proved by the password; it counts once a code of it came back."""
    if "totp" not in proving.offered_second_factors(world.policy):
        return NotDone.OVER
    if not proved(world, who, Factor.PASSWORD, password):
        return NotDone.WRONG_PASSWORD
    handle = world.vault.token()
    return AppBegun(strong.key_to_confirm(world, who.account, _holder(who, handle), who.now, fresh=True), handle)


def confirm_app(world: World, who: Resident, handle: str, typed: str) -> Done | NotDone:
    """Keep the app whose code this is; one try is counted."""
    app = strong.confirmed(world, who.account, _holder(who, handle), typed, who.now)
    if app is None:
        return NotDone.WRONG_CODE
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None:
            return NotDone.OVER
        kept = strong.keep_app(world, tx, before, app, now=who.now, by=who.by())
    return _stay(world, who, kept, Factor.PASSWORD, Factor.TOTP)


def key_shown(world: World, who: Resident, handle: str) -> str | None:
    """The key again for the page that shows it, while it has tries left; None where it is over."""
    return strong.pending_key(world, who.account, _holder(who, handle), who.now)


def remove_app(world: World, who: Resident, password: str) -> Done | NotDone:
    """Take the app away, proved by the password."""
    return _remove(world, who, password, Factor.TOTP)


# Passkeys


def begin_passkey(world: World, who: Resident, password: str, name: str, brand: str) -> PasskeyBegun | NotDone:
    """What to ask the browser for, proved by the password. The challenge is bound to this session, and works once."""
    if "passkey" not in proving.offered_second_factors(world.policy):
        return NotDone.OVER
    if not proved(world, who, Factor.PASSWORD, password):
        return NotDone.WRONG_PASSWORD
    with world.store.read() as tx:
        known = [one.id for one in tx.passkeys.of(who.account.id)]
    if len(known) >= _MOST_PASSKEYS:
        return NotDone.TOO_MANY
    account, challenge = who.account, world.vault.token()
    shown = "".join(char for char in " ".join(name.split()) if char.isprintable())[:_LONGEST_NAME]
    sealed = world.vault.seal_json({"challenge": challenge, "name": shown, "session": who.session.public_id})
    mark = world.vault.keyed("pending", challenge)
    with world.store.begin() as tx:
        tx.one_time_codes.put(OneTimeCode(account.id, Purpose.PASSKEY, mark, who.now, who.now + strong.PENDING, sealed))
    person = (account.id, account.username, account.full_name)
    whole = world.policy.second_factor.passkey == "sign_in"
    return PasskeyBegun(passkeys.creation(world.issuer, brand, person, challenge, known, discoverable=whole))


def add_passkey(world: World, who: Resident, sent: str) -> Done | NotDone:
    """Keep the passkey that the browser made. The challenge is used up whatever comes of it."""
    asked = _challenge(world, who)
    if asked is None:
        return NotDone.OVER
    new = strong.made(world, who.account.id, asked["challenge"], sent, name=asked["name"], now=who.now)
    if new is None:
        return NotDone.WRONG_PASSKEY
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None:
            return NotDone.OVER
        kept = strong.keep_passkey(world, tx, before, new, now=who.now, by=who.by())
    return _stay(world, who, kept, Factor.PASSWORD) if kept is not None else NotDone.WRONG_PASSKEY


def remove_passkey(world: World, who: Resident, password: str, passkey_id: str) -> Done | NotDone:
    """Take one passkey away, proved by the password."""
    return _remove(world, who, password, Factor.PASSKEY, passkey_id)


def _challenge(world: World, who: Resident) -> dict[str, Any] | None:
    """What was asked of this session's browser, taken from the store once."""
    with world.store.begin() as tx:
        found = tx.one_time_codes.live(who.account.id, Purpose.PASSKEY, who.now)
        asked = world.vault.open_json(found.value) if found is not None else {}
        if found is None or asked["session"] != who.session.public_id or not tx.one_time_codes.spend(found):
            return None
    return asked


# Recovery codes


def renew_codes(world: World, who: Resident, password: str) -> Done | NotDone:
    """Fresh recovery codes, proved by the password; those before them are dead."""
    if not proved(world, who, Factor.PASSWORD, password):
        return NotDone.WRONG_PASSWORD
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None or not proving.second_factors(before):
            return NotDone.OVER
        codes = strong.new_codes(world, tx, before)
        world.record(tx, who.now, "recovery_codes.made", "done", account=before, source=who.source, number=len(codes))
        after = keeping.changed(world, tx, before, Changed.SECOND_FACTOR, now=who.now, by=who.by())
    return _stay(world, who, Kept(after, codes), Factor.PASSWORD)


def _remove(world: World, who: Resident, password: str, factor: Factor, passkey_id: str = "") -> Done | NotDone:
    if not proved(world, who, Factor.PASSWORD, password):
        return NotDone.WRONG_PASSWORD
    with world.store.begin() as tx:
        before = unchanged(world, tx, who, Factor.PASSWORD)
        if before is None or before.credential(factor) is None:
            return NotDone.OVER
        if world.policy.second_factor.required and _is_last(tx, before, factor):
            return NotDone.LAST
        if factor is Factor.PASSKEY:
            after = strong.drop_passkey(world, tx, before, passkey_id, now=who.now, by=who.by())
        else:
            after = strong.drop(world, tx, before, (factor,), now=who.now, by=who.by())
    if after is None:
        return NotDone.OVER
    # What was proved by it is proved no more, so that the next page that needs a second factor asks for another one.
    gone = () if after.credential(factor) is not None else (factor,)
    kept = tuple(proof for proof in who.session.proofs if proof.factor not in gone)
    return _stay(world, replace(who, session=replace(who.session, proofs=kept)), Kept(after), Factor.PASSWORD)


def _is_last(tx: Transaction, account: Account, factor: Factor) -> bool:
    """Whether nothing is left without this one: no other factor, and of passkeys no second one."""
    others = set(proving.second_factors(account)) - {factor}
    return not others and (factor is not Factor.PASSKEY or len(tx.passkeys.of(account.id)) == 1)


def _stay(world: World, who: Resident, kept: Kept, *shown: Factor) -> Done | NotDone:
    session = stay(world, who, kept.account, *shown)
    return Done(session, kept.codes) if session is not None else NotDone.OVER


def _holder(who: Resident, handle: str) -> str:
    return f"{who.session.public_id}|{handle}"
