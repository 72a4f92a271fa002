"""D8: a new email address or number counts only after its code was confirmed, and the old one is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.model import Credential, Factor, OneTimeCode, Purpose
from tests.alarms import letters_to
from tests.gateways import Gateway, open_gateway
from tests.harness import House, open_house, together
from tests.people import PASSWORD, Page, Person

NUMBER, OTHER_NUMBER = "+447400123456", "+393471234567"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def house(customer_code: House) -> House:
    """The profile that these stories are of."""
    return customer_code


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with open_gateway() as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def with_sms(request: pytest.FixtureRequest, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with a gateway for text messages."""
    folder: Path = tmp_path_factory.mktemp("sms")
    with open_house(request.param, folder, environ={**gateway.environ, "IDP_PROFILE": "customer-code"}) as opened:
        yield opened


def asked(person: Person, new: str, what: str = "email", **fields: str | None) -> Page:
    """Someone asks for a new address or number."""
    return person.fill(person.open(f"/profile/{what}"), **{"current": PASSWORD, what: new, **fields})


def code_for(house: House, to: str) -> str:
    """The code of the last letter or message to an address or number."""
    code: str = letters_to(house, to, "confirm_address")[-1]["code"]
    return code


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def fresh(house: House) -> str:
    return f"{house.name('new')}@example.org"


