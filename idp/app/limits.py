"""Throttling by source address with flask-limiter: the limits are policy's, the counts are kept by the store."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Request, Response, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from werkzeug.exceptions import TooManyRequests

from idp.flows.world import World
from idp.policies.terms import RateLimits
from idp.web import Limits, View

Throttle = Callable[[View], View]


def make_limits(
    app: Flask, world: World, bucket: Callable[[Request], str]
) -> tuple[Limits, Callable[[str], bool], Callable[[], bool]]:
    """The decorators that throttle pages, and two calls: that count a failed client authentication, and a stranger's request.

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
    failures, strangers = parse(rules.token_failures), parse(rules.authorize)

    def count_failure(client_id: str) -> bool:
        """Count a failed client authentication; whether there were too many from this source or for this client."""
        counted = [limiter.limiter.hit(failures, "token_failures", key())]
        if client_id in world.clients:
            counted.append(limiter.limiter.hit(failures, "client", client_id))
        return not all(counted)

    def count_stranger() -> bool:
        """Count a request that a client leaves here without proving who it is; whether there were too many from this source."""
        return not limiter.limiter.hit(strangers, "strangers", key())

    return _pages(limiter, rules), count_failure, count_stranger


def _pages(limiter: Limiter, rules: RateLimits) -> Limits:
    """The decorators by name.

    An alarm counts apart: no flood of recoveries keeps an owner from freezing their access. So does what is asked while a
    password is typed, which leaves the answers of a sign-in untouched.
    """
    by_source: Limits = {
        name: limiter.shared_limit(getattr(rules, name), scope=name)
        for name in ("sign_in", "invitation", "authorize", "recovery", "change", "registration")
    }
    apart = {"alarm": rules.recovery, "strength": rules.sign_in, "device": rules.invitation}
    by_source |= {name: limiter.shared_limit(limit, scope=name) for name, limit in apart.items()}
    # Whoever tries one device's code tries those of all devices that wait.
    for name in ("recovery", "device"):
        everywhere = _everywhere(limiter, parse(rules.recovery_everywhere), f"{name}_everywhere")
        by_source[name] = _one_then_the_other(by_source[name], everywhere)
    return by_source


def _one_then_the_other(first: Throttle, then: Throttle) -> Throttle:
    """A decorator of two: what the first refuses does not use up what the other counts."""
    return lambda view: first(then(view))


def _everywhere(limiter: Limiter, limit: RateLimitItem, scope: str) -> Throttle:
    """A decorator that counts the forms sent from all addresses together."""

    def throttled(view: View) -> View:
        @wraps(view)
        def counted(*args: Any, **named: Any) -> Response:
            if request.method == "POST" and not limiter.limiter.hit(limit, scope):
                raise TooManyRequests(retry_after=limit.get_expiry())
            return view(*args, **named)

        return counted

    return throttled
