"""``idp clients``: the clients of the file and those registered here: listed, judged, added, changed, and their secrets."""

import getpass
import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.app.composition import make_world
from idp.flows import registering_clients as flow
from idp.flows.known_clients import filed
from idp.flows.registering_clients import Refused, Why
from idp.flows.world import World
from idp.model import Client
from idp.policies.client_rules import SECRET_METHODS, Fault, faults
from idp.settings import ConfigurationError, from_environment
from idp.settings.client_table import here, read_client, table_of, with_words
from idp.settings.document import dotted
from idp.settings.durations import parse_duration
from idp.store.clients import StoredClient
from idp.vault import digest

_SECRET_BYTES: Final = 32
_REFUSALS: Final = {
    Why.FILED: "{} is one of config/clients.toml: change it there, and start the service anew.",
    Why.TAKEN: "There is a client {} already.",
    Why.UNKNOWN: "There is no client {}.",
    Why.FAULTY: "{} is refused.",
    Why.MEANWHILE: "{} was changed by somebody else meanwhile. Look at it, and try again.",
    Why.SECRETLESS: "{} proves itself without a secret.",
}
_FILE: Final = click.option(
    "--file", "path", type=click.Path(path_type=Path), help="Write the secret to this new file instead of showing it."
)


def _span(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """A duration, as configuration writes it."""
    span = parse_duration(value)
    if span is None:
        raise click.BadParameter('write one number and one unit, as in "12h" or "7d"')
    return span


@click.group()
def clients() -> None:
    """List, check, register and change clients."""


@clients.command("list")
def list_() -> None:
    """Show who may ask for tokens, how each proves itself and what it may have."""
    table = Table("client", "name", "from", "proves itself by", "grants", "scope", "for", "answers go to")
    with _world() as world:
        for client in world.clients.values():
            source = "file" if filed(world.clients, client.id) else "registered"
            table.add_row(*(escape(cell) for cell in _cells(client, source)))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


@clients.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def show(client_id: str, as_json: bool) -> None:
    """Show a client as clients.toml would have it; of secrets, their digests."""
    with _world() as world:
        client, stored = world.clients.get(client_id), flow.find(world, client_id)
        if client is None:
            _refuse(client_id, Refused(Why.UNKNOWN))
        table = table_of(client, world.resources)
    if as_json:
        click.echo(json.dumps({"client_id": client_id, **table}, indent=2))
        return
    if stored is not None and stored.client == client:
        click.echo(f"# Registered {_day(stored.created_at)}, changed {_day(stored.updated_at)}.")
    for old, end in client.secret_ends.items():
        click.echo(f"# The secret sha256:{old[:8]}… is good until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC.")
    click.echo(f"[clients.{_written_key(client_id)}]")
    for key, value in table.items():
        click.echo(f"{key} = {_toml(value)}")


@clients.command()
def check() -> None:
    """Judge the clients of the file and those registered here: every problem with its remedy, and exit code 1."""
    try:
        settings = from_environment()
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    with _world() as world:
        found = [(client.id, fault) for client in world.clients.values() for fault in faults(client, world.resources)]
        count = len(world.clients)
    for client_id, fault in found:
        click.echo(_told(client_id, fault), err=True)
    if found:
        sys.exit(1)
    click.echo(f"{count} clients, sound; {len(settings.clients)} of them in the file.")


@clients.command()
@click.option("--id", "client_id", help="Its id; else one is made.")
@click.option("--from", "source", type=click.File("rb"), help="A TOML file with the keys of a [clients.…] table.")
@_FILE
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def add(client_id: str | None, source: Any, path: Path | None, words: tuple[str, ...]) -> None:
    """Register a client, with the keys that clients.toml has.

    For example: idp clients add --id shop name=Shop redirect_uris=https://shop.example/callback scope="openid profile". Where
    it needs a secret and none is named by secret_from, one is made and shown this once.
    """
    with _world() as world:
        made = client_id or flow.make_id(world)
        table = _changed(_from_file(source), words)
        fresh = None
        if table.get("auth_method", "client_secret_basic") in SECRET_METHODS and "secret_from" not in table:
            fresh = flow.make_secret(world)
            table["secret_from"] = [f"sha256:{digest(fresh)}"]
        client = _read(world, made, table)
        with _reserved(path if fresh else None):
            _done(made, flow.add(world, client, _actor()))
    click.echo(f"client_id    {made}")
    if fresh is not None:
        _hand_over(fresh, path)


@clients.command("set")
@click.argument("client_id")
@click.argument("words", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_(client_id: str, words: tuple[str, ...]) -> None:
    """Change a client that was registered here; KEY= takes a key back to its default."""
    with _world() as world:
        stored = _stored(world, client_id)
        table = _changed(table_of(stored.client, world.resources), words)
        if table.get("auth_method", "client_secret_basic") not in SECRET_METHODS and not _says(words, "secret_from"):
            table.pop("secret_from", None)
        client = _read(world, client_id, table)
        ends = {old: end for old, end in stored.client.secret_ends.items() if old in client.secret_digests}
        changed = replace(client, secret_ends=ends)
        _done(client_id, flow.change(world, stored, changed, _actor()))
    click.echo(f"Changed {client_id}.")


@clients.command()
@click.argument("client_id")
def disable(client_id: str) -> None:
    """Close a client's ways in. What it holds is worth nothing until it is enabled again."""
    with _world() as world:
        _done(client_id, flow.disable(world, client_id, _actor()))
    click.echo(f"Disabled {client_id}.")


@clients.command()
@click.argument("client_id")
def enable(client_id: str) -> None:
    """Open a client's ways in again."""
    with _world() as world:
        _done(client_id, flow.disable(world, client_id, _actor(), disabled=False))
    click.echo(f"Enabled {client_id}.")


@clients.command()
@click.argument("client_id")
@click.confirmation_option(prompt="What was granted to it ends, and it can't be brought back. Remove it?")
def remove(client_id: str) -> None:
    """Remove a client, with all that was granted and agreed to it."""
    with _world() as world:
        refused = flow.remove(world, client_id, _actor())
        if refused is not None:
            _refuse(client_id, refused)
    click.echo(f"Removed {client_id}.")


@clients.command()
@click.argument("client_id", required=False)
@click.option("--overlap", callback=_span, default="7d", show_default=True, help="For how long the present secrets stay good.")
@click.option("--now", "at_once", is_flag=True, help="The present secrets are good no longer.")
@_FILE
def secret(client_id: str | None, overlap: timedelta, at_once: bool, path: Path | None) -> None:
    """Make a new secret and show it this once: for a client registered here, or with the line that clients.toml accepts."""
    if client_id is None:
        made = secrets.token_hex(_SECRET_BYTES)
        with _reserved(path):
            _hand_over(made, path)
        click.echo(f'secret_from = ["sha256:{digest(made)}"]')
        return
    with _world() as world:
        _stored(world, client_id)
        with _reserved(path):
            renewed = flow.renew_secret(world, client_id, timedelta(0) if at_once else overlap, _actor())
            if isinstance(renewed, Refused):
                _refuse(client_id, renewed)
    _hand_over(renewed, path)


@contextmanager
def _world() -> Iterator[World]:
    world = make_world(from_environment())
    try:
        yield world
    finally:
        world.store.close()


def _stored(world: World, client_id: str) -> StoredClient:
    found = flow.find(world, client_id)
    if found is None:
        _refuse(client_id, Refused(Why.FILED if filed(world.clients, client_id) else Why.UNKNOWN))
    return found


def _from_file(source: Any) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - for this option alone

    try:
        return {} if source is None else tomllib.load(source)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{source.name}: {error}") from error


def _changed(table: Mapping[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    try:
        return with_words(table, words)
    except ValueError as error:
        raise click.UsageError(f"{error} is not KEY=VALUE.") from error


def _says(words: tuple[str, ...], key: str) -> bool:
    return any(word.startswith(f"{key}=") for word in words)


def _read(world: World, client_id: str, table: Mapping[str, Any]) -> Client:
    try:
        return read_client(client_id, table, world.resources, here())
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _done(client_id: str, result: Refused | StoredClient) -> None:
    if isinstance(result, Refused):
        _refuse(client_id, result)


def _refuse(client_id: str, refused: Refused) -> NoReturn:
    click.echo(
        "\n".join([_REFUSALS[refused.why].format(client_id), *(_told(client_id, one) for one in refused.faults)]), err=True
    )
    sys.exit(1)


def _told(client_id: str, fault: Fault) -> str:
    return f"{client_id}: {dotted(fault.path)}: {fault.what}. {fault.remedy}"


@contextmanager
def _reserved(path: Path | None) -> Iterator[None]:
    """Make the file before anything is changed: a secret that can be handed to nobody must not be, nor a file without one."""
    if path is None:
        yield
        return
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise click.ClickException(f"{path} can't be made: {(error.strerror or 'it failed').lower()}.") from error
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def _hand_over(made: str, path: Path | None) -> None:
    if path is None:
        click.echo(f"secret       {made}")
    else:
        path.write_text(made + "\n", "ascii")
        click.echo(f"secret       in {path}")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _written_key(key: str) -> str:
    return dotted((key,))


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_written_key(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _cells(client: Client, source: str) -> tuple[str, ...]:
    return (
        client.id + (" (disabled)" if client.disabled else ""),
        client.name,
        source,
        client.auth_method,
        "\n".join(client.grant_types),
        " ".join(client.scope),
        "\n".join(client.resources),
        "\n".join(client.redirect_uris),
    )
