"""B2: "Update your profile": the person sees and edits their details and contact preferences directly."""

import html
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import Account, Capacity, Role
from tests.harness import House
from tests.people import Page, Person

SELF = {"IDP_PROFILE": "open-registration"}


def signed_in(house: House, **facts: object) -> Person:
    person = house.customer(**facts)
    person.sign_in()
    assert person.signed_in()
    return person


def save(person: Person, **fields: str) -> Page:
    page = person.open("/profile/details")
    shown = {"locale": person.account.locale, "zone": person.account.zone}
    if "given_name" in page.fields:
        shown |= {name: page.fields[name].get("value") or "" for name in ("given_name", "family_name")}
    return person.fill(page, **{**shown, **fields})


def details(account: Account) -> tuple[str, str, str, str]:
    return account.given_name, account.family_name, account.locale, account.zone


def test_b02_name_language_and_time_zone_are_seen_and_changed_without_a_password(house: House) -> None:
    person = signed_in(house)
    assert "/profile/details" in person.open("/profile").links
    page = save(person, given_name="  Maria   Grazia ", family_name="De’ Rossi", locale="it", zone="Europe/Rome")
    assert page.path == "/profile?done=details"
    assert "Your details are saved." in page.text
    assert "Maria Grazia De’ Rossi" in page.text
    assert details(person.account) == ("Maria Grazia", "De’ Rossi", "it", "Europe/Rome")
    (entry,) = house.audit("details.set", person.account)
    assert sorted(entry.facts["fields"]) == ["family_name", "given_name", "locale", "zone"]
    assert "Grazia" not in str(entry)
    assert house.letters(person.account) == []


def test_b02_letters_follow_language_and_time_zone(house: House) -> None:
    person = signed_in(house)
    save(person, locale="it", zone="Europe/Rome")
    form = person.open("/profile/email")
    person.fill(form, current=person.password, email="new@example.com")
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock(), timedelta(0), 100_000)
    ((letter, body),) = [one for one in waiting if one[0].account_id == person.account.id]
    assert (letter.locale, house.vault.open_json(body)["zone"]) == ("it", "Europe/Rome")


def test_b02_the_same_again_changes_and_records_nothing(house: House) -> None:
    person = signed_in(house)
    assert save(person).path == "/profile?done=details"
    assert house.audit("details.set", person.account) == []


def test_b02_the_next_token_tells_the_new_name(house: House) -> None:
    person = signed_in(house)
    save(person, given_name="Marianna")
    token = person.tokens(resource=None, scope="openid profile email")["access_token"]
    assert house.userinfo(token).json()["given_name"] == "Marianna"


@pytest.mark.parametrize("known_by", ["account number", "customer code"])
def test_b02_names_of_the_operators_records_are_shown_and_stay(house: House, known_by: str) -> None:
    sealed, customer = (house.vault.seal(b"100200300"), "") if known_by == "account number" else (b"", "digest of a code")
    person = signed_in(house, capacities=(Capacity("c1", Role.CONSUMER, "", sealed, customer),))
    page = person.open("/profile/details")
    assert "Maria Rossi" in page.text
    assert "customer records" in page.text
    assert not {"given_name", "family_name"} & page.fields.keys()
    person.fill(page, given_name="Mario", family_name="Bianchi", locale="it", zone="UTC")
    assert details(person.account) == ("Maria", "Rossi", "it", "UTC")


def test_b02_a_capacity_without_a_customer_leaves_the_name_free(house: House) -> None:
    person = signed_in(house, capacities=(Capacity("c1", Role.CONSUMER),))
    save(person, given_name="Mario")
    assert person.account.given_name == "Mario"


BAD = {
    "none": ({"given_name": " \t "}, "given_name"),
    "10 kB": ({"family_name": "x" * 10_000}, "family_name"),
    "101 characters": ({"given_name": "x" * 101}, "given_name"),
    "NUL": ({"given_name": "Ma\0ria"}, "given_name"),
    "turned round": ({"family_name": "\u202eissoR"}, "family_name"),
    "no language": ({"locale": "xx"}, "locale"),
    "language of 10 kB": ({"locale": "en" * 5_000}, "locale"),
    "no place": ({"zone": "Mars/Olympus"}, "zone"),
    "a file": ({"zone": "../../etc/passwd"}, "zone"),
    "all at once": ({"given_name": "", "zone": "x"}, "zone"),
}


@pytest.mark.parametrize("case", BAD)
def test_b02_what_may_not_be_is_told_at_its_field_and_changes_nothing(house: House, case: str) -> None:
    typed, at = BAD[case]
    person = signed_in(house)
    before = person.account
    page = save(person, **typed)
    assert page.status == 422
    assert f'id="{at}-errors"' in page.response.text
    assert person.account == before
    assert house.audit("details.set", before) == []


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "Ana\r\nBcc: x@y.z"]
)
def test_b02_markup_in_a_name_is_text_everywhere(house: House, name: str) -> None:
    person = signed_in(house)
    assert save(person, given_name=name).path == "/profile?done=details"
    kept = " ".join(name.split())
    assert person.account.given_name == kept
    for address in ("/", "/profile", "/profile/details"):
        page = person.open(address)
        assert "<script>alert" not in page.response.text
        assert "<img src=x" not in page.response.text
        assert html.escape(kept.partition(" ")[0], quote=False) in page.response.text.replace("&#34;", '"')


def test_b02_nobody_elses_form_and_nobody_signed_out_changes_anything(house: House) -> None:
    person, other = signed_in(house), signed_in(house)
    said = {"given_name": "Eve", "family_name": "Eve", "locale": "it", "zone": "UTC"}
    before = person.account
    theirs = other.open("/profile/details")
    for csrf in (theirs.hidden["csrf"], "", None):
        page = person.fill(person.open("/profile/details"), **said, csrf=csrf)
        assert page.status == 403
    form = person.open("/profile/details")
    assert person.post(form, said, headers={"Origin": "https://evil.example"}).status_code == 403
    person.client.cookies.clear()
    assert person.follow(person.post(form, said)).step == "AskUsernameAndPassword"
    assert replace(person.account, last_sign_in_at=before.last_sign_in_at) == before
    assert person.open("/profile/details").step == "AskUsernameAndPassword"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql+redis"])
def test_b02_who_gave_nothing_adds_name_and_address_later(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=SELF)
    person = signed_in(house, given_name="", family_name="", email="", email_confirmed_at=None)
    page = person.open("/profile")
    assert page.text.count("None") >= 2
    assert save(person).path == "/profile?done=details"
    save(person, given_name="Ada")
    assert person.account.given_name == "Ada"
    save(person, given_name="")
    assert person.account.given_name == ""
    form = person.open("/profile/email")
    assert "At present" not in form.text
    page = person.fill(form, current=person.password, email="ada@example.com")
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock(), timedelta(0), 1_000)
    ((_, body),) = [one for one in waiting if one[0].template == "confirm_address"]
    person.fill(page, code=house.vault.open_json(body)["code"])
    account = person.account
    assert (account.email, account.email_confirmed_at is not None) == ("ada@example.com", True)
