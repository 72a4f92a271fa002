"""A file of customer records: separated values with a line of headings, in the encoding that it is said to be in."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, BinaryIO, Final

from idp.flows import customers
from idp.flows.customers import Fault
from idp.flows.world import World
from idp.model import Customer

_SEPARATORS: Final = ",;\t|"
_HEADINGS_MAX: Final = 64 * 1024


class UnreadableError(Exception):
    """The file as a whole cannot be read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """A file to be read once, from its beginning to its end."""

    path: Path
    encoding: str = "utf-8-sig"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    def records(self, world: World, opened: BinaryIO) -> Iterator[tuple[int, Customer] | Fault]:
        """Each record by the line that it ends on, or what is wrong with it. Raises ``UnreadableError``."""
        self._ends_with_a_line()
        text = TextIOWrapper(opened, self.encoding, newline="")
        line = 1
        try:
            names, separator = self._headings(text)
            reader = csv.reader(text, delimiter=separator, strict=True)
            for row in reader:
                line = 1 + reader.line_num
                if len(row) != len(names):
                    yield Fault(line, "columns")
                    continue
                made = customers.record(world, dict(zip(names, row, strict=True)))
                yield Fault(line, made) if isinstance(made, str) else (line, made)
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
        rows = csv.reader([first], delimiter=separator, strict=True)
        names = [name.strip().lower() for name in next(rows, [])]
        unknown = sorted(set(names) - set(customers.FIELDS))
        if unknown or len(set(names)) < len(names):
            raise UnreadableError(f"the first line names the columns, each once, of: {', '.join(customers.FIELDS)}")
        if not set(customers.REFERENCES) & set(names) or "family_name" not in names:
            raise UnreadableError("a column family_name is needed, and account_number or customer_code")
        return names, separator

    def _ends_with_a_line(self) -> None:
        """A file that was cut seldom ends where a line does."""
        with self.path.open("rb") as opened:
            opened.seek(0, 2)
            if opened.tell():
                opened.seek(-1, 2)
                if opened.read(1) not in b"\r\n":
                    raise UnreadableError("its last line does not end: it may have been cut; if it is whole, add a line break")
