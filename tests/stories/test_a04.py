"""A4: a forgotten username is mailed to the registered address; page and words are the same whether or not anyone matches."""

from typing import Any

import pytest

from idp.flows import assist
from idp.model import Factor
from tests.harness import House
from tests.people import Person
from tests.recoveries import known, masked, templates

GIVEN, FAMILY = "María José", "D'Ángelo Núñez"
SENT = "Check your mailbox"


def maria(house: House, **changes: Any) -> Person:
    return house.customer(given_name=GIVEN, family_name=FAMILY, **changes)


def reminders(house: House, person: Person) -> list[str]:
    return [context["username"] for letter, context in house.letters(person.account, "username_reminder")]


def test_a04_the_sign_in_page_leads_to_the_reminder_and_back_again(house: House) -> None:
    person = house.customer()
    page = person.ask()
    (way,) = [link for link in page.links if link.startswith("/recover?")]
    choice = person.open(way)
    assert choice.heading == "What have you forgotten?"
    (form,) = [link for link in choice.links if link.startswith("/recover/username")]
    page = person.recover("username", page=person.open(form))
    assert (page.status, page.heading) == (200, SENT)
    assert reminders(house, person) == [person.username]
    page = person.fill(page)
    assert page.heading == "Sign in"
    # What the client asked for was not forgotten on the way.
    assert person.walk(page).answer["code"]


@pytest.mark.parametrize(
    "name",
    [
        "María José D'Ángelo Núñez",
        "maria jose d'angelo nunez",
        "MARIA JOSE D'ANGELO NUNEZ",
        "D’Angelo Nuñez, Maria José",
        "  Nunez   Maria-Jose D Angelo ",
        "Mari\u0301a Jose\u0301 D'A\u0301ngelo Nun\u0303ez",
    ],
)
def test_a04_a_name_matches_whatever_its_capitals_accents_and_order(house: House, name: str) -> None:
    person = maria(house)
    stranger = house.person()
    page = stranger.follow(
        stranger.post(
            stranger.open("/recover/username"),
            {"name": name, "email": f" {person.account.email.upper()} ", "no_password": "yes"},
        )
    )
    assert page.heading == SENT
    ((letter, context),) = house.letters(person.account, "username_reminder")
    # To the address as it is on file, not as it was typed.
    assert letter.to == person.account.email
    assert context["username"] == person.username


@pytest.mark.parametrize("name", ["María José", "Maria Jose D'Angelo", "María José D'Ángelo Núñez Núñez", "Maria Rossi"])
def test_a04_half_a_name_or_another_matches_nobody(house: House, name: str) -> None:
    person = maria(house)
    assert person.elsewhere().recover("username", name=name).heading == SENT
    assert reminders(house, person) == []


def test_a04_whoever_matches_or_not_sees_the_same_bytes_and_only_a_match_brings_a_letter(house: House) -> None:
    person, other = house.customer(), house.customer()
    blocked, closed = house.customer(), house.customer()
    assist.change_state(house.world, blocked.username, assist.Act.BLOCK, "test")
    assist.change_state(house.world, closed.username, assist.Act.CLOSE, "test")
    invited, _ = house.invited()
    facts = {
        "match": {"name": "Maria Rossi", "email": person.account.email},
        "another name": {"name": "Mario Rossi", "email": person.account.email},
        "another address": {"name": "Maria Rossi", "email": "nobody@example.com"},
        "no address": {"name": "Maria Rossi", "email": "Maria Rossi"},
        "two addresses": {"name": "Maria Rossi", "email": f"{person.account.email},{other.account.email}"},
        "a header": {"name": "Maria Rossi", "email": f"{other.account.email}\r\nBcc: {person.account.email}"},
        "long": {"name": "R" * 4000, "email": "m" * 4000},
        "blocked": {"name": "Maria Rossi", "email": blocked.account.email},
        "closed": {"name": "Maria Rossi", "email": closed.account.email},
        "invited": {"name": "Maria Rossi", "email": invited.account.email},
    }
    told = {}
    for kind, typed in facts.items():
        visitor = house.person()
        told[kind] = masked(visitor.fill(visitor.open("/recover/username"), **typed, no_password="yes"))
    assert {kind for kind, page in told.items() if page != told["match"]} == set()
    assert reminders(house, person) == [person.username]
    for nobody in (other, blocked, closed, invited):
        assert reminders(house, nobody) == []


def test_a04_the_password_may_be_given_and_then_must_be_right(house: House) -> None:
    person = house.customer()
    pages = {}
    for kind, password in (("wrong", "wrong wrong wrong"), ("right", person.password)):
        visitor = person.elsewhere()
        pages[kind] = masked(visitor.recover("username", password=password, no_password=None))
        assert reminders(house, person) == ([] if kind == "wrong" else [person.username])
    assert pages["wrong"] == pages["right"]
    # Ticked, what was typed counts for nothing, right or wrong.
    visitor = person.elsewhere()
    visitor.recover("username", password="wrong wrong wrong", no_password="yes")
    assert reminders(house, person) == [person.username] * 2


