"""How instants and documents lie in columns: the same values back from SQLite and from PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import JSON, TIMESTAMP, BigInteger, Dialect, Integer
from sqlalchemy.types import TypeDecorator, TypeEngine

from idp.store.codec import instant, micros

# SQLite numbers rows by itself only in a column declared INTEGER.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime: ``timestamptz`` on PostgreSQL, integer microseconds since 1970 on SQLite.

    The processors are overridden whole, not ``process_bind_param``: that hook costs two more calls a value.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of the dialect."""
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else BigInteger())

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """From the datetime to what the driver takes."""
        if dialect.name == "postgresql":
            return None
        return lambda value: None if value is None else micros(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """From what the driver gives to the datetime."""
        del coltype
        if dialect.name == "postgresql":
            return lambda value: None if value is None else cast("datetime", value.astimezone(UTC))
        return lambda value: None if value is None else instant(value)


class Document(TypeDecorator[Any]):
    """JSON that operators read in SQL, hence JSONB where there is one."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of the dialect."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 - loaded where it is used

        return dialect.type_descriptor(JSONB())
