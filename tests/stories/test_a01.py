"""A1: nobody registers; an account manager provisions access by a one-time link or code, with a set of tools."""

from collections.abc import Callable

import jwt
import pytest

from idp.flows import invite, upkeep
from idp.model import Account
from tests.harness import House
from tests.people import BILLING, SERVICE, query_of


@pytest.mark.parametrize("path", ["/register", "/registration", "/sign-up", "/signup", "/accounts", "/users"])
def test_a01_there_is_no_open_registration(house: House, path: str) -> None:
    with_page = house.person().get(path)
    assert with_page.status_code == 404
    assert house.get("/.well-known/openid-configuration").json().get("registration_endpoint") is None
    assert "create" not in house.get("/.well-known/openid-configuration").json()["prompt_values_supported"]


def test_a01_an_account_manager_provisions_access_with_a_letter_and_an_audit_row(house: House) -> None:
    person, code = house.invited(given_name="Ana", entitlements=frozenset({"billing"}))
    (letter, context), *_ = house.letters(person.account, "invitation")
    assert letter.to == person.account.email
    assert context["link"] == f"{house.url}/invitation?code={code}"
    (entry,) = house.audit("account.invited", person.account)
    assert entry.facts["entitlements"] == ["billing"]
    assert entry.policy == house.world.policy.digest
    assert code not in repr(entry)


def test_a01_the_link_of_the_letter_opens_enrolment_and_works_once(house: House) -> None:
    person, code = house.invited()
    link = house.letters(person.account, "invitation")[-1][1]["link"]
    page = person.open(link.removeprefix(house.url))
    assert page.fields["code"]["value"] == code
    page = person.fill(page, code=code)
    assert page.step == "ChoosePassword"
    page = person.walk(page)
    assert page.left or page.status == 200
    again = person.elsewhere().open_invitation(code)
    assert again.status == 401
    assert "This invitation does not work" in again.text


def test_a01_the_code_may_be_typed_in_small_letters_and_with_spaces_around(house: House) -> None:
    person, code = house.invited()
    assert person.open_invitation(f"  {code.lower()} ").step == "ChoosePassword"


def test_a01_reading_the_link_consumes_nothing_as_mail_scanners_do(house: House) -> None:
    person, code = house.invited()
    for _ in range(3):
        assert house.person().get(f"/invitation?code={code}").status_code == 200
        assert house.person().client.head(f"/invitation?code={code}").status_code == 200
    # Opening it in one browser and closing the window costs nothing either.
    assert house.person().open_invitation(code).step == "ChoosePassword"
    assert person.open_invitation(code).step == "ChoosePassword"


def test_a01_an_invitation_ends_after_72_hours_exactly(house: House) -> None:
    with house.clock.stopped() as clock:
        early, code_early = house.invited()
        late, code_late = house.invited()
        clock.move(hours=72, seconds=-1)
        assert early.open_invitation(code_early).step == "ChoosePassword"
        clock.move(seconds=1)
        assert late.open_invitation(code_late).status == 401


def test_a01_a_new_invitation_kills_the_one_before(house: House) -> None:
    person, first = house.invited()
    invite.invite_again(house.world, person.username, None, "test")
    second = house.letters(person.account, "invitation")[-1][1]["code"]
    assert second != first
    assert person.open_invitation(first).status == 401
    assert person.elsewhere().open_invitation(second).step == "ChoosePassword"


def test_a01_a_code_that_never_was_is_told_nothing_and_recorded(house: House) -> None:
    before = len(house.audit("invitation.opened"))
    for code in ("ABCD-EFGH-JKMN-PQRS", "x", "0" * 64, "0" * 4096, "' OR 1=1 --", "ﬀ\u202e"):
        page = house.person().open_invitation(code)
        assert page.status == 401, code
        assert "This invitation does not work" in page.text
    assert len(house.audit("invitation.opened")) == before + 6


def test_a01_after_enrolment_the_person_goes_on_to_the_portal_of_the_invitation(house: House) -> None:
    person, code = house.invited()
    page = person.walk(person.open_invitation(code))
    assert page.left is not None
    assert page.left.startswith("http://localhost:8081/sign-in?")
    assert query_of(page.left)["iss"] == [house.url]


def test_a01_entitlements_decide_which_scopes_a_token_can_carry(house: House) -> None:
    person = house.customer(entitlements=frozenset({"service"}))
    page = person.authorize(scope="openid billing:read service:read", resource=[BILLING, SERVICE])
    issued = person.redeem(page, resource=SERVICE)
    assert issued.status_code == 200, issued.text
    claims = jwt.decode(issued.json()["access_token"], options={"verify_signature": False})
    assert "service:read" in claims["scope"].split()
    assert "billing:read" not in claims["scope"].split()
    narrowed = house.refresh(issued.json()["refresh_token"], resource=BILLING)
    if narrowed.status_code == 200:
        claims = jwt.decode(narrowed.json()["access_token"], options={"verify_signature": False})
        assert "billing:read" not in claims["scope"].split()
    else:
        assert narrowed.json()["error"] == "invalid_scope"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql+redis"])
def test_a01_who_never_comes_is_forgotten_a_time_after_the_last_invitation(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    once, again = house.invited()[0], house.invited()[0]
    house.clock.move(days=29)
    assert isinstance(invite.invite_again(house.world, again.username, "portal", "test"), Account)
    for days, left in ((2, {again.username}), (27, {again.username}), (2, set())):
        house.clock.move(days=days)
        for _ in upkeep.sweep(house.world):
            pass
        with house.world.store.read() as tx:
            assert {one.username for one in tx.accounts.list()} == left
    assert once.username != again.username
