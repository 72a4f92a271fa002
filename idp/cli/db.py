"""``idp db``: the database's schema, brought up to date or looked at."""

import sys

import click

from idp.settings import from_environment
from idp.store import Store, open_store


@click.group()
def db() -> None:
    """Upgrade and check the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to this version; safe to run again, and by several machines at once."""
    store = _store()
    if store.schema_is_current():
        click.echo("The schema is current.")
        return
    store.upgrade()
    click.echo("The schema was upgraded.")


@db.command()
def check() -> None:
    """Say whether the schema is this version's; exit code 1 where it is not."""
    if _store().schema_is_current():
        click.echo("The schema is current.")
        return
    click.echo("The schema is not this version's. Run `idp db upgrade`.", err=True)
    sys.exit(1)


def _store() -> Store:
    settings = from_environment()
    return open_store(settings.database.url, pool_size=1)
