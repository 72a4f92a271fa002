"""Attacks on "this wasn't me": the link guessed, used again, raced, forged; and what a stranger half-way in still gets."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import bindparam, delete

from idp.flows import alarm as alarms
from idp.flows import keeping
from idp.model import AccountState, Credential, Factor, Passkey
from idp.store.statements import Statement
from idp.store.tables import accounts
from tests.alarms import STRANGER, code_of, letters_to, move, reset
from tests.harness import House, together
from tests.people import ANSWER, Page, Person

OTHERS = "a stranger's long password"
NOBODYS = "0000-1111-2222-3333-4444-5555-6666-7777"


@pytest.fixture
def thief(house: House) -> str:
    """An address that is nobody else's."""
    return f"{house.name('thief')}@example.net"


def press(house: House, code: str, reader: Person | None = None) -> Page:
    """Send the form of the page, whatever the code: someone with a page that worked may send another code."""
    reader = reader or house.person()
    csrf = reader.open("/recover/password").hidden["csrf"]
    return reader.follow(reader.client.post("/not-me", data={"csrf": csrf, "code": code}))


def frozen(house: House, owner: Person) -> int:
    return len(house.audit("account.frozen", owner.account))


def test_r16_unknown_used_and_expired_links_are_one_page(house: House, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    unknown = [house.person().open(f"/not-me?code={wrong}") for wrong in (NOBODYS, code[:-1], "", "%00", "x" * 9000)]
    unknown.append(house.person().open("/not-me"))
    unknown += [press(house, wrong) for wrong in (NOBODYS, code[:-1])]
    assert press(house, code).status == 200
    unknown += [house.person().open(f"/not-me?code={code}"), press(house, code)]
    late = move(house, owner.username, "later@example.net")
    house.clock.move(hours=72)
    unknown += [house.person().open(f"/not-me?code={late}"), press(house, late)]
    assert {page.status for page in unknown} == {404}
    assert {page.heading for page in unknown} == {"This link does not work any more"}
    assert len({page.text for page in unknown}) == 1
    # What is said helps all the same.
    assert {"/recover/password"} <= set(unknown[0].links)
    assert frozen(house, owner) == 1


def test_r16_a_link_ends_at_its_second(house: House, thief: str) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        code = move(house, owner.username, thief)
        clock.move(hours=72, seconds=-1)
        assert house.person().open(f"/not-me?code={code}").status == 200
        clock.move(seconds=1)
        assert house.person().open(f"/not-me?code={code}").status == 404
        assert press(house, code).status == 404
    assert owner.account.email == thief


def test_r16_capitals_and_spaces_make_no_difference(house: House, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    assert press(house, f"  {code.lower()} ").status == 200
    assert frozen(house, owner) == 1


def test_r16_a_code_of_another_kind_opens_nothing(house: House) -> None:
    _, invitation = house.invited()
    assert house.person().open(f"/not-me?code={invitation}").status == 404
    assert press(house, invitation).status == 404


def test_r16_a_link_freezes_its_own_account_only(house: House, thief: str) -> None:
    owner, other = house.customer(), house.customer()
    reset(house, owner.username, OTHERS)
    press(house, move(house, other.username, thief))
    assert (frozen(house, owner), frozen(house, other)) == (0, 1)
    assert owner.elsewhere(password=OTHERS).sign_in().status == 200


def test_r16_fifty_at_once_freeze_once(house: House, thief: str) -> None:
    owner = house.customer()
    address = owner.account.email
    code = move(house, owner.username, thief)
    people = [house.person() for _ in range(50)]
    pages = [person.open(f"/not-me?code={code}") for person in people]
    answers = together((lambda person=person, page=page: person.post(page)) for person, page in zip(people, pages, strict=True))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 49
    assert frozen(house, owner) == 1
    assert len(letters_to(house, address, "frozen")) == len(letters_to(house, thief, "frozen")) == 1
    assert owner.account.email == address


def test_r16_two_links_at_once_end_with_the_address_before_both(house: House) -> None:
    for _ in range(5):
        owner = house.customer()
        address = owner.account.email
        codes = [move(house, owner.username, "b@example.net"), move(house, owner.username, "c@example.net")]
        people = [house.person(), house.person()]
        pages = [person.open(f"/not-me?code={code}") for person, code in zip(people, codes, strict=True)]
        answers = together(
            (lambda person=person, page=page: person.post(page)) for person, page in zip(people, pages, strict=True)
        )
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert owner.account.email == address


def test_r17_mail_scanners_consume_nothing(house: House, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    scanner = house.person(headers={"User-Agent": "LinkScanner/1.0", "Purpose": "prefetch"})
    assert scanner.get(f"/not-me?code={code}").status_code == 200
    assert scanner.client.head(f"/not-me?code={code}").status_code == 200
    # One that even presses buttons, but keeps no cookie.
    page = scanner.open(f"/not-me?code={code}")
    scanner.client.cookies.clear()
    assert scanner.post(page).status_code == 403
    for method in ("PUT", "DELETE", "PATCH"):
        assert scanner.client.request(method, f"/not-me?code={code}").status_code == 405
    assert frozen(house, owner) == 0
    assert house.person().open(f"/not-me?code={code}").status == 200


@pytest.mark.parametrize("forged", ["none", "theirs", "origin", "null", "site", "twice"])
def test_s05_the_button_cannot_be_pressed_from_elsewhere(house: House, forged: str, thief: str) -> None:
    owner = house.customer()
    reader = house.person()
    page = reader.open(f"/not-me?code={move(house, owner.username, thief)}")
    fields: dict[str, str | None] = {}
    headers: dict[str, str] = {}
    match forged:
        case "none":
            fields = {"csrf": None}
        case "theirs":
            fields = {"csrf": house.person().open("/sign-in").hidden["csrf"]}
        case "origin":
            headers = {"Origin": "https://evil.example"}
        case "null":
            headers = {"Origin": "null"}
        case "site":
            headers = {"Sec-Fetch-Site": "cross-site"}
        case "twice":
            body = f"csrf={page.hidden['csrf']}&csrf={page.hidden['csrf']}&code={page.hidden['code']}"
            answer = reader.client.post("/not-me", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
            assert answer.status_code == 403
    if forged != "twice":
        answer = reader.post(page, fields, headers=headers)
        assert answer.status_code == 403
        assert Page(answer).heading == page.heading
    assert frozen(house, owner) == 0


def test_r14_two_codes_in_one_form_are_none(house: House, thief: str) -> None:
    owner = house.customer()
    reader = house.person()
    page = reader.open(f"/not-me?code={move(house, owner.username, thief)}")
    body = f"csrf={page.hidden['csrf']}&code={page.hidden['code']}&code={NOBODYS}"
    answer = reader.client.post("/not-me", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400
    assert frozen(house, owner) == 0


def test_r13_the_letter_s_link_is_of_this_house_whatever_host_was_asked(house: House, thief: str) -> None:
    owner = house.customer()
    address = owner.account.email
    reader = house.person()
    page = reader.open(f"/not-me?code={move(house, owner.username, thief)}")
    hosts = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Prefix": "/evil"}
    answer = reader.post(page, headers={"Host": "evil.example", **hosts})
    assert "evil" not in answer.text
    told = letters_to(house, address, "frozen") + letters_to(house, thief, "frozen")
    assert {letter["link"] for letter in told} <= {f"{house.url}/recover"}


def test_s13_a_hostile_code_is_shown_nowhere(house: House) -> None:
    reader = house.person()
    hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    assert "<script>alert" not in reader.get(f"/not-me?code={hostile}").text
    csrf = reader.open("/recover/password").hidden["csrf"]
    answer = reader.client.post("/not-me", data={"csrf": csrf, "code": '"><script>alert(1)</script>\r\nBcc: x@y'})
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text


def test_r16_guessing_is_throttled_and_keeps_no_owner_out(house: House, thief: str) -> None:
    owner, guesser = house.customer(), house.person()
    code = move(house, owner.username, thief)
    answers = [press(house, NOBODYS, guesser) for _ in range(12)]
    assert [page.status for page in answers] == [404] * 10 + [429] * 2
    assert answers[-1].response.headers["Retry-After"] == "60"
    assert press(house, code).status == 200


@pytest.mark.parametrize("gone", ["closed", "purged"])
def test_r32_an_account_that_is_no_more_is_not_frozen(house: House, gone: str, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    account = owner.account
    with house.world.store.begin() as tx:
        if gone == "closed":
            tx.accounts.set_state(account.id, AccountState.CLOSED, house.clock())
        else:
            tx.link.run(Statement(delete(accounts).where(accounts.c.id == bindparam("one"))), {"one": account.id})
    assert house.person().open(f"/not-me?code={code}").status == 404
    assert press(house, code).status == 404
    assert house.audit("account.frozen", account) == []
    assert letters_to(house, thief, "frozen") == []


# A stranger half-way in


def test_a_stranger_at_the_pin_page_goes_no_further(house: House) -> None:
    owner = house.customer()
    code = reset(house, owner.username, OTHERS)
    stranger = owner.elsewhere(password=OTHERS)
    page = stranger.sign_in(until="AskPin")
    press(house, code)
    assert stranger.fill(page, pin=owner.pin).step == "AskUsernameAndPassword"
    assert not stranger.signed_in()


def test_a_stranger_with_a_finished_sign_in_to_redeem_gets_nothing(house: House) -> None:
    owner = house.customer()
    code = reset(house, owner.username, OTHERS)
    stranger = owner.elsewhere(password=OTHERS)
    page = stranger.authorize()
    press(house, code)
    assert stranger.redeem(page).json()["error"] == "invalid_grant"
    assert stranger.ask(prompt="none").answer["error"] == "login_required"


def _temporary(house: House, visitor: Person, address: str) -> Page:
    page = visitor.fill(visitor.open("/recover/password"), username=visitor.username, email=address)
    visitor.fill(page, answer=ANSWER)
    password = letters_to(house, address, "temporary_password")[-1]["password"]
    return visitor.fill(visitor.open("/sign-in"), username=visitor.username, password=password)


@pytest.mark.parametrize("used", ["before", "half-way"])
def test_a_temporary_password_of_before_is_dead(house: House, used: str, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    stranger = owner.elsewhere(password=OTHERS)
    page = _temporary(house, stranger, thief)
    assert page.step == "ReplacePassword"
    if used == "before":
        fresh = stranger.elsewhere()
        page = fresh.fill(fresh.open("/recover/password"), username=owner.username, email=thief)
        fresh.fill(page, answer=ANSWER)
        password = letters_to(house, thief, "temporary_password")[-1]["password"]
        press(house, code)
        assert fresh.fill(fresh.open("/sign-in"), username=owner.username, password=password).status == 401
    else:
        press(house, code)
        stranger.fill(page, password=OTHERS, password_again=OTHERS)
    assert not stranger.signed_in()
    assert house.counter(owner.account).disabled_at is not None
    assert house.audit("credential.set", owner.account) == []


def test_right_passwords_under_way_do_not_open_what_is_frozen_meanwhile(house: House) -> None:
    owner = house.customer()
    for round_ in range(5):
        code = reset(house, owner.username, f"{OTHERS} {round_}")
        people = [owner.elsewhere(password=f"{OTHERS} {round_}") for _ in range(6)]
        pages = [person.open("/sign-in") for person in people]
        calls: list[Callable[[], object]] = [
            (lambda person=person, page=page: person.post(page, {"username": person.username, "password": person.password}))
            for person, page in zip(people, pages, strict=True)
        ]
        together([*calls, lambda code=code: alarms.freeze(house.world, code, STRANGER)])
        assert house.counter(owner.account).disabled_at is not None
        for person in people:
            person.walk(person.open("/sign-in"))
            assert not person.signed_in()


def test_a_stranger_s_second_factor_and_passkey_open_nothing(house: House, thief: str) -> None:
    owner = house.customer()
    old = Passkey(house.vault.token(), owner.account.id, "key", 0, "mine", house.clock() - timedelta(days=1))
    code = move(house, owner.username, thief)
    theirs = Passkey(house.vault.token(), owner.account.id, "key", 0, "theirs", house.clock())
    with house.world.store.begin() as tx:
        assert tx.passkeys.add(old)
        assert tx.passkeys.add(theirs)
        tx.accounts.set_credential(owner.account.id, Credential(Factor.TOTP, "sealed", house.clock()))
    press(house, code)
    with house.world.store.read() as tx:
        assert [passkey.name for passkey in tx.passkeys.of(owner.account.id)] == ["mine"]
    assert house.counter(owner.account, Factor.PASSKEY).disabled_at is not None
    # It is not taken away: a mailbox alone is no way round a second factor.
    assert house.counter(owner.account, Factor.TOTP).disabled_at is not None
    assert owner.account.credential(Factor.TOTP) is not None
    with house.world.store.begin() as tx:
        keeping.reopen(house.world, tx, owner.account, Factor.PASSWORD)
    assert house.counter(owner.account, Factor.PASSKEY).disabled_at is None
    assert house.counter(owner.account, Factor.TOTP).disabled_at is not None


def test_who_had_a_passkey_before_is_still_asked_for_one(house: House, thief: str) -> None:
    """All of them replaced since, by whomever: the reader of a mailbox is not rid of the second factor by this."""
    owner = house.customer()
    before = house.clock() - timedelta(days=9)
    code = move(house, owner.username, thief)
    with house.world.store.begin() as tx:
        tx.accounts.set_credential(owner.account.id, Credential(Factor.PASSKEY, "", before))
        assert tx.passkeys.add(Passkey(house.vault.token(), owner.account.id, "key", 0, "new phone", house.clock()))
    press(house, code)
    with house.world.store.read() as tx:
        assert tx.passkeys.of(owner.account.id) == []
    assert owner.account.credential(Factor.PASSKEY) is not None


def test_x08_the_code_is_in_no_audit_row(house: House, thief: str) -> None:
    owner = house.customer()
    code = move(house, owner.username, thief)
    press(house, code)
    press(house, code)
    assert code_of(letters_to(house, thief, "changed")[-1]) == code
    assert code not in str(house.audit())
