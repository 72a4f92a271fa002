"""A device without a browser (RFC 8628): it asks for codes, its person decides in a browser of their own, it fetches tokens.

What waits is one slip under the digest of the device's code, and one under that of the person's code which leads to it. What
was allowed is a grant with a code like any other, under the same digest as the slip, and is redeemed like any other.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from idp.flows.facts import Looked
from idp.flows.grant import issue, opening
from idp.flows.grant.facts import Asked, Issued, Presented, Wish
from idp.flows.world import World
from idp.model import Ask, Client, Session, Slip
from idp.policies import device, sessions
from idp.policies.device import Decision, Waiting
from idp.policies.steps import Done
from idp.policies.tokens import Denied, Error
from idp.vault import digest
from idp.vault.signing import KeyRing

_SWAPS, _DRAWS = 20, 20
_NO_SUCH = Denied(Error.GRANT, "no such device code")


@dataclass(frozen=True, slots=True)
class DeviceAsked:
    """What a device authorization request asks for, judged."""

    client: Client
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    acr: tuple[str, ...] = ()
    acr_essential: bool = False


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What a device is answered (RFC 8628 3.2): ``user_code`` as it is shown, the rest in seconds."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in: int
    interval: int


def begin_device(world: World, asked: DeviceAsked) -> DeviceCodes:
    """Draw the two codes. The slip outlives them by as much again: a device that comes late is told that they have expired."""
    now, lifetime = world.clock(), world.policy.tokens.device_code
    until = now + lifetime
    secret, code = world.vault.token(), _user_code(world, until, now)
    waiting = Waiting(asked.client.id, code, asked.scope, asked.resources, asked.acr, asked.acr_essential, until)
    key = _key(secret)
    world.store.slips.put(Slip(key, _written(waiting), until + lifetime), now)
    world.store.slips.put(Slip(_user_key(world, code), key, until), now)
    with world.store.begin() as tx:
        scope = " ".join(asked.scope)
        world.record(tx, now, "device.asked", "done", actor="client", client=asked.client.id, scope=scope)
    return DeviceCodes(secret, device.shown(code), int(lifetime.total_seconds()), int(device.INTERVAL.total_seconds()))


def _user_code(world: World, until: datetime, now: datetime) -> str:
    """A code that no other device shows now."""
    for _ in range(_DRAWS):
        code = world.vault.letters(device.ALPHABET, device.LENGTH)
        if world.store.used.first_time(_user_key(world, code), until, now):
            return code
    raise LookupError("no user code is free")


def waiting_for(world: World, user_code: str) -> Waiting | None:
    """The device that shows this code, as it was typed; None where none does, or its person has decided already."""
    code = device.typed(user_code)
    found = _waiting(world, code, world.clock()) if code is not None else None
    return found[1] if found is not None else None


def ask_for_device(world: World, waiting: Waiting, held: Session | None) -> Ask:
    """What a person has to prove before they may decide. They are asked for consent by the page that tells of the device."""
    client = world.clients[waiting.client_id]
    return Ask(
        client_id=client.id,
        scope=waiting.scope,
        acr=waiting.acr,
        acr_essential=waiting.acr_essential,
        fresh_since=sessions.fresh_since(client, None, held, world.clock()),
        user_code=waiting.user_code,
    )


def decide(world: World, looked: Looked, session: Session, *, allow: bool) -> bool:
    """Allow or deny what the sign-in was for, once; False where there is nothing to decide any more.

    The decision comes first, and then the grant: of two that decide at once one does, and a device that asks in between is
    told to wait.
    """
    account, step = looked.account, looked.step
    if account is None or not isinstance(step, Done) or world.store.sign_ins.take(looked.sign_in.id, looked.now) is None:
        return False
    decision = Decision.ALLOWED if allow else Decision.DENIED
    waiting = _decided(world, looked.sign_in.ask.user_code, decision, looked.now)
    if waiting is None:
        return False
    key, client = waiting[0], world.clients[waiting[1].client_id]
    source, scope = looked.visit.source, waiting[1].scope
    with world.store.begin() as tx:
        facts = {"client": client.id, "scope": " ".join(scope)}
        world.record(tx, looked.now, f"device.{decision}", "done", account=account, source=source, **facts)
        if allow and client.consent:
            tx.client_consents.record(account.id, client.id, frozenset(scope), looked.now)
            world.record(tx, looked.now, "consent.given", "done", account=account, source=source, **facts)
    if allow:
        asked = Asked(client, "", redirect_uri_given=False, scope=scope, resources=waiting[1].resources, device=True)
        acting = replace(session, capacity=looked.sign_in.capacity)
        opening.open_for(world, asked, acting, account, step.proofs, hashed=key)
    return True


def _decided(world: World, code: str, decision: Decision, now: datetime) -> tuple[str, Waiting] | None:
    """Write the decision down, whatever the device asks meanwhile; the person's code is used up."""
    for _ in range(_SWAPS):
        found = _waiting(world, code, now)
        if found is None:
            return None
        slip, waiting = found
        if world.store.slips.swap(slip, _written(replace(waiting, decision=decision)), now):
            world.store.slips.take(_user_key(world, code), now)
            return slip.key, waiting
    return None


