"""C2: "remember me": a persistent cookie only when ticked, taken back when unticked; it fills the name in and skips nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import Factor
from idp.policies.judgement import contradictions
from idp.policies.policy import Policy
from tests import returning
from tests.harness import House
from tests.people import PASSWORD, Page, Person
from tests.returning import back, carried, close_browser, drop, put, sign_in, value
from tests.stories.test_a07 import NEW_PASSWORD, changed
from tests.stories.test_t01 import claims_of


def filled_in(page: Page) -> str:
    return page.fields["username"].get("value") or ""


def ticked(page: Page) -> bool:
    return "checked" in page.fields["remember"]


def given(page: Page) -> list[str]:
    """What the answers on the way to a page said of the cookie."""
    said = [line for one in (*page.trail, page.response) for line in one.headers.get_list("Set-Cookie")]
    return [line for line in said if line.startswith("idp_remember=")]


def test_c02_a_ticked_box_gives_a_cookie_that_outlives_the_browser_and_fills_the_name_in(consumer: House) -> None:
    person = consumer.customer()
    page = person.open("/sign-in")
    assert not ticked(page)
    assert filled_in(page) == ""
    (said,) = given(sign_in(person, tick=True, page=page))
    assert f"Max-Age={180 * 24 * 3600}" in said
    assert "HttpOnly" in said
    assert "SameSite=Lax" in said
    page = back(person)
    assert filled_in(page) == person.username
    assert "readonly" not in page.fields["username"]
    assert ticked(page)
    page = person.fill(page, username=person.username, password="wrong wrong wrong", remember="yes")
    assert page.status == 401
    assert ticked(page)
    page = person.fill(page, username=person.username, password=person.password, remember="yes")
    person.walk(page)
    assert person.signed_in()


def test_c02_a_box_left_empty_gives_no_cookie(consumer: House) -> None:
    person = consumer.customer()
    assert given(sign_in(person)) == []
    assert carried(person, "remember") is None
    page = back(person)
    assert filled_in(page) == ""
    assert not ticked(page)


def test_c02_unticking_takes_it_back_and_the_old_cookie_says_nothing(consumer: House) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    old = value(person, "remember")
    page = back(person)
    assert ticked(page)
    (said,) = given(sign_in(person, page=page))
    assert "Max-Age=0" in said
    assert carried(person, "remember") is None
    assert filled_in(back(person)) == ""
    put(person, "remember", old)
    page = person.open("/sign-in")
    assert filled_in(page) == ""
    assert not ticked(page)


def test_c02_the_cookie_is_new_after_each_sign_in_and_holds_nothing_of_the_person(consumer: House) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    first = value(person, "remember")
    sign_in(person, tick=True, page=back(person))
    second = value(person, "remember")
    assert first != second
    account = person.account
    assert not any(said in second for said in (account.username, account.id, "Maria", "Rossi", "example"))
    put(person, "remember", first)
    assert filled_in(back_with(person)) == ""
    put(person, "remember", second)
    assert filled_in(back_with(person)) == person.username


def back_with(person: Person) -> Page:
    """The sign-in page as the browser stands, without its session."""
    drop(person, "session")
    return person.open("/sign-in")


def test_c02_a_wrong_password_neither_gives_nor_takes_the_cookie(consumer: House) -> None:
    person = consumer.customer()
    page = person.fill(person.open("/sign-in"), username=person.username, password="wrong wrong wrong", remember="yes")
    assert page.status == 401
    assert given(page) == []
    assert ticked(page), "what was ticked is kept after a fault"
    sign_in(person, tick=True, page=page)
    page = back(person)
    failed = person.fill(page, username=person.username, password="wrong wrong wrong")
    assert given(failed) == []
    assert not ticked(failed)
    assert filled_in(person.open("/sign-in")) == person.username


def test_c02_nothing_is_skipped_the_step_up_least_of_all(consumer: House) -> None:
    person = consumer.customer()
    plain = claims_of(person.tokens()["id_token"])
    sign_in(person, tick=True, page=back(person))
    close_browser(person)
    asked = person.ask(acr_values="extra")
    assert filled_in(asked) == person.username
    steps, page = [], asked
    for _ in range(2):
        steps.append(page.step)
        page = person.fill(page, **(person.given(page) or {}))
    assert steps == ["AskUsernameAndPassword", "ExtraProof"]
    assert "code" in page.answer
    assert person.ask(prompt="login").step == "AskUsernameAndPassword"
    assert person.ask(max_age="0").step == "AskUsernameAndPassword"
    close_browser(person)
    assert person.ask(prompt="none").answer["error"] == "login_required"
    again = claims_of(person.tokens()["id_token"])
    assert (again["acr"], again["amr"]) == (plain["acr"], plain["amr"])
    assert again["acr"] == "pwd"


def test_c02_a_second_factor_is_asked_on_a_remembered_device_as_ever(consumer: House) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    now = consumer.clock()
    held = replace(person.account.credentials[0], factor=Factor.TOTP, set_at=now)
    with consumer.world.store.begin() as tx:
        tx.accounts.set_credential(person.account.id, held, keep_history=0)
    page = back(person)
    assert filled_in(page) == person.username
    assert person.walk(page).step == "AskSecondFactor"
    assert not person.signed_in()


def test_c02_a_stolen_cookie_alone_says_nothing_and_with_its_device_the_name_alone(consumer: House) -> None:
    owner = consumer.customer()
    sign_in(owner, tick=True)
    thief = owner.elsewhere(password="not the password", pin="000000")
    put(thief, "remember", value(owner, "remember"))
    assert filled_in(thief.open("/sign-in")) == ""
    other = consumer.customer()
    sign_in(other, tick=True)
    close_browser(other)
    put(other, "remember", value(owner, "remember"))
    assert filled_in(other.open("/sign-in")) == "", "another device"
    put(thief, "device", value(owner, "device"))
    page = thief.open("/sign-in")
    assert filled_in(page) == owner.username
    assert thief.fill(page, username=owner.username, password=thief.password, remember="yes").status == 401
    assert not thief.signed_in()


@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "A" * 43 + "." + "0" * 32, ".", "é", "a" * 5000, "acc_1.mark"])
def test_c02_a_made_up_cookie_says_nothing_and_opens_the_page_all_the_same(consumer: House, forged: str) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    close_browser(person)
    drop(person, "remember")
    transaction = person.open("/sign-in").path
    header = "; ".join(f"{one.name}={one.value}" for one in person.client.cookies.jar)
    page = person.open(transaction, headers={"Cookie": f"{header}; idp_remember={forged}".encode()})
    assert page.status == 200
    assert filled_in(page) == ""


def test_c02_the_device_s_own_cookie_is_not_taken_for_it_nor_two_of_the_name(consumer: House) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    mine = value(person, "remember")
    put(person, "remember", value(person, "device"))
    assert filled_in(back_with(person)) == ""
    put(person, "remember", mine)
    transaction = back_with(person).path
    assert filled_in(person.open(transaction)) == person.username
    header = "; ".join(f"{one.name}={one.value}" for one in person.client.cookies.jar)
    page = person.open(transaction, headers={"Cookie": f"{header}; idp_remember={mine}"})
    assert page.status == 200
    assert filled_in(page) == ""


@pytest.mark.parametrize("end", returning.ENDS)
def test_c02_who_is_shut_or_has_forgotten_their_devices_is_not_filled_in(consumer: House, end: str) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    assert filled_in(back(person)) == person.username
    returning.ENDS[end](consumer, person)
    page = person.open("/sign-in")
    assert filled_in(page) == ""
    assert not ticked(page)


def test_c02_after_a_change_here_the_device_remembers_and_others_forget(consumer: House) -> None:
    person = consumer.customer()
    other = person.elsewhere()
    sign_in(person, tick=True)
    sign_in(other, tick=True)
    person.password = f"{NEW_PASSWORD} 7"
    changed(person, "password", current=PASSWORD, password=person.password, password_again=person.password)
    assert filled_in(back(person)) == person.username
    assert filled_in(back(other)) == ""


def test_c02_suspended_access_is_filled_in_and_wakes_by_the_answer_alone(new_house: Callable[..., House]) -> None:
    """Where access sleeps sooner than a device is forgotten."""

    def sooner(law: Policy) -> Policy:
        return replace(law, inactivity=replace(law.inactivity, suspend_after=timedelta(days=120)))

    house = new_house(environ={"IDP_PROFILE": "consumer"}, policy=sooner)
    person = house.customer()
    sign_in(person, tick=True)
    house.leave(days=121)
    page = back(person)
    assert filled_in(page) == person.username
    page = person.walk(page, until="Reactivate")
    assert page.step == "Reactivate"
    person.walk(page)
    assert person.signed_in()


def test_c02_on_a_shared_device_the_next_to_sign_in_decides(consumer: House) -> None:
    one, two = consumer.customer(), consumer.customer()
    sign_in(one, tick=True)
    close_browser(one)
    two.client = one.client
    page = two.open("/sign-in")
    assert filled_in(page) == one.username
    sign_in(two, page=page)
    assert filled_in(back(two)) == "", "left empty by the second, whose sign-in it was"
    sign_in(two, tick=True)
    page = back(two)
    assert filled_in(page) == two.username
    sign_in(one, tick=True, page=page)
    assert filled_in(back(one)) == one.username


def test_c02_a_name_that_the_client_gives_goes_before_and_is_not_ticked(consumer: House) -> None:
    one, two = consumer.customer(), consumer.customer()
    sign_in(one, tick=True)
    close_browser(one)
    page = one.ask(login_hint=two.username)
    assert filled_in(page) == two.username
    assert not ticked(page)
    page = one.ask(login_hint=one.username.upper())
    assert filled_in(page) == one.username.upper()
    assert ticked(page)


def test_c02_who_signs_in_anew_keeps_the_tick(consumer: House) -> None:
    person = consumer.customer()
    sign_in(person, tick=True)
    page = person.ask(prompt="login")
    assert filled_in(page) == person.username
    assert ticked(page)


def test_c02_a_field_of_the_form_sent_twice_is_no_form_of_ours(consumer: House) -> None:
    person = consumer.customer()
    page = person.open("/sign-in")
    fields = {**page.hidden, "username": person.username, "password": person.password, "remember": ["yes", "yes"]}
    assert person.client.post(page.action, data=fields).status_code == 400
    assert not person.signed_in()


def test_c02_where_policy_is_off_there_is_no_box_and_no_cookie(house: House) -> None:
    person = house.customer()
    page = person.open("/sign-in")
    assert "remember" not in page.fields
    assert given(sign_in(person, tick=True, page=page)) == []
    assert filled_in(back(person)) == ""
    put(person, "remember", "A" * 43)
    page = person.open("/sign-in")
    assert filled_in(page) == ""
    (said,) = given(sign_in(person, page=page))
    assert "Max-Age=0" in said


def test_c02_the_cookies_of_another_house_say_nothing(consumer: House, new_house: Callable[..., House]) -> None:
    other = new_house(environ={"IDP_PROFILE": "consumer"})
    person = consumer.customer()
    sign_in(person, tick=True)
    stranger = Person(other, username=person.username)
    put(stranger, "device", value(person, "device"))
    put(stranger, "remember", value(person, "remember"))
    assert filled_in(stranger.open("/sign-in")) == ""


def test_c02_a_device_forgotten_in_my_profile_fills_nothing_in(consumer: House) -> None:
    here = consumer.customer()
    there = here.elsewhere()
    sign_in(there, tick=True)
    sign_in(here, tick=True)
    page = here.open("/profile/sessions")
    assert page.text.count("Your username is filled in here.") == 2
    here.press(page, "/profile/devices/others")
    assert filled_in(back(there)) == ""
    assert filled_in(back(here)) == here.username
    sign_in(here, tick=True)
    page = here.open("/profile/sessions")
    here.press(page, "/profile/devices/forget", id=page.forms["/profile/devices/forget"]["id"])
    page = back(here)
    assert filled_in(page) == ""
    assert not ticked(page)


def test_c02_a_device_that_skips_the_password_is_refused_with_the_reason() -> None:
    rules = replace(Policy().session, remember_me="password_on_known_device")
    (said,) = contradictions(replace(Policy(), session=rules))
    assert said.key == "session.remember_me"
    assert "is not offered" in said.what
    assert "username" in said.remedy
