"""Logging: one JSON line for each thing that happened, without secrets, on standard output.

Everything passes the same processors: our own events, the standard library's loggers and Python's warnings.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal

import structlog

from idp.app.composition import clock
from idp.store import StoreDown

REDACTED: Final = "[redacted]"
_LONGEST: Final = 2000
_DEEPEST: Final = 4

_SECRET_KEYS: Final = frozenset(
    {
        "account_number",
        "answer",
        "assertion",
        "authorization",
        "body",
        "code",
        "code_verifier",
        "context",
        "cookie",
        "cookies",
        "csrf",
        "environ",
        "form",
        "hash",
        "headers",
        "html",
        "key",
        "link",
        "master_key",
        "number",
        "numbers",
        "otp",
        "passwd",
        "password",
        "pepper",
        "pin",
        "private",
        "query",
        "query_string",
        "reference",
        "secret",
        "set_cookie",
        "text",
        "token",
    }
)
_SECRET_ENDINGS: Final = (
    *("_assertion", "_code", "_cookie", "_hash", "_key", "_number"),
    *("_password", "_pin", "_secret", "_token"),
)

# Exceptions whose words name parts of the program, never what a person typed.
_TELLING: Final = (AttributeError, ImportError, NameError, NotImplementedError, StoreDown, TypeError)

Event = MutableMapping[str, Any]
Raised = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def configure(level: str = "info", form: Literal["json", "console"] = "json", stream: BinaryIO | None = None) -> None:
    """Set logging up for this process: structlog, the standard library and warnings, to ``stream`` or standard output."""
    least = logging.getLevelNamesMapping()[level.upper()]
    out: BinaryIO = stream or sys.stdout.buffer
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_values,
            without_secrets,
            render if form == "json" else _console,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.BytesLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Routed()]
    # Others' chatter stays out, and with it whatever they think worth telling about requests.
    root.setLevel(max(least, logging.WARNING))
    logging.captureWarnings(True)


def request_log() -> Callable[[str, str, int, float, str, str], None]:
    """What writes the line of one request: method, route, status, milliseconds, source and request id.

    All of these are our own words, so that the line is put together directly, at a tenth of the price of the processors.
    """
    log = structlog.get_logger()
    if not log.is_enabled_for(logging.INFO):
        return lambda *_: None
    if render not in structlog.get_config()["processors"]:
        return lambda method, route, status, ms, source, request_id: log.info(
            "request", method=method, route=route, status=status, ms=ms, source=source, request_id=request_id
        )
    write = structlog.get_config()["logger_factory"]().info
    fixed: dict[tuple[str, str, int], str] = {}

    def tell(  # noqa: PLR0917 - called once for each request, where keywords would cost
        method: str, route: str, status: int, ms: float, source: str, request_id: str
    ) -> None:
        middle = fixed.get((method, route, status))
        if middle is None:
            known = json.dumps({"level": "info", "event": "request", "method": method, "route": route, "status": status})
            middle = fixed[method, route, status] = known[1:-1]
        at = clock().isoformat(timespec="milliseconds")
        line = f'{{"timestamp": "{at}", {middle}, "ms": {ms:.2f}, "source": "{source}", "request_id": "{request_id}"}}'
        write(line.encode())

    return tell


class _Routed(logging.Handler):
    """Takes what the standard library's loggers say into the same stream."""

    _inside = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record on; what cannot be worded is told by its pattern."""
        try:
            words = record.getMessage()
        except (TypeError, ValueError):
            words = str(record.msg)
        log = structlog.get_logger()
        log.log(record.levelno, words, logger=record.name, **({"exc_info": record.exc_info} if record.exc_info else {}))


def without_values(_logger: Any, _name: str, event: Event) -> Event:
    """Replace an exception by where it came from: no local values, and its own words only where they are the program's."""
    raised = event.pop("exc_info", None)
    if not raised:
        return event
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if error is not None:
        event["trace"] = trace_of(error)
    return event


def trace_of(error: BaseException) -> list[str]:
    """The chain of an exception, the outermost first: each its type and then its frames, the innermost last."""
    lines: list[str] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        words = f": {printable(str(following))}" if isinstance(following, _TELLING) else ""
        lines.append(f"{type(following).__module__}.{type(following).__qualname__}{words}")
        at = following.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            lines.append(f"  {code.co_filename}:{at.tb_lineno} {code.co_qualname}")
            at = at.tb_next
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return lines


def without_secrets(_logger: Any, _name: str, event: Event) -> Event:
    """Redact what stands under the name of a secret, at any depth, and make all text printable."""
    for name, value in event.items():
        if is_secret(name):
            event[name] = REDACTED
        elif type(value) is str:
            if not value.isprintable() or len(value) > _LONGEST:
                event[name] = printable(value)
        elif value is not None and type(value) not in {int, float, bool}:
            event[name] = _clean(value, _DEEPEST)
    return event


def is_secret(name: str) -> bool:
    """Whether a key names something that must not be logged."""
    known = name.lower().replace("-", "_")
    return known in _SECRET_KEYS or known.endswith(_SECRET_ENDINGS)


def printable(text: str) -> str:
    """Text in which nothing can begin a line or steer a terminal, and not too much of it."""
    shown = text[:_LONGEST]
    if shown.isprintable():
        return shown
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in shown)


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping) and depth:
        return {
            printable(str(name)): REDACTED if is_secret(str(name)) else _clean(held, depth - 1) for name, held in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_clean(held, depth - 1) for held in value]
    return printable(str(value))


def render(_logger: Any, _name: str, event: Event) -> bytes:
    """One line of JSON, in ASCII: whatever is not printable there is escaped."""
    return json.dumps(event, default=str).encode()


_for_people = structlog.dev.ConsoleRenderer(colors=False)


def _console(logger: Any, name: str, event: Event) -> bytes:
    trace = event.pop("trace", [])
    line = _for_people(logger, name, event)
    return "\n".join([str(line), *trace]).encode()
