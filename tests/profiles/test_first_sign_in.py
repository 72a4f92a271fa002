"""The first sign-in by invitation, under every profile: each piece in the policy's order, and no token before the last."""

import pytest

from idp.model import AccountState, Factor
from tests.harness import House
from tests.people import Page
from tests.profiles import laws
from tests.profiles.members import Member, invited


def no_token(person: Member) -> None:
    """Neither a session nor, silently, a code."""
    assert not person.signed_in()
    assert person.ask(prompt="none").answer["error"] == "login_required"


def test_every_piece_is_asked_in_the_policy_s_order_and_only_then_is_there_a_token(portal: House) -> None:
    person, code = invited(portal)
    law, seen = portal.world.policy, []
    page = person.open_invitation(code)
    while page.step is not None:
        assert page.status == 200, page.text
        assert person.account.enrolled_at is None or page.step not in laws.PIECE_STEPS.values()
        no_token(person)
        seen.append(page.step)
        page = person.fill(page, **(person.given(page) or {}))
    assert tuple(seen) == laws.first_steps(law), page.text
    account = person.account
    assert account.state is AccountState.ACTIVE
    assert {one.factor for one in account.credentials} >= set(laws.secrets(law))
    assert person.signed_in()
    assert "code" in person.ask(prompt="none").answer
    ((letter, context),) = portal.letters(account, "enrolled")
    assert letter.to == account.email
    assert not {person.password, person.pin, person.answer} & set(context.values())
    assert len(portal.audit("account.enrolled", account)) == 1


def test_left_half_way_it_goes_on_elsewhere_at_what_is_missing(portal: House) -> None:
    steps = laws.first_steps(portal.world.policy)
    for done in range(1, len(steps)):
        person, code = invited(portal)
        page = person.open_invitation(code)
        for _ in range(done):
            page = person.fill(page, **(person.given(page) or {}))
        assert page.step == steps[done]
        assert person.open(page.action).step == steps[done], "the page is the same when it is loaded again"
        back = person.elsewhere()
        known = "ChoosePassword" in steps[:done]
        page = back.walk(back.open("/sign-in") if known else back.open_invitation(code), until=steps[done])
        assert page.step == steps[done], page.text
        no_token(back)
        back.walk(page)
        assert back.signed_in()
        assert len(portal.audit("account.enrolled", person.account)) == 1


def test_an_invitation_opens_once_and_not_after_its_time(portal: House) -> None:
    person, code = invited(portal)
    late, expired = invited(portal)
    assert person.open_invitation(f"{code[:-1]}{'A' if code[-1] != 'A' else 'B'}").status == 401
    page = person.walk(person.open_invitation(code), until="ChoosePassword")
    person.fill(page, **(person.given(page) or {}))
    assert person.account.credential(Factor.PASSWORD) is not None
    assert person.elsewhere().open_invitation(code).status == 401
    portal.clock.move(seconds=portal.world.policy.registration.invitation_lifetime.total_seconds())
    assert late.open_invitation(expired).status == 401
    assert late.account.credentials == ()


def test_a_name_that_was_invited_opens_nothing_before(portal: House) -> None:
    person, _ = invited(portal)
    assert person.try_password(person.password).status == 401
    assert not person.signed_in()


@pytest.mark.parametrize("fault", ["short", "long", "letters alone", "stolen", "personal"])
def test_a_password_is_held_to_the_policy(portal: House, fault: str) -> None:
    rules = portal.world.policy.password
    person, code = invited(portal)
    page = person.walk(person.open_invitation(code), until="ChoosePassword")
    bad = {
        "short": "k7vx2qmz9w4jtp8nhd3r"[: rules.min_length - 1],
        "long": "k7" * rules.max_length,
        "letters alone": "violet teapots at noon beside rivers",
        "stolen": "12345678900987654321",
        "personal": f"{person.account.username} 7 7 7",
    }[fault]
    refused = {
        "letters alone": rules.require_letters_and_digits,
        "stolen": rules.refuse_breached,
        "personal": rules.refuse_personal,
    }
    page = person.fill(page, password=bad, password_again=bad)
    assert (page.status == 422) is refused.get(fault, True), page.text
    assert (person.account.credential(Factor.PASSWORD) is None) is refused.get(fault, True)
    if page.status == 422:
        _still_asks(person, page)


def _still_asks(person: Member, page: Page) -> None:
    assert page.step == "ChoosePassword"
    page = person.fill(page, password=person.password, password_again=person.password)
    assert page.step != "ChoosePassword"
    assert person.account.credential(Factor.PASSWORD) is not None
