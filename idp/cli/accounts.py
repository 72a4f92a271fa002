"""`idp accounts`: invite people, help them, and see where they stand. No command shows or takes a secret."""

import getpass
import sys

import click
from rich.console import Console
from rich.table import Column, Table

from idp.app.composition import as_in_force, make_world
from idp.cli.capacities import capacity
from idp.cli.migrate import import_
from idp.cli.pending import resend_code
from idp.cli.unreached import bounced, unreached
from idp.flows import assist, invite
from idp.flows.assist import Act, NotReactivated, NotStarted
from idp.flows.attempt import REMINDER
from idp.flows.invite import NotInvited, Person
from idp.flows.world import World
from idp.model import Account, Client
from idp.policies import lockout
from idp.policies.credentials import canonical_username
from idp.policies.inactivity import counts_from
from idp.policies.lifecycle import leaves_at, missing_pieces, standing
from idp.post import addresses
from idp.settings import from_environment

_TOLD = {
    "username_form": "A username has 3 to 64 characters and no spaces.",
    "username_taken": "That username is taken.",
    "unknown": "There is no account of that name.",
    "already_came": "This person has already chosen a password.",
}


@click.group()
def accounts() -> None:
    """Invite people and help them."""


@accounts.command("invite")
@click.argument("username")
@click.option("--email", required=True, help="Where the invitation goes.")
@click.option("--name", required=True, help='Given and family name, as in "Maria Rossi".')
@click.option("--mobile", help="Mobile number in international form.")
@click.option("--language", default="en", show_default=True, help="Language of letters.")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of letters.")
@click.option("--entitlement", "entitlements", multiple=True, help="A tool the person may use; may be repeated.")
@click.option("--portal", "client_id", help="Client to which the person goes after enrolment (default: the only one).")
def invite_(
    username: str,
    email: str,
    name: str,
    mobile: str | None,
    language: str,
    zone: str,
    entitlements: tuple[str, ...],
    client_id: str | None,
) -> None:
    """Provision access for USERNAME and mail the one-time link."""
    world = _world()
    _checked(world, email, language, zone, entitlements)
    given, _, family = name.strip().partition(" ")
    person = Person(username, email, given, family, mobile, language, zone, frozenset(entitlements))
    _told(invite.invite(world, person, _portal(world, client_id), _actor()), world)


@accounts.command("invite-again")
@click.argument("username")
@click.option("--portal", "client_id", help="Client to which the person goes after enrolment (default: the only one).")
def invite_again(username: str, client_id: str | None) -> None:
    """Mail a fresh link to USERNAME; the one before it dies."""
    world = _world()
    _told(invite.invite_again(world, username, _portal(world, client_id), _actor()), world)


@accounts.command("list")
@click.option("--after", default="", help="Start after this account id.")
@click.option("--limit", default=100, show_default=True, help="How many.")
def list_(after: str, limit: int) -> None:
    """List accounts and where they stand."""
    world = _world()
    # An id that is cut off cannot be copied.
    table = Table(Column("id", overflow="fold"), "username", "name", "standing", "active since", box=None)
    with world.store.read() as tx:
        for account in tx.accounts.list(after=after, limit=limit):
            table.add_row(account.id, account.username, account.full_name, *_stands(world, account))
    Console().print(table)


@accounts.command()
@click.argument("username")
def show(username: str) -> None:
    """Show where USERNAME stands: state, missing pieces, counters and locks."""
    world = _world()
    with world.store.read() as tx:
        account = _found(tx.accounts.by_username(canonical_username(username)))
        counters = tx.counters.of(account.id)
    stands, since = _stands(world, account)
    rows = {
        "account": account.id,
        "username": account.username,
        "name": account.full_name,
        "standing": stands,
        "active since": since,
        "still to do": ", ".join(missing_pieces(account, world.policy)) or "nothing",
        "entitlements": ", ".join(sorted(account.entitlements)) or "none",
    }
    goes = leaves_at(account, world.policy)
    if goes is not None:
        rows["data goes"] = f"{goes:%Y-%m-%d %H:%M} UTC, unless the person takes it back"
    console = Console()
    for label, value in rows.items():
        console.print(f"{label:<14}{value}", highlight=False)
    for counter in counters:
        shut = lockout.state(counter, world.clock())
        state = (
            "open"
            if shut is None
            else f"locked until {shut.until:%Y-%m-%d %H:%M:%S} UTC"
            if shut.until
            else "disabled until recovery"
        )
        device = _device(counter.device)
        console.print(
            f"{counter.factor:<14}{device}: {counter.failures} in the window, {counter.consecutive} in a row; {state}",
            highlight=False,
        )


@accounts.command()
@click.argument("username")
def unlock(username: str) -> None:
    """Lift the timed locks of USERNAME; the count towards the cumulative cap stays."""
    lifted = assist.unlock(_world(), username, _actor())
    if lifted is None:
        raise click.ClickException(_TOLD["unknown"])
    click.echo(f"{lifted} lock(s) lifted.")


_NOT_STARTED = {
    NotStarted.UNKNOWN: "No such account.",
    NotStarted.CLOSED: "The account is pending, invited, blocked, expired or closed: it cannot recover.",
    NotStarted.ADDRESS_IS_NEW: "Its address was changed within the last three days: nothing is sent there yet.",
    NotStarted.TOO_MANY: "Too many were sent within the hour.",
}


@accounts.command("send-reset")
@click.argument("username")
def send_reset(username: str) -> None:
    """Mail USERNAME a temporary password, to the address on file; nobody here sees it."""
    result = assist.start_reset(_world(), username, _actor())
    if isinstance(result, NotStarted):
        raise click.ClickException(_NOT_STARTED[result])
    click.echo(f"A temporary password is on its way to {result.username}.")


