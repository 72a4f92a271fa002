"""C3, by staff: a service that a person gave back is given again, or taken away, and every act is written down."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.model import AccountState
from tests.harness import CONFIG, House
from tests.leaving import FORM, cancel
from tests.people import BILLING


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def house(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    return new_house(request.param)


def entitle(house: House, *arguments: str) -> Result:
    environ = {**house.secrets, "IDP_CONFIG": str(CONFIG)}
    return CliRunner(env=environ).invoke(idp, ["accounts", "entitle", *arguments])


def test_c03_staff_give_back_what_a_person_cancelled(house: House) -> None:
    person = house.customer()
    person.sign_in()
    cancel(person, "billing")
    assert person.account.entitlements == {"service"}
    said = entitle(house, person.username.upper(), "billing")
    assert (said.exit_code, said.output) == (0, f"{person.username} may use: billing, service.\n")
    (entry,) = house.audit("account.entitled", person.account)
    assert entry.actor.startswith("cli:")
    assert entry.facts == {"before": ["service"], "after": ["billing", "service"]}
    token = person.redeem(person.authorize(scope="openid billing:read", resource=BILLING), resource=BILLING).json()
    assert token["scope"] == "billing:read"
    # Once more changes nothing, and is nothing to write down.
    assert entitle(house, person.username, "billing").exit_code == 0
    assert len(house.audit("account.entitled", person.account)) == 1
    taken = entitle(house, person.username, "billing", "service", "--remove")
    assert taken.output == f"{person.username} may use: nothing.\n"
    assert person.account.entitlements == frozenset()
    assert house.introspect(token["access_token"]) == {"active": False}


def test_c03_staff_are_told_what_cannot_be(house: House) -> None:
    person = house.customer()
    for arguments, told in (
        ((person.username, "telepathy"), "Unknown entitlement telepathy"),
        (("nobody.at.all", "billing"), "There is no account of that name."),
        ((person.username,), "Missing argument"),
    ):
        refused = entitle(house, *arguments)
        assert refused.exit_code != 0
        assert told in refused.output
    assert person.account.entitlements == {"billing", "service"}
    assert house.audit("account.entitled") == []


def test_c03_a_service_of_any_name_is_that_service_alone(house: House) -> None:
    person = house.customer(entitlements=frozenset({"all", "billing"}))
    person.sign_in()
    page = cancel(person, "all")
    assert page.path == f"{FORM}?done=service", page.text
    assert (person.account.state, person.account.entitlements) == (AccountState.ACTIVE, {"billing"})
