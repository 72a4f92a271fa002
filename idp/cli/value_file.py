"""A file of separated values with a line of headings, in the encoding that it is said to be in, read once to its end."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, BinaryIO, Final

_SEPARATORS: Final = ",;\t|"
_HEADINGS_MAX: Final = 64 * 1024


class UnreadableError(Exception):
    """The file as a whole cannot be read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class ValueFile:
    """A file whose columns are some of ``columns``; of each set in ``needed`` it has one at least."""

    path: Path
    columns: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    encoding: str = "utf-8-sig"

    def records(self, opened: BinaryIO) -> Iterator[tuple[int, dict[str, str] | None]]:
        """Each record by the line that it ends on; None for one with more or fewer values. Raises ``UnreadableError``."""
        self._ends_with_a_line()
        text = TextIOWrapper(opened, self.encoding, newline="")
        line = 1
        try:
            names, separator = self._headings(text)
            reader = csv.reader(text, delimiter=separator, strict=True)
            for row in reader:
                line = 1 + reader.line_num
                yield line, dict(zip(names, row, strict=True)) if len(row) == len(names) else None
        except UnicodeError as wrong:
            said = f"after line {line} it is not {self.encoding}: say which with --encoding, for instance cp1252"
            raise UnreadableError(said) from wrong
        except csv.Error as wrong:
            raise UnreadableError(f"after line {line} it is not a table of values: {wrong}") from wrong
        finally:
            text.detach()

    def _headings(self, text: IO[str]) -> tuple[list[str], str]:
        """The names of the columns, from the first line, and what separates them."""
        first = text.readline(_HEADINGS_MAX)
        separator = max(_SEPARATORS, key=first.count)
        names = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator, strict=True), [])]
        if set(names) - set(self.columns) or len(set(names)) < len(names):
            raise UnreadableError(f"the first line names the columns, each once, of: {', '.join(self.columns)}")
        for some in self.needed:
            if not set(some) & set(names):
                raise UnreadableError(f"a column {' or '.join(some)} is needed")
        return names, separator

    def _ends_with_a_line(self) -> None:
        """A file that was cut seldom ends where a line does."""
        with self.path.open("rb") as opened:
            opened.seek(0, 2)
            if opened.tell():
                opened.seek(-1, 2)
                if opened.read(1) not in b"\r\n":
                    raise UnreadableError("its last line does not end: it may have been cut; if it is whole, add a line break")
