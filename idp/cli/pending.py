"""`idp accounts resend-code`: help for people who registered and did not get their code. Nobody here sees one."""

import getpass

import click

from idp.app.composition import as_in_force, make_world
from idp.flows import assist
from idp.flows.assist import NotResent
from idp.settings import from_environment

_NOT_RESENT = {
    NotResent.UNKNOWN: "There is no account of that name: the person has to register, or type the name as they did.",
    NotResent.NOT_WAITING: "The account waits for no code.",
    NotResent.TOO_MANY: "Too many were sent today.",
}


@click.command("resend-code")
@click.argument("username")
def resend_code(username: str) -> None:
    """Send USERNAME, who has registered, a new confirmation code, to where the first one went; the old one dies."""
    world = as_in_force(make_world(from_environment()))
    try:
        result = assist.resend_code(world, username, f"cli:{getpass.getuser()}")
    finally:
        world.store.close()
    if isinstance(result, NotResent):
        raise click.ClickException(_NOT_RESENT[result])
    click.echo(f"A new code is on its way to {result.username}.")
