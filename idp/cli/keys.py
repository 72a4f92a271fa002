"""``idp keys``: the signing keys, listed and rotated, and the master key that seals them."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from idp import settings as configuration
from idp.flows import keys as flow
from idp.flows.world import World
from idp.model import SigningKey
from idp.settings import Settings
from idp.store import open_store
from idp.vault import HashPool, Vault
from idp.vault.hashing import Hasher


@click.group()
def keys() -> None:
    """List and rotate signing keys; make the master key."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("var/master.key"))
def master(file: Path) -> None:
    """Make a master key in FILE, readable by this user only. Lose it, and every secret in the database is lost."""
    try:
        configuration.make_master_key_file(file)
    except FileExistsError:
        click.echo(f"{file} exists already and is kept.", err=True)
        sys.exit(1)
    click.echo(f"Made {file}. Keep a copy where the database's backups are not.")


@keys.command("list")
def list_() -> None:
    """Show the keys that are published, and what each is for."""
    _show(flow.listed(_world()))


@keys.command()
@click.option("--now", "early", is_flag=True, help="Do not wait until the next keys have been published long enough.")
def rotate(early: bool) -> None:
    """Let the next keys sign; the last are kept until their tokens are dead, and new ones are published ahead."""
    rotated = flow.rotate(_world(), early=early)
    if isinstance(rotated, flow.TooEarly):
        click.echo(
            f"Not rotated: the next keys may sign from {_moment(rotated.until)}, when they have been published as long as "
            "tokens.key_rotation_overlap says. Use --now where a key may be known to others.",
            err=True,
        )
        sys.exit(1)
    _show(rotated)


def _show(found: Iterable[SigningKey]) -> None:
    table = Table("key", "alg", "use", "made", "signs from", "gone after")
    for key in sorted(found, key=lambda key: (key.alg, key.created_at)):
        table.add_row(
            key.kid, key.alg, str(key.use), _moment(key.created_at), _moment(key.current_from), _moment(key.drop_after)
        )
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _world() -> World:
    """As much of the World as keys need: nothing is hashed here."""
    settings = configuration.from_environment()
    store = open_store(settings.database.url, pool_size=1)
    return World(
        store=store,
        vault=_vault(settings),
        policy=settings.policy,
        clients=settings.clients,
        resources=settings.resources,
        issuer=settings.issuer,
        clock=lambda: datetime.now(UTC),  # noqa: TID251 - a command is a composition root of its own
    )


def _vault(settings: Settings) -> Vault:
    hashing = settings.hashing
    hasher = Hasher(hashing.memory_kib, hashing.iterations, hashing.parallelism)
    return Vault(settings.secrets.master_key, hasher, HashPool(1, 0))
