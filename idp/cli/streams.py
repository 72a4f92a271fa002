"""``idp streams``: who is told of what happens, what waits for them, and holding it back."""

import getpass
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.app.composition import make_world
from idp.app.logs import printable
from idp.cli import signalling
from idp.flows import streams as flow
from idp.flows.world import World
from idp.model import Client, Stream, StreamStatus
from idp.settings import from_environment

_REASON: Final = click.option("--reason", default="", help="What its receiver is told.")


@click.group()
def streams() -> None:
    """List, pause and remove streams of security events."""


@streams.command("list")
def list_() -> None:
    """Show the streams that receivers set up, what they are told, and how.

    A client that is gone, disabled, or has no scope for it any more is told nothing.
    """
    table = Table("stream", "client", "status", "since", "events", "goes to")
    with _world() as world:
        for stream, client in flow.everyone(world):
            table.add_row(*(escape(cell) for cell in cells(stream, client)))
    Console(width=None if sys.stdout.isatty() else 240).print(table)


@streams.command()
@click.argument("stream_id")
@_REASON
def pause(stream_id: str, reason: str) -> None:
    """Hold a stream back: its receiver is told, and what happens meanwhile is kept for it."""
    with _world() as world:
        _steer(world, stream_id, StreamStatus.PAUSED, reason)
    click.echo(f"{stream_id}: paused.")


@streams.command()
@click.argument("stream_id")
@_REASON
def resume(stream_id: str, reason: str) -> None:
    """Let a stream flow again, with what was kept."""
    with _world() as world:
        _steer(world, stream_id, StreamStatus.ENABLED, reason)
    click.echo(f"{stream_id}: flows.")


@streams.command()
@click.argument("stream_id")
def remove(stream_id: str) -> None:
    """Remove a stream and what waits in it; its receiver may set up another."""
    with _world() as world:
        if not flow.dismiss(world, stream_id, _actor()):
            _unknown(stream_id)
    click.echo(f"{stream_id}: removed.")


@contextmanager
def _world() -> Iterator[World]:
    world = make_world(from_environment())
    try:
        yield world
    finally:
        world.store.close()


def _steer(world: World, stream_id: str, status: StreamStatus, reason: str) -> None:
    if not flow.steer(world, stream_id, status, reason, _actor(), lambda: signalling.empty(world, threading.Event())):
        _unknown(stream_id)


def _unknown(stream_id: str) -> NoReturn:
    raise click.ClickException(f"There is no stream {stream_id}.")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def cells(stream: Stream, client: Client | None) -> tuple[str, ...]:
    """A stream's row; what its receiver wrote steers no terminal."""
    reason = f" ({printable(stream.reason)})" if stream.reason else ""
    return (
        stream.id,
        stream.client_id if client is not None else f"{stream.client_id} (is told nothing)",
        stream.status.value + reason,
        f"{stream.created_at:%Y-%m-%d}",
        "\n".join(printable(event.rpartition("/")[2]) for event in stream.events),
        printable(stream.push_url) if stream.push_url else "fetched by its receiver",
    )
