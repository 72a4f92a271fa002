"""The whole law of config/policies/hardened.toml, over HTTP: enrolment, sign-in, recovery, and who is kept out."""

import jwt
import pytest

from idp.model import Factor
from tests.harness import House, together
from tests.people import Page, Person
from tests.second_factor.phones import Phone, codes_on, enrol, scanned

NEW = "seven violet teapots at noon"


def member(house: House) -> tuple[Person, Phone, list[str]]:
    """Someone who has been here before: password and app, and the recovery codes they kept."""
    person = house.customer(secrets=(Factor.PASSWORD,))
    phone, codes, page = enrol(person, person.sign_in(until="EnrolSecondFactor"))
    assert page.status == 200
    assert person.signed_in()
    house.clock.move(seconds=60)
    return person, phone, codes


def asked(person: Person) -> Page:
    """At the second step, in a sign-in of its own."""
    page = person.sign_in(until="AskSecondFactor")
    assert page.step == "AskSecondFactor", (page.status, page.text)
    return page


def claims(token: str) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_an_invited_person_sets_up_both_and_gets_a_token_that_says_mfa(guarded: House) -> None:
    person, code = guarded.invited()
    page = person.walk(person.open_invitation(code), until="EnrolSecondFactor")
    assert person.account.enrolled_at is not None
    assert not person.signed_in()
    assert person.get("/profile").is_redirect
    phone, codes, page = enrol(person, page)
    assert len(codes) == 10
    assert page.left is not None
    guarded.clock.move(seconds=30)
    other = person.elsewhere()
    page = other.walk(other.ask(scope="openid billing:read", resource=["http://localhost:8082"]), until="AskSecondFactor")
    page = other.fill(page, code=phone.code(guarded))
    issued = other.redeem(page, resource="http://localhost:8082").json()
    told = claims(issued["id_token"])
    assert told["acr"] == "mfa"
    assert told["amr"] == ["pwd", "otp"]
    assert claims(issued["access_token"])["acr"] == "mfa"
    assert len(guarded.letters(person.account, "changed")) == 1
    assert codes[0] not in repr(guarded.audit(account=person.account))


