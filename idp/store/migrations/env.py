"""What Alembic runs: the migrations on the connection it is handed, inside that connection's transaction."""

from alembic import context

from idp.store.tables import metadata


def run() -> None:
    """Run the migrations."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()


run()
