"""Signing in under every profile: by which names, by which proofs, and who is kept out for how long."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from idp.model import AccountState, Factor
from tests.harness import House
from tests.people import Page
from tests.profiles import laws
from tests.profiles.laws import where
from tests.profiles.members import Member, invited, member
from tests.recoveries import masked
from tests.stories.test_t01 import claims_of

WRONG = "wrong wrong wrong wrong 9"


def _wide(name: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in name)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "spaces": " {} ".format,
    "invisible": "\u200b{}".format,
    "wide": _wide,
}


def got_in(page: Page) -> bool:
    """Whether a password was taken: anything else is asked now, or nothing."""
    return page.status == 200 and page.step != "AskUsernameAndPassword"


def test_the_steps_are_the_policy_s_and_the_token_says_what_was_proved(portal: House) -> None:
    law, person = portal.world.policy, member(portal)
    seen, page = person.steps_of(person.ask(scope="openid"))
    assert tuple(seen) == laws.later_steps(law)
    told = claims_of(person.redeem(page).json()["id_token"])
    assert told["acr"] == law.step_up.sign_in
    assert {"pwd", *(("pin",) if law.pin.enabled else ()), *(("otp",) if law.second_factor.required else ())} == set(
        told["amr"]
    )
    assert told["sub"] == person.account.id
    # The session is enough for the next client.
    assert "code" in person.ask("app", prompt="none", scope="openid").answer


@pytest.mark.parametrize("form", FORMS)
def test_each_name_that_the_policy_takes_opens_in_every_form_in_which_it_is_typed(portal: House, form: str) -> None:
    law, person = portal.world.policy, member(portal)
    names = {"username": person.account.username, "email": person.account.email}
    for kind, name in names.items():
        taken = kind in law.sign_in.identify_by or name == names["username"]
        page = person.elsewhere(username=FORMS[form](name)).try_password(person.password)
        assert got_in(page) is taken, (kind, page.status, page.text)


def test_an_address_that_several_have_opens_for_none_of_them_by_itself(portal: House) -> None:
    shared = f"{portal.name('office')}@example.com"
    people = [member(portal, username=portal.name(), email=shared) for _ in range(2)]
    for person in people:
        if person.username != shared:
            assert person.elsewhere(username=shared).try_password(person.password).status == 401
        assert got_in(person.elsewhere().try_password(person.password))


def test_wrong_unknown_invited_and_pending_are_told_alike(portal: House) -> None:
    known = member(portal)
    names = {who: known.username.replace("maria", who) for who in ("maria", "nobod", "invit", "pendi")}
    invited(portal, username=names["invit"], email="invited@example.com")
    member(portal, username=names["pendi"].partition("@")[0], state=AccountState.PENDING)
    told = {}
    for who, name in names.items():
        # A registration that waits for its code opens for no password, not even its own.
        page = portal.person(username=name).try_password(known.password if who == "pendi" else WRONG)
        assert page.status == 401
        told[who] = str(masked(page)).replace(name, "…")
    assert {who for who, page in told.items() if page != told["maria"]} == set()


def test_a_name_is_blocked_at_the_threshold_for_as_long_as_the_policy_says(portal: House) -> None:
    rules, person = portal.world.policy.lockout, member(portal)
    stranger = person.elsewhere()
    with portal.clock.stopped() as clock:
        for _ in range(rules.threshold - 1):
            assert stranger.try_password(WRONG).status == 401
        assert portal.counter(person.account).locked_until is None
        wrong = stranger.try_password(WRONG)
        assert portal.counter(person.account).locked_until == clock() + rules.duration
        right = person.elsewhere().try_password(person.password)
        assert (right.status, right.text) == (401, wrong.text)
        told = portal.letters(person.account, "locked")
        assert len(told) == int(rules.tell_owner)
        clock.move(seconds=(rules.duration - timedelta(microseconds=1)).total_seconds())
        assert person.elsewhere().try_password(person.password).status == 401
        clock.move(microseconds=1)
        person.sign_in()
        assert person.signed_in()


def test_a_device_that_is_known_opens_for_its_owner_while_strangers_are_locked_out(portal: House) -> None:
    rules, person = portal.world.policy.lockout, member(portal)
    person.sign_in()
    person.fill(person.open("/logout"))
    stranger = person.elsewhere()
    for _ in range(rules.threshold):
        stranger.try_password(WRONG)
    assert stranger.try_password(person.password).status == 401
    assert got_in(person.try_password(person.password)) is rules.known_device_counter


@where(lambda law: not law.pin.enabled)
def test_where_there_is_no_pin_none_is_asked_and_none_can_be_chosen(portal: House) -> None:
    person = member(portal)
    person.sign_in(until="AskPin")
    assert person.signed_in()
    assert person.account.credential(Factor.PIN) is None
    assert person.open("/profile/pin").status == 404
    assert "/profile/pin" not in person.open("/profile").links


@where(lambda law: law.pin.enabled)
def test_a_pin_is_asked_behind_the_password_and_locks_by_itself(portal: House) -> None:
    law, person = portal.world.policy, member(portal)
    page = person.sign_in(until="AskPin")
    assert page.step == "AskPin"
    assert page.fields["pin"]["pattern"] == f"[0-9]{{{law.pin.length}}}"
    for tries in range(1, law.lockout.threshold + 1):
        page = person.fill(page, pin="913" * (law.pin.length // 3))
        assert page.status == (401 if tries < law.lockout.threshold else 403)
        assert not person.signed_in()
    again = person.elsewhere()
    assert again.sign_in().status == 403
    portal.clock.move(seconds=law.lockout.duration.total_seconds())
    again.sign_in()
    assert again.signed_in()


@where(lambda law: law.second_factor.required)
def test_a_second_factor_that_everybody_must_have_is_set_up_before_there_is_a_session(portal: House) -> None:
    person = member(portal, without=(Factor.TOTP,))
    page = person.sign_in(until="EnrolSecondFactor")
    assert not person.signed_in()
    person.walk(page)
    assert person.signed_in()
    later = person.elsewhere()
    page = later.sign_in(until="AskSecondFactor")
    assert later.phone is not None
    assert later.fill(page, code=later.phone.wrong_code(portal)).status == 401
    assert not later.signed_in()
    later.walk(later.open(page.action))
    assert later.signed_in()


def test_no_step_is_passed_by_answering_another(portal: House) -> None:
    person = member(portal)
    page = person.open("/sign-in")
    for step in (
        "Done",
        "AskPin",
        "ExtraProof",
        "Reactivate",
        "AcceptTerms",
        "AnswerPurposes",
        "KeepAccount",
        "ChooseCapacity",
    ):
        person.post(page, {"step": step, "pin": person.pin, "answer": person.answer, "code": "000000", "decision": "accept"})
    assert person.open(page.action).step == "AskUsernameAndPassword"
    _half(person)


def _half(person: Member) -> None:
    """A password alone is a session only where it is all that is asked."""
    page = person.try_password(person.password)
    assert person.signed_in() is (page.step is None)
