"""Attacks on what follows an authorization request: prompts, consent, tabs, other browsers (cases A of the security plan)."""

import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from tests.attacks.test_authorize import refused
from tests.harness import House
from tests.people import PORTAL_CALLBACK, Page, Person


def test_a22_prompt_none_tells_what_is_missing_and_no_more(house: House) -> None:
    nobody, person = house.person(), house.customer()
    refused(nobody.ask(prompt="none", state="st4te"), "login_required", house, "st4te")
    half = person.elsewhere()
    half.sign_in(until="AskPin")
    refused(half.ask(prompt="none"), "login_required", house)
    person.sign_in()
    assert "code" in person.ask(prompt="none").answer
    refused(person.ask("partner", scope="openid email", prompt="none"), "consent_required", house)
    # Someone else is meant.
    other = house.customer()
    hint = other.redeem(other.authorize()).json()["id_token"]
    refused(person.ask(prompt="none", id_token_hint=hint), "login_required", house)
    for prompt in ("none login", "none none consent", "create", "bogus"):
        refused(person.ask(prompt=prompt), "invalid_request", house)


def test_a22_prompt_none_with_a_locked_pin_or_a_blocked_account_leaks_nothing(house: House) -> None:
    person = house.customer()
    stranger = person.elsewhere()
    page = stranger.sign_in(until="AskPin")
    for _ in range(5):
        page = stranger.fill(page, pin="999111")
    refused(stranger.ask(prompt="none"), "login_required", house)


def test_a23_prompt_login_is_demanded_also_after_going_back_without_it(house: House) -> None:
    person = house.customer()
    person.sign_in()
    house.clock.move(seconds=5)
    page = person.ask(prompt="login")
    assert page.step == "AskUsernameAndPassword"
    transaction = page.action.rpartition("/")[2]
    early = person.open(f"/authorize/{transaction}")
    assert early.left is None or "code" not in early.answer
    page = person.open(f"/sign-in/{transaction}?prompt=none")
    assert page.step == "AskUsernameAndPassword"
    page = person.open(f"/authorize/{transaction}?{urlencode(person.request())}")
    assert page.left is None or "code" not in page.answer
    page = person.walk(person.open(f"/sign-in/{transaction}"))
    claims = jwt.decode(person.redeem(page).json()["id_token"], options={"verify_signature": False})
    assert claims["auth_time"] > claims["iat"] - 60


