"""T5: inactive, suspended, pending or closed accounts never get a token by any path."""

from collections.abc import Callable

import pytest

from idp.flows import assist
from idp.model import Factor
from tests.harness import House
from tests.people import SERVICE, Person

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ENDS: dict[str, Callable[[House, Person], object]] = {
    "blocked": lambda house, person: assist.change_state(house.world, person.username, assist.Act.BLOCK, "test"),
    "closed": lambda house, person: assist.change_state(house.world, person.username, assist.Act.CLOSE, "test"),
    "suspended": lambda house, _: house.leave(days=120),
    "expired": lambda house, _: house.leave(days=180),
}
HEADING = {
    "blocked": "Your access is blocked",
    "closed": "This access is closed",
    "expired": "Your access has expired",
    "suspended": "Welcome back",
}


@pytest.mark.parametrize("end", ENDS)
def test_t05_sign_in_refuses_and_says_why_only_after_the_right_password(house: House, end: str) -> None:
    person = house.customer()
    ENDS[end](house, person)
    wrong = person.try_password()
    assert (wrong.status, wrong.heading) == (401, "Sign in")
    assert HEADING[end] not in wrong.text
    page = person.elsewhere().walk(person.open("/sign-in"), until="Reactivate")
    visitor = person.elsewhere()
    page = visitor.sign_in(until="Reactivate")
    assert page.heading == HEADING[end]
    assert not visitor.signed_in()
    assert visitor.ask(prompt="none").answer["error"] == "login_required"


@pytest.mark.parametrize("end", ENDS)
def test_t05_refresh_dies(house: House, end: str) -> None:
    person = house.customer()
    issued = person.tokens()
    alive = house.refresh(issued["refresh_token"]) if end in ("blocked", "closed") else None
    token = alive.json()["refresh_token"] if alive is not None else issued["refresh_token"]
    ENDS[end](house, person)
    answer = house.refresh(token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert set(answer.json()) <= {"error", "error_description"}
    assert end not in answer.text


@pytest.mark.parametrize("end", ENDS)
def test_t05_a_code_issued_before_gives_no_token(new_house: Callable[..., House], end: str) -> None:
    house = new_house()
    person = house.customer()
    page = person.authorize(scope="openid billing:read")
    with house.clock.stopped():
        ENDS[end](house, person)
        answer = person.redeem(page)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("end", ENDS)
def test_t05_silent_renewal_session_userinfo_and_introspection_end(house: House, end: str) -> None:
    person = house.customer()
    issued = person.tokens()
    plain = person.redeem(person.authorize(scope="openid profile")).json()
    assert house.userinfo(plain["access_token"]).status_code == 200
    assert house.introspect(issued["access_token"])["active"]
    ENDS[end](house, person)
    assert person.ask(prompt="none").answer["error"] == "login_required"
    assert not person.signed_in()
    assert house.userinfo(plain["access_token"]).status_code == 401
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert house.introspect(issued["refresh_token"], "portal") == {"active": False}


@pytest.mark.parametrize("end", ENDS)
def test_t05_no_backend_gets_a_token_in_the_person_s_name(house: House, end: str) -> None:
    person = house.customer()
    shown = {"subject_token": person.tokens()["access_token"], "subject_token_type": ACCESS_TOKEN, "resource": SERVICE}
    given = house.token("billing", grant_type=EXCHANGE, **shown).json()["access_token"]
    assert house.introspect(given, "service")["act"] == {"sub": "billing"}
    ENDS[end](house, person)
    answer = house.token("billing", grant_type=EXCHANGE, **shown)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert house.introspect(given, "service") == {"active": False}


@pytest.mark.parametrize("end", ENDS)
def test_t05_a_device_that_was_allowed_gets_no_token(house: House, end: str) -> None:
    person = house.customer()
    told = house.post("/device_authorization", {"scope": "openid service:read"}, "settop").json()
    page = person.walk(person.fill(person.open("/device"), user_code=told["user_code"]))
    assert person.fill(page, decision="allow").heading == "Your device is connected"
    ENDS[end](house, person)
    answer = house.token("settop", grant_type=DEVICE_CODE, device_code=told["device_code"])
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_grant", "expired_token"}


def test_t05_the_day_before_everything_works_and_the_120th_nothing_does(house: House) -> None:
    early, late = house.customer(), house.customer()
    with house.clock.stopped() as clock:
        for person in (early, late):
            person.sign_in()
        house.leave(days=120, microseconds=-1)
        early.elsewhere().sign_in()
        fresh = early.elsewhere()
        fresh.sign_in()
        assert fresh.signed_in()
        clock.move(microseconds=1)
        visitor = late.elsewhere()
        assert visitor.sign_in(until="Reactivate").step == "Reactivate"
        assert not visitor.signed_in()


def test_t05_someone_invited_gets_no_token_before_enrolment_is_whole(house: House) -> None:
    person, code = house.invited()
    page = person.ask()
    assert page.step == "AskUsernameAndPassword"
    assert person.fill(page, username=person.username, password=person.password).status == 401
    page = person.open_invitation(code)
    page = person.walk(page, until="ChooseQuestion")
    assert page.step == "ChooseQuestion"
    assert person.ask(prompt="none").answer["error"] == "login_required"
    visitor = person.elsewhere()
    page = visitor.authorize()
    assert "code" in page.answer
    assert person.account.credential(Factor.ANSWER) is not None


def test_t05_blocked_while_the_pin_page_is_open_gets_no_further(house: House) -> None:
    person = house.customer()
    page = person.sign_in(until="AskPin")
    ENDS["blocked"](house, person)
    page = person.fill(page, pin=person.pin)
    assert page.heading == HEADING["blocked"]
    assert not person.signed_in()
    assert house.counter(person.account, Factor.PIN).failures == 0


def test_t05_blocked_between_sign_in_and_the_answer_to_the_client_gets_no_code(house: House) -> None:
    person = house.customer()
    page = person.walk(person.ask(), until="AskPin")
    response = person.post(page, {"pin": person.pin})
    assert "/authorize/" in response.headers["Location"]
    ENDS["blocked"](house, person)
    page = person.follow(response)
    assert page.left is None or "code" not in page.answer


def test_t05_unblocked_the_person_signs_in_again_and_old_tokens_stay_dead(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    ENDS["blocked"](house, person)
    house.clock.move(seconds=2)
    assist.change_state(house.world, person.username, assist.Act.UNBLOCK, "test")
    assert house.refresh(issued["refresh_token"]).status_code == 400
    assert not person.signed_in()
    person.elsewhere().tokens()


def test_t05_someone_suspended_wakes_the_access_by_the_answer_and_old_tokens_stay_dead(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    ENDS["suspended"](house, person)
    visitor = person.elsewhere()
    page = visitor.sign_in(until="Reactivate")
    page = visitor.fill(page, answer="not it at all")
    assert page.status == 401
    assert not visitor.signed_in()
    page = visitor.fill(page, answer=visitor.answer)
    assert visitor.signed_in()
    assert len(house.audit("account.reactivated", person.account)) == 1
    assert house.refresh(issued["refresh_token"]).status_code == 400
