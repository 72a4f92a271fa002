"""How statements are made and run: SQLAlchemy writes them once for each dialect, then a statement is a string and converters.

SQLAlchemy's own execution weighs the statement, its parameters and its result anew at each call, at several times the price
of SQLite's answer. What it is kept for is all that happens once: tables, types, dialects, the SQL itself, and the pool.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from sqlalchemy import Dialect, Executable, Table
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Row = Sequence[Any]
Converter = Callable[[Any], Any]


class Statement:
    """A statement of SQLAlchemy Core: the same for both dialects, or made from the dialect's name.

    It is compiled when it is first run, for the names it is given then: each place that runs it gives the same ones.
    """

    __slots__ = ("_by_dialect", "_same", "made")

    def __init__(self, same: Executable | None = None, *, by_dialect: Callable[[str], Any] | None = None) -> None:
        self._same = same
        self._by_dialect = by_dialect
        self.made: dict[str, Compiled] = {}

    def make(self, dialect: Dialect, names: Sequence[str]) -> "Compiled":
        """Compile for a dialect, and keep it."""
        written = self._same if self._by_dialect is None else self._by_dialect(dialect.name)
        made = Compiled(written, dialect, names)
        self.made[dialect.name] = made
        return made


def conflicting(build: Callable[[Callable[[Table], Any]], Any]) -> Statement:
    """A statement with ON CONFLICT, which both databases know and SQLAlchemy has by dialect: made of its ``insert``.

    Imported by name, since loading the dialect that is not used would be a sixth of the room's start-up time.
    """
    return Statement(by_dialect=lambda dialect: build(import_module(f"sqlalchemy.dialects.{dialect}").insert))


class Compiled:
    """A statement as one driver takes it: its text, and who converts which value on the way in and out."""

    __slots__ = ("_constants", "_inward", "_outward", "_positions", "sql")

    def __init__(self, written: Any, dialect: Dialect, names: Sequence[str]) -> None:
        compiled: SQLCompiler = written.compile(dialect=dialect, column_keys=list(names))
        self.sql = str(compiled)
        # SQLite's driver takes a sequence, psycopg a mapping.
        self._positions = compiled.positiontup
        self._inward = [
            (name, convert)
            for name, bound in compiled.binds.items()
            if name in names and (convert := _inward(bound.type, dialect)) is not None
        ]
        self._constants = {name: _constant(bound, dialect) for name, bound in compiled.binds.items() if name not in names}
        columns = getattr(written, "exported_columns", ())
        self._outward = [
            (place, convert) for place, column in enumerate(columns) if (convert := _outward(column.type, dialect)) is not None
        ]

    def given(self, values: Values) -> Any:
        """The values as the driver takes them."""
        taken = {**self._constants, **values}
        for name, convert in self._inward:
            taken[name] = convert(taken[name])
        return taken if self._positions is None else [taken[name] for name in self._positions]

    def read(self, row: Row) -> Row:
        """A row as the driver gives it, converted."""
        if not self._outward:
            return row
        read = list(row)
        for place, convert in self._outward:
            if read[place] is not None:
                read[place] = convert(read[place])
        return read


def _inward(type_: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _outward(type_: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)


def _constant(bound: Any, dialect: Dialect) -> Any:
    convert = _inward(bound.type, dialect)
    return bound.value if convert is None else convert(bound.value)


class Link:
    """A driver's connection, and the ``era`` of the pool in which it was opened."""

    __slots__ = ("_cursor", "_dialect", "dialect", "driver", "era")

    def __init__(self, driver: Any, dialect: Dialect, era: int = 0) -> None:
        self.driver = driver
        self.dialect = dialect.name
        self.era = era
        self._dialect = dialect
        # One for good: what it holds is read to its end before the next statement, and a new one costs psycopg a third.
        self._cursor = driver.cursor()

    def run(self, statement: Statement, values: Values) -> tuple[Any, Compiled]:
        """Run a statement; returns the driver's cursor and what reads its rows."""
        made = statement.made.get(self.dialect) or statement.make(self._dialect, tuple(values))
        return self._cursor.execute(made.sql, made.given(values)), made

    def first(self, statement: Statement, values: Values) -> Row | None:
        """The first row, if there is one."""
        cursor, made = self.run(statement, values)
        # To the end, so that SQLite lets go of what it locked.
        rows = cursor.fetchall()
        return made.read(rows[0]) if rows else None

    def all(self, statement: Statement, values: Values) -> list[Row]:
        """Every row."""
        cursor, made = self.run(statement, values)
        return [made.read(row) for row in cursor.fetchall()]

    def many(self, statement: Statement, rows: Sequence[Values]) -> int:
        """How many rows the statement wrote, run once for each of ``rows``, which have the same names."""
        if not rows:
            return 0
        made = statement.made.get(self.dialect) or statement.make(self._dialect, tuple(rows[0]))
        self._cursor.executemany(made.sql, [made.given(values) for values in rows])
        written: int = self._cursor.rowcount
        return written

    def count(self, statement: Statement, values: Values) -> int:
        """How many rows the statement wrote."""
        written: int = self.run(statement, values)[0].rowcount
        return written


class Repository:
    """A set of operations on one link, within the transaction of whoever made it."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link
