import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from idp.app import logs
from idp.store import StoreDown


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    kept = (root.handlers[:], root.level)
    out = io.BytesIO()
    logs.configure("info", "json", out)  # type: ignore[arg-type]
    yield out
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:], root.level = kept


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "key",
    [
        *("password", "PIN", "answer", "code", "client_secret", "refresh_token", "Authorization", "Set-Cookie", "master_key"),
        *("account_number", "Account-Number", "customer_code", "number", "numbers", "phone_number", "reference"),
    ],
)
def test_secrets_are_redacted_at_any_depth(stream: io.BytesIO, key: str) -> None:
    structlog.get_logger().info("x", **{key: "canary"}, facts={"deep": [{key: "canary"}]})
    assert b"canary" not in stream.getvalue()
    assert lines(stream)[0]["facts"]["deep"][0][key] == logs.REDACTED


def test_what_is_no_secret_stays(stream: io.BytesIO) -> None:
    structlog.get_logger().info("x", status=200, route="/token", source="192.0.2.0/24", factor="pin")
    assert lines(stream)[0].items() >= {"status": 200, "route": "/token", "factor": "pin", "level": "info"}.items()


def test_nothing_can_begin_a_line_or_steer_a_terminal(stream: io.BytesIO) -> None:
    structlog.get_logger().info("x", agent='a\r\n{"event": "forged"}\x1b[2J\x7f\u2028\u202e', facts={"k\n": "v\x9b"})
    raw = stream.getvalue()
    assert raw.count(b"\n") == 1
    assert not set(raw.decode()) & set("\r\x1b\x7f\x9b\u2028\u202e")
    assert "\\x1b[2J" in lines(stream)[0]["agent"]
    structlog.get_logger().info("x", agent="a" * 100_000)
    assert len(lines(stream)[1]["agent"]) <= 2000


def test_the_console_is_as_safe() -> None:
    out = io.BytesIO()
    logs.configure("info", "console", out)  # type: ignore[arg-type]
    structlog.get_logger().info("x", agent="a\nb\x1b[2J", password="canary")
    structlog.reset_defaults()
    assert out.getvalue().count(b"\n") == 1
    assert b"\x1b" not in out.getvalue()
    assert b"canary" not in out.getvalue()


def test_the_standard_library_and_warnings_come_the_same_way(stream: io.BytesIO) -> None:
    logging.getLogger("some.library").warning("it is %s\nso", "odd")
    logging.getLogger("some.library").info("chatter")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # Once more: pytest records warnings by putting its own function there.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second = lines(stream)
    assert (first["event"], first["logger"], first["level"]) == ("it is odd\\nso", "some.library", "warning")
    assert second["logger"] == "py.warnings"


def test_traces_name_places_and_no_values(stream: io.BytesIO) -> None:
    canary = "canary"
    try:
        try:
            {}[canary]
        except KeyError as inner:
            raise StoreDown("connection refused") from inner
    except StoreDown:
        logging.getLogger("a").exception("failed")
    assert b"canary" not in stream.getvalue()
    trace = lines(stream)[0]["trace"]
    assert trace[0].endswith("StoreDown: connection refused")
    assert "builtins.KeyError" in trace
    assert sum("test_logs.py" in frame for frame in trace) == 2


def test_the_level_is_obeyed() -> None:
    out = io.BytesIO()
    logs.configure("warning", "json", out)  # type: ignore[arg-type]
    structlog.get_logger().info("x")
    structlog.get_logger().warning("y")
    structlog.reset_defaults()
    assert [line["event"] for line in lines(out)] == ["y"]
