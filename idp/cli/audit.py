"""``idp audit``: whether the audit is as it was written."""

import sys

import click

from idp.app.composition import make_world
from idp.flows import sealing
from idp.flows.sealing import Fault, Wrong
from idp.settings import from_environment

_SAID = {
    Wrong.CHANGED: "Entries {where}: at least one was changed since they were sealed.",
    Wrong.MISSING: "Entries {where}: at least one was taken out since they were sealed.",
    Wrong.EXTRA: "Entries {where}: at least one was put in since they were sealed.",
    Wrong.SEAL: "Entries {where}: their seal was not made by this house, or changed since.",
    Wrong.SEAL_MISSING: "Entries {where}: the seal that covered them is missing.",
    Wrong.FORGOTTEN: "Entries {where}: gone, and not because they had been kept long enough.",
    Wrong.NOTED: "The digest noted is that of no seal: the end of the audit was cut off, or it is not this audit's.",
}


@click.group()
def audit() -> None:
    """Verify the audit."""


@audit.command()
@click.option("--noted", default="", metavar="DIGEST", help="A head that was noted before: it must still be in the chain.")
def verify(noted: str) -> None:
    """Compute every seal of the audit anew. Ends with 1 where one does not fit; prints the head, to be noted elsewhere."""
    world = make_world(from_environment())
    try:
        found = sealing.verify(world, noted.strip())
    finally:
        world.store.close()
    for fault in found.faults:
        click.echo(_said(fault), err=True)
    click.echo(f"{found.sealed} entries under seals, {found.forgotten} gone after their time, {found.unsealed} not sealed yet.")
    click.echo(f"Head: {found.head or 'none yet'}")
    if found.faults:
        sys.exit(1)
    click.echo("Every seal fits.")


def _said(fault: Fault) -> str:
    where = f"up to {fault.last}" if fault.last <= 0 else f"{fault.first} to {fault.last}"
    return _SAID[fault.wrong].format(where=where)
