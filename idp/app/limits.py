"""Throttling by source address with flask-limiter: the limits are policy's, the counts are kept by the store."""

from collections.abc import Callable

from flask import Flask, Request, request
from flask_limiter import Limiter
from limits import parse

from idp.flows.world import World
from idp.web import Limits


def make_limits(app: Flask, world: World, bucket: Callable[[Request], str]) -> tuple[Limits, Callable[[str], bool]]:
    """The decorators that throttle pages, and the call that counts a failed client authentication.

    A limiter that cannot count refuses (the store is down): limits never fail open.
    """

    def key() -> str:
        return bucket(request)

    limiter = Limiter(
        key_func=key,
        storage_uri=world.store.throttle_uri,
        storage_options=dict(world.store.throttle_options),
        strategy="fixed-window",
        swallow_errors=False,
        key_prefix="idp",
    )
    # Registered as known beforehand, the extension adds no hooks: the decorated views check, and no other request pays.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    rules = world.policy.rate_limits
    pages: Limits = {
        name: limiter.shared_limit(getattr(rules, name), scope=name)
        for name in ("sign_in", "invitation", "authorize", "recovery", "change")
    }
    failures = parse(rules.token_failures)

    def count_failure(client_id: str) -> bool:
        """Count a failed client authentication; whether there were too many from this source or for this client."""
        counted = [limiter.limiter.hit(failures, "token_failures", key())]
        if client_id in world.clients:
            counted.append(limiter.limiter.hit(failures, "client", client_id))
        return not all(counted)

    return pages, count_failure
