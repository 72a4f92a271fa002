import json
import threading
import time
from collections.abc import Callable
from typing import Any

from idp.app.health import Check, Health


def asked(app: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    told: list[str] = []
    body = b"".join(app({}, lambda status, _headers: told.append(status)))
    return told[0], json.loads(body)


def test_alive_asks_nothing() -> None:
    def never() -> bool:
        raise AssertionError

    assert asked(Health({"database": never}).alive) == ("200 OK", {"status": "alive"})


def test_ready_when_every_part_is_up() -> None:
    status, body = asked(Health({"database": lambda: True, "keys": lambda: True}).ready)
    assert (status, body) == ("200 OK", {"status": "ready", "parts": {"database": "up", "keys": "up"}})


def test_each_part_that_is_down_is_named_without_its_reason() -> None:
    def broken() -> bool:
        raise OSError("postgresql://user:canary@host")

    status, body = asked(Health({"database": broken, "keys": lambda: False, "schema": lambda: True}).ready)
    assert status.startswith("503")
    assert body["parts"] == {"database": "down", "keys": "down", "schema": "up"}
    assert "canary" not in json.dumps(body)


def test_a_part_that_hangs_costs_only_the_timeout_and_one_thread() -> None:
    go = threading.Event()
    asked_for = []

    def hangs() -> bool:
        asked_for.append(1)
        return go.wait(20)

    checks: dict[str, Check] = {"database": hangs, "keys": lambda: True}
    health = Health(checks, timeout=0.1, keep=0.0)
    before = time.monotonic()
    for _ in range(5):
        assert asked(health.ready)[1]["parts"] == {"database": "no answer", "keys": "up"}
    assert time.monotonic() - before < 2
    assert len(asked_for) == 1
    go.set()
    time.sleep(0.05)
    assert asked(health.ready)[0] == "200 OK"


def test_an_answer_stands_for_a_while_and_a_crowd_asks_once() -> None:
    count = []

    def check() -> bool:
        count.append(1)
        time.sleep(0.05)
        return True

    health = Health({"database": check}, keep=5)
    crowd = [threading.Thread(target=asked, args=(health.ready,)) for _ in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(count) == 1
