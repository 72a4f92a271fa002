"""B4: subject access: the person gets everything held about them, as one download (JSON and a readable page)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import pytest

from idp.flows.export import TOLD
from idp.model import Account, Capacity, Factor, Role
from idp.store.holdings import COUNTED, SECTIONS
from idp.store.tables import accounts, metadata, sessions, tombstones
from tests import leftovers, returning
from tests.harness import House
from tests.people import PASSWORD, Page, Person

NUMBER = "100200300"
# Whoever must not learn them reads none of them here.
SECRETS = ("hash", "digest", "sealed", "secret", "argon2", "$", "public_key", "body", "handle", "current", "previous")


def full(house: House) -> Person:
    """Somebody of whom there is something in every table."""
    person = house.customer(capacities=(Capacity("c1", Role.CONSUMER, "", house.vault.seal(NUMBER.encode())),))
    person.sign_in()
    return person


def opened(person: Person) -> Page:
    """The page, with what it asks for first."""
    page = person.walk(person.open("/profile/data"))
    assert page.status == 200, page.text
    assert page.heading == "What we hold about you", page.text
    return page


def document(person: Person) -> dict[str, Any]:
    answer = person.get("/profile/data.json")
    assert answer.status_code == 200, answer.text[:300]
    found: dict[str, Any] = answer.json()
    return found


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_b04_the_page_and_the_file_come_after_the_extra_proof_alone(house: House) -> None:
    person = full(house)
    page = person.open("/profile")
    assert "/profile/data" in page.links
    page = person.open("/profile/data")
    assert page.step == "ExtraProof"
    assert person.get("/profile/data.json").headers["Location"] == "/sign-in?to=data"
    assert house.audit("data.shown", person.account) == []
    page = person.fill(page, answer=person.answer)
    assert (page.path, page.heading) == ("/profile/data", "What we hold about you")
    for said in (person.username, "Maria Rossi", person.account.email, NUMBER):
        assert said in page.text
    assert "/profile/data.json" in page.links


def test_b04_the_file_is_json_to_be_kept_and_nobody_else_keeps_it(house: House) -> None:
    person = full(house)
    opened(person)
    answer = person.get("/profile/data.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    found = answer.json()
    assert (found["issuer"], found["subject"], found["format"]) == (house.url, person.account.id, 1)
    assert datetime.fromisoformat(found["generated_at"]) <= house.clock()
    assert found["account"]["username"] == person.username
    assert found["account"]["entitlements"] == sorted(person.account.entitlements)
    assert found["capacities"][0]["account_number"] == NUMBER
    assert [one["factor"] for one in found["credentials"]] == ["pin", "password", "answer"]
    assert found["credentials"][2]["question"] == person.question
    assert {"sign_in", "attempt", "data.shown"} <= {one["event"] for one in found["log"]}
    assert len(found["sessions"]) == len(found["devices"]) == 1


def test_b04_every_time_is_written_down_and_the_owner_told_once_for_a_proof(house: House) -> None:
    person = full(house)
    opened(person)
    document(person)
    opened(person)
    assert [one.facts["form"] for one in house.audit("data.shown", person.account)] == ["page", "file", "page"]
    assert len(house.letters(person.account, "exported")) == 1
    house.clock.move(minutes=11)
    opened(person)
    assert len(house.letters(person.account, "exported")) == 2


def test_b04_an_old_proof_opens_nothing_and_only_it_is_asked_for_again(house: House) -> None:
    person = full(house)
    opened(person)
    house.clock.move(minutes=10, seconds=1)
    assert person.get("/profile/data").headers["Location"] == "/sign-in?to=data"
    assert person.get("/profile/data.json").headers["Location"] == "/sign-in?to=data"
    assert person.open("/profile/data").step == "ExtraProof"
    opened(person)


def test_b04_who_is_signed_out_signs_in_and_gives_the_proof(house: House) -> None:
    person = house.customer()
    page = person.open("/profile/data")
    assert page.step == "AskUsernameAndPassword"
    steps = []
    while page.step:
        steps.append(page.step)
        page = person.fill(page, **(person.given(page) or {}))
    assert steps == ["AskUsernameAndPassword", "AskPin", "ExtraProof"]
    assert page.path == "/profile/data"


def test_b04_who_has_no_extra_proof_shows_the_password_anew(new_house: Callable[..., House]) -> None:
    house = new_house(environ={"IDP_PROFILE": "open-registration"})
    person = house.customer(email="", email_confirmed_at=None, secrets=(Factor.PASSWORD,))
    person.sign_in()
    assert opened(person).path == "/profile/data"
    house.clock.move(minutes=11)
    page = person.open("/profile/data")
    assert page.step == "AskUsernameAndPassword"
    assert page.fields["username"].get("value") == person.username
    assert person.walk(page).path == "/profile/data"


def test_b04_a_closed_proof_is_a_page_and_no_circle(house: House) -> None:
    person = full(house)
    page = person.open("/profile/data")
    for _ in range(5):
        page = person.fill(page, answer="wrong")
    assert page.step is None or page.status == 403
    page = person.open("/profile/data")
    assert (page.status, len(page.trail)) == (403, 2)
    assert house.audit("data.shown", person.account) == []


def test_b04_nobody_gets_anothers(house: House) -> None:
    person, other = full(house), full(house)
    opened(person)
    opened(other)
    for held in (person, other):
        text = held.get("/profile/data.json").text + opened(held).response.text
        strange = other if held is person else person
        for said in (strange.username, strange.account.id, strange.account.email):
            assert said not in text
    assert other.get(f"/profile/data.json?subject={person.account.id}").json()["subject"] == other.account.id


def test_b04_the_session_of_another_browser_and_a_made_up_one_open_nothing(house: House) -> None:
    person = full(house)
    opened(person)
    elsewhere = person.elsewhere()
    assert elsewhere.open("/profile/data").step == "AskUsernameAndPassword"
    elsewhere.sign_in()
    assert elsewhere.open("/profile/data").step == "ExtraProof"
    for forged in ("A" * 43, "x", ""):
        returning.put(elsewhere, "session", forged)
        assert elsewhere.get("/profile/data.json").headers["Location"] == "/sign-in?to=data"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "x" * 10_000, "a\r\nSet-Cookie: x=1", '{"a": 1}', "\u2028\ud7ff"]
)
def test_b04_hostile_text_stays_text(house: House, name: str) -> None:
    person = house.customer(given_name=name, family_name="</dd><img src=x>")
    person.sign_in()
    page = opened(person)
    assert "<script>alert" not in page.response.text
    assert "<img src=x>" not in page.response.text
    answer = person.get("/profile/data.json")
    assert answer.json()["account"]["given_name"] == name
    assert "Set-Cookie" not in answer.headers


def test_b04_long_lists_come_whole_and_the_page_stays_short(house: House) -> None:
    person = full(house)
    with house.world.store.begin() as tx:
        for number in range(1_203):
            house.world.record(tx, house.clock() + timedelta(microseconds=number), "many", str(number), account=person.account)
    page = opened(person)
    assert page.text.count("(many:") <= 50
    assert "The newest 50" in page.text
    many = [int(one["outcome"]) for one in document(person)["log"] if one["event"] == "many"]
    assert many == list(range(1_202, -1, -1))


def test_b04_no_verifier_digest_or_secret_is_in_it(house: House) -> None:
    person = full(house)
    person.tokens()
    person.fill(person.open("/profile/email"), current=person.password, email=f"new-{person.username}@example.com")
    page = opened(person)
    answer = person.get("/profile/data.json")
    told = answer.text + page.response.text
    account = person.account
    planted = [held.hash for held in account.credentials] + [account.capacities[0].reference.hex()]
    assert not [one for one in planted if one in told]
    for secret in (PASSWORD, person.answer, person.pin, house.code(person)):
        assert secret not in told
    found = answer.json()
    assert not {name for name in keys(found) if any(mark in name for mark in SECRETS)}
    assert [one["to"] for one in found["one_time_codes"]] == [f"new-{person.username}@example.com"]
    with house.world.store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if column.key in (
                    "digest",
                    "hash",
                    "handle",
                    "current",
                    "previous",
                    "reference",
                    "body",
                    "value",
                    "sealed",
                    "public_key",
                ):
                    if table.name in ("policies", "policy_periods", "audit_seals"):
                        continue
                    kept = {row[0] for row in connection.execute(column.table.select().with_only_columns(column)) if row[0]}
                    texts = {one if isinstance(one, str) else bytes(one).hex() for one in kept}
                    assert not [one for one in texts if len(one) > 8 and one in told], (table.name, column.key)


def test_b04_every_table_that_names_an_account_is_told_or_said_not_to_be() -> None:
    told = {section.table for section in SECTIONS.values()} | set(COUNTED.values())
    # The account and its sessions have members of their own; of who is gone only the identifier is left.
    elsewhere = {accounts, sessions, tombstones}
    naming = {table for table in metadata.sorted_tables if {"account_id", "subject", "grant_id"} & set(table.columns.keys())}
    assert naming - elsewhere == told - elsewhere
    assert {table for table in metadata.sorted_tables if table.foreign_keys} <= told


def test_b04_every_column_of_such_a_table_is_told_or_said_not_to_be() -> None:
    """A column added to one of these tables must be told, or named here with what it is."""
    owners = {"account_id", "subject", "grant_id"}
    verifiers = {
        "hash",
        "digest",
        "public_key",
        "handle",
        "current",
        "previous",
        "body",
        "value",
        "code_challenge",
        "nonce",
        "jkt",
    }
    machinery = {"version", "session", "next_try_at", "leased_until", "urgent"}
    numbers = {("credential_history", "id"), ("passkeys", "id"), ("grants", "id"), ("agreements", "id"), ("audit", "id")}
    numbers |= {("issuances", "id"), ("outbox", "id"), ("signals", "id"), ("codes", "redirect_uri_given")}
    for section in SECTIONS.values():
        left = {column.key for column in section.table.columns} - {column.key for column in section.told}
        unknown = left - owners - verifiers - machinery - {name for table, name in numbers if table == section.table.name}
        assert not unknown, (section.table.name, unknown)


def test_b04_every_field_of_an_account_is_told() -> None:
    elsewhere = {"id", "credentials", "capacities", "agreed", "quiet", "entitlements"}
    assert {one.name for one in fields(Account)} == set(TOLD) | elsewhere


def test_b04_what_is_searched_for_in_the_whole_store_is_in_the_file(house: House) -> None:
    """Wherever the store says the address, the file says so too: no kind of data was forgotten."""
    person = full(house)
    mark = person.account.email
    opened(person)
    text = json.dumps(document(person))
    found = leftovers.places(house, [mark])
    assert mark in text
    assert {place for place in found if not place.startswith("redis")} <= {"accounts", "outbox"}
