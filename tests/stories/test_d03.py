"""D3: the helpdesk can have the code sent again; the old one dies."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.model import AccountState, Customer
from tests.harness import CONFIG, House
from tests.people import Page, Person
from tests.registering import KINDS, codes, elsewhere, opened, records, registered

Houses = Callable[..., House]


@pytest.fixture(params=KINDS[:1])
def house(request: pytest.FixtureRequest, new_house: Houses) -> House:
    made = new_house(request.param, **opened("customer-code"))
    records(made, *(Customer("", f"K{number}", "neri", given_name="Anna", family_name="Neri") for number in range(4)))
    return made


def staff(house: House, *arguments: str) -> Result:
    return CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["accounts", *arguments])


def anna(house: House) -> tuple[Person, Page, str]:
    name = house.name("anna")
    person, email = house.person(username=name), f"{name}@example.com"
    who = {"customer_code": "K1", "given_name": "Anna", "family_name": "Neri", "username": name, "email": email}
    return person, registered(person, **who), email


def test_d03_staff_have_the_code_sent_again_and_never_see_it(house: House) -> None:
    person, page, email = anna(house)
    said = staff(house, "resend-code", person.username.upper())
    assert said.exit_code == 0, said.output
    assert said.output == f"A new code is on its way to {person.username}.\n"
    first, second = codes(house, email)
    assert first not in said.output
    assert second not in said.output
    if first != second:
        assert person.fill(page, code=first).status == 401
    person.walk(person.fill(page, code=second))
    assert person.signed_in()
    asked = house.audit("registration.asked", person.account)[-1]
    assert asked.actor.startswith("cli:")
    assert asked.outcome == "sent"


def test_d03_only_whoever_waits_for_one_is_sent_a_code(house: House) -> None:
    active = house.customer()
    said = staff(house, "resend-code", active.username)
    assert (said.exit_code, said.output) == (1, "Error: The account waits for no code.\n")
    said = staff(house, "resend-code", "nobody.at.all")
    assert said.exit_code == 1
    assert "There is no account of that name" in said.output
    assert codes(house, active.account.email) == []


def test_d03_the_day_s_limit_counts_for_staff_too(house: House) -> None:
    person, _, email = anna(house)
    most = house.world.policy.recovery.codes_per_day
    results = [staff(house, "resend-code", person.username).exit_code for _ in range(most)]
    assert results == [0] * (most - 1) + [1]
    assert len(codes(house, email)) == most


def test_d03_a_registration_that_staff_block_and_unblock_still_waits_for_its_code(house: House) -> None:
    person, page, email = anna(house)
    assert staff(house, "block", person.username).exit_code == 0
    assert person.fill(page, code=codes(house, email)[-1]).status == 401
    assert "waits for no code" in staff(house, "resend-code", person.username).output
    assert staff(house, "unblock", person.username).exit_code == 0
    assert person.account.state is AccountState.PENDING
    assert person.try_password(person.password).status == 401
    assert staff(house, "resend-code", person.username).exit_code == 0
    person.walk(elsewhere(person, person.username, codes(house, email)[-1]))
    assert person.signed_in()


def test_d03_staff_can_close_it_and_cannot_reactivate_it(house: House) -> None:
    person, _, email = anna(house)
    said = staff(house, "reactivate", person.username)
    assert (said.exit_code, person.account.state) == (1, AccountState.PENDING)
    assert staff(house, "send-reset", person.username).exit_code == 1
    assert staff(house, "close", person.username).exit_code == 0
    assert person.account.state is AccountState.CLOSED
    assert elsewhere(person, person.username, codes(house, email)[-1]).status == 401
