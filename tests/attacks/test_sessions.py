"""Attacks on sessions, cookies, forms and the browser (cases S of the security plan)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx import Response

from idp.flows import assist
from idp.model import Device, Session
from tests import returning
from tests.harness import House
from tests.people import Page, Person

SESSION, BROWSER, DEVICE = "idp_session", "idp_browser", "idp_device"


def cookie(person: Person, name: str) -> str | None:
    found = [held.value for held in person.client.cookies.jar if held.name == name]
    return found[0] if found else None


def carrying(house: House, header: str) -> Page:
    """What someone sees who sends exactly these cookies."""
    person = house.person()
    return Page(person.get("/", headers={"Cookie": header}))


def test_s01_identifiers_planted_before_sign_in_are_never_adopted(house: House) -> None:
    person = house.customer()
    planted = {SESSION: "A" * 43, BROWSER: "B" * 43 + "." + "0" * 32, DEVICE: "C" * 43}
    for name, value in planted.items():
        person.client.cookies.set(name, value, domain="localhost.local", path="/")
    person.sign_in()
    held = {name: cookie(person, name) for name in planted}
    assert held[SESSION] != planted[SESSION]
    assert held[BROWSER] != planted[BROWSER]
    assert carrying(house, f"{SESSION}={planted[SESSION]}").status == 303


def test_s01_a_session_that_lives_planted_before_sign_in_is_ended_not_adopted(house: House) -> None:
    victim, thief = house.customer(), house.customer()
    thief.sign_in()
    planted = cookie(thief, SESSION) or ""
    victim.client.cookies.set(SESSION, planted, domain="localhost.local", path="/")
    page = victim.open("/sign-in")
    if page.step is None:
        # The browser is that of somebody signed in, as far as it can be told: whoever else they are signs in anew.
        page = victim.ask(prompt="login")
    victim.walk(page)
    assert victim.signed_in()
    assert cookie(victim, SESSION) != planted
    assert carrying(house, f"{SESSION}={planted}").status == 303
    assert [one.account_id for one in sessions_of(house, victim)] == [victim.account.id]
    assert sessions_of(house, thief) == []


def test_s01_a_device_planted_before_sign_in_does_not_become_known(house: House) -> None:
    person = house.customer()
    planted = "C" * 43
    person.client.cookies.set(DEVICE, planted, domain="localhost.local", path="/")
    person.sign_in()
    assert person.signed_in()
    stranger = person.elsewhere()
    stranger.client.cookies.set(DEVICE, planted, domain="localhost.local", path="/")
    stranger.try_password()
    # Whoever planted it tries at the strangers' counter, not at one of their own.
    assert house.counter(person.account).failures == 1


def test_s01_a_new_sign_in_gives_a_new_session_and_the_old_one_is_dead(house: House) -> None:
    person = house.customer()
    person.sign_in()
    before = cookie(person, SESSION)
    house.clock.move(seconds=2)
    person.walk(person.ask(prompt="login"))
    after = cookie(person, SESSION)
    assert before != after
    assert carrying(house, f"{SESSION}={after}").status == 200
    assert carrying(house, f"{SESSION}={before}").status == 303


def test_s01_a_step_up_gives_a_new_session_too(house: House) -> None:
    person = house.customer()
    person.sign_in()
    before = cookie(person, SESSION)
    page = person.authorize(claims='{"id_token":{"acr":{"essential":true,"value":"extra"}}}')
    assert page.answer["code"]
    assert cookie(person, SESSION) != before
    assert carrying(house, f"{SESSION}={before}").status == 303


def sign_out(person: Person) -> Page:
    return person.fill(person.open("/logout"))


def sessions_of(house: House, person: Person) -> list[Session]:
    return house.world.store.sessions.of_account(person.account.id, house.clock())


def end_session(person: Person, public_id: str) -> Response:
    """What the list of My Profile answers to this browser that names a session."""
    token = person.open("/profile/sessions").forms["/profile/sessions/others"]["csrf"]
    return person.client.post("/profile/sessions/end", data={"csrf": token, "id": public_id})


def end_from_elsewhere(house: House, person: Person) -> None:
    other = person.elsewhere()
    other.sign_in()
    assert end_session(other, sessions_of(house, person)[0].public_id).status_code == 303


def leave_elsewhere(person: Person, way: str) -> None:
    other = person.elsewhere()
    other.sign_in()
    other.press(other.open("/profile/sessions"), f"/profile/sessions/{way}")


def change_password(person: Person) -> None:
    other = person.elsewhere()
    other.sign_in()
    new = person.new_password
    other.fill(other.open("/profile/password"), current=person.password, password=new, password_again=new)


ENDS: dict[str, Callable[[House, Person], object]] = {
    "sign-out": lambda _, person: sign_out(person),
    "ended from elsewhere": end_from_elsewhere,
    "everywhere else": lambda _, person: leave_elsewhere(person, "others"),
    "everywhere": lambda _, person: leave_elsewhere(person, "all"),
    "password changed": lambda _, person: change_password(person),
    "blocked": lambda house, person: assist.change_state(house.world, person.username, assist.Act.BLOCK, "test"),
    "closed": lambda house, person: assist.change_state(house.world, person.username, assist.Act.CLOSE, "test"),
    "frozen": returning.ENDS["alarm"],
    "idle": lambda house, _: house.clock.move(minutes=30),
}


@pytest.mark.parametrize("end", ENDS)
def test_s02_a_stolen_cookie_is_worth_nothing_after_the_end(house: House, end: str) -> None:
    person = house.customer()
    issued = person.tokens(scope="openid billing:read")
    stolen = f"{SESSION}={cookie(person, SESSION)}"
    assert carrying(house, stolen).status == 200
    ENDS[end](house, person)
    assert carrying(house, stolen).status == 303
    if end != "idle":
        assert house.refresh(issued["refresh_token"]).status_code == 400
        assert house.introspect(issued["access_token"]) == {"active": False}


def test_s02_a_session_lives_as_long_as_it_is_used_and_twelve_hours_at_most(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        for _ in range(24):
            clock.move(minutes=29, seconds=50)
            assert person.signed_in()
        clock.move(minutes=5)
        assert not person.signed_in()


def test_s04_cookies_that_are_doubled_tampered_oversized_or_strange_open_nothing(house: House) -> None:
    person = house.customer()
    person.sign_in()
    good = cookie(person, SESSION) or ""
    for header in (
        f"{SESSION}={good}; {SESSION}={good}",
        f"{SESSION}=x; {SESSION}={good}",
        f"{SESSION}={good}x",
        f"{SESSION}={good[:-1]}",
        f'{SESSION}="{good} "',
        f"{SESSION}={good.lower()}",
        f"{SESSION}=",
        f"{SESSION}={'x' * 8000}",
        f"__Host-{SESSION}={good}",
        f"{SESSION}=\x01\x02",
        f"{SESSION}={good}%00",
        "=;=;;;",
    ):
        assert carrying(house, header).status == 303, header
    assert person.signed_in()


@pytest.mark.parametrize("path", ["/session", "/profile", "/profile/sessions", "/authorize"])
def test_s04_a_session_doubled_tampered_or_of_a_parent_domain_opens_none_of_the_doors(house: House, path: str) -> None:
    person = house.customer()
    person.sign_in()
    good = cookie(person, SESSION) or ""
    asked = urlencode(person.request(prompt="none"))
    for header in (
        f"{SESSION}={good}; {SESSION}={good}",
        # As a sister host would plant one for the parent domain: browsers send the two beside each other, in either order.
        f"{SESSION}={'A' * 43}; {SESSION}={good}",
        f"{SESSION}={good}; {SESSION}={'A' * 43}",
        f"{SESSION}={good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
        f"{SESSION}={good[::-1]}",
        f"{SESSION}={good}.{'0' * 32}",
    ):
        stranger = house.person()
        answer = stranger.get(f"{path}?{asked}" if path == "/authorize" else path, headers={"Cookie": header})
        if path == "/session":
            assert answer.json() == {"signed_in": False}, header
        elif path == "/authorize":
            assert "error=login_required" in answer.headers["Location"], header
        else:
            assert answer.headers["Location"].startswith("/sign-in"), header
    assert person.signed_in()


def test_s04_a_browser_cookie_that_is_not_ours_is_replaced_and_the_form_still_works(house: House) -> None:
    person = house.customer()
    for value in ("x", "a.b", "." * 50, "A" * 43 + "." + "0" * 32, "é"):
        person.client.cookies.clear()
        page = Page(person.get("/sign-in", headers={"Cookie": f"{BROWSER}={value}".encode()}))
        assert page.status == 303
        assert cookie(person, BROWSER) not in (None, value)
    person.client.cookies.clear()
    person.sign_in()
    assert person.signed_in()


def test_s04_who_refuses_cookies_is_told_and_sees_no_fault(house: House) -> None:
    person = house.customer()
    page = person.open("/sign-in")
    person.client.cookies.clear()
    again = person.open(page.path)
    assert again.status in (400, 404)
    assert again.heading


FORMS = {
    "/sign-in/<transaction>",
    "/invitation",
    "/logout/confirm",
    "/not-me",
    *("/device", "/device/<transaction>"),
    "/password-strength",
    *(f"/recover/{what}" for what in ("<lost>", "pin", "cancel")),
    *(f"/profile/{what}" for what in ("password", "pin", "question", "email", "mobile", "remove-mobile")),
    *(f"/profile/{what}/confirm" for what in ("email", "mobile")),
    *(f"/profile/second-factor/{what}" for what in ("app", "remove-app", "passkey", "remove-passkey", "codes")),
    *(f"/profile/second-factor/{what}/confirm" for what in ("app", "passkey")),
    "/session",
    *(f"/profile/sessions/{what}" for what in ("end", "others", "all")),
    *(f"/profile/devices/{what}" for what in ("forget", "others")),
    *(f"/profile/capacities/{what}" for what in ("add", "remove")),
    *(f"/profile/{what}" for what in ("details", "consents", "leave")),
    *(f"/register{what}" for what in ("", "/confirm", "/cancel")),
}
# Where a POST without proof of its origin may go: machines prove themselves otherwise, and these only pass a request on.
MACHINES = {
    *("/token", "/par", "/device_authorization", "/introspect", "/revoke", "/userinfo"),
    *(f"/ssf/{what}" for what in ("stream", "status", "verify", "poll")),
}
# Answers every method, to say in JSON that it knows one only.
DOCUMENTS = {
    *("/jwks.json", "/openapi.json"),
    *(f"/.well-known/{what}" for what in ("openid-configuration", "oauth-authorization-server", "ssf-configuration")),
}
PASSES_ON = {"/authorize", "/logout"}


def posts(house: House) -> Iterator[str]:
    for rule in house.app.url_map.iter_rules():
        if rule.methods and "POST" in rule.methods:
            yield str(rule.rule)


def test_s05_every_form_of_the_url_map_refuses_a_post_without_its_token(house: House) -> None:
    person, other = house.customer(), house.customer()
    other.sign_in()
    rules = [rule for rule in posts(house) if rule not in MACHINES | PASSES_ON | DOCUMENTS]
    for csrf in (None, "", "x", "0" * 64, other.open("/").hidden["csrf"]):
        visitor, signed = person.elsewhere(), person.elsewhere()
        page = visitor.sign_in(until="AskPin")
        signed.sign_in()
        for rule in rules:
            for browser, path in ((visitor, page.action.rpartition("/")[2]), (signed, "x")):
                fields: dict[str, Any] = {"pin": person.pin, "step": "AskPin", "code": "x", "csrf": csrf}
                address = rule.replace("<transaction>", path).replace("<lost>", "password")
                assert "<" not in address, "a new kind of address: say how to fill it in"
                before = browser.signed_in()
                answer = browser.client.post(address, data={name: value for name, value in fields.items() if value is not None})
                # My Profile knows nobody without a session, and there may be nothing to take away.
                told_to = answer.headers.get("Location", "")
                led_back = told_to.partition("?")[0] == ("/sign-in" if browser is visitor else "/profile/second-factor")
                assert answer.status_code in (400, 403, 404) or led_back, (rule, csrf, answer.status_code)
                assert browser.signed_in() is before
    assert set(rules) == FORMS


def test_s05_every_machine_of_the_url_map_refuses_a_post_without_proof_and_looks_at_no_cookie(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    assert set(posts(house)) >= MACHINES
    for path in DOCUMENTS:
        assert person.client.post(path).status_code == 405
    for path in MACHINES:
        answer = person.client.post(path, data={"token": issued["refresh_token"], "grant_type": "client_credentials"})
        assert answer.status_code == 401, path
    assert house.introspect(issued["access_token"])["active"] is True


def test_s05_what_passes_a_request_on_changes_nothing_by_itself(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for path in PASSES_ON:
        for method in ("get", "post"):
            data = {"_method": "DELETE", "id_token_hint": "x"}
            answer = getattr(person.client, method)(path, **({"data": data} if method == "post" else {"params": data}))
            assert answer.status_code < 500
            assert person.signed_in(), (path, method)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO"])
def test_s05_other_methods_and_overrides_are_not_heard(house: House, method: str) -> None:
    person = house.customer()
    page = person.sign_in(until="AskPin")
    for path in (page.action, "/logout/confirm", "/invitation", "/"):
        assert person.client.request(method, path).status_code in (400, 404, 405, 501), path
    headers = {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}
    sent = {**page.hidden, "pin": person.pin, "_method": "POST"}
    answer = person.get(f"{page.action}?{urlencode(sent)}", headers=headers)
    assert answer.status_code == 200
    assert not person.signed_in()


def test_s05_the_token_of_a_form_is_bound_to_the_browser_and_to_the_session(house: House) -> None:
    person, other = house.customer(), house.customer()
    person.sign_in()
    other.sign_in()
    foreign = other.open("/logout")
    answer = person.client.post("/logout/confirm", data=foreign.hidden)
    assert answer.status_code == 403
    assert person.signed_in()
    before = person.open("/logout").hidden
    house.clock.move(minutes=31)
    person.sign_in()
    assert person.client.post("/logout/confirm", data=before).status_code == 403
    assert person.signed_in()


def test_s07_after_sign_out_nothing_was_kept_and_the_browser_is_told_to_clear_up(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open("/logout")
    response = person.post(page)
    assert response.headers["Clear-Site-Data"]
    assert "storage" in response.headers["Clear-Site-Data"]
    person.follow(response)
    assert not person.signed_in()
    for path in ("/", "/sign-in"):
        assert person.get(path).headers["Cache-Control"] == "no-store"
    # The known device stays known.
    assert cookie(person, DEVICE)


def test_s07_sign_out_with_ones_own_id_token_ends_the_session_and_leads_back(house: House) -> None:
    person = house.customer()
    issued = person.redeem(person.authorize(scope="openid billing:read")).json()
    back = "http://localhost:8081/signed-out"
    asked = {"id_token_hint": issued["id_token"], "post_logout_redirect_uri": back, "state": "a b&c"}
    page = person.open("/logout?" + urlencode(asked))
    assert page.left == f"{back}?state=a%20b%26c"
    assert not person.signed_in()
    assert house.refresh(issued["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": "portal", "post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": "portal", "post_logout_redirect_uri": "http://localhost:8081/signed-out?x"},
        {"client_id": "app", "post_logout_redirect_uri": "http://localhost:8081/signed-out"},
        {"id_token_hint": "eyJhbGciOiJub25lIn0.e30.", "post_logout_redirect_uri": "http://localhost:8081/signed-out"},
        {"client_id": "portal"},
        {},
    ],
    ids=str,
)
def test_s07_a_sign_out_that_proves_nothing_is_asked_back_and_leads_nowhere(house: House, asked: dict[str, str]) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open("/logout?" + urlencode(asked))
    assert page.status == 200
    assert person.signed_in()
    page = person.fill(page)
    assert page.left is None or page.left.startswith("http://localhost:8081/signed-out")
    assert "evil" not in page.response.headers.get("Location", "")
    assert not person.signed_in()


def test_s08_an_account_has_ten_sessions_at_most_and_the_oldest_goes(house: House) -> None:
    person = house.customer()
    browsers = [person.elsewhere() for _ in range(11)]
    for browser in browsers:
        browser.sign_in()
        house.clock.move(seconds=1)
    assert [browser.signed_in() for browser in browsers] == [False, *[True] * 10]


def test_s08_what_was_bound_to_a_session_that_had_to_go_goes_with_it(house: House) -> None:
    person = house.customer()
    issued = person.tokens(scope="openid billing:read")
    for _ in range(10):
        house.clock.move(seconds=1)
        person.elsewhere().sign_in()
    assert not person.signed_in()
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert house.refresh(issued["refresh_token"]).status_code == 400
    (told,) = house.audit("session.ended", person.account)
    assert (told.actor, told.facts["why"], told.facts["grants"]) == ("policy", "too_many", 1)


def test_s08_what_was_bound_to_another_person_s_session_in_this_browser_goes_with_it(house: House) -> None:
    person, other = house.customer(), house.customer()
    issued = person.tokens(scope="openid billing:read")
    other.client.cookies = person.client.cookies
    other.walk(other.ask(prompt="login"))
    assert other.signed_in()
    assert sessions_of(house, person) == []
    assert house.introspect(issued["access_token"]) == {"active": False}


def test_s08_nobody_ends_or_sees_another_s_session_whatever_they_name(house: House) -> None:
    owner, thief = house.customer(), house.customer()
    owner.sign_in()
    thief.sign_in()
    (theirs,) = sessions_of(house, owner)
    for named in (theirs.public_id, theirs.id, owner.account.id, "", "x", "*", "' OR 1=1 --", "a\x00b", "x" * 4096):
        assert end_session(thief, named).status_code == 404, named
        assert owner.signed_in()
        assert thief.signed_in()
    for name in ("account", "account_id", "username"):
        token = thief.open("/profile/sessions").forms["/profile/sessions/others"]["csrf"]
        for way in ("others", "all"):
            thief.client.post(f"/profile/sessions/{way}", data={"csrf": token, name: owner.account.id})
            assert owner.signed_in(), (name, way)
        thief.sign_in()
    assert theirs.public_id not in thief.open("/profile/sessions").response.text
    assert not house.audit("session.ended", owner.account)


def test_s08_nobody_forgets_or_sees_another_s_device_whatever_they_name(house: House) -> None:
    owner, thief = house.customer(), house.customer()
    owner.sign_in()
    thief.sign_in()

    def devices(person: Person) -> list[Device]:
        with house.world.store.read() as tx:
            return tx.devices.of_account(person.account.id, house.clock(), timedelta(days=1))

    (theirs,) = devices(owner)
    page = thief.open("/profile/sessions")
    assert theirs.id not in page.response.text
    token = page.forms["/profile/devices/forget"]["csrf"]
    for named in (
        theirs.id,
        theirs.digest,
        cookie(owner, DEVICE),
        owner.account.id,
        "",
        "x",
        "' OR 1=1 --",
        "a\x00b",
        "x" * 4096,
    ):
        answer = thief.client.post("/profile/devices/forget", data={"csrf": token, "id": named})
        assert answer.status_code == 404, named
    for name in ("account", "account_id", "id"):
        thief.client.post("/profile/devices/others", data={"csrf": token, name: owner.account.id})
    assert devices(owner) == [theirs]
    assert len(devices(thief)) == 1
    assert not house.audit("devices.forgotten", owner.account)


def test_s08_the_list_of_devices_shows_no_identifier_that_a_browser_carries(house: House) -> None:
    person = house.customer()
    person.sign_in()
    shown = person.open("/profile/sessions").response.text
    with house.world.store.read() as tx:
        (mine,) = tx.devices.of_account(person.account.id, house.clock(), timedelta(days=1))
    assert mine.id in shown
    assert mine.digest not in shown
    assert (cookie(person, DEVICE) or "").partition(".")[0] not in shown
    # What it shows makes no other browser a known one.
    other = person.elsewhere()
    other.client.cookies.set(DEVICE, mine.id, domain="localhost.local", path="/")
    other.try_password()
    assert house.counter(person.account, device=mine.id).failures == 0


def test_s08_the_list_shows_no_identifier_that_opens_anything(house: House) -> None:
    person = house.customer()
    there = person.elsewhere()
    person.sign_in()
    there.sign_in()
    shown = person.open("/profile/sessions").response.text
    for one in sessions_of(house, person):
        assert one.id not in shown
        assert carrying(house, f"{SESSION}={one.public_id}").status == 303
    assert (cookie(there, SESSION) or "") not in shown


def test_s10_consent_is_asked_once_for_what_was_given_and_again_for_more_and_not_for_others(house: House) -> None:
    person, other = house.customer(), house.customer()
    page = person.walk(person.ask("partner", scope="openid email"), until="GiveConsent")
    assert page.step == "GiveConsent"
    assert person.fill(page, decision="allow").answer["code"]
    assert len(house.audit("consent.given", person.account)) == 1
    assert person.ask("partner", scope="openid email").answer["code"]
    assert person.ask("partner", scope="openid email profile").step == "GiveConsent"
    assert person.ask("partner", scope="openid email", prompt="consent").step == "GiveConsent"
    assert other.walk(other.ask("partner", scope="openid email"), until="GiveConsent").step == "GiveConsent"
    house.clock.move(minutes=10)
    fresh = person.elsewhere()
    assert fresh.authorize("partner", scope="openid email").answer["code"]


def test_s10_no_consent_is_asked_for_the_operators_own_portal(house: House) -> None:
    assert house.customer().authorize("portal").answer["code"]


def test_s11_an_extra_proof_wears_off_and_belongs_to_its_sign_in(house: House) -> None:
    person = house.customer()
    essential = '{"id_token":{"acr":{"essential":true,"value":"extra"}}}'
    with house.clock.stopped() as clock:
        person.sign_in()
        page = person.ask(claims=essential)
        assert page.step == "ExtraProof"
        # In another tab the proof is not there yet.
        assert person.ask("app", claims=essential).step == "ExtraProof"
        page = person.fill(page, answer=person.answer)
        assert page.answer["code"]
        assert "code" in person.ask(claims=essential).answer
        clock.move(minutes=10, seconds=1)
        assert person.ask(claims=essential).step == "ExtraProof"
        assert "code" in person.ask().answer
