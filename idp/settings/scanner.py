"""Where each key of a TOML text stands: the parser of the standard library tells values, but no lines.

The scanner is lenient: it is right about valid TOML and never fails on the rest, so that an error too has its key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""(?P<multiline>\"\"\"(?:\\.|[^\\])*?\"{3,5}|'''.*?'{3,5})
      | (?P<string>"(?:\\.|[^"\\\n])*"|'[^'\n]*')
      | (?P<comment>\#[^\n]*)
      | (?P<newline>\n)
      | (?P<space>[ \t\r]+)
      | (?P<bare>[A-Za-z0-9_-]+)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_UNICODE_END = 0x110000


def key_lines(text: str) -> list[tuple[Path, int]]:
    """Each key, table and array element of ``text`` with its line, in the order they are written."""
    return _Scan().run(text)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        kind, value = found.lastgroup or "mark", found[0]
        if kind not in {"space", "comment"}:
            yield kind, value, line
        line += value.count("\n")


def _part(kind: str, value: str) -> str:
    """A key's part as the parser will name it."""
    if kind != "string":
        return value
    return value[1:-1] if value[0] == "'" else _ESCAPE.sub(_unescaped, value[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code is None:
        return _SHORT.get(found[3], found[3])
    number = int(code, 16)
    return chr(number) if number < _UNICODE_END else "\ufffd"


@dataclass
class _Frame:
    """An array or inline table that is open: the path of what it holds, and the element an array has come to."""

    array: bool
    path: Path
    index: int = 0


@dataclass
class _Scan:
    """The state of one scan; ``in_value`` tells the right side of ``=`` from the left."""

    found: list[tuple[Path, int]] = field(default_factory=list)
    elements: dict[Path, int] = field(default_factory=dict)
    frames: list[_Frame] = field(default_factory=list)
    table: Path = ()
    parts: list[str] = field(default_factory=list)
    pending: Path = ()
    brackets: int = 0
    in_value: bool = False
    element_noted: bool = True

    def run(self, text: str) -> list[tuple[Path, int]]:
        for kind, value, line in _tokens(text + "\n"):
            if self.in_value:
                self._value(kind, value, line)
            else:
                self._key(kind, value, line)
        return self.found

    def _key(self, kind: str, value: str, line: int) -> None:
        if kind in {"bare", "string"}:
            self.parts.append(_part(kind, value))
        elif kind == "newline":
            self._end_of_line(line)
        elif value == "[" and not self.frames and not self.parts:
            self.brackets += 1
        elif value == "=" and self.parts:
            self._note_key(line)
        elif value == "}" and self.frames:
            self._close()

    def _end_of_line(self, line: int) -> None:
        if self.brackets and self.parts:
            self._open_table(line)
        self.parts, self.brackets = [], 0

    def _open_table(self, line: int) -> None:
        path = self._resolved(self.parts)
        if self.brackets > 1:
            self.elements[path] = self.elements.get(path, -1) + 1
            self.found.append((path, line))
            path = (*path, self.elements[path])
        self.found.append((path, line))
        self.table = path

    def _resolved(self, parts: list[str]) -> Path:
        """The path a table header names, which steps into the last element of each array of tables on its way."""
        path: Path = ()
        for number, part in enumerate(parts):
            path = (*path, part)
            if number < len(parts) - 1 and path in self.elements:
                path = (*path, self.elements[path])
        return path

    def _note_key(self, line: int) -> None:
        base = self.frames[-1].path if self.frames else self.table
        for length in range(1, len(self.parts) + 1):
            self.found.append(((*base, *self.parts[:length]), line))
        self.pending = (*base, *self.parts)
        self.parts, self.in_value, self.element_noted = [], True, True

    def _value(self, kind: str, value: str, line: int) -> None:
        if not self.element_noted and kind != "newline" and value != "]":
            self.found.append((self.pending, line))
            self.element_noted = True
        if kind == "newline":
            self.in_value = bool(self.frames)
        elif kind == "mark":
            self._mark(value)

    def _mark(self, value: str) -> None:
        if value == "{":
            self.frames.append(_Frame(array=False, path=self.pending))
            self.in_value = False
        elif value == "[":
            self.frames.append(_Frame(array=True, path=self.pending))
            self.pending, self.element_noted = (*self.pending, 0), False
        elif value in {"]", "}"} and self.frames:
            self._close()
        elif value == "," and self.frames:
            self._next()

    def _next(self) -> None:
        frame = self.frames[-1]
        if frame.array:
            frame.index += 1
            self.pending, self.element_noted = (*frame.path, frame.index), False
        else:
            self.in_value = False

    def _close(self) -> None:
        self.frames.pop()
        self.parts, self.in_value, self.element_noted = [], True, True
