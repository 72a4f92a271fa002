"""How statements are made: once, when their module is loaded, for each dialect where the two differ.

SQLAlchemy keeps the compiled form by the statement object's key; a statement built again for each call would be walked
again for each call.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Executable, Table

Build = Callable[[Callable[[Table], Any]], Executable]


class ByDialect(dict[str, Executable]):
    """A statement with ON CONFLICT, which both databases know and SQLAlchemy spells by dialect.

    Made when first asked for: loading the dialect that is not used would be a sixth of the room's start-up time.
    """

    def __init__(self, build: Build) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, dialect: str) -> Executable:
        insert = import_module(f"sqlalchemy.dialects.{dialect}").insert
        # SQLAlchemy forgets how many rows an INSERT wrote unless it is told that someone will ask.
        made = self._build(insert).execution_options(preserve_rowcount=True)
        self[dialect] = made
        return made


class Repository:
    """A set of operations on one connection, within the transaction of whoever made it."""

    __slots__ = ("_connection", "_dialect")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
