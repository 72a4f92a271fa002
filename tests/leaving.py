"""What the tests of cancelling need: the form in My Profile, filled in, and upkeep, come round."""

from datetime import datetime

from idp.flows import upkeep
from idp.flows.world import World
from idp.model import AccountState
from idp.policies.inactivity import Act
from tests.harness import House
from tests.people import Page, Person

FORM = "/profile/leave"
ALL = "*"


def cancel(person: Person, what: str, current: str | None = None) -> Page:
    """What the form answers to whoever is signed in; under the present password, or what is typed in its place."""
    return person.fill(person.open(FORM), what=what, current=person.password if current is None else current)


def cancelled(house: House, person: Person) -> datetime:
    """The person signs in and cancels everything: when the data goes, as they were told."""
    person.sign_in()
    page = cancel(person, ALL)
    assert page.heading == "Your access is cancelled", page.text
    account = person.account
    assert account.state is AccountState.LEAVING
    assert account.quiet.goes_at is not None
    return account.quiet.goes_at


def upkept(house: House, world: World | None = None) -> dict[str, str]:
    """A round of upkeep: why the data of each account that it deleted went, by their identifiers."""
    done = [one for stretch in upkeep.sweep(world or house.world) for one in stretch.done]
    return {one.account_id: one.of for one in done if one.due.act is Act.PURGE}


def is_there(house: House, subject: str) -> bool:
    """Whether there is an account of that identifier."""
    with house.world.store.read() as tx:
        return tx.accounts.by_id(subject) is not None