def test_d08_a_new_address_counts_after_its_code_and_both_are_told(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old, new = person.account.email, fresh(house)
    page = asked(person, new)
    assert (page.status, page.path) == (200, "/profile/email/confirm")
    assert new in page.text
    assert person.account.email == old
    ((letter, context),) = house.letters(replace(person.account, email=new))
    assert letter.template == "confirm_address"
    assert letter.not_after == letter.created_at + house.world.policy.recovery.code_lifetime
    done = person.fill(page, code=context["code"])
    assert done.path == "/profile?done=email"
    assert "new address from now on" in done.text
    assert new in done.text
    assert person.account.email == new
    told = [*letters_to(house, old, "changed"), *letters_to(house, new, "changed")]
    assert [letter["changed"] for letter in told] == ["email", "email"]
    assert all(letter["link"].startswith(f"{house.url}/not-me?code=") for letter in told)
    (entry,) = house.audit("address.set", person.account)
    assert (entry.outcome, entry.facts["what"]) == ("replaced", "email")
    assert new not in str(house.audit(account=person.account))
    assert old not in str(house.audit(account=person.account))


def test_d08_the_old_address_undoes_it(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old, new = person.account.email, fresh(house)
    person.fill(asked(person, new), code=code_for(house, new))
    reader = house.person()
    link = letters_to(house, old, "changed")[-1]["link"]
    reader.fill(reader.open(link.removeprefix(house.url)))
    assert person.account.email == old
    assert not person.signed_in()


def test_d08_an_address_is_no_secret_and_nothing_else_ends(house: House) -> None:
    person = house.customer()
    other = person.elsewhere()
    issued = other.tokens()
    person.sign_in()
    new = fresh(house)
    person.fill(asked(person, new), code=code_for(house, new))
    assert person.signed_in()
    assert other.signed_in()
    assert house.refresh(issued["refresh_token"]).status_code == 200


def test_d08_what_was_sent_to_the_old_address_to_recover_by_is_dead(house: House) -> None:
    person = house.customer()
    person.sign_in()
    account, new, now = person.account, fresh(house), house.clock()
    page, lives = asked(person, new), now + timedelta(minutes=30)
    with house.world.store.begin() as tx:
        tx.accounts.set_credential(account.id, Credential(Factor.TEMPORARY, "x", now, expires_at=lives))
        tx.one_time_codes.put(OneTimeCode(account.id, Purpose.RECOVERY, "x", now, lives))
    person.fill(page, code=code_for(house, new))
    with house.world.store.read() as tx:
        assert tx.one_time_codes.live(account.id, Purpose.RECOVERY, house.clock()) is None
    assert person.account.credential(Factor.TEMPORARY) is None


def test_d08_unconfirmed_counts_for_nothing(house: House) -> None:
    person = house.customer()
    person.sign_in()
    before, new = person.account, fresh(house)
    page = asked(person, new)
    code = code_for(house, new)
    assert person.account == before
    house.clock.move(seconds=house.world.policy.recovery.code_lifetime.total_seconds() + 1)
    late = person.fill(page, code=code)
    assert late.path == "/profile/email"
    assert person.account == before
    assert not letters_to(house, before.email, "changed")


def test_d08_a_wrong_code_three_times_kills_the_right_one(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old, new = person.account.email, fresh(house)
    page = asked(person, new)
    code = code_for(house, new)
    for _ in range(3):
        answer = person.fill(page, code=other_than(code))
        assert answer.status == 401
        assert "not right" in answer.text
    assert person.fill(page, code=code).status == 401
    assert person.account.email == old
    assert [entry.outcome for entry in house.audit("attempt", person.account)][-4:] == ["wrong"] * 4
    # A new code works.
    person.fill(asked(person, new), code=code_for(house, new))
    assert person.account.email == new


def test_d08_tries_at_once_are_counted_one_by_one(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = asked(person, new := fresh(house))
    code = code_for(house, new)
    answers = together([lambda: person.post(page, {"code": other_than(code)}) for _ in range(12)])
    assert {answer.status_code for answer in answers} == {401}
    with house.world.store.read() as tx:
        held = tx.one_time_codes.live(person.account.id, Purpose.EMAIL, house.clock())
    assert held is not None
    assert held.tries == 3


def test_d08_of_two_confirmations_at_once_one_counts(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old = person.account.email
    page = asked(person, new := fresh(house))
    code = code_for(house, new)
    answers = together([lambda: person.post(page, {"code": code}) for _ in range(3)])
    # Who came too late is led to the beginning: nothing waits for a code any more.
    assert sorted(answer.headers["Location"] for answer in answers) == [
        "/profile/email",
        "/profile/email",
        "/profile?done=email",
    ]
    assert len(letters_to(house, old, "changed")) == 1


def test_d08_five_codes_a_day_and_a_resend_brings_no_more_tries(house: House) -> None:
    person = house.customer()
    person.sign_in()
    new = fresh(house)
    page = asked(person, new)
    codes = [code_for(house, new)]
    for _ in range(2):
        person.fill(page, code=other_than(codes[0]))
    page = asked(person, new)
    codes.append(code_for(house, new))
    # The code before is dead, and one try is left.
    wrong = codes[0] if codes[0] != codes[1] else other_than(codes[1])
    assert person.fill(page, code=wrong).status == 401
    assert person.fill(page, code=codes[1]).status == 401
    for _ in range(3):
        assert asked(person, new).path == "/profile/email/confirm"
    last = asked(person, new)
    assert (last.status, last.path) == (429, "/profile/email")
    assert "last code for today" in last.text
    assert len(letters_to(house, new, "confirm_address")) == 5
    house.clock.move(days=1, seconds=1)
    person.sign_in()
    assert asked(person, new).path == "/profile/email/confirm"


TRICKS = [
    "a@x.com,b@y.com",
    "a@x.com;b@y.com",
    "a@x.com b@y.com",
    "a@x.com\r\nBcc: b@y.com",
    "a@x.com\nb@y.com",
    "a@x.com%0aBcc:b@y.com",
    "a@x.com\x00",
    "Maria <a@x.com>",
    "a@localhost",
    "a@[127.0.0.1]",
    "a",
    f"{'a' * 250}@x.com",
]


@pytest.mark.parametrize("trick", TRICKS, ids=repr)
def test_d08_one_address_and_nothing_else(house: House, trick: str) -> None:
    person = house.customer()
    person.sign_in()
    before = person.account
    page = asked(person, trick)
    assert (page.status, page.path) == (422, "/profile/email")
    assert "not an email address" in page.text
    with house.world.store.read() as tx:
        assert tx.one_time_codes.live(before.id, Purpose.EMAIL, house.clock()) is None
    assert person.account == before
    for to in ("a@x.com", "b@y.com"):
        assert not letters_to(house, to, "confirm_address")


@pytest.mark.parametrize("body", ["email=a@x.com&email=b@y.com", "email[]=a@x.com&email[]=b@y.com", "email[0]=a@x.com"])
def test_d08_two_fields_are_no_address(house: House, body: str) -> None:
    person = house.customer()
    person.sign_in()
    page = person.open("/profile/email")
    answer = person.client.post(
        page.action,
        content=f"csrf={page.hidden['csrf']}&current={PASSWORD.replace(' ', '+')}&{body}",
        headers={"Content-Type": FORM},
    )
    assert answer.status_code in (400, 422)
    assert not letters_to(house, "a@x.com", "confirm_address")


def test_d08_the_password_comes_first_and_is_counted(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = asked(person, "no address at all", current="not my password")
    assert page.status == 401
    assert "not your present password" in page.text
    assert "not an email address" not in page.text
    assert {counter.failures for counter in house.counters(person.account) if counter.factor is Factor.PASSWORD} == {0, 1}
    for _ in range(4):
        asked(person, "no address at all", current="not my password")
    assert asked(person, fresh(house)).status == 401


def test_d08_an_address_that_others_use_makes_no_difference(house: House) -> None:
    owner, person = house.customer(), house.customer()
    person.sign_in()
    taken, free = owner.account.email, fresh(house)
    pages = [asked(person, free), asked(person, taken)]
    masked = [page.text.replace(free, "…").replace(taken, "…") for page in pages]
    assert masked[0] == masked[1]
    assert [page.status for page in pages] == [200, 200]
    # Its owner has the code, nobody else.
    assert letters_to(house, taken, "confirm_address")
    assert person.account.email not in (taken, free)


def test_d08_the_code_of_another_person_or_purpose_is_none(with_sms: House) -> None:
    house = with_sms
    person, other = house.customer(), house.customer()
    person.sign_in()
    other.sign_in()
    new = fresh(house)
    asked(person, new)
    code = code_for(house, new)
    theirs = asked(other, fresh(house))
    assert other.fill(theirs, code=code).status == 401
    number = asked(person, NUMBER, "mobile")
    if code_for(house, NUMBER) != code:
        assert person.fill(number, code=code).status == 401
    assert person.account.mobile is None


def test_d08_two_tabs(house: House) -> None:
    person = house.customer()
    person.sign_in()
    first, second = fresh(house), fresh(house)
    tab = asked(person, first)
    other_tab = asked(person, second)
    old_code, code = code_for(house, first), code_for(house, second)
    if old_code != code:
        assert person.fill(tab, code=old_code).status == 401
    assert person.fill(other_tab, code=code).path == "/profile?done=email"
    assert person.account.email == second
    # Sent once more from the other tab: there is nothing to confirm any more.
    assert person.fill(tab, code=code).status in (200, 401)
    assert person.open("/profile/email/confirm").path == "/profile/email"
    assert person.account.email == second


def test_d08_a_session_that_ended_meanwhile_confirms_nothing(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old, new = person.account.email, fresh(house)
    page = asked(person, new)
    other = person.elsewhere()
    other.sign_in()
    other.fill(
        other.open("/profile/password"), current=PASSWORD, password="a new one of my own", password_again="a new one of my own"
    )
    answer = person.post(page, {"code": code_for(house, new)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=profile")
    assert person.account.email == old


def test_d08_codes_are_confirmed_from_our_own_page_only(house: House) -> None:
    person = house.customer()
    person.sign_in()
    old = person.account.email
    page = asked(person, new := fresh(house))
    code = code_for(house, new)
    assert person.post(page, {"code": code, "csrf": None}).status_code == 403
    assert person.post(page, {"code": code}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert person.get(f"/profile/email/confirm?code={code}").status_code == 200
    assert person.account.email == old
    assert person.fill(page, code=f" {code[:3]} {code[3:]} ").path == "/profile?done=email"


def test_d08_the_same_address_is_said_to_be_the_same(house: House) -> None:
    person = house.customer()
    person.sign_in()
    page = asked(person, person.account.email)
    assert page.status == 422
    assert "have already" in page.text


# Numbers


def test_d08_a_new_number_counts_after_its_code_and_the_old_one_is_told(with_sms: House) -> None:
    house = with_sms
    person = house.customer(mobile=OTHER_NUMBER)
    person.sign_in()
    page = asked(person, "07400 123456", "mobile")
    assert (page.status, page.path) == (200, "/profile/mobile/confirm")
    assert NUMBER in page.text
    assert person.account.mobile == OTHER_NUMBER
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock() + timedelta(microseconds=1), timedelta(0), 100_000)
    (sent,) = [letter for letter, _ in waiting if letter.to == NUMBER and letter.created_at > person.account.created_at]
    assert (sent.channel, sent.template) == ("sms", "confirm_address")
    done = person.fill(page, code=code_for(house, NUMBER))
    assert done.path == "/profile?done=mobile"
    assert person.account.mobile == NUMBER
    for to in (OTHER_NUMBER, NUMBER, person.account.email):
        told = letters_to(house, to, "changed")[-1]
        assert told["changed"] == "mobile"
        assert "/not-me?code=" in told["link"]


def test_d08_a_number_is_removed_under_the_password(with_sms: House) -> None:
    house = with_sms
    number = "+447400765432"
    person = house.customer(mobile=number)
    person.sign_in()
    page = person.open("/profile/remove-mobile")
    assert person.fill(page, current="not my password").status == 401
    assert person.account.mobile == number
    done = person.fill(page, current=PASSWORD)
    assert done.path == "/profile?done=remove-mobile"
    assert person.account.mobile is None
    assert letters_to(house, number, "changed")
    assert letters_to(house, person.account.email, "changed")
    assert person.open("/profile/remove-mobile").status == 404
    (entry,) = house.audit("address.set", person.account)
    assert (entry.outcome, entry.facts["what"]) == ("removed", "mobile")
    assert number not in str(entry.facts)


def test_d08_a_number_taken_away_meanwhile_is_not_brought_back_by_its_code(with_sms: House) -> None:
    house = with_sms
    person = house.customer(mobile=OTHER_NUMBER)
    person.sign_in()
    page = asked(person, "+447400333444", "mobile")
    code = code_for(house, "+447400333444")
    person.fill(person.open("/profile/remove-mobile"), current=PASSWORD)
    person.fill(page, code=code)
    assert person.account.mobile is None


def test_d08_without_a_gateway_no_number_is_asked(house: House) -> None:
    person = house.customer(mobile=NUMBER)
    person.sign_in()
    profile = person.open("/profile")
    assert "/profile/mobile" not in profile.links
    assert "/profile/remove-mobile" in profile.links
    assert person.open("/profile/mobile").status == 404
    assert person.open("/profile/mobile/confirm").status == 404


def test_d08_wrong_codes_by_text_message_are_counted_too(with_sms: House) -> None:
    house = with_sms
    person = house.customer()
    person.sign_in()
    number = "+447400999888"
    page = asked(person, number, "mobile")
    code = code_for(house, number)
    for _ in range(3):
        assert person.fill(page, code=other_than(code)).status == 401
    assert person.fill(page, code=code).status == 401
    assert person.account.mobile is None


def test_d08_the_letters_can_be_read_in_both_languages(with_sms: House) -> None:
    from idp.cli.worker import post_office  # noqa: PLC0415 - only here

    house = with_sms
    for locale in ("en", "it"):
        person = house.customer(locale=locale, mobile=OTHER_NUMBER)
        person.sign_in()
        new = fresh(house)
        person.fill(asked(person, new), code=code_for(house, new))
        office = post_office(house.settings)
        for template in ("confirm_address", "changed"):
            context: dict[str, Any] = letters_to(house, new, template)[-1]
            for channel in ("mail", "sms"):
                rendered = office.letters.render(template, locale, context, house.settings.brand, channel)
                assert rendered.text.strip()
        office.close()


@pytest.mark.parametrize("what", ["email", "mobile"])
def test_d08_whoever_is_blocked_meanwhile_changes_nothing(with_sms: House, what: str) -> None:
    from idp.flows import assist  # noqa: PLC0415 - only here

    house = with_sms
    person = house.customer()
    person.sign_in()
    before = person.account
    new = fresh(house) if what == "email" else "+447400111222"
    page = asked(person, new, what)
    assist.change_state(house.world, person.username, assist.Act.BLOCK, "test")
    answer = person.post(page, {"code": code_for(house, new)})
    assert answer.headers["Location"] == "/sign-in?to=profile"
    assert (person.account.email, person.account.mobile) == (before.email, before.mobile)


def test_d08_policy_decides_how_many_tries_and_codes(new_house: Callable[..., House]) -> None:
    def strict(policy: Any) -> Any:
        return replace(policy, recovery=replace(policy.recovery, code_tries=1, codes_per_day=1, code_length=8))

    house = new_house(policy=strict)
    person = house.customer()
    person.sign_in()
    new = fresh(house)
    page = asked(person, new)
    code = code_for(house, new)
    assert len(code) == 8
    assert page.fields["code"]["pattern"] == "[0-9]{8}"
    assert person.fill(page, code=other_than(code)).status == 401
    assert person.fill(page, code=code).status == 401
    assert asked(person, new).status == 429
