"""What tables are made of: the names of constraints, and indexes of some rows."""

from typing import Final

from sqlalchemy import Index, text

# Named constraints: a migration can only change what has a name.
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def only(column: str, where: str, name: str | None = None) -> Index:
    """An index of the rows for which ``where`` is true."""
    return Index(name, column, postgresql_where=text(where), sqlite_where=text(where))
