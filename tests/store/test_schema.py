from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from idp.store import Store, migrate, open_store
from idp.store.store import HEAD
from idp.store.tables import metadata
from tests.servers import fresh_store
from tests.store.facts import entry


def test_metadata_and_migrations_agree(store: Store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_head_named_in_code_is_the_newest_migration():
    assert ScriptDirectory.from_config(migrate.config()).get_current_head() == HEAD


def test_upgrade_from_nothing_and_once_more(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/deep/er/new.sqlite3")
    assert not store.schema_is_current()
    store.upgrade()
    store.upgrade()
    assert store.schema_is_current()
    store.close()


def test_the_audit_log_refuses_changes(store: Store):
    with store.begin() as tx:
        tx.audit.write(entry())
    with pytest.raises(DBAPIError, match="append-only"), store.engine.connect() as connection:
        connection.execute(text("UPDATE audit SET outcome = 'fine'"))


def test_any_other_database_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="mysql"):
        open_store("mysql://localhost/idp")
    with pytest.raises(ValueError, match="name a file"):
        open_store("sqlite://")
    fresh_store("sqlite", tmp_path).close()
