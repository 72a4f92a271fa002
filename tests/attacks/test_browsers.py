"""What browsers show and follow: markup, where forms lead, invitations among sessions (S-13, S-14)."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser

from idp.flows import invite
from tests.harness import House
from tests.people import CHROME, PORTAL_CALLBACK

SESSION, BROWSER, DEVICE = "idp_session", "idp_browser", "idp_device"


PROBE = "\"'><script>alert(7)</script><img src=x onerror=alert(7)>"


def test_s13_no_field_that_is_shown_again_carries_markup(house: House) -> None:
    person, code = house.invited(given_name=PROBE, family_name=PROBE)
    shown = [person.fill(person.open("/sign-in"), username=PROBE, password="x")]
    shown.append(person.fill(person.open(f"/invitation?{urlencode({'code': PROBE, 'sign_in': PROBE})}"), code=PROBE))
    shown.append(person.open(f"/invitation?{urlencode({'code': PROBE, 'sign_in': PROBE, PROBE: PROBE})}"))
    shown.append(person.open(f"/sign-in?{urlencode({PROBE: PROBE})}"))
    shown.append(person.open("/" + PROBE.replace("/", "")))
    shown.append(person.ask(login_hint=PROBE, ui_locales=PROBE, state=PROBE))
    page = person.open_invitation(code)
    shown.append(page)
    page = person.walk(page, until="ChooseQuestion")
    shown.append(person.fill(page, question=PROBE, answer="x"))
    person.walk(page)
    shown.append(person.open("/"))
    for page in shown:
        assert "<script>alert" not in page.response.text, page.path
        assert "<img src=x" not in page.response.text, page.path
        policy = page.response.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert not re.search(r"unsafe|\*|data:(?!;)", policy.replace("img-src 'self' data:", ""))
        assert page.response.headers["X-Content-Type-Options"] == "nosniff"


def test_s14_form_action_holds_the_way_back_to_the_client_and_no_other(house: House) -> None:
    person = house.customer()
    page = person.ask(redirect_uri=PORTAL_CALLBACK)
    while page.left is None:
        (targets,) = re.findall(r"form-action ([^;]*)", page.response.headers["Content-Security-Policy"])
        assert targets.split() == ["'self'", "http://localhost:8081"]
        page = person.fill(page, **(person.given(page) or {}))
    app = house.customer().ask("app")
    assert "form-action 'self' com.norda.app:" in app.response.headers["Content-Security-Policy"]
    assert "form-action 'self';" in house.person().open("/sign-in").response.headers["Content-Security-Policy"]


def test_s14_chromium_follows_the_redirect_to_the_client_after_the_form(
    new_house: Callable[..., House], chromium: Browser
) -> None:
    house = new_house()
    person = house.customer()
    with chromium.new_context(user_agent=CHROME) as context:
        tab = context.new_page()
        tab.route(f"{PORTAL_CALLBACK}**", lambda route: route.fulfill(body="back at the portal"))
        tab.goto(f"{house.url}/authorize?{urlencode(person.request())}")
        tab.fill("#username", person.username)
        tab.fill("#password", person.password)
        tab.click("button[type=submit]")
        tab.wait_for_selector("#pin, .alert", timeout=15_000)
        assert tab.locator("#pin").count() == 1, tab.inner_text("main")
        tab.fill("#pin", person.pin)
        tab.click("button[type=submit]")
        tab.wait_for_url(f"{PORTAL_CALLBACK}**", timeout=15_000)
        assert tab.inner_text("body") == "back at the portal"


def test_two_invitations_in_one_browser_do_not_mix(house: House) -> None:
    one, code_one = house.invited()
    other, code_other = house.invited()
    other.client.close()
    other.client = one.client
    first = one.open_invitation(code_one)
    second = other.open_invitation(code_other)
    one.fill(first, password="the first long password", password_again="the first long password")
    other.fill(second, password="the second long password", password_again="the second long password")
    assert one.elsewhere(password="the first long password").sign_in(until="CreatePin").step == "CreatePin"
    assert other.elsewhere(password="the second long password").sign_in(until="CreatePin").step == "CreatePin"


def test_an_invitation_opened_in_someone_elses_session_signs_in_the_invited(house: House) -> None:
    resident = house.customer()
    resident.sign_in()
    person, code = house.invited()
    person.client.close()
    person.client = resident.client
    person.walk(person.open_invitation(code))
    assert house.account(person.username).enrolled_at is not None
    opened = house.audit("sign_in")[-1]
    assert opened.account_id == house.account(person.username).id


def test_who_is_signed_in_already_is_not_asked_again(house: House) -> None:
    person = house.customer()
    person.sign_in()
    assert person.open("/sign-in").path == "/"
    assert "code" in person.ask().answer


def test_an_invitation_cannot_be_sent_anew_to_someone_who_came(house: House) -> None:
    person = house.customer()
    assert invite.invite_again(house.world, person.username, None, "test") == invite.NotInvited("already_came")


def test_the_law_may_ask_no_pin_and_no_question(new_house: Callable[..., House]) -> None:
    def law(policy: Any) -> Any:
        off = replace(policy.pin, enabled=False), replace(policy.security_question, enabled=False)
        step_up = replace(policy.step_up, sign_in="pwd")
        return replace(policy, pin=off[0], security_question=off[1], step_up=step_up)

    house = new_house(policy=law)
    person, code = house.invited()
    person.walk(person.open_invitation(code))
    assert person.signed_in()
    other = person.elsewhere()
    assert other.fill(other.open("/sign-in"), username=other.username, password=other.password).path == "/"
