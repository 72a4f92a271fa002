"""How statements are made: once, when their module is loaded, for each dialect where the two differ.

SQLAlchemy keeps the compiled form by the statement object's key; a statement built again for each call would be walked
again for each call.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


def each_dialect(build: Callable[[Callable[[Table], Any]], Executable]) -> Mapping[str, Executable]:
    """A statement with ON CONFLICT, which both databases know and SQLAlchemy spells by dialect."""
    # SQLAlchemy forgets how many rows an INSERT wrote unless it is told that someone will ask.
    counted = {"preserve_rowcount": True}
    return {
        "sqlite": build(sqlite.insert).execution_options(**counted),
        "postgresql": build(postgresql.insert).execution_options(**counted),
    }


class Repository:
    """A set of operations on one connection, within the transaction of whoever made it."""

    __slots__ = ("_connection", "_dialect")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
