"""Forgotten things under every profile: what is offered, which proofs it takes, what it ends, and what strangers learn."""

import re
from collections.abc import Iterator

import pytest

from idp.model import Factor, Lost
from tests.harness import House
from tests.people import Page
from tests.profiles import laws
from tests.profiles.laws import where
from tests.profiles.members import Member, member
from tests.recoveries import known, templates

SECRETS = (Lost.PASSWORD, Lost.USERNAME_AND_PASSWORD)
ANSWERED = ("AnswerToRecover", "EnterCode", "ResetByCode", "ReplacePassword")
_MARK = re.compile(r"[A-Za-z0-9_-]{40,}")


def people(house: House, lost: Lost) -> Iterator[Member]:
    """Somebody for each way in which the policy lets it be proved: with a question of their own, and without."""
    asked = laws.method(house.world.policy, lost).prove_by
    yield member(house, with_answer="answer" in asked)
    if "answer" in asked and Factor.ANSWER not in laws.secrets(house.world.policy):
        yield member(house)


def everybody(house: House) -> Iterator[tuple[Lost, Member]]:
    """The same for each way back to a password that the policy offers."""
    for lost in SECRETS:
        if lost in laws.offered(house.world.policy):
            for person in people(house, lost):
                yield lost, person


def begun(person: Member, lost: Lost) -> Page:
    """At the first page behind the name: a PIN is forgotten behind a correct password alone."""
    if lost is not Lost.PIN:
        return person.recover(lost.value)
    return person.press(person.sign_in(until="AskPin"), "/recover/pin")


def told(page: Page) -> tuple[object, ...]:
    """What a page says to whoever looks at it; of the question asked, which may be anybody's, only that there is one."""
    text = re.sub(r'<p class="question".*?</p>', "", _MARK.sub("…", page.response.text), flags=re.DOTALL)
    return page.status, page.step, page.heading, sorted(page.fields), text if page.step != "AnswerToRecover" else ""


@pytest.mark.parametrize("lost", Lost)
def test_what_the_policy_does_not_offer_is_nowhere(portal: House, lost: Lost) -> None:
    law, visitor = portal.world.policy, portal.person()
    offered = laws.offered(law)
    page = visitor.open(f"/recover/{lost}")
    assert page.status == (200 if lost in offered else 404)
    answer = visitor.client.post(f"/recover/{lost}", data={"username": "x", "email": "x@example.com", "name": "x"})
    assert (answer.status_code == 404) is (lost not in offered)
    links = [link for link in visitor.open("/recover").links if link.startswith("/recover/")]
    assert (f"/recover/{lost}" in links) is (lost in offered and len(offered) > 1) or len(offered) == 1
    if lost in offered:
        assert set(page.fields) & {"username", "email", "name"} == set(laws.method(law, lost).identify_by)
    if lost is Lost.PIN:
        inside = member(portal).sign_in(until="AskPin")
        assert ("/recover/pin" in inside.forms) is (law.pin.enabled and law.recovery.pin.enabled)


@where(lambda law: law.recovery.username.enabled)
def test_a_forgotten_username_is_mailed_to_the_registered_address_and_nothing_changes(portal: House) -> None:
    person = member(portal)
    before = known(portal, person)
    page = person.recover("username")
    assert page.step == "MailSent"
    ((letter, context),) = portal.letters(person.account, "username_reminder")
    assert (letter.to, context["username"]) == (person.account.email, person.account.username)
    assert known(portal, person) == before
    stranger = portal.person()
    form = stranger.open("/recover/username")
    unknown = stranger.fill(form, name="Maria Rossi", email=f"{portal.name()}@example.com", no_password="yes")
    assert told(unknown) == told(page)


