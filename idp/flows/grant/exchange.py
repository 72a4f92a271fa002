"""A person's token is exchanged for one with which a backend acts for that person at another (RFC 8693).

What is issued belongs to the grant of the token shown: it dies with it, and says of the person what the grant says now.
"""

from datetime import UTC, datetime
from typing import Any

from idp.flows.grant.facts import Issued, Wish
from idp.flows.grant.issue import Decided, Draft, sign
from idp.flows.grant.worth import weigh
from idp.flows.world import World
from idp.model import Client
from idp.policies import exchange, proving
from idp.policies.exchange import Subject
from idp.policies.tokens import Denied
from idp.vault.signing import KeyRing


def exchange_token(
    world: World, keys: KeyRing, client: Client, token: str, wish: Wish, *, targets: tuple[str, ...]
) -> Issued | Denied:
    """Give a backend a token for another one, in the name of the person whose token it shows."""
    now = world.clock()
    subject = _subject(world, keys, token, now)
    if subject is None:
        return _refused(world, client, None, exchange.NOT_GOOD, now)
    given = exchange.judge(client, subject, targets, wish.scope, world.resources)
    if isinstance(given, Denied):
        return _refused(world, client, subject, given, now)
    resource, scope = given.resource, given.scope
    with world.store.begin() as tx:
        facts: dict[str, Any] = {"resource": resource.identifier, "scope": " ".join(scope), "act": given.act}
        world.record(tx, now, "token.exchange", "done", account=subject.account, actor="client", client=client.id, **facts)
    # Names stay those by which the client that the person signed in at knows them and the session.
    names = {name: subject.claims[name] for name in ("sub", "sid") if name in subject.claims}
    decided = Decided(
        subject.grant,
        subject.account,
        Draft(resource.identifier, resource, scope),
        jkt=wish.jkt,
        more={**names, "act": given.act},
        until=datetime.fromtimestamp(subject.claims["exp"], UTC),
    )
    return sign(world, keys, client, decided, now)


def _subject(world: World, keys: KeyRing, token: str, now: datetime) -> Subject | None:
    """The token shown, where it is one of a person and good now."""
    worth = weigh(world, keys, token)
    if worth is None or worth.grant is None or worth.account is None:
        return None
    return Subject(worth.claims, worth.grant, worth.account, proving.acr(worth.grant.proofs, world.policy, now))


def _refused(world: World, client: Client, subject: Subject | None, denied: Denied, now: datetime) -> Denied:
    account = subject.account if subject is not None else None
    with world.store.begin() as tx:
        world.record(tx, now, "token.exchange", "refused", account=account, actor="client", client=client.id, why=denied.why)
    return denied
