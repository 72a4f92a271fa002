"""A TOML file as read: its tables, and where each key of them came from."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from idp.settings.problems import Problem
from idp.settings.scanner import Path, key_lines

LARGEST = 1_000_000
ENVIRONMENT = "environment"
_PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_OVERWRITES = re.compile(r"overwrite|twice|mutate|immutable|duplicate", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Document:
    """One file's tables. ``lines`` finds each key; ``variables`` names the environment variable that replaced one."""

    file: str
    table: Mapping[str, Any]
    lines: Mapping[Path, int]
    variables: Mapping[Path, str]

    def line(self, path: Path) -> int:
        """The line of the key, or of the nearest table around it, or the first."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)

    def problem(self, path: Path, what: str, remedy: str) -> Problem:
        """A problem at the key ``path``, whether the file or the environment set it."""
        variable = self.variables.get(path)
        if variable is not None:
            return Problem(ENVIRONMENT, 0, variable, what, remedy)
        return Problem(self.file, self.line(path), dotted(path), what, remedy)


def dotted(path: Path) -> str:
    """A path as it is written in TOML; places in arrays count from one, as people do."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part + 1}]"
        else:
            written += ("." if written else "") + (part if _BARE.fullmatch(part) else quoted(part))
    return written


def quoted(text: str) -> str:
    """A text as a problem shows it: in quotes, control characters escaped, cut where it is very long."""
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "…", ensure_ascii=not text.isprintable())


def read_document(path: FilePath) -> tuple[Document | None, list[Problem]]:
    """The file at ``path``, or the problem that keeps it from being read."""
    text = _text(path)
    if isinstance(text, Problem):
        return None, [text]
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax(str(path), text, str(error))]
    except RecursionError:
        return None, [Problem(str(path), 1, "", "the file nests too deeply", "Write it flat.")]
    except ValueError:
        # Beyond Python's limit of digits; the parser says no line.
        return None, [Problem(str(path), 1, "", "a number in the file has thousands of digits", "Write a shorter one.")]
    lines: dict[Path, int] = {}
    for key, line in key_lines(text):
        lines.setdefault(key, line)
    return Document(str(path), table, lines, {}), []


def _text(path: FilePath) -> str | Problem:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        return Problem(str(path), 0, "", f"the file can't be read: {reason}", "Create it, or let this user read it.")
    if len(raw) > LARGEST:
        return Problem(str(path), 1, "", f"the file is larger than {LARGEST} bytes", "Keep only configuration in it.")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Problem(str(path), line, "", "the file is not UTF-8", "Save it with the encoding UTF-8.")


def _syntax(file: str, text: str, message: str) -> Problem:
    """The parser's error, at its line, with the key it stands at and, for a key written twice, where it was before."""
    place = _PLACE.search(message)
    said = _PLACE.sub("", message)
    at = place["line"] if place else None
    line = int(at) if at else text.rstrip().count("\n") + 1
    written = key_lines(text)
    here = [key for key, number in written if number == line]
    key = here[-1] if here else ()
    before = next((number for known, number in written if known == key and number < line), None)
    if before is not None and _OVERWRITES.search(said):
        what = f"set twice, first on line {before}"
        return Problem(file, line, dotted(key), what, "Keep one of the two.")
    column = f" at column {place['column']}" if place and place["column"] else ""
    return Problem(
        file, line, dotted(key), f"not TOML{column}: {said[:1].lower()}{said[1:]}", "Correct the syntax (https://toml.io)."
    )
