"""Steps out of turn, and names that try to write elsewhere (L-26, L-28)."""

import pytest

from idp.model import Factor
from tests.harness import House


def test_l26_the_pin_page_cannot_be_passed_over(house: House) -> None:
    owner = house.customer()
    page = owner.walk(owner.ask(), until="AskPin")
    transaction = page.action.rpartition("/")[2]
    for path in ("/", f"/authorize/{transaction}", f"/sign-in/{transaction}"):
        answer = owner.open(path)
        assert answer.left is None or "code" not in answer.answer
    for step in ("Done", "GiveConsent", "Reactivate", "CreatePin", "ReplacePin", "ChooseQuestion", "", None, "x" * 300):
        fields = {"step": step, "pin": owner.pin, "decision": "allow", "answer": owner.answer, "pin_again": owner.pin}
        owner.post(page, fields | {"question": "first_school"})
        assert not owner.signed_in()
    assert house.account(owner.username).credential(Factor.PIN) == owner.account.credential(Factor.PIN)
    assert owner.fill(owner.open(f"/sign-in/{transaction}"), pin=owner.pin).answer["code"]


def test_l26_the_answer_to_a_step_that_is_past_is_taken_for_nothing(house: House) -> None:
    owner = house.customer()
    first = owner.open("/sign-in")
    second = owner.fill(first, username=owner.username, password=owner.password)
    assert second.step == "AskPin"
    # Back button: the first page again, with another password, and then the second one.
    late = owner.fill(first, username=owner.username, password="wrong wrong wrong")
    assert late.status in (200, 404)
    assert house.counter(owner.account).failures == 0
    owner.fill(second, pin=owner.pin)
    assert owner.signed_in()
    again = owner.fill(second, pin=owner.pin)
    assert again.status in (200, 404)
    assert again.heading


def test_l26_the_identifier_before_the_password_is_dead_after_it(house: House) -> None:
    owner = house.customer()
    first = owner.open("/sign-in")
    second = owner.fill(first, username=owner.username, password=owner.password)
    assert first.action != second.action
    assert owner.get(first.action).status_code == 404


def test_l26_another_browser_that_knows_the_address_gets_nothing(house: House) -> None:
    owner, thief = house.customer(), house.person()
    page = owner.sign_in(until="AskPin")
    assert thief.get(page.action).status_code == 404
    thief.open("/sign-in")
    assert thief.get(page.action).status_code == 404
    assert thief.post(page, {"pin": owner.pin}).status_code == 404
    assert not thief.signed_in()


def test_l26_a_sign_in_ends_after_ten_minutes(house: House) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        page = owner.sign_in(until="AskPin")
        clock.move(minutes=10)
        answer = owner.fill(page, pin=owner.pin)
    assert (answer.status, answer.heading) == (404, "That took too long")
    assert not owner.signed_in()


def test_l26_two_people_in_one_browser_do_not_share_proofs(house: House) -> None:
    one, other = house.customer(), house.customer()
    one.sign_in()
    assert one.signed_in()
    other.client.close()
    other.client = one.client
    house.clock.move(seconds=1)
    page = other.ask(prompt="login")
    page = other.fill(page, username=other.username, password=other.password)
    assert page.step == "AskPin"
    page = other.fill(page, pin=other.pin)
    assert "code" in page.answer
    assert other.redeem(page).json()["access_token"]
    assert "Maria" in other.open("/").heading
    with house.world.store.read() as tx:
        found = [entry for entry in tx.audit.read(limit=50) if entry.event == "grant.opened"]
    assert found[0].account_id == other.account.id


INJECTIONS = [
    "x\r\nSet-Cookie: a=b",
    "\x1b[2J\x1b[31mroot",
    "=cmd|'/c calc'!A1",
    "<script>alert(1)</script>",
    '{"event":"sign_in"}',
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_l28_a_name_cannot_write_into_headers_pages_or_the_audit(house: House, name: str) -> None:
    visitor = house.person(username=name)
    page = visitor.try_password()
    assert page.status in (401, 422)
    assert "Set-Cookie: a=b" not in str(page.response.headers)
    assert "<script>alert" not in page.response.text
    entry = house.audit("attempt")[-1]
    assert name not in repr(dict(entry.facts))
    visitor = house.person(headers={"User-Agent": "=cmd()\x01<script>" + name.replace("\r\n", " ").replace("\x1b", "")})
    visitor.username = house.name()
    visitor.try_password()
    assert house.audit("attempt")[-1].facts["agent"] == "other"
