"""Requests that clients push ahead of their people (RFC 9126): kept until a code was issued for them."""

import json
from dataclasses import dataclass

from idp.flows.world import World
from idp.model import Slip
from idp.vault import digest

PUSHED = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A request as it was pushed, by an authenticated client; ``signed`` where it came as a request object."""

    client_id: str
    pairs: tuple[tuple[str, str], ...]
    signed: bool = False


def push(world: World, request: Pushed) -> tuple[str, int]:
    """Keep a request; its ``request_uri``, and for how many seconds a sign-in may begin with it.

    It is kept for as long as a sign-in that began with it may take: whoever comes back with all proofs finds it still unused.
    """
    now = world.clock()
    until = now + world.policy.tokens.pushed_request
    address = PUSHED + world.vault.token()
    document = {"client": request.client_id, "pairs": request.pairs, "signed": request.signed, "until": until.timestamp()}
    kept_until = until + world.policy.session.sign_in_lifetime
    world.store.slips.put(Slip(digest(address), json.dumps(document), kept_until), now)
    return address, int(world.policy.tokens.pushed_request.total_seconds())


def pushed(world: World, address: str) -> Pushed | None:
    """The request that was pushed, if a sign-in may still begin with it: once more, too, where a page is loaded again."""
    now = world.clock()
    slip = world.store.slips.get(digest(address), now)
    document = json.loads(slip.document) if slip is not None else None
    if document is None or now.timestamp() >= document["until"]:
        return None
    return Pushed(document["client"], tuple((name, value) for name, value in document["pairs"]), document["signed"])


def spend(world: World, address: str) -> bool:
    """Whether a code may be issued for a pushed request: for each, one is."""
    return world.store.slips.take(digest(address), world.clock()) is not None
