"""`idp accounts capacity`: in which capacities a person may act. No command shows an account number whole."""

import getpass
import sys
from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table

from idp.app.composition import as_in_force, make_world
from idp.flows import acting
from idp.flows.acting import NotDone
from idp.flows.world import World
from idp.model import Capacity, Role
from idp.policies import matching
from idp.policies.credentials import canonical_username
from idp.settings import from_environment

_TOLD: Final = {
    NotDone.UNKNOWN: "There is no account of that name, or it has no such capacity.",
    NotDone.NUMBER: "The account number is not letters and digits.",
    NotDone.HELD: "The person acts in that capacity already.",
    NotDone.TOO_MANY: "The person has as many capacities as an account may have.",
}
# Written in the place of a number that is to be asked for.
_ASK: Final = "-"


@click.group()
def capacity() -> None:
    """See and change in which capacities people act."""


@capacity.command("list")
@click.argument("username")
def list_(username: str) -> None:
    """List the capacities of USERNAME."""
    world = _world()
    with world.store.read() as tx:
        account = tx.accounts.by_username(canonical_username(username))
    if account is None:
        raise click.ClickException(_TOLD[NotDone.UNKNOWN])
    table = Table(Column("id", overflow="fold"), "role", "organisation", "account number", box=None)
    for one in account.capacities:
        table.add_row(one.id, one.role.value, one.organisation or "-", _shown(world, one))
    Console().print(table)


@capacity.command()
@click.argument("username")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="As whom the person acts.")
@click.option("--organisation", default="", help="For which organisation: a business customer has one.")
@click.option(
    "--account-number",
    "number",
    is_flag=False,
    flag_value=_ASK,
    default="",
    help="Billing account number. Without a value, or as -, it is asked for: then no shell history keeps it.",
)
def add(username: str, role: str, organisation: str, number: str) -> None:
    """Let USERNAME act in one more capacity, held against no customer record."""
    organisation = " ".join(organisation.split())
    if bool(organisation) == (role == Role.CONSUMER):
        raise click.ClickException("A business customer has an organisation, and nobody else: see --organisation.")
    if len(organisation) > matching.LONGEST or not organisation.isprintable():
        raise click.ClickException(f"An organisation's name has at most {matching.LONGEST} printable characters.")
    world = _world()
    asked = _asked() if number == _ASK else number
    outcome = acting.grant(world, username, Role(role), _actor(), organisation=organisation, number=asked)
    _told(world, outcome, "added")


@capacity.command()
@click.argument("username")
@click.argument("capacity_id")
def remove(username: str, capacity_id: str) -> None:
    """Take the capacity CAPACITY_ID away from USERNAME; what was granted in it ends."""
    world = _world()
    _told(world, acting.take_away(world, username, capacity_id, _actor()), "removed")


def _asked() -> str:
    """The number, typed unseen, or as a line of standard input."""
    return getpass.getpass("Account number: ") if sys.stdin.isatty() else sys.stdin.readline().strip()


def _told(world: World, outcome: Capacity | NotDone, done: str) -> None:
    if isinstance(outcome, NotDone):
        raise click.ClickException(_TOLD[outcome])
    whose = f" for {outcome.organisation}" if outcome.organisation else ""
    click.echo(f"{outcome.role.value}{whose}, account number {_shown(world, outcome)}: {done} ({outcome.id}).")


def _shown(world: World, one: Capacity) -> str:
    """An account number as far as it is shown: its last marks."""
    return f"…{acting.shown(world, one)}" if one.reference else "none"


def _world() -> World:
    world = as_in_force(make_world(from_environment()))
    click.get_current_context().call_on_close(world.store.close)
    return world


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