def test_the_proofs_are_the_policy_s_and_the_old_password_and_everything_open_are_dead_afterwards(portal: House) -> None:
    law = portal.world.policy
    for lost, person in everybody(portal):
        before = person.password
        other = person.elsewhere()
        issued = other.tokens()
        held = tuple(one.factor for one in person.account.credentials)
        seen, page = [], begun(person, lost)
        while page.step in ANSWERED:
            assert person.elsewhere().try_password(before).status == 200, "until the end the old one goes on working"
            assert other.signed_in()
            seen.append(page.step)
            page = person.answered(page)
        ended = laws.method(law, lost).then
        if ended != "choose_new":
            seen.append(page.step or "")
            page = _by_letter(person, page, lost)
        assert tuple(seen) == laws.Proofs(law, lost, held).steps, page.text
        assert person.password != before
        assert other.signed_in() is False
        assert portal.refresh(issued["refresh_token"]).status_code == 400
        assert not portal.introspect(issued["access_token"])["active"]
        assert person.elsewhere().try_password(before).status == 401
        assert "changed" in templates(portal, person)
        _signed_in_after(person, page, ended)


def _by_letter(person: Member, page: Page, lost: Lost) -> Page:
    """With the temporary password of the letter nothing opens but the choice of a new one."""
    house = person.house
    assert page.step == "MailSent"
    ((letter, context),) = house.letters(person.account, "temporary_password")
    assert letter.to == person.account.email
    assert (context.get("username") == person.account.username) is (lost is Lost.USERNAME_AND_PASSWORD)
    page = person.fill(person.fill(page), username=person.username, password=context["password"])
    assert page.step == "ReplacePassword"
    assert not person.signed_in()
    return person.walk(page)


def _signed_in_after(person: Member, page: Page, ended: str) -> None:
    """Signed in at the end only where the policy says so, or where a letter led over the sign-in page."""
    law = person.house.world.policy
    if ended == "choose_new" and not law.recovery.sign_in_after:
        assert page.step == "AskUsernameAndPassword"
        assert not person.signed_in()
        person.walk(page)
    assert person.signed_in()


def test_whoever_is_not_found_is_led_along_the_same_pages_and_gets_nothing(portal: House) -> None:
    possible: dict[tuple[Lost, str | None], tuple[object, ...]] = {}
    for lost, person in everybody(portal):
        page = begun(person, lost)
        possible[lost, page.step] = told(page)
    other, unreached = member(portal), member(portal, email="")
    for named in (
        {"username": portal.name(), "email": f"{portal.name()}@example.com", "name": "Maria Rossi"},
        {"username": other.account.username, "email": f"{portal.name()}@example.com", "name": "Maria Rossi"},
        {"username": unreached.account.username, "email": " ", "name": "Maria Rossi"},
    ):
        for lost in {lost for lost, _ in possible}:
            stranger = portal.person()
            form = stranger.open(f"/recover/{lost}")
            page = stranger.fill(form, **{name: value for name, value in named.items() if name in form.fields})
            assert told(page) == possible.get((lost, page.step)), (named, page.text)
    assert templates(portal, other) == templates(portal, unreached) == []


@where(lambda law: Lost.PASSWORD in laws.offered(law) and law.recovery.password.prove_by)
def test_wrong_answers_and_codes_prove_nothing_and_are_counted(portal: House) -> None:
    law = portal.world.policy
    for person in people(portal, Lost.PASSWORD):
        page = begun(person, Lost.PASSWORD)
        if page.step == "AnswerToRecover":
            for _ in range(law.lockout.threshold):
                assert person.fill(page, answer="Liceo Volta").status == 401
            # Locked and wrong are told the same.
            assert person.fill(page, answer=person.answer).status == 401
            assert portal.counter(person.account, Factor.ANSWER).locked_until is not None
        else:
            right = portal.code(person)
            wrong = "".join(str(9 - int(digit)) for digit in right)
            for _ in range(law.recovery.code_tries):
                assert person.fill(page, **_reset(person, wrong)).status == 401
            assert person.fill(page, **_reset(person, right)).status == 401
        assert person.elsewhere().try_password(person.password).status == 200


def _reset(person: Member, code: str) -> dict[str, str]:
    return {"code": code, "password": person.new_password, "password_again": person.new_password}


