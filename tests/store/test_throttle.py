import time

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from idp.store import Store
from tests.store.races import RUNNERS, race


def test_counts_are_exact(store: Store):
    limiter = FixedWindowRateLimiter(storage_from_string(store.throttle_uri, **store.throttle_options))
    limit = RateLimitItemPerMinute(20)
    assert race(lambda _: limiter.hit(limit, "203.0.113.0/24", "/sign-in")).count(True) == 20
    assert not limiter.test(limit, "203.0.113.0/24", "/sign-in")
    assert limiter.hit(limit, "198.51.100.0/24", "/sign-in")
    ends, left = limiter.get_window_stats(limit, "198.51.100.0/24", "/sign-in")
    assert left == 19
    assert 50 < ends - time.time() < 61
    limiter.clear(limit, "203.0.113.0/24", "/sign-in")
    assert limiter.hit(limit, "203.0.113.0/24", "/sign-in")


def test_a_window_ends(store: Store):
    storage = storage_from_string(store.throttle_uri, **store.throttle_options)
    assert storage.check()
    assert [storage.incr("key", 1) for _ in range(3)] == [1, 2, 3]
    assert storage.get("key") == 3
    time.sleep(1.1)
    assert storage.get("key") == 0
    assert storage.incr("key", 1, amount=2) == 2
    storage.reset()
    assert storage.get("key") == 0
    assert abs(storage.get_expiry("key") - time.time()) < 2


def test_every_hit_is_counted(store: Store):
    storage = storage_from_string(store.throttle_uri, **store.throttle_options)
    assert sorted(race(lambda _: storage.incr("key", 60))) == list(range(1, RUNNERS + 1))
