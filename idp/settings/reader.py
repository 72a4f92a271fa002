"""TOML tables into frozen dataclasses, by their annotations; every problem is collected, none stops the reading."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from idp.policies.finding import closest
from idp.settings.document import Document, dotted, quoted
from idp.settings.durations import LONGEST, format_duration, parse_duration
from idp.settings.problems import Problem
from idp.settings.scanner import Path

T = TypeVar("T")
NEVER = "never"
MOST = 1000
_LARGEST = 2**53
_PLAIN: dict[type, tuple[str, str]] = {
    bool: ("true or false", "Write true or false, without quotes."),
    int: ("a whole number", "Write a whole number, without quotes."),
    str: ("text", "Write it in quotes."),
}
_DURATION = ("a duration", 'Write one number and one unit in quotes: "90s", "30m", "12h" or "120d".')


class Broken(Enum):
    """The value of a field that could not be read; the problem is recorded."""

    VALUE = "broken"


class Reader:
    """Reads one document; ``problems`` grows with each thing wrong, ``broken`` with each key it is about."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.broken: set[Path] = set()

    def refuse(self, path: Path, what: str, remedy: str) -> Broken:
        """Record a problem at ``path``."""
        self.broken.add(path)
        self.problems.append(self.document.problem(path, what, remedy))
        return Broken.VALUE

    def read(self, shape: type[T], table: Any, path: Path = (), base: T | None = None) -> T | None:
        """``table`` as a ``shape``. A key that is absent, or broken, has its value from ``base``, else its default.

        None where a field without a default is absent or broken.
        """
        if not isinstance(table, dict):
            self.refuse(path, f"{_shown(table)} is not a table", f"Write it as [{dotted(path)}] with its keys below.")
            return base
        hints = get_type_hints(shape)
        known = {field.name: field for field in fields(cast("Any", shape)) if not field.metadata.get("derived")}
        for name in table:
            if name not in known:
                self.refuse((*path, name), "unknown key", closest(name, list(known)))
        values = {name: self._field(field, hints[name], table, path, base) for name, field in known.items()}
        return None if Broken.VALUE in values.values() else shape(**values)

    def _field(self, field: "Field[Any]", hint: Any, table: dict[str, Any], path: Path, base: object) -> Any:
        fallback = _fallback(field, base)
        if field.name not in table:
            if fallback is Broken.VALUE:
                self.refuse((*path, field.name), "missing", "Set it: it has no default.")
            return fallback
        here = (*path, field.name)
        value = self.value(table[field.name], hint, here, None if fallback is Broken.VALUE else fallback, secret=not field.repr)
        if value is not Broken.VALUE:
            value = self._bounded(value, field.metadata, here, secret=not field.repr)
        return fallback if value is Broken.VALUE else value

    def value(self, value: Any, hint: Any, path: Path, base: Any = None, *, secret: bool = False) -> Any:
        """``value`` as ``hint`` says, or ``Broken.VALUE``."""
        readers: dict[Any, Callable[..., Any]] = {
            Union: self._optional,
            types.UnionType: self._optional,
            Literal: self._literal,
            tuple: self._tuple,
            Mapping: self._mapping,
        }
        reader = readers.get(get_origin(hint))
        if reader is not None:
            return reader(value, get_args(hint), path, secret=secret)
        if hint is timedelta:
            return self._duration(value, path)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return self._choice(value, {str(member.value): member for member in hint}, path)
        if is_dataclass(hint):
            nested = self.read(cast("type[Any]", hint), value, path, base)
            return Broken.VALUE if nested is None else nested
        return self._plain(value, hint, path, secret=secret)

    def _literal(self, value: Any, arguments: tuple[Any, ...], path: Path, *, secret: bool) -> Any:
        del secret  # the choices are public
        return self._choice(value, {str(choice): choice for choice in arguments}, path)

    def _plain(self, value: Any, hint: Any, path: Path, *, secret: bool) -> Any:
        if hint is int and type(value) is int and abs(value) > _LARGEST:
            return self.refuse(path, "the number is too large", f"Write at most {_LARGEST}.")
        if hint is Any or type(value) is hint:
            return value
        expected, remedy = _PLAIN[hint]
        return self.refuse(path, f"{'the value' if secret else _shown(value)} is not {expected}", remedy)

    def _optional(self, value: Any, arguments: tuple[Any, ...], path: Path, *, secret: bool) -> Any:
        """A field that may be unset. Durations are unset by "never", because TOML can't say nothing."""
        inner = next(argument for argument in arguments if argument is not type(None))
        if inner is timedelta and value == NEVER:
            return None
        return self.value(value, inner, path, secret=secret)

    def _duration(self, value: Any, path: Path) -> Any:
        span = parse_duration(value) if isinstance(value, str) else None
        if span is None:
            expected, remedy = _DURATION
            return self.refuse(path, f"{_shown(value)} is not {expected} up to {format_duration(LONGEST)}", remedy)
        return span

    def _choice(self, value: Any, choices: dict[str, Any], path: Path) -> Any:
        if isinstance(value, str) and value in choices:
            return choices[value]
        allowed = ", ".join(quoted(choice) for choice in choices)
        return self.refuse(path, f"{_shown(value)} is not one of the choices", f"Write one of {allowed}.")

    def _tuple(self, value: Any, arguments: tuple[Any, ...], path: Path, *, secret: bool) -> Any:
        if not isinstance(value, list):
            return self.refuse(path, f"{_shown(value)} is not a list", "Write it in square brackets, with commas between.")
        if len(value) > MOST:
            return self.refuse(path, f"{len(value)} elements are listed", f"List at most {MOST}.")
        for number, element in enumerate(value):
            if element in value[:number] and not isinstance(element, dict):
                return self.refuse(
                    (*path, number), f"{'it' if secret else _shown(element)} is listed twice", "Keep one of the two."
                )
        read = tuple(self.value(element, arguments[0], (*path, number), secret=secret) for number, element in enumerate(value))
        return Broken.VALUE if Broken.VALUE in read else read

    def _mapping(self, value: Any, arguments: tuple[Any, ...], path: Path, *, secret: bool) -> Any:
        if not isinstance(value, dict):
            return self.refuse(path, f"{_shown(value)} is not a table", f"Write it as [{dotted(path)}] with its keys below.")
        read = {name: self.value(element, arguments[1], (*path, name), secret=secret) for name, element in value.items()}
        return Broken.VALUE if Broken.VALUE in read.values() else read

    def _bounded(self, value: Any, metadata: Mapping[str, Any], path: Path, *, secret: bool) -> Any:
        """``value`` held against the floor and ceiling of its field."""
        floor, ceiling = metadata.get("floor"), metadata.get("ceiling")
        because = f" ({metadata['source']})" if metadata.get("source") else ""
        shown = "the value" if secret else plain(value)
        if value is not None and floor is not None and value < floor:
            what = f"{shown} is below the floor of {plain(floor)}"
            return self.refuse(path, what, f"Raise it to {plain(floor)} or more{because}.")
        if value is not None and ceiling is not None and value > ceiling:
            what = f"{shown} is above the ceiling of {plain(ceiling)}"
            return self.refuse(path, what, f"Lower it to {plain(ceiling)} or less{because}.")
        return value


def plain(value: Any) -> Any:
    """A value of a dataclass as TOML and JSON write it."""
    if value is None:
        return NEVER
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple):
        return [plain(element) for element in value]
    if isinstance(value, Mapping):
        return {name: plain(element) for name, element in value.items()}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if not field.metadata.get("derived")}
    return value


def _fallback(field: "Field[Any]", base: object) -> Any:
    if base is not None:
        return getattr(base, field.name)
    if field.default is not MISSING:
        return field.default
    return Broken.VALUE if field.default_factory is MISSING else field.default_factory()


def _shown(value: Any) -> str:
    """A value as a problem shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return "a large number" if isinstance(value, int) and abs(value) > _LARGEST else str(value)
