"""The `idp` command. Each group is imported when it is called, so that the server's start pays for none of the others."""

import sys
from importlib import import_module
from typing import Final

import click

from idp import __version__

_COMMANDS: Final = {
    "serve": ("idp.cli.serve", "Serve sign-in pages and tokens."),
    "worker": ("idp.cli.worker", "Deliver letters, and do what time has brought about."),
    "upkeep": ("idp.cli.upkeep", "Do now what time has brought about, or foresee it."),
    "demo": ("idp.cli.demo", "Start everything on this machine, with sample people."),
    "accounts": ("idp.cli.accounts", "Invite people and help them."),
    "customers": ("idp.cli.customers", "The operator's customer records."),
    "explain": ("idp.cli.explain", "Why one account stands as it does, and what comes next."),
    "policy": ("idp.cli.policy", "Check and show policies."),
    "clients": ("idp.cli.clients", "List, check, register and change clients."),
    "streams": ("idp.cli.streams", "List, pause and remove streams of security events."),
    "letters": ("idp.cli.letters", "Preview letters; list and retry undelivered ones."),
    "keys": ("idp.cli.keys", "List and rotate signing keys; make the master key."),
    "audit": ("idp.cli.audit", "Verify that the audit is as it was written."),
    "db": ("idp.cli.db", "Upgrade and check the database."),
    "doctor": ("idp.cli.doctor", "Judge this installation."),
}


class _Commands(click.Group):
    """A group whose commands stay on the shelf until they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in _COMMANDS.items()])


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="idp")
def idp() -> None:
    """Identity and authentication service: sign-in, credential life, OpenID Connect."""


def main() -> None:
    """Run the command; a configuration that is refused is told in full, and a closed pipe in silence."""
    from idp.settings import ConfigurationError  # noqa: PLC0415 - only where it can happen
    from idp.store import StoreDown  # noqa: PLC0415

    try:
        idp()
    except ConfigurationError as refused:
        click.echo(str(refused), err=True)
        sys.exit(2)
    except StoreDown as down:
        click.echo(f"The store cannot be reached: {down}", err=True)
        sys.exit(3)
