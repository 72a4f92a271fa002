"""A11: after 180 days unused access has expired; staff can bring it back until its data is gone, then a new one is made."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.flows import assist, invite
from idp.flows.assist import Act, NotReactivated
from idp.model import Account, AccountState, Factor
from idp.policies.credentials import canonical_username
from idp.policies.lifecycle import Standing
from tests.harness import CONFIG, House
from tests.people import Person
from tests.quiet import KINDS, asleep, months, stands, sweep, tried
from tests.recoveries import masked


@pytest.mark.parametrize(
    ("span", "heading"),
    [
        ({"days": 179}, "Welcome back"),
        ({"days": 180, "seconds": -1}, "Welcome back"),
        ({"days": 180}, "Your access has expired"),
        ({"days": 181}, "Your access has expired"),
        ({"days": 210, "seconds": -1}, "Your access has expired"),
    ],
)
def test_a11_expiry_comes_to_the_second(house: House, span: dict[str, float], heading: str) -> None:
    with house.clock.stopped():
        person = house.customer()
        person.sign_in()
        house.leave(**span)
        visitor = person.elsewhere()
        page = visitor.sign_in(until="Reactivate")
        assert page.heading == heading
        assert (page.status == 403) is (heading != "Welcome back")
        assert not visitor.signed_in()


def test_a11_it_is_told_after_the_right_password_alone(house: House) -> None:
    person, stranger = asleep(house, 181), house.person(username=house.name())
    wrong, unknown = person.try_password(), stranger.try_password()
    plain = [str(masked(page)).replace(who.username, "…") for page, who in ((wrong, person), (unknown, stranger))]
    assert plain[0] == plain[1]
    page = person.elsewhere().sign_in()
    assert (page.status, page.heading) == (403, "Your access has expired")
    assert "Please write to your account manager" in page.text
    # No way of the person's own leads back.
    page = person.elsewhere()
    assert house.letters(person.account) == []
    page.recover("password")
    assert house.letters(person.account) == []
    assert stands(house, person) is Standing.EXPIRED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("days", "before"), [(121, "suspended"), (181, "expired"), (209, "expired")])
def test_a11_staff_bring_it_back(new_house: Callable[..., House], kind: str, days: int, before: str) -> None:
    house = new_house(kind)
    person = asleep(house, days)
    sweep(house)
    held = person.account.credentials
    account = assist.reactivate(house.world, person.username, "test:carla")
    assert isinstance(account, Account)
    (row,) = house.audit("account.reactivated", person.account)
    assert (row.actor, row.outcome, row.facts["before"]) == ("test:carla", "done", before)
    ((_, told),) = house.letters(person.account, "reactivated")
    assert told["by"] == "staff"
    # Nothing else has changed, and nobody is signed in by it.
    assert person.account.credentials == held
    assert not person.signed_in()
    assert stands(house, person) is Standing.ACTIVE
    assert sweep(house) == []
    person.sign_in()
    assert person.signed_in()
    house.leave(days=120)
    assert stands(house, person) is Standing.SUSPENDED


def test_a11_a_lock_is_not_lifted_by_it(house: House) -> None:
    person = asleep(house, 181)
    for _ in range(5):
        person.elsewhere().try_password()
    assert tried(house, person, Factor.PASSWORD) == (5, 5)
    assert isinstance(assist.reactivate(house.world, person.username, "test"), Account)
    assert tried(house, person, Factor.PASSWORD) == (5, 5)
    page = person.elsewhere().try_password(person.password)
    assert (page.status, page.heading) == (401, "Sign in")


def _nobody(house: House) -> str:
    return house.name()


def _active(house: House) -> str:
    return house.customer().username


def _invited(house: House) -> str:
    person, _ = house.invited()
    return person.username


def _in_state(act: Act) -> Callable[[House], str]:
    def made(house: House) -> str:
        person = asleep(house, 181)
        assert assist.change_state(house.world, person.username, act, "test") is not None
        return person.username

    return made


def _put(state: AccountState) -> Callable[[House], str]:
    def made(house: House) -> str:
        return house.customer(state=state).username

    return made


REFUSED: dict[NotReactivated, Callable[[House], str]] = {
    NotReactivated.UNKNOWN: _nobody,
    NotReactivated.ACTIVE: _active,
    NotReactivated.INVITED: _invited,
    NotReactivated.PENDING: _put(AccountState.PENDING),
    NotReactivated.LEAVING: _put(AccountState.LEAVING),
    NotReactivated.BLOCKED: _in_state(Act.BLOCK),
    NotReactivated.CLOSED: _in_state(Act.CLOSE),
}


@pytest.mark.parametrize("why", NotReactivated)
def test_a11_what_does_not_sleep_is_left_as_it_is(house: House, why: NotReactivated) -> None:
    username = REFUSED[why](house)
    with house.world.store.read() as tx:
        before = tx.accounts.by_username(canonical_username(username))
    assert assist.reactivate(house.world, username, "test") is why
    with house.world.store.read() as tx:
        assert tx.accounts.by_username(canonical_username(username)) == before
    if before is not None:
        assert house.letters(before, "reactivated") == []
        (row,) = house.audit("account.reactivated", before)
        assert (row.outcome, row.facts["why"]) == ("refused", why.name.lower())


def test_a11_the_staff_command(new_house: Callable[..., House]) -> None:
    house = new_house()

    def reactivate(person: Person) -> Result:
        environ = {**house.secrets, "IDP_CONFIG": str(CONFIG)}
        return CliRunner(env=environ).invoke(idp, ["accounts", "reactivate", person.username])

    # The command lives by the clock on the wall.
    long_ago = house.clock() - timedelta(days=200)
    person = house.customer(created_at=long_ago, enrolled_at=long_ago)
    house.leave(days=0)
    assert stands(house, person) is Standing.EXPIRED
    said = reactivate(person)
    assert (said.exit_code, said.stdout) == (0, f"{person.username}: active again. The person is told.\n")
    (row,) = house.audit("account.reactivated", person.account)
    assert row.actor.startswith("cli:")
    person.sign_in()
    assert person.signed_in()
    said = reactivate(person)
    assert said.exit_code == 1
    assert "The account is active: there is nothing to reactivate." in said.stderr
    said = reactivate(house.person(username="nobody.at.all"))
    assert said.exit_code == 1
    assert "No such account" in said.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a11_in_the_end_the_data_goes_and_the_name_is_free_for_another(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    with months(house) as time:
        person = house.customer()
        gone = person.account
        time.go_on(209)
        assert stands(house, person) is Standing.EXPIRED
        assert isinstance(assist.reactivate(house.world, house.customer().username, "test"), NotReactivated)
        time.go_on(1)
        with house.world.store.read() as tx:
            assert tx.accounts.by_id(gone.id) is None
        assert assist.reactivate(house.world, person.username, "test") is NotReactivated.UNKNOWN
        page = person.elsewhere().try_password(person.password)
        assert (page.status, page.heading) == (401, "Sign in")
        # What the audit holds of it stays, and the chain with it; the subject is never used again.
        assert [row.event for row in house.audit() if row.account_id == gone.id][-1] == "account.purged"
        new = invite.invite(house.world, invite.Person(gone.username, gone.email, "Maria", "Rossi"), "portal", "test")
        assert isinstance(new, Account)
        assert new.username == gone.username
        assert new.id != gone.id
        assert new.credentials == ()