def test_before_the_second_factor_there_is_no_session_whatever_is_opened(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    page = person.walk(person.ask(), until="EnrolSecondFactor")
    transaction = page.action.rpartition("/")[2]
    for path in ("/", "/profile", "/profile/second-factor", f"/authorize/{transaction}", f"/sign-in/{transaction}"):
        answer = person.open(path)
        assert answer.left is None or "code" not in answer.answer
        assert not person.signed_in()
    for step in ("Done", "GiveConsent", "AskSecondFactor", "Reactivate", ""):
        person.post(page, {"step": step, "way": "recovery_code", "code": "0000-0000-0000", "decision": "allow"})
        assert not person.signed_in()
    assert not person.account.credential(Factor.TOTP)


def test_the_same_browser_sees_the_same_key_and_another_one_a_new_one(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    page = person.sign_in(until="EnrolSecondFactor")
    phone = scanned(page)
    assert scanned(person.open(page.action)) == phone
    stranger = person.elsewhere()
    seen = scanned(stranger.sign_in(until="EnrolSecondFactor"))
    assert seen != phone
    # The key that the stranger was shown is not the one that the owner confirms.
    again = person.open(page.action)
    enrol(person, again)
    assert scanned(again) not in (seen, phone)
    assert stranger.sign_in(until="AskSecondFactor").step == "AskSecondFactor"


def test_three_wrong_first_codes_bring_a_new_key(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    page = person.sign_in(until="EnrolSecondFactor")
    first = scanned(page)
    for _ in range(2):
        page = person.fill(page, code=first.wrong_code(guarded))
        assert page.status == 401
        assert scanned(page) == first
    page = person.fill(page, code=first.wrong_code(guarded))
    assert scanned(page) != first
    enrol(person, Page(person.get(page.action)))


def test_l25_a_code_works_once_and_of_two_at_once_one(guarded: House) -> None:
    person, phone, _ = member(guarded)
    code = phone.code(guarded)
    pages = [(one, asked(one)) for one in (person.elsewhere() for _ in range(4))]
    together([lambda one=one, page=page: one.fill(page, code=code) for one, page in pages])
    assert [one.signed_in() for one, _ in pages].count(True) == 1
    later = person.elsewhere()
    assert later.fill(asked(later), code=code).status == 401
    assert later.fill(asked(later), code=phone.next_code(guarded)).status == 200
    assert later.signed_in()


def test_l25_a_step_before_the_last_one_used_works_no_more(guarded: House) -> None:
    person, phone, _ = member(guarded)
    early = phone.code(guarded)
    late = phone.next_code(guarded)
    one, two = person.elsewhere(), person.elsewhere()
    one.fill(asked(one), code=late)
    assert one.signed_in()
    two.fill(asked(two), code=early)
    assert not two.signed_in()


@pytest.mark.parametrize(("seconds", "taken"), [(-30, True), (0, True), (30, True), (60, False)])
def test_a_neighbouring_step_is_taken_and_no_other(guarded: House, seconds: int, taken: bool) -> None:
    person, phone, _ = member(guarded)
    guarded.clock.move(seconds=90)
    code = phone.code(guarded)
    guarded.clock.move(seconds=seconds)
    someone = person.elsewhere()
    someone.fill(asked(someone), code=code)
    assert someone.signed_in() is taken
    guarded.clock.move(seconds=60)


def test_l25_guessing_locks_the_second_factor_for_all_its_ways_and_tells_the_owner(guarded: House) -> None:
    person, phone, codes = member(guarded)
    thief = person.elsewhere()
    page = waiting = asked(thief)
    for number in range(5):
        fields = {"code": phone.wrong_code(guarded)} if number % 2 else {"code": "0000-0000-0000", "way": "recovery_code"}
        page = thief.fill(page, **fields)
    assert page.status == 403
    assert page.heading == "Blocked for a while"
    # Closed for the right codes too, without a try being spent on them.
    other = person.elsewhere()
    page = other.sign_in(until="AskSecondFactor")
    assert page.heading == "Blocked for a while"
    for fields in ({"way": "totp", "code": phone.code(guarded)}, {"way": "recovery_code", "code": codes[0]}):
        thief.post(waiting, {"step": "AskSecondFactor", **fields})
        assert not thief.signed_in()
    with guarded.world.store.read() as tx:
        assert tx.recovery_codes.left(person.account.id) == 10
    ((_, context),) = guarded.letters(person.account, "locked")
    assert context["factor"] == "totp"
    # The owner's own device has a counter of its own.
    person.fill(person.walk(person.ask(prompt="login"), until="AskSecondFactor"), code=phone.next_code(guarded))
    assert person.signed_in()
    guarded.clock.move(minutes=30)
    late = person.elsewhere()
    late.fill(asked(late), code=phone.code(guarded))
    assert late.signed_in()


def test_a_recovery_code_works_once_in_whichever_case_and_is_recorded(guarded: House) -> None:
    person, _, codes = member(guarded)
    other = person.elsewhere()
    page = other.open(f"{asked(other).action}?way=recovery_code")
    assert page.fields["way"]["value"] == "recovery_code"
    other.fill(page, code=f" {codes[3].lower().replace('-', ' ')} ")
    assert other.signed_in()
    again = person.elsewhere()
    page = again.fill(asked(again), code=codes[3], way="recovery_code")
    assert page.status == 401
    assert not again.signed_in()
    (used,) = guarded.audit("recovery_code.used", person.account)
    assert used.facts["left"] == 9
    pages = [(one, asked(one)) for one in (person.elsewhere() for _ in range(4))]
    together([lambda one=one, page=page: one.fill(page, code=codes[4], way="recovery_code") for one, page in pages])
    assert [one.signed_in() for one, _ in pages].count(True) == 1


def test_somebody_elses_recovery_code_opens_nothing(guarded: House) -> None:
    person, _, _ = member(guarded)
    _, _, theirs = member(guarded)
    other = person.elsewhere()
    assert other.fill(asked(other), code=theirs[0], way="recovery_code").status == 401
    assert not other.signed_in()


def test_l26_the_second_factor_cannot_be_passed_over(guarded: House) -> None:
    person, _, _ = member(guarded)
    thief = person.elsewhere()
    page = thief.walk(thief.ask(), until="AskSecondFactor")
    transaction = page.action.rpartition("/")[2]
    for path in ("/", "/profile", f"/authorize/{transaction}", f"/sign-in/{transaction}", "/profile/second-factor"):
        answer = thief.open(path)
        assert answer.left is None or "code" not in answer.answer
    for step in ("Done", "EnrolSecondFactor", "GiveConsent", "ReplacePassword", None, "x" * 300):
        thief.post(page, {"step": step, "code": "123456", "decision": "allow", "password": NEW, "password_again": NEW})
        assert not thief.signed_in()
    for way in ("passkey", "email_code", "", "totp' --"):
        thief.post(page, {"way": way, "code": "123456"})
        assert not thief.signed_in()
    assert thief.account.credential(Factor.PASSWORD) == person.account.credential(Factor.PASSWORD)


def test_l26_a_client_that_asks_for_less_gets_no_less(guarded: House) -> None:
    person, _, _ = member(guarded)
    thief = person.elsewhere()
    page = thief.walk(thief.ask(acr_values="pwd"), until="AskSecondFactor")
    assert page.step == "AskSecondFactor"


def test_r26_a_reset_leaves_the_second_factor_demanded(guarded: House) -> None:
    person, phone, codes = member(guarded)
    other = person.elsewhere(password=NEW)
    page = other.open("/recover/password")
    page = other.fill(page, username=person.username, email=person.account.email)
    (_, context) = guarded.letters(person.account, "recovery_code")[-1]
    page = other.fill(page, code=context["code"], password=NEW, password_again=NEW)
    assert page.step == "AskUsernameAndPassword", (page.status, page.text)
    assert not other.signed_in()
    page = other.walk(page, until="AskSecondFactor")
    assert page.step == "AskSecondFactor"
    other.fill(page, code=phone.code(guarded))
    assert other.signed_in()
    assert not person.signed_in()
    lost = person.elsewhere(password=NEW)
    lost.fill(asked(lost), code=codes[0], way="recovery_code")
    assert lost.signed_in()


def test_a_suspended_person_is_awake_again_after_the_whole_sign_in(guarded: House) -> None:
    person, phone, _ = member(guarded)
    sleeper, _, codes = member(guarded)
    guarded.leave(days=91)
    assert not person.signed_in()
    page = person.sign_in(until="AskSecondFactor")
    person.fill(page, code=phone.code(guarded))
    assert person.signed_in()
    (row,) = guarded.audit("account.reactivated", person.account)
    assert row.outcome == "done"
    sleeper.fill(sleeper.sign_in(until="AskSecondFactor"), code=codes[0], way="recovery_code")
    assert sleeper.signed_in()


def test_nothing_asks_for_a_pin_or_a_question(guarded: House) -> None:
    person, _, _ = member(guarded)
    page = person.elsewhere().open("/recover")
    assert "PIN" not in page.text.replace("password or PIN", "")
    assert "question" not in page.text


def test_a_member_is_told_the_codes_once(guarded: House) -> None:
    person = guarded.customer(secrets=(Factor.PASSWORD,))
    page = person.sign_in(until="EnrolSecondFactor")
    code = scanned(page).code(guarded)
    shown = person.fill(page, code=code)
    assert len(codes_on(shown)) == 10
    assert "no-store" in shown.response.headers["Cache-Control"]
    again = person.fill(page, code=code)
    assert not codes_on(again)
