"""A second factor that is lost with its recovery codes: staff takes it away, everyone is told, and a new one is set up."""

import pytest
from click.testing import CliRunner

from idp.cli import accounts as command
from idp.flows import assist
from idp.model import Factor
from tests.harness import House
from tests.second_factor.phones import enrol


def test_staff_takes_a_lost_second_factor_away_and_the_next_sign_in_sets_up_a_new_one(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    phone, codes, _ = enrol(person, person.sign_in(until="EnrolSecondFactor"))
    # Locked as well, as it is after much trying.
    other = person.elsewhere()
    for _ in range(5):
        page = other.sign_in(until="AskSecondFactor")
        other.fill(page, code=phone.wrong_code(guarded))
    assert assist.remove_second_factor(guarded.world, person.username.upper(), "cli:ada") == ("totp",)
    assert not person.signed_in()
    assert len(guarded.letters(person.account, "changed")) == 2
    (row,) = guarded.audit("credential.dropped", person.account)
    assert (row.actor, row.facts["factor"]) == ("cli:ada", "totp")
    new, fresh, _ = enrol(other, other.sign_in(until="EnrolSecondFactor"))
    assert other.signed_in()
    assert new != phone
    assert not set(codes) & set(fresh)
    late = person.elsewhere()
    page = late.fill(late.sign_in(until="AskSecondFactor"), way="recovery_code", code=codes[0])
    assert page.status == 401


def test_staff_is_told_where_there_is_nothing_to_do(guarded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    monkeypatch.setattr(command, "_world", lambda: guarded.world)
    said = CliRunner().invoke(command.accounts, ["remove-second-factor", person.username])
    assert said.output == "There was nothing to remove.\n"
    said = CliRunner().invoke(command.accounts, ["remove-second-factor", "nobody"])
    assert said.exit_code == 1
    enrol(person, person.sign_in(until="EnrolSecondFactor"))
    said = CliRunner().invoke(command.accounts, ["remove-second-factor", person.username])
    assert said.output == "Removed: totp. The person is told.\n"
    assert not guarded.letters(person.account, "enrolled")