_NOT_REACTIVATED = {
    NotReactivated.UNKNOWN: "No such account: it may be gone for ever. Invite the person anew.",
    NotReactivated.ACTIVE: "The account is active: there is nothing to reactivate.",
    NotReactivated.PENDING: "The person has not confirmed the registration yet: there is nothing to reactivate.",
    NotReactivated.INVITED: "The person has not come yet: invite them again instead.",
    NotReactivated.BLOCKED: "The account is blocked by staff: unblock it instead.",
    NotReactivated.LEAVING: "Its person has cancelled it: keep it instead, if it is they who ask.",
    NotReactivated.CLOSED: "The account is closed for ever.",
}


@accounts.command()
@click.argument("username")
def reactivate(username: str) -> None:
    """Let USERNAME in again, whose access is suspended or has expired because nobody used it."""
    result = assist.reactivate(_world(), username, _actor())
    if isinstance(result, NotReactivated):
        raise click.ClickException(_NOT_REACTIVATED[result])
    click.echo(f"{result.username}: active again. The person is told.")


@accounts.command()
@click.argument("username")
def keep(username: str) -> None:
    """Take back that USERNAME cancelled everything, while the data is there; make sure first that it is they who ask."""
    kept = assist.keep(_world(), username, _actor())
    if kept is None:
        raise click.ClickException("There is nothing to take back: no such account, or it was not cancelled.")
    click.echo(f"{kept.username}: active again, and nothing is deleted. The person is told.")


@accounts.command()
@click.argument("username")
@click.argument("services", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the services away instead: tokens are worth nothing there at once.")
def entitle(username: str, services: tuple[str, ...], remove: bool) -> None:
    """Let USERNAME use SERVICES, also one that the person gave back."""
    world = _world()
    if not remove:
        _entitlements(world, services)
    account = _found(assist.entitle(world, username, services, _actor(), remove=remove))
    click.echo(f"{account.username} may use: {', '.join(sorted(account.entitlements)) or 'nothing'}.")


@accounts.command("remove-second-factor")
@click.argument("username")
def remove_second_factor(username: str) -> None:
    """Take the lost app, passkeys and recovery codes of USERNAME away; make sure first that it is they who ask."""
    removed = assist.remove_second_factor(_world(), username, _actor())
    if removed is None:
        raise click.ClickException(_TOLD["unknown"])
    click.echo(f"Removed: {', '.join(removed)}. The person is told." if removed else "There was nothing to remove.")


def _act(name: str, act: Act, told: str) -> None:
    @accounts.command(name, help=told)
    @click.argument("username")
    def run(username: str) -> None:
        account = assist.change_state(_world(), username, act, _actor())
        if account is None:
            raise click.ClickException("There is nothing to do: no such account, or its state does not allow it.")
        click.echo(f"{account.username}: done.")


accounts.add_command(capacity)
accounts.add_command(import_)
accounts.add_command(resend_code)
accounts.add_command(unreached)
accounts.add_command(bounced)

_act("block", Act.BLOCK, "Block USERNAME: sessions and tokens end at once.")
_act("unblock", Act.UNBLOCK, "Let USERNAME in again.")
_act("close", Act.CLOSE, "Close the account of USERNAME for ever; where its person has cancelled it, the data goes now.")


def _world() -> World:
    world = as_in_force(make_world(from_environment()))
    click.get_current_context().call_on_close(world.store.close)
    return world


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _device(device: str) -> str:
    if device == REMINDER:
        return "username reminders"
    return "known device" if device else "other devices"


def _stands(world: World, account: Account) -> tuple[str, str]:
    since = counts_from(account, world.policy.inactivity).at
    return standing(account, world.policy, world.clock()).value, f"{since:%Y-%m-%d %H:%M}"


def _found(account: Account | None) -> Account:
    if account is None:
        raise click.ClickException(_TOLD["unknown"])
    return account


def _portal(world: World, client_id: str | None) -> str | None:
    portals: list[Client] = [client for client in world.clients.values() if client.initiate_login_uri]
    if client_id is None:
        return portals[0].id if len(portals) == 1 else None
    if client_id not in {client.id for client in portals}:
        raise click.ClickException(f"{client_id} is no client with an initiate_login_uri.")
    return client_id


def _checked(world: World, email: str, language: str, zone: str, entitlements: tuple[str, ...]) -> None:
    """Refuse what would make a letter or a token that cannot work."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads the zone files

    if addresses.canonical(email) is None:
        raise click.ClickException(f"{email} is not one mail address.")
    if language not in world.languages:
        raise click.ClickException(f"{language} is none of the languages: {', '.join(world.languages)}.")
    if zone not in available_timezones():
        raise click.ClickException(f"{zone} is no time zone.")
    _entitlements(world, entitlements)


def _entitlements(world: World, entitlements: tuple[str, ...]) -> None:
    """Refuse what no resource asks for."""
    known = {name for resource in world.resources.values() for name in resource.scopes.values() if name}
    unknown = sorted(set(entitlements) - known)
    if unknown:
        raise click.ClickException(
            f"Unknown entitlement {', '.join(unknown)}; there are: {', '.join(sorted(known)) or 'none'}."
        )


def _told(result: Account | NotInvited, world: World) -> None:
    if isinstance(result, NotInvited):
        click.echo(_TOLD[result.why], err=True)
        sys.exit(1)
    hours = world.policy.registration.invitation_lifetime.total_seconds() / 3600
    click.echo(f"Invited {result.username} ({result.id}); the link works for {hours:g} hours.")
