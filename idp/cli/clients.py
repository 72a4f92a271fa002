"""``idp clients``: the registered clients, judged and listed, and new secrets for them."""

import hashlib
import secrets
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.model import Client
from idp.settings import ConfigurationError, from_environment

_SECRET_BYTES = 32


@click.group()
def clients() -> None:
    """List and check clients."""


@clients.command("list")
def list_() -> None:
    """Show who may ask for tokens, how each proves itself and what it may have."""
    table = Table("client", "name", "proves itself by", "grants", "scope", "for", "answers go to")
    for client in from_environment().clients.values():
        table.add_row(*(escape(cell) for cell in _cells(client)))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


@clients.command()
def check() -> None:
    """Judge the configuration that names the clients: every problem with its remedy, and exit code 1; or how many are sound."""
    try:
        found = from_environment().clients
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"{len(found)} clients, sound.")


@clients.command()
@click.option("--file", "path", type=click.Path(path_type=Path), help="Write the secret to this file instead of showing it.")
def secret(path: Path | None) -> None:
    """Make a new secret and show it this once, with the line of clients.toml that accepts it."""
    made = secrets.token_hex(_SECRET_BYTES)
    if path is None:
        click.echo(f"secret       {made}")
    else:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(made + "\n", "ascii")
    click.echo(f'secret_from = ["sha256:{hashlib.sha256(made.encode()).hexdigest()}"]')


def _cells(client: Client) -> tuple[str, ...]:
    return (
        client.id + (" (disabled)" if client.disabled else ""),
        client.name,
        client.auth_method,
        "\n".join(client.grant_types),
        " ".join(client.scope),
        "\n".join(client.resources),
        "\n".join(client.redirect_uris),
    )
