"""Many threads behind a barrier, all at the same thing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
RUNNERS = 50


def race(attempt: Callable[[int], Result], runners: int = RUNNERS) -> list[Result]:
    """What each runner got; an exception in one is the test's."""
    barrier = threading.Barrier(runners)

    def run(number: int) -> Result:
        barrier.wait()
        return attempt(number)

    with ThreadPoolExecutor(runners) as pool:
        return list(pool.map(run, range(runners)))