@where(lambda law: laws.Proofs(law, Lost.PASSWORD, laws.secrets(law)).steps[0] == "ResetByCode")
def test_a_code_is_as_long_as_the_policy_says_works_for_as_long_and_once(portal: House) -> None:
    rules, person = portal.world.policy.recovery, member(portal)
    page = begun(person, Lost.PASSWORD)
    code = portal.code(person)
    assert len(code) == rules.code_length
    portal.clock.move(seconds=rules.code_lifetime.total_seconds())
    assert person.fill(page, **_reset(person, code)).status in (401, 404)
    assert person.elsewhere().try_password(person.password).status == 200
    portal.clock.move(seconds=1)
    page = begun(person, Lost.PASSWORD)
    code = portal.code(person)
    first = person.fill(page, **_reset(person, code))
    assert first.status == 200
    again = person.elsewhere()
    assert again.fill(begun(again, Lost.PASSWORD), **_reset(person, code)).status == 401


@where(lambda law: Lost.PASSWORD in laws.offered(law) and law.recovery.password.then == "mail_temporary")
def test_a_temporary_password_ends_and_is_used_once(portal: House) -> None:
    law = portal.world.policy
    person = member(portal)
    temporary = portal.temporary_password(person)
    portal.clock.move(seconds=law.temporary_password.lifetime.total_seconds())
    assert person.elsewhere().try_password(temporary).status == 401
    portal.clock.move(seconds=3600)
    temporary = portal.temporary_password(person)
    visitor = person.elsewhere()
    page = visitor.try_password(temporary)
    assert page.step == "ReplacePassword"
    page = visitor.fill(page, password=person.password, password_again=person.password)
    assert (page.status, page.step) == (422, "ReplacePassword"), "the present one is no new one"
    visitor.walk(page)
    assert person.elsewhere().try_password(temporary).status == 401


@where(lambda law: Lost.PASSWORD in laws.offered(law))
def test_a_reset_lifts_the_lock_as_far_as_the_policy_says(portal: House) -> None:
    law = portal.world.policy
    person = member(portal)
    stranger = person.elsewhere()
    for _ in range(law.lockout.threshold):
        stranger.try_password("wrong wrong wrong wrong 9")
    assert person.elsewhere().try_password(person.password).status == 401
    page = begun(person, Lost.PASSWORD)
    if laws.method(law, Lost.PASSWORD).then == "mail_temporary":
        page = _by_letter(person, person.walk(page, until="MailSent"), Lost.PASSWORD)
    else:
        page = person.walk(page)
    taken = person.elsewhere().try_password(person.password).status == 200
    assert taken is law.recovery.lifts_lockout


@where(lambda law: law.pin.enabled and law.recovery.pin.enabled)
def test_a_forgotten_pin_takes_its_proof_and_the_new_one_is_replaced_as_the_policy_says(portal: House) -> None:
    law, person = portal.world.policy, member(portal)
    other = person.elsewhere()
    other.sign_in()
    former, page = person.pin, begun(person, Lost.PIN)
    held = tuple(one.factor for one in person.account.credentials)
    seen = [page.step]
    assert person.fill(page, **dict.fromkeys(person.given(page) or {}, "000000")).status == 401
    while page.step in ANSWERED:
        page = person.answered(page)
        seen.append(page.step)
    assert tuple(seen) == laws.Proofs(law, Lost.PIN, held).steps
    if page.step == "AskPin":
        ((letter, context),) = portal.letters(person.account, "new_pin")
        assert letter.to == person.account.email
        assert person.fill(page, pin=former).status == 401
        page = person.fill(page, pin=context["pin"])
        person.pin = context["pin"]
        assert (page.step == "ReplacePin") is law.pin.change_after_reset
    person.walk(page)
    assert person.signed_in()
    assert not other.signed_in()
    assert person.pin != former


@where(lambda law: Lost.PASSWORD in laws.offered(law))
def test_asking_ends_at_the_day_s_limit_and_locks_nobody_out(portal: House) -> None:
    law = portal.world.policy
    person = member(portal)
    most = max(law.recovery.codes_per_day, law.temporary_password.per_hour)
    for _ in range(most + 2):
        person.elsewhere().recover("password")
    sent = templates(portal, person)
    assert len(sent) <= most
    assert person.elsewhere().try_password(person.password).status == 200
