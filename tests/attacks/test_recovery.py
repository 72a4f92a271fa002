"""Attacks on recovery through its pages: enumeration, poisoned letters, steps out of turn, what outlives a reset (cases R)."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest

from idp.flows import keeping
from idp.flows.keeping import By
from idp.model import Credential, Factor, Source
from idp.policies.policy import RecoveryMethod
from idp.vault import apps
from tests.harness import House
from tests.people import NEW_PASSWORD, PASSWORD, Page, Person
from tests.recoveries import templates

KINDS = ("sqlite", "postgresql+redis")
TRIES, CODES_A_DAY = 3, 5
Houses = Callable[..., House]
QUESTION = re.compile(r'<label for="answer"[^>]*>(.*?)</label>', re.DOTALL)


def law(**recovery: Any) -> Callable[[Any], Any]:
    """A portal that recovers so, without limits by source: those are tried elsewhere."""

    def changed(policy: Any) -> Any:
        limits = replace(policy.rate_limits, recovery="10000/hour", recovery_everywhere="10000/hour", sign_in="10000/hour")
        return replace(policy, rate_limits=limits, recovery=replace(policy.recovery, **recovery))

    return changed


BY_ANSWER = law()
BY_NOTHING = law(password=RecoveryMethod(prove_by=(), then="mail_temporary"))
BY_CODE = law(password=RecoveryMethod(prove_by=("email_code",), then="choose_new"), sign_in_after=True)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def named(visitor: Person, username: str, email: str) -> Page:
    return visitor.fill(visitor.open("/recover/password"), username=username, email=email)


def question(page: Page) -> str:
    (shown,) = QUESTION.findall(page.response.text)
    return str(shown)


def with_code(owner: Person) -> Page:
    """As far as the page for the code, of which the owner has just had the letter."""
    page = owner.recover("password")
    assert page.step == "ResetByCode"
    return page


def twice(word: str) -> dict[str, str]:
    return {"password": word, "password_again": word}


# Who is there


def test_r08_the_question_depends_on_the_name_alone_whatever_stands_beside_it(house: House) -> None:
    owner, nobody = house.customer(), house.name()
    for username in (owner.username, owner.username.upper(), nobody, nobody.upper()):
        addresses = ("a@example.com", "b@example.org", f"{username.lower()}@example.com", "no address")
        asked = {question(named(house.person(), username, email)) for email in addresses}
        assert len(asked) == 1, username


def test_r08_decoys_are_asked_different_questions(house: House) -> None:
    asked = {question(named(house.person(), house.name(), "x@example.com")) for _ in range(30)}
    assert len(asked) > 3


def test_r08_going_back_and_beginning_anew_brings_no_other_question_and_no_more_tries(house: House) -> None:
    owner = house.customer()
    shown = set()
    for number in range(8):
        page = owner.elsewhere().recover("password")
        shown.add(question(page))
        visitor = owner.elsewhere()
        visitor.fill(visitor.recover("password"), answer=f"Scuola numero {number}")
    assert len(shown) == 1
    outcomes = [one.outcome for one in house.audit("attempt", owner.account)]
    assert (outcomes.count("wrong"), outcomes.count("shut")) == (5, 3)


def test_r01_codes_cannot_be_guessed_by_beginning_again_and_again(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner, stranger = house.customer(), house.person()
    before = owner.account.credential(Factor.PASSWORD)
    counted = 0
    for number in range(12):
        page = named(stranger, owner.username, owner.account.email)
        for guess in range(TRIES + 1):
            assert stranger.fill(page, code=f"{number:03}{guess:03}", **twice(NEW_PASSWORD)).status == 401
        with house.world.store.read() as tx:
            (row,) = tx.link.driver.execute("SELECT tries FROM one_time_codes").fetchall()
        counted += row[0] if number < CODES_A_DAY else 0
    assert counted == TRIES * CODES_A_DAY
    assert templates(house, owner).count("recovery_code") == CODES_A_DAY
    assert owner.account.credential(Factor.PASSWORD) == before
    # A nuisance, and no more: whoever knows the password signs in as ever.
    owner.sign_in()
    assert owner.signed_in()


# Letters


FORGED: tuple[dict[str, str], ...] = (
    {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Original-Host": "evil.example", "X-Host": "evil.example", "X-Original-URL": "//evil.example/"},
    {"Host": "good:evil"},
    {"Host": "localhost@evil.example"},
)


@pytest.mark.parametrize("headers", FORGED)
def test_r13_links_in_letters_are_of_this_house_whatever_host_was_asked(new_house: Houses, headers: dict[str, str]) -> None:
    house = new_house(policy=BY_NOTHING)
    owner = house.customer()
    for lost in ("password", "username"):
        form = owner.open(f"/recover/{lost}")
        answer = owner.post(form, owner.named(form), headers=headers)
        assert answer.status_code in (303, 400)
        assert "evil" not in answer.headers.get("Location", "")
    for _, context in house.letters(owner.account):
        assert context["link"] == f"{house.url}/sign-in"


def addresses(stored: str, evil: str) -> list[Any]:
    return [
        [stored, evil],
        [evil, stored],
        f"{stored},{evil}",
        f"{stored};{evil}",
        f"{stored} {evil}",
        f"{stored}\r\nBcc: {evil}",
        f"{stored}\nTo: {evil}",
        f"{stored}%0aBcc:{evil}",
        f"<{stored}> {evil}",
        f'"{stored}" <{evil}>',
        f"{stored}\0{evil}",
        f'["{stored}", "{evil}"]',
        stored.replace("a", "\u0430"),
        stored.replace("example", "ex\u0430mple"),
        stored.replace("@", "\uff20") + "\u200b",
    ]


def test_r14_only_the_address_on_file_gets_letters(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_NOTHING)
    owner, thief = house.customer(), house.customer()
    stored, evil = owner.account.email, thief.account.email
    form = thief.open("/recover/password")
    for email in addresses(stored, evil):
        answer = thief.post(form, {"username": owner.username, "email": email})
        assert answer.status_code in (303, 400, 422), email
    for more in ({"email[]": evil}, {"Email": evil}, {"to": evil, "cc": evil}):
        answer = thief.post(form, {"username": owner.username, "email": stored.upper(), **more})
        assert answer.status_code == 303
    assert house.letters(thief.account) == []
    sent = house.letters(owner.account)
    assert {letter.to for letter, _ in sent} == {stored}
    assert {letter.template for letter, _ in sent} == {"temporary_password"}


def test_r11_nothing_is_created_for_nobody(new_house: Houses, kind: str) -> None:
    for policy in (BY_ANSWER, BY_NOTHING, BY_CODE):
        house = new_house(kind, policy=policy)
        owner = house.customer()
        visitor = house.person()
        named(visitor, house.name(), "nobody@example.com")
        named(visitor, owner.username, "nobody@example.com")
        form = visitor.open("/recover/username")
        visitor.fill(form, name="No Body", email=owner.account.email, no_password="yes")
        with house.world.store.read() as tx:
            counted = {
                table: tx.link.driver.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608
                for table in ("outbox", "issuances", "one_time_codes", "alarms")
            }
        assert set(counted.values()) == {0}, counted


# Steps


def test_r19_nothing_in_a_later_form_turns_a_recovery_to_somebody_else(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    thief, owner = house.customer(), house.customer()
    before = owner.account
    page = with_code(thief)
    about = {
        "username": owner.username,
        "email": owner.account.email,
        "subject": owner.account.id,
        "account_id": owner.account.id,
    }
    thief.fill(page, code=house.code(thief), **twice(NEW_PASSWORD), **about)
    assert owner.account == before
    held = thief.account.credential(Factor.PASSWORD)
    assert held is not None
    assert house.vault.verify(NEW_PASSWORD, held.hash)


def test_r19_beginning_anew_for_another_leaves_what_was_proved_behind(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    thief, owner = house.customer(), house.customer()
    before = owner.account
    page = thief.fill(with_code(thief), code=house.code(thief), **twice("short"))
    assert page.step == "ReplacePassword"
    transaction = page.action.rpartition("/")[2]
    form = thief.open(f"/recover/password?sign_in={transaction}")
    asked = thief.fill(form, username=owner.username, email=owner.account.email)
    assert asked.step == "ResetByCode"
    for step in ("ReplacePassword", "ResetByCode", "ChoosePassword"):
        thief.fill(asked, step=step, code="123456", **twice(NEW_PASSWORD))
    thief.fill(page, **twice(NEW_PASSWORD))
    assert owner.account.credentials == before.credentials
    assert not thief.signed_in()


def test_r19_a_stranger_with_the_address_of_the_page_gets_nothing(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner, thief = house.customer(), house.person()
    page = with_code(owner)
    code = house.code(owner)
    assert thief.get(page.action).status_code == 404
    assert thief.post(page, {"code": code, **twice(NEW_PASSWORD)}).status_code == 404
    # Named in a form of the thief's own, it begins a sign-in of the thief's own.
    transaction = page.action.rpartition("/")[2]
    form = thief.open(f"/recover/password?sign_in={transaction}")
    other = thief.fill(form, username=owner.username, email="x@example.com")
    assert other.action != page.action
    assert owner.fill(page, code=code, **twice(NEW_PASSWORD)).status == 200


def test_s01_the_identifier_from_before_the_proof_is_dead_once_a_secret_may_be_chosen(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner = house.customer()
    first = with_code(owner)
    second = owner.fill(first, code=house.code(owner), **twice("short"))
    assert second.step == "ReplacePassword"
    assert second.action != first.action
    assert owner.get(first.action).status_code == 404


@pytest.mark.parametrize("word", ["short", PASSWORD, "password123", "x" * 129])
def test_r22_after_the_code_a_poor_or_old_password_is_refused_and_the_code_is_used_up(new_house: Houses, word: str) -> None:
    house = new_house(policy=BY_CODE)
    owner = house.customer()
    page, code = with_code(owner), house.code(owner)
    before = owner.account.credential(Factor.PASSWORD)
    chosen = owner.fill(page, code=code, **twice(word))
    assert (chosen.status, chosen.step) == (422, "ReplacePassword")
    assert owner.account.credential(Factor.PASSWORD) == before
    other = owner.elsewhere()
    assert other.fill(with_code(other), code=code, **twice(NEW_PASSWORD)).status == 401


# What outlives a reset


def test_r20_what_was_proved_by_code_before_the_owners_reset_opens_nothing_after_it(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner, thief = house.customer(), house.person()
    ready = thief.fill(named(thief, owner.username, owner.account.email), code=house.code(owner), **twice("short"))
    assert ready.step == "ReplacePassword"
    done = owner.fill(with_code(owner), code=house.code(owner), **twice(NEW_PASSWORD))
    assert done.status == 200
    held = owner.account.credential(Factor.PASSWORD)
    late = thief.fill(ready, **twice("a phrase of strangers"))
    assert late.step == "ResetByCode"
    assert owner.account.credential(Factor.PASSWORD) == held
    assert not thief.signed_in()


@pytest.mark.parametrize("policy", [BY_CODE, BY_NOTHING])
def test_r20_what_was_sent_before_a_cut_works_no_more(new_house: Houses, kind: str, policy: Any) -> None:
    house = new_house(kind, policy=policy)
    owner = house.customer()
    page = owner.recover("password")
    code, account = house.code(owner), owner.account
    words = [context["password"] for _, context in house.letters(account, "temporary_password")]
    with house.world.store.begin() as tx:
        keeping.cut(house.world, tx, account, now=house.clock(), by=By(Source()))
    if policy is BY_CODE:
        assert owner.fill(page, code=code, **twice(NEW_PASSWORD)).status == 401
    for word in words:
        assert owner.elsewhere().try_password(word).status == 401
    assert (policy is BY_CODE) is not bool(words)
    assert owner.elsewhere().try_password(PASSWORD).step == "AskPin"


def test_r26_a_reset_passes_no_second_factor(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    key, sealed = apps.new_key(house.vault)
    owner = house.customer()
    with house.world.store.begin() as tx:
        tx.accounts.set_credential(owner.account.id, Credential(Factor.TOTP, sealed, house.clock()))
    page = owner.fill(with_code(owner), code=house.code(owner), **twice(NEW_PASSWORD))
    # Signed in after, as far as the password goes.
    assert page.step == "AskPin"
    page = owner.fill(page, pin=owner.pin)
    assert page.step == "AskSecondFactor"
    assert not owner.signed_in()
    wrong = owner.fill(page, way="totp", code="000000")
    assert wrong.status == 401
    assert not owner.signed_in()
    owner.fill(wrong, way="totp", code=pyotp.TOTP(key).at(house.clock()))
    assert owner.signed_in()
    held = owner.account.credential(Factor.TOTP)
    assert held is not None
    assert held.hash == sealed


def test_l17_an_owner_who_was_locked_out_on_purpose_recovers(house: House) -> None:
    owner, stranger = house.customer(), house.person()
    for _ in range(6):
        stranger.username = owner.username
        stranger.try_password()
    assert owner.elsewhere().try_password(PASSWORD).status == 401
    temporary = house.temporary_password(owner)
    page = owner.fill(owner.open("/sign-in"), username=owner.username, password=temporary)
    assert page.step == "ReplacePassword"
    page = owner.walk(owner.walk(page, until="AskUsernameAndPassword"))
    assert owner.signed_in()


# What is shown and kept


def test_r17_the_pages_load_nothing_from_elsewhere_and_tell_no_one_where_they_are(house: House) -> None:
    owner = house.customer()
    pages = [owner.open(path) for path in ("/recover", "/recover/password", "/recover/username")]
    pages += [owner.recover("password")]
    pages += [owner.fill(pages[-1], answer=owner.answer)]
    assert pages[-1].step == "MailSent"
    for page in pages:
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//(?!localhost)', page.response.text)
        assert page.response.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
        assert page.response.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.response.headers["Content-Security-Policy"]


def test_r10_x08_no_answer_code_or_password_is_in_log_audit_or_database(
    new_house: Houses, kind: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    wrong, chosen = "Wrongcanaryanswer", "a canary in a phrase of words"
    page = owner.fill(owner.recover("password"), answer=wrong)
    owner.fill(page, answer=owner.answer)
    ((_, context),) = house.letters(owner.account, "temporary_password")
    page = owner.fill(owner.open("/sign-in"), username=owner.username, password=context["password"])
    owner.fill(page, **twice(chosen))
    visitor = owner.elsewhere()
    form = visitor.open("/recover/username")
    visitor.fill(form, name="Maria Rossi", email=owner.account.email, password="rememberedcanary", no_password=None)
    secrets = [wrong, owner.answer, context["password"], chosen, "rememberedcanary"]
    said = capfd.readouterr()
    written = said.out + said.err + repr([entry.facts for entry in house.audit()])
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert "request" in said.out
    for secret in secrets:
        assert secret.casefold() not in written.casefold()
        assert secret.encode() not in kept
        assert secret.casefold().encode() not in kept


WORDS = (
    "\0",
    "a\0b",
    "x" * 10_000,
    "\ud7ff\uffff",
    "\u202e\r\nSet-Cookie: a=b",
    "{{7*7}}<script>alert(1)</script>",
    "' OR 1=1 --",
    "🐘" * 500,
)


@pytest.mark.parametrize("word", WORDS)
def test_l20_odd_words_in_every_field_are_refused_or_match_nobody(new_house: Houses, word: str) -> None:
    house = new_house(policy=BY_CODE)
    owner = house.customer()
    before = owner.account
    for lost in ("password", "username"):
        form = owner.open(f"/recover/{lost}")
        for field in owner.named(form):
            harmless(owner.follow(owner.post(form, owner.named(form) | {field: word})))
        harmless(owner.follow(owner.post(form, dict.fromkeys(owner.named(form), word))))
    page = owner.recover("password")
    for fields in ({"code": word, **twice(NEW_PASSWORD)}, {"code": "123456", **twice(word)}):
        harmless(owner.follow(owner.post(page, fields)))
    for path in ("/recover/pin", "/recover/cancel", f"/recover/{'x' * 2000}", "/recover/%00"):
        harmless(owner.follow(owner.client.post(path, data={"sign_in": word, "csrf": page.hidden["csrf"]})))
    harmless(owner.open("/recover/password", params={"sign_in": word}))
    assert owner.account.credentials == before.credentials


def harmless(page: Page) -> None:
    assert page.status < 500
    assert "Traceback" not in page.response.text
    assert "<script>alert" not in page.response.text
    assert "49" not in page.heading
    for response in (*page.trail, page.response):
        assert "a=b" not in str(response.headers.get_list("Set-Cookie"))


def test_r25_a_mail_server_that_is_down_changes_nothing_on_the_pages(new_house: Houses, kind: str) -> None:
    """Pages never wait for a mail server: a letter is accepted, and delivered by the worker when it can be."""
    house = new_house(kind, policy=BY_NOTHING)
    owner, nobody = house.customer(), house.person()
    sent, unsent = owner.recover("password"), named(nobody, house.name(), "x@example.com")
    assert (sent.status, sent.heading) == (unsent.status, unsent.heading)
    ((letter, context),) = house.letters(owner.account)
    assert letter.not_after is not None
    assert context["password"] not in sent.response.text