def test_a25_max_age_asks_again_and_the_time_is_new(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        first = jwt.decode(person.redeem(person.authorize()).json()["id_token"], options={"verify_signature": False})
        clock.move(minutes=20)
        assert "code" in person.ask(max_age=1200).answer
        clock.move(seconds=1)
        assert person.ask(max_age=1200).step == "AskUsernameAndPassword"
        page = person.walk(person.ask(max_age=300))
        later = jwt.decode(person.redeem(page).json()["id_token"], options={"verify_signature": False})
    assert later["auth_time"] == first["auth_time"] + 1201
    for age in ("-1", "x", "1e3", "9" * 40, "٣"):
        refused(person.ask(max_age=age), "invalid_request", house)
    assert person.ask(max_age="0").step == "AskUsernameAndPassword"


def test_a26_levels_that_are_unknown_or_out_of_reach(house: House) -> None:
    person = house.customer()
    assert "code" in person.authorize(acr_values="urn:gold").answer
    essential = '{"id_token":{"acr":{"essential":true,"value":"%s"}}}'
    page = person.walk(person.ask(claims=essential % "urn:gold"))
    outcome = page.answer["error"] if page.left else refusal_left(person, page)
    assert outcome == "unmet_authentication_requirements"
    page = person.walk(person.ask(claims=essential % "mfa"))
    outcome = page.answer["error"] if page.left else refusal_left(person, page)
    assert outcome == "unmet_authentication_requirements"
    page = person.authorize(claims=essential % "extra")
    claims = jwt.decode(person.redeem(page).json()["id_token"], options={"verify_signature": False})
    assert claims["acr"] == "extra"


def refusal_left(person: Person, page: Page) -> str:
    """The error that the client is sent when the person turns back from a refusal."""
    assert page.status == 403
    (back,) = [link for link in page.links if link.startswith("/authorize/")]
    return person.open(back).answer["error"]


def test_a34_an_id_token_hint_of_another_client_or_an_access_token_is_refused(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    refused(person.ask("app", id_token_hint=issued["id_token"]), "invalid_request", house)
    refused(person.ask(id_token_hint=issued["access_token"]), "invalid_request", house)
    forged = jwt.encode({"iss": house.url, "aud": "portal", "sub": person.account.id}, "x" * 32, "HS256")
    refused(person.ask(id_token_hint=forged), "invalid_request", house)
    assert "code" in person.ask(id_token_hint=issued["id_token"]).answer


def test_a37_consent_is_given_only_by_the_person_it_was_shown_to(house: House) -> None:
    person, other = house.customer(), house.customer()
    page = person.walk(person.ask("partner", scope="openid email"), until="GiveConsent")
    assert page.step == "GiveConsent"
    assert "A partner <b>& sons" in page.text
    assert "<b>& sons" not in page.response.text
    other.sign_in()
    csrf = other.open("/sign-in").hidden.get("csrf", "")
    assert other.post(page, {"decision": "allow"}).status_code == 404
    for changes in ({"csrf": None}, {"csrf": csrf or "x"}, {"csrf": "x"}):
        assert person.post(page, {"decision": "allow", **changes}).status_code == 403
    assert person.post(page, {"decision": "allow"}, headers={"Origin": "https://evil.example"}).status_code == 403
    for decision in ("", "ALLOW", "maybe", ["allow", "deny"]):
        assert person.post(page, {"decision": decision}).status_code in (400, 422)
    assert house.audit("consent.given", person.account) == []
    denied = person.fill(page, decision="deny")
    assert denied.answer["error"] == "access_denied"
    assert house.audit("consent.given", person.account) == []


@pytest.mark.parametrize("path", ["/authorize", "/sign-in", "/", "/nothing", "/logout", "/invitation"])
def test_a38_no_page_may_be_framed(house: House, path: str) -> None:
    response = house.customer().open(path).response
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Frame-Options"] == "DENY"


def test_a40_two_tabs_for_two_clients_finish_in_reverse_order_each_at_its_own(house: House) -> None:
    person = house.customer()
    one, two = person.ask("portal", state="tab-one"), person.ask("app", state="tab-two")
    second = person.walk(two)
    first = person.walk(one)
    assert second.left is not None
    assert first.left is not None
    assert second.left.startswith("com.norda.app:/callback?")
    assert first.left.startswith(PORTAL_CALLBACK)
    assert (first.answer["state"], second.answer["state"]) == ("tab-one", "tab-two")
    assert person.redeem(first).status_code == 200
    assert person.redeem(second, "app").status_code == 200


def test_a41_a_transaction_guessed_or_of_another_browser_gives_nothing(house: House) -> None:
    person, thief = house.customer(), house.customer()
    page = person.walk(person.ask(), until="AskPin")
    back = person.post(page, {"pin": person.pin}).headers["Location"]
    thief.sign_in()
    for path in (back, "/authorize/x", "/authorize/" + secrets.token_urlsafe(32), "/authorize/%00", "/authorize/" + "x" * 3000):
        stolen = thief.open(path)
        assert stolen.status in (400, 404)
        assert stolen.left is None
    done = person.open(back)
    assert done.answer["code"]
    again = person.open(back)
    assert again.status == 400


@pytest.mark.parametrize("path", ["/authorize", "/sign-in", "/logout", "/invitation", "/"])
def test_a43_pages_for_people_are_not_shared_with_other_origins(house: House, path: str) -> None:
    person = house.person()
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (person.client.options(path, headers=headers), person.get(path, headers=headers)):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.status_code < 500


def test_a44_the_way_on_after_a_form_is_303(house: House) -> None:
    person = house.customer()
    page = person.ask()
    response = person.post(page, {"username": person.username, "password": person.password})
    assert response.status_code == 303
    response = person.post(person.follow(response), {"pin": person.pin})
    assert response.status_code == 303
    assert person.follow(response).response.status_code == 303


def test_a44_an_authorization_request_may_be_posted(house: House) -> None:
    person = house.customer()
    page = person.walk(person.follow(person.client.post("/authorize", data=person.request())))
    assert page.answer["code"]
    odd = person.client.post("/authorize", json=person.request())
    assert 400 <= odd.status_code < 500


def test_the_answer_keeps_the_registered_query_and_names_the_issuer(house: House) -> None:
    person = house.customer()
    page = person.authorize("partner", redirect_uri="https://partner.example/cb?tenant=1&x=2", scope="openid")
    assert page.left is not None
    pairs = parse_qsl(urlsplit(page.left).query)
    assert pairs[:2] == [("tenant", "1"), ("x", "2")]
    assert {name for name, _ in pairs[2:]} == {"code", "state", "iss"}


def test_errors_are_told_in_the_mode_asked_for(house: House) -> None:
    page = house.person().ask(prompt="none", response_mode="form_post")
    assert page.hidden["error"] == "login_required"
    assert page.hidden["iss"] == house.url
