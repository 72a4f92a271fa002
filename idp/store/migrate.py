"""How the schema is brought to its newest version, from the installed package alone."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config

from idp.store.database import Database
from idp.store.errors import StoreDown, reason

_MIGRATIONS = Path(__file__).parent / "migrations"


def config() -> Config:
    """Alembic's configuration, built here: there is no alembic.ini to lose."""
    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(database: Database) -> None:
    """Run what is missing, in one transaction; a second process waits and then finds nothing to do."""
    try:
        with database.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("BEGIN IMMEDIATE" if database.dialect == "sqlite" else "BEGIN")
            # SQLAlchemy's side of the transaction: Alembic then leaves its end to us, on SQLite too.
            connection.begin()
            if database.dialect == "postgresql":
                driver.execute("SELECT pg_advisory_xact_lock(7430120518)")
                # A migration may take longer than a request ever should.
                driver.execute("SET LOCAL statement_timeout = 0")
            made = config()
            made.attributes["connection"] = connection
            command.upgrade(made, "head")
            driver.execute("COMMIT")
    except database.down as error:
        raise StoreDown(reason(error)) from error