def redeem_device(world: World, keys: KeyRing, client: Client, device_code: str, wish: Wish) -> Issued | Denied:
    """A device asks for its tokens (RFC 8628 3.4). Only the client that the code was given to is heard at all."""
    now = world.clock()
    slip = world.store.slips.get(_key(device_code), now)
    waiting = _read(slip) if slip is not None else None
    if slip is None or waiting is None or waiting.client_id != client.id:
        return _refused(world, client, _NO_SUCH, now)
    after, denied = device.asked(waiting, now)
    # Of several questions at once one counts; where the person decides at this very moment, the device hears of it next time.
    if after != waiting and not world.store.slips.swap(slip, _written(after), now):
        denied = denied or device.TOO_SOON
    if denied is None and not _opened(world, slip.key):
        denied = device.PENDING
    if denied is not None:
        return denied if denied in {device.PENDING, device.TOO_SOON} else _refused(world, client, denied, now)
    return issue.redeem(world, keys, client, Presented(_named(device_code), None, None), wish)


def _opened(world: World, key: str) -> bool:
    """Whether the grant is there that follows the decision."""
    with world.store.read() as tx:
        return tx.grants.find_code(key) is not None


def _refused(world: World, client: Client, denied: Denied, now: datetime) -> Denied:
    with world.store.begin() as tx:
        world.record(tx, now, "token.device", "refused", actor="client", client=client.id, why=denied.why)
    return denied


def _waiting(world: World, code: str, now: datetime) -> tuple[Slip, Waiting] | None:
    """The device behind a person's code, where its client may still have what it asked for."""
    leads = world.store.slips.get(_user_key(world, code), now)
    slip = world.store.slips.get(leads.document, now) if leads is not None else None
    waiting = _read(slip, code) if slip is not None else None
    if slip is None or waiting is None or not device.open_to(waiting, now):
        return None
    client = world.clients.get(waiting.client_id)
    return (slip, waiting) if client is not None and not client.disabled else None


def _named(device_code: str) -> str:
    """The device's code by a name that no request can spell, so that it is never taken for an authorization code."""
    return f"device\0{device_code}"


def _key(device_code: str) -> str:
    return digest(_named(device_code))


def _user_key(world: World, code: str) -> str:
    """Keyed, because a code of eight letters could be found by trying them all."""
    return world.vault.keyed("user code", code)


def _written(waiting: Waiting) -> str:
    """All of it but the person's code, by which alone it is found."""
    return json.dumps(
        {
            "client": waiting.client_id,
            "scope": waiting.scope,
            "resources": waiting.resources,
            "acr": waiting.acr,
            "essential": waiting.acr_essential,
            "until": waiting.until.timestamp(),
            "interval": waiting.interval.total_seconds(),
            "asked_at": None if waiting.asked_at is None else waiting.asked_at.timestamp(),
            "decision": waiting.decision,
        }
    )


def _read(slip: Slip, user_code: str = "") -> Waiting:
    members = json.loads(slip.document)
    asked_at = members["asked_at"]
    return Waiting(
        client_id=members["client"],
        user_code=user_code,
        scope=tuple(members["scope"]),
        resources=tuple(members["resources"]),
        acr=tuple(members["acr"]),
        acr_essential=members["essential"],
        until=datetime.fromtimestamp(members["until"], UTC),
        interval=timedelta(seconds=members["interval"]),
        asked_at=None if asked_at is None else datetime.fromtimestamp(asked_at, UTC),
        decision=Decision(members["decision"]),
    )
