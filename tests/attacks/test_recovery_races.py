"""Fifty at once at each thing that works once or a few times (R-02, R-16, R-20, L-11): judged by what is left behind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from idp.model import Factor
from idp.policies.policy import RecoveryMethod
from tests.harness import House, together
from tests.people import NEW_PASSWORD, Page, Person
from tests.recoveries import templates

KINDS = ("sqlite", "postgresql+redis")
AT_ONCE = 50
THRESHOLD, TRIES, PER_HOUR, CODES_A_DAY = 5, 3, 3, 5
Houses = Callable[..., House]


def law(**recovery: Any) -> Callable[[Any], Any]:
    """A portal that recovers so, without limits by source: fifty who are at it at once come from one machine here."""

    def changed(policy: Any) -> Any:
        limits = replace(policy.rate_limits, recovery="10000/hour", recovery_everywhere="10000/hour", sign_in="10000/hour")
        return replace(policy, rate_limits=limits, recovery=replace(policy.recovery, **recovery))

    return changed


BY_ANSWER = law()
BY_NOTHING = law(password=RecoveryMethod(prove_by=(), then="mail_temporary"))
BY_CODE = law(password=RecoveryMethod(prove_by=("email_code",), then="choose_new"))


def crowd(owner: Person, open_: Callable[[Person], Page], of: int = AT_ONCE) -> list[tuple[Person, Page]]:
    """Browsers of whoever knows what the owner knows, each with the same page in front of it."""
    people = [owner.elsewhere() for _ in range(of)]
    return [(person, open_(person)) for person in people]


def at_once(everyone: list[tuple[Person, Page]], fields: Callable[[int], dict[str, Any]]) -> list[httpx.Response]:
    sent = [fields(number) for number in range(len(everyone))]
    answers = together(
        (lambda person=person, page=page, mine=mine: person.post(page, mine))
        for (person, page), mine in zip(everyone, sent, strict=True)
    )
    assert all(isinstance(answer, httpx.Response) and answer.status_code < 500 for answer in answers), answers
    return answers


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_r20_of_fifty_with_one_temporary_password_one_gets_on(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    temporary = house.temporary_password(owner)
    everyone = crowd(owner, lambda person: person.open("/sign-in"))
    answers = at_once(everyone, lambda _: {"username": owner.username, "password": temporary})
    landed = [person.follow(answer) for (person, _), answer in zip(everyone, answers, strict=True)]
    assert [page.step for page in landed].count("ReplacePassword") == 1
    used = [one.outcome for one in house.audit("attempt", owner.account) if one.facts.get("factor") == "temporary"]
    assert used.count("right") == 1
    assert not any(person.signed_in() for person, _ in everyone)
    # Those who came too late tried it as the password, counted and in vain; the password itself still works.
    assert house.counter(owner.account).failures <= THRESHOLD
    chosen = next(page for page in landed if page.step == "ReplacePassword")
    person = everyone[landed.index(chosen)][0]
    assert person.walk(chosen, until="AskUsernameAndPassword").step == "AskUsernameAndPassword"
    assert house.vault.verify(NEW_PASSWORD, owner.account.credential(Factor.PASSWORD).hash)  # type: ignore[union-attr]


def test_r20_of_fifty_choices_after_one_temporary_password_one_is_kept(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    temporary = house.temporary_password(owner)
    page = owner.fill(owner.open("/sign-in"), username=owner.username, password=temporary)
    assert page.step == "ReplacePassword"
    kept_once(house, owner, [(owner, page)] * AT_ONCE, lambda word: {"password": word, "password_again": word})


def test_r16_of_fifty_with_the_right_code_one_gets_on(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner = house.customer()
    page = owner.recover("password")
    assert page.step == "ResetByCode"
    code = house.code(owner)
    kept_once(house, owner, [(owner, page)] * AT_ONCE, lambda word: {"code": code, "password": word, "password_again": word})
    right = [one for one in house.audit("attempt", owner.account) if one.outcome == "right"]
    assert len(right) == 1


def test_r16_of_fifty_in_browsers_of_their_own_with_the_right_code_one_gets_on(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner = house.customer()
    everyone = crowd(owner, lambda person: person.recover("password"), of=CODES_A_DAY)
    everyone += crowd(owner, lambda person: person.recover("password"), of=AT_ONCE - CODES_A_DAY)
    assert templates(house, owner).count("recovery_code") == CODES_A_DAY
    code = house.code(owner)
    kept_once(house, owner, everyone, lambda word: {"code": code, "password": word, "password_again": word})


def kept_once(
    house: House, owner: Person, everyone: list[tuple[Person, Page]], fields: Callable[[str], dict[str, str]]
) -> None:
    """Fifty new passwords at once: one was kept, one letter tells of it, and the others changed nothing."""
    words = [f"an altogether new phrase {number}" for number in range(len(everyone))]
    at_once(everyone, lambda number: fields(words[number]))
    held = owner.account.credential(Factor.PASSWORD)
    assert held is not None
    assert sum(house.vault.verify(word, held.hash) for word in words) == 1
    assert [one.outcome for one in house.audit("credential.set", owner.account)] == ["replaced"]
    assert templates(house, owner).count("changed") == 1
    assert owner.account.credential(Factor.TEMPORARY) is None


def test_r16_of_fifty_wrong_codes_three_are_tried(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_CODE)
    owner = house.customer()
    page = owner.recover("password")
    code = house.code(owner)
    wrong = [f"{(int(code) + 1 + number) % 1_000_000:06}" for number in range(AT_ONCE)]
    fields = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    answers = at_once([(owner, page)] * AT_ONCE, lambda number: {"code": wrong[number], **fields})
    assert {answer.status_code for answer in answers} == {401}
    # All tries are used up, so that the right one is too late.
    assert owner.fill(page, code=code, **fields).status == 401
    assert house.audit("credential.set", owner.account) == []
    account = owner.account
    with house.world.store.read() as tx:
        rows = tx.link.driver.execute("SELECT tries FROM one_time_codes").fetchall()
    assert [row[0] for row in rows] == [TRIES]
    assert house.account(owner.username) == account


@pytest.mark.parametrize(
    ("policy", "template", "most"), [(BY_NOTHING, "temporary_password", PER_HOUR), (BY_CODE, "recovery_code", CODES_A_DAY)]
)
def test_r23_fifty_recoveries_at_once_bring_as_many_letters_as_may_be_and_change_nothing(
    new_house: Houses, kind: str, policy: Any, template: str, most: int
) -> None:
    house = new_house(kind, policy=policy)
    owner = house.customer()
    before = owner.account
    everyone = crowd(owner, lambda person: person.open("/recover/password"))
    answers = at_once(everyone, lambda _: owner.named(everyone[0][1]))
    assert {answer.status_code for answer in answers} == {303}
    assert templates(house, owner) == [template] * most
    after = owner.account
    kept = tuple(held for held in after.credentials if held.factor is not Factor.TEMPORARY)
    assert set(kept) == set(before.credentials)
    assert replace(after, credentials=()) == replace(before, credentials=())
    assert house.counters(before) == []
    assert owner.sign_in().status == 200
    if template == "temporary_password":
        passwords = [context["password"] for _, context in house.letters(before, template)]
        works = [owner.elsewhere().try_password(word).step == "ReplacePassword" for word in passwords]
        assert works.count(True) == 1


def test_r08_of_fifty_wrong_answers_five_are_verified(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    everyone = crowd(owner, lambda person: person.recover("password"))
    verified = house.vault.verified
    answers = at_once(everyone, lambda number: {"answer": f"Scuola numero {number}"})
    assert {answer.status_code for answer in answers} == {401}
    assert house.vault.verified - verified == THRESHOLD
    counter = house.counter(owner.account, Factor.ANSWER)
    assert (counter.failures, counter.consecutive) == (THRESHOLD, THRESHOLD)
    outcomes = [one.outcome for one in house.audit("attempt", owner.account)]
    assert (outcomes.count("wrong"), outcomes.count("shut")) == (THRESHOLD, AT_ONCE - THRESHOLD)
    # The answer is closed and nothing else.
    assert owner.sign_in().status == 200
    assert owner.signed_in()


def test_r08_fifty_right_answers_in_one_recovery_bring_one_letter(new_house: Houses, kind: str) -> None:
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    page = owner.recover("password")
    at_once([(owner, page)] * AT_ONCE, lambda _: {"answer": owner.answer})
    assert templates(house, owner).count("temporary_password") == 1
    assert house.counter(owner.account, Factor.ANSWER).failures <= THRESHOLD


def test_r02_fifty_new_pins_at_once_bring_as_many_letters_as_may_be_and_the_last_pin_works(
    new_house: Houses, kind: str
) -> None:
    house = new_house(kind, policy=law(pin=RecoveryMethod(identify_by=("username",), prove_by=(), then="mail_new")))
    owner = house.customer()
    page = owner.sign_in(until="AskPin")
    transaction = page.action.rpartition("/")[2]
    answers = together(
        (lambda: owner.client.post("/recover/pin", data={"csrf": page.hidden["csrf"], "sign_in": transaction}))
        for _ in range(AT_ONCE)
    )
    assert all(isinstance(answer, httpx.Response) and answer.status_code < 500 for answer in answers)
    pins = [context["pin"] for _, context in house.letters(owner.account, "new_pin")]
    assert 1 <= len(pins) <= PER_HOUR
    held = owner.account.credential(Factor.PIN)
    assert held is not None
    assert sum(house.vault.verify(pin, held.hash) for pin in pins) == 1
    assert len(house.audit("credential.set", owner.account)) == len(pins)


def test_r20_an_owners_reset_and_a_strangers_choice_at_once_leave_one_password(new_house: Houses, kind: str) -> None:
    """A stranger who read a temporary password and the owner who has the next one choose at the same moment."""
    house = new_house(kind, policy=BY_ANSWER)
    owner = house.customer()
    stranger = owner.elsewhere()
    first = house.temporary_password(owner)
    theirs = stranger.fill(stranger.open("/sign-in"), username=owner.username, password=first)
    assert theirs.step == "ReplacePassword"
    mine = owner.fill(owner.open("/sign-in"), username=owner.username, password=house.temporary_password(owner))
    assert mine.step == "ReplacePassword"
    together(
        [lambda: stranger.post(theirs, {"password": "a phrase of strangers", "password_again": "a phrase of strangers"})] * 10
        + [lambda: owner.post(mine, {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD})] * 10
    )
    held = owner.account.credential(Factor.PASSWORD)
    assert held is not None
    assert house.vault.verify(NEW_PASSWORD, held.hash)
    assert len(house.audit("credential.set", owner.account)) == 1
    late = stranger.fill(theirs, password="a phrase of strangers", password_again="a phrase of strangers")
    assert late.step != "ReplacePassword"
    assert owner.account.credential(Factor.PASSWORD) == held