def test_a04_one_of_password_and_tick_is_needed_and_what_was_typed_stays(house: House) -> None:
    person = house.customer()
    page = person.recover("username", no_password=None)
    assert page.status == 422
    assert "type your password, or tick the box" in page.text
    assert page.fields["email"]["value"] == person.account.email
    assert page.fields["name"]["value"] == "Maria Rossi"
    assert "checked" not in page.fields["no_password"]
    page = person.recover("username", name="", email=None)
    assert page.status == 422
    assert page.text.count("Please fill this in.") == 2
    assert "checked" in page.fields["no_password"]
    assert reminders(house, person) == []


def test_a04_passwords_tried_here_neither_open_nor_lock_anything_and_are_not_tried_for_ever(house: House) -> None:
    person = house.customer()
    for _ in range(6):
        person.elsewhere().recover("username", password="wrong wrong wrong", no_password=None)
    assert house.counter(person.account).failures == 0
    assert house.counter(person.account, device="reminder").locked_until is not None
    verified = house.vault.verified
    person.elsewhere().recover("username", password="wrong wrong wrong", no_password=None)
    assert house.vault.verified == verified
    assert templates(house, person).count("locked") == 0
    assert person.try_password(person.password).step == "AskPin"


def test_a04_asking_changes_nothing_about_the_account(house: House) -> None:
    person = house.customer()
    before = known(house, person)
    person.elsewhere().recover("username")
    assert known(house, person) == before
    issued = person.tokens("app")
    person.elsewhere().recover("username")
    assert person.signed_in()
    assert house.refresh(issued["refresh_token"], "app").status_code == 200


def test_a04_only_a_few_reminders_go_out_in_a_day_and_the_page_says_no_more(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        pages = [masked(person.elsewhere().recover("username")) for _ in range(7)]
        assert len(set(map(str, pages))) == 1
        assert len(reminders(house, person)) == 5
        clock.move(days=1)
        person.elsewhere().recover("username")
        assert len(reminders(house, person)) == 6


def test_a04_two_values_for_one_field_are_no_form_of_ours(house: House) -> None:
    person, other = house.customer(), house.customer()
    page = person.open("/recover/username")
    form = [*page.hidden.items(), ("name", "Maria Rossi"), ("no_password", "yes")]
    form += [("email", person.account.email), ("email", other.account.email)]
    answer = person.client.post(page.action, data=_pairs(form))
    assert answer.status_code == 400
    assert reminders(house, person) == reminders(house, other) == []


def _pairs(form: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {name: [value for key, value in form if key == name] for name, _ in form}


def test_a04_a_form_from_elsewhere_is_shown_again_and_sends_nothing(house: House) -> None:
    person = house.customer()
    page = person.open("/recover/username")
    for fields in ({"csrf": None}, {"csrf": "x"}):
        answer = person.follow(person.post(page, {**person.named(page), **fields}))
        assert (answer.status, answer.heading) == (403, "Forgotten your username?")
    forged = person.post(page, person.named(page), headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403
    assert reminders(house, person) == []


def test_a04_what_policy_does_not_offer_is_no_page(house: House) -> None:
    person = house.person()
    for lost in ("pin", "cancel", "answer", "username_and_password", "USERNAME", "x" * 300):
        assert person.open(f"/recover/{lost}").status == 404
    page = person.open("/recover/username")
    assert person.post(page, {}, to="/recover/username_and_password").status_code == 404


def test_a04_the_pages_speak_the_language_that_the_client_asked_for(house: House) -> None:
    person = house.customer()
    page = person.ask(ui_locales="it")
    (way,) = [link for link in page.links if link.startswith("/recover?")]
    (form,) = [link for link in person.open(way).links if link.startswith("/recover/username")]
    page = person.open(form)
    assert page.heading == "Ha dimenticato il nome utente?"
    assert person.recover("username", page=page).heading == "Controlli la Sua posta"


def test_a04_recoveries_are_throttled_by_source(house: House) -> None:
    visitor = house.person()
    page = visitor.open("/recover/username")
    fields = {"name": "Maria Rossi", "email": "nobody@example.com", "no_password": "yes"}
    statuses = [visitor.post(page, fields).status_code for _ in range(24)]
    assert statuses[:10] == [303] * 10
    assert statuses[-1] == 429


def test_a04_a_suspended_person_is_reminded_too(house: House) -> None:
    person = house.customer(secrets=(Factor.PASSWORD, Factor.PIN, Factor.ANSWER))
    house.leave(days=120)
    person.elsewhere().recover("username")
    assert reminders(house, person) == [person.username]
