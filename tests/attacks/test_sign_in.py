"""Attacks on signing in: enumeration, lockout, guessing, races, malformed forms (cases L of the security plan)."""

import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from idp.flows import assist, invite
from idp.model import Factor
from tests.harness import House
from tests.people import Page, Person

THRESHOLD = 5


def masked(page: Page, person: Person) -> tuple[Any, ...]:
    """An answer without what is random or typed: byte for byte, headers and cookies too."""
    text = page.response.text.replace(person.username, "NAME")
    for secret in (page.hidden["csrf"], page.action.rpartition("/")[2]):
        text = text.replace(secret, "RANDOM")
    # The length goes with the name, which is masked, and the text is compared as a whole.
    random = ("date", "x-request-id", "content-length")
    headers = [(name, value) for name, value in page.response.headers.items() if name not in random]
    text = re.sub(r"[0-9a-f]{16}(?=</dd>)", "REQUEST", text)
    return page.status, text, sorted(headers), tuple(step.status_code for step in page.trail), sorted(person.client.cookies)


def kinds(house: House) -> dict[str, Person]:
    """Someone of each kind that a wrong password must not tell apart."""
    invited, _ = house.invited()
    half, code = house.invited()
    half.walk(half.open_invitation(code), until="CreatePin")
    locked, blocked, closed = house.customer(), house.customer(), house.customer()
    for _ in range(THRESHOLD):
        locked.elsewhere().try_password()
    assist.change_state(house.world, blocked.username, assist.Act.BLOCK, "test")
    assist.change_state(house.world, closed.username, assist.Act.CLOSE, "test")
    return {
        "unknown": house.person(username=house.name()),
        "known": house.customer(),
        "locked": locked,
        "invited": invited,
        "half enrolled": half,
        "blocked": blocked,
        "closed": closed,
    }


def test_l01_a_wrong_password_is_answered_byte_for_byte_alike_for_every_kind_of_name(house: House) -> None:
    answers = {}
    for kind, person in kinds(house).items():
        visitor = person.elsewhere()
        answers[kind] = masked(visitor.try_password(), visitor)
    suspended = house.customer()
    house.leave(days=121)
    visitor = suspended.elsewhere()
    answers["suspended"] = masked(visitor.try_password(), visitor)
    assert answers["unknown"][0] == 401
    for kind, answer in answers.items():
        assert answer == answers["unknown"], kind


def test_l01_the_right_password_of_a_locked_name_is_answered_like_a_wrong_one(house: House) -> None:
    person = house.customer()
    for _ in range(THRESHOLD):
        person.elsewhere().try_password()
    right, wrong = person.elsewhere(), person.elsewhere()
    nobody = house.person(username=house.name())
    expected = masked(nobody.try_password(), nobody)
    assert masked(right.try_password(person.password), right) == expected
    assert masked(wrong.try_password(), wrong) == expected


def test_l02_every_kind_of_name_costs_exactly_one_hash(house: House) -> None:
    for kind, person in kinds(house).items():
        for password in ("wrong wrong wrong", "x", "x" * 200):
            visitor = person.elsewhere()
            page = visitor.open("/sign-in")
            before = house.hashes
            assert visitor.fill(page, username=person.username, password=password).status == 401
            assert house.hashes == before + 1, (kind, len(password))


@pytest.mark.timeout(600)
def test_l02_unknown_known_locked_and_invited_names_take_the_same_time(new_house: Callable[..., House]) -> None:
    """A difference that an attacker can use shows every time; what a busy machine does to one run does not."""
    house = new_house(strong=True)
    for _ in range(4):
        medians = _medians(house, rounds=100)
        if all(abs(median / medians["known"] - 1) < 0.1 for median in medians.values()):
            return
    pytest.fail(f"medians in seconds: {medians}")


def _medians(house: House, rounds: int) -> dict[str, float]:
    """What the same wrong password takes for each kind of name, interleaved."""
    people = kinds(house)
    people.pop("blocked"), people.pop("closed"), people.pop("half enrolled")
    times: dict[str, list[float]] = {kind: [] for kind in people}
    pages = {kind: person.open("/sign-in") for kind, person in people.items()}
    for number in range(rounds):
        # A known name would lock; each round has a known name of its own.
        if number % (THRESHOLD - 1) == 0:
            people["known"].username = house.customer(secrets=(Factor.PASSWORD,)).username
        order = list(people)[number % len(people) :] + list(people)[: number % len(people)]
        for kind in order:
            if number % 50 == 0:
                people[kind] = people[kind].elsewhere()
                pages[kind] = people[kind].open("/sign-in")
            fields = {"username": people[kind].username, "password": "wrong wrong wrong"}
            began = time.perf_counter()
            answer = people[kind].post(pages[kind], fields)
            times[kind].append(time.perf_counter() - began)
            assert answer.status_code == 401
    return {kind: statistics.median(taken) for kind, taken in times.items()}


@pytest.mark.parametrize("end", ["blocked", "suspended", "expired", "closed"])
def test_l04_a_state_is_told_only_after_the_right_password(house: House, end: str) -> None:
    person = house.customer()
    if end in ("blocked", "closed"):
        assist.change_state(house.world, person.username, assist.Act.BLOCK if end == "blocked" else assist.Act.CLOSE, "test")
    else:
        house.leave(days=121 if end == "suspended" else 181)
    visitor = person.elsewhere()
    assert visitor.try_password().heading == "Sign in"
    page = visitor.sign_in(until="Reactivate")
    assert page.heading != "Sign in"
    assert not visitor.signed_in()


VARIANTS: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.title,
    " {} ".format,
    "\u00a0{}".format,
    "{}\u200b".format,
    "\ufeff{}".format,
    "{}\t".format,
    "{}\u00ad".format,
    lambda name: name[:3] + "\u200d" + name[3:],
    lambda name: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in name),
    lambda name: name.replace("i", "\u0131"),
    lambda name: name.replace("i", "\u0130"),
    lambda name: f"{name}.",
    lambda name: f"{name}+tag",
    lambda name: name.replace(".", "%2e"),
    lambda name: name.replace("a", "a\u0301"),
    lambda name: name.replace("a", "\u0430"),
    lambda name: f"{name}\u0000",
    lambda name: f"{name[:4]} {name[4:]}",
)


def test_l07_variants_of_a_name_open_no_second_counter(house: House) -> None:
    person = house.customer(username=house.name("maria.i"))
    account = person.account
    before = len(house.audit("attempt", account))
    stranger = person.elsewhere()
    for form in VARIANTS * 2:
        page = stranger.open("/sign-in")
        assert stranger.fill(page, username=form(person.username), password="guess guess").status in (401, 422)
    counter = house.counter(account)
    tried = house.audit("attempt", account)[before:]
    assert counter.failures == THRESHOLD
    assert sum(entry.outcome == "wrong" for entry in tried) == THRESHOLD
    assert [found.factor for found in house.counters(account)] == [Factor.PASSWORD]


def test_l07_names_that_look_alike_cannot_be_given_twice(house: House) -> None:
    name = house.name("Maria")
    assert not isinstance(
        invite.invite(house.world, invite.Person(name, "a@example.com", "A", "B"), None, "t"), invite.NotInvited
    )
    for form in (str.upper, "{}\u200b".format, lambda text: text.replace("M", "\uff2d")):
        again = invite.invite(house.world, invite.Person(form(name), "b@example.com", "A", "B"), None, "t")
        assert isinstance(again, invite.NotInvited)


def test_l08_reauthentication_and_every_door_share_the_counter(house: House) -> None:
    person = house.customer()
    person.sign_in()
    person.client.cookies.delete("idp_device")
    house.clock.move(seconds=2)
    fresh = person.elsewhere()
    tries = [(person, person.ask(prompt="login")), (person, person.ask(max_age=0))]
    tries += [(fresh, fresh.ask()), (fresh, fresh.ask("app")), (fresh, fresh.open("/sign-in"))]
    for who, page in tries:
        assert page.step == "AskUsernameAndPassword"
        assert who.fill(page, username=person.username, password="guess guess").status == 401
    assert house.counter(person.account).locked_until is not None


def test_l13_the_lock_ends_at_its_moment_and_a_clock_that_jumps_back_opens_nothing(house: House) -> None:
    owner = house.customer()
    with house.clock.stopped() as clock:
        for _ in range(THRESHOLD):
            owner.elsewhere().try_password()
        clock.move(minutes=29, seconds=59)
        assert owner.elsewhere().try_password(owner.password).status == 401
        clock.move(minutes=-20)
        assert owner.elsewhere().try_password(owner.password).status == 401
        clock.move(minutes=20)
        clock.move(seconds=1)
        assert owner.elsewhere().try_password(owner.password).step == "AskPin"


ODD_BODIES: dict[str, tuple[bytes, str]] = {
    "json": (b'{"username": ["a"], "password": {"$gt": ""}}', "application/json"),
    "json null": (b"null", "application/json"),
    "empty": (b"", "application/x-www-form-urlencoded"),
    "nothing named": (b"=&=&&&", "application/x-www-form-urlencoded"),
    "no type": (b"username=a&password=b", ""),
    "broken utf-8": (b"username=%ff%fe&password=%80", "application/x-www-form-urlencoded"),
    "multipart without boundary": (b"--x\r\n", "multipart/form-data"),
    "broken multipart": (b"--x\r\nContent-Disposition: form-data; name=csrf\r\n\r\n", "multipart/form-data; boundary=x"),
    "a thousand fields": (b"&".join(b"f%d=1" % number for number in range(5000)), "application/x-www-form-urlencoded"),
    "xml": (b"<a/>", "application/xml"),
    "odd charset": (b"username=a", "application/x-www-form-urlencoded; charset=utf-7"),
}


@pytest.mark.parametrize("case", ODD_BODIES)
def test_l20_a_body_that_is_no_form_of_ours_is_refused_and_counts_nothing(house: House, case: str) -> None:
    owner = house.customer()
    body, kind = ODD_BODIES[case]
    page = owner.open("/sign-in")
    before = len(house.audit("attempt"))
    for path in (page.action, "/invitation"):
        answer = owner.client.post(path, content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
        assert "Traceback" not in answer.text
    assert len(house.audit("attempt")) == before


FORMS: dict[str, Callable[[Person], dict[str, Any]]] = {
    "username twice": lambda owner: {"username": [owner.username, owner.username], "password": owner.password},
    "password twice": lambda owner: {"username": owner.username, "password": [owner.password, "x"]},
    "csrf twice": lambda owner: {"username": owner.username, "password": owner.password, "csrf": ["a", "b"]},
    "no password": lambda owner: {"username": owner.username},
    "empty password": lambda owner: {"username": owner.username, "password": ""},
    "no username": lambda owner: {"password": owner.password},
    "array": lambda owner: {"username[]": owner.username, "password[]": owner.password},
    "huge password": lambda owner: {"username": owner.username, "password": "x" * 4097},
    "huge username": lambda owner: {"username": "x" * 4097, "password": owner.password},
}


@pytest.mark.parametrize("case", FORMS)
def test_l20_a_form_with_a_field_missing_doubled_or_huge_is_refused_clearly_and_counts_nothing(house: House, case: str) -> None:
    owner = house.customer()
    page = owner.open("/sign-in")
    answer = Page(owner.post(page, FORMS[case](owner)))
    assert answer.status in (400, 403, 422), answer.text
    assert answer.heading
    assert house.counter(owner.account).version == 0
    assert not owner.signed_in()


WORDS = ["\0", "a\0b", "\ud7ff\uffff", "🐘" * 64, "\u202e\0\r\n", "' OR '1'='1", "${jndi:ldap://x}", "%s%n", "\x1b[31m", " "]


@pytest.mark.parametrize("word", WORDS)
def test_l20_odd_words_as_name_password_pin_and_answer_are_just_wrong(house: House, word: str) -> None:
    nobody = house.person(username=word)
    assert nobody.try_password(word).status in (401, 422)
    owner = house.customer()
    assert owner.try_password(word).status in (401, 422)
    page = owner.sign_in(until="AskPin")
    assert owner.fill(page, pin=word).status in (401, 422)
    house.leave(days=121)
    other = owner.elsewhere()
    page = other.sign_in(until="Reactivate")
    assert other.fill(page, answer=word).status in (401, 422)


def test_l22_a_form_without_its_token_is_refused_and_shown_again(house: House) -> None:
    owner = house.customer()
    other = house.customer()
    foreign = other.open("/sign-in").hidden["csrf"]
    for csrf in (None, "", "x", "0" * 64, foreign, "é"):
        page = owner.open("/sign-in")
        answer = Page(owner.post(page, {"username": owner.username, "password": owner.password, "csrf": csrf}))
        assert answer.status == 403
        assert answer.step == "AskUsernameAndPassword"
        assert owner.password not in answer.response.text
        # What is shown again works.
    assert owner.fill(answer, username=owner.username, password=owner.password).step == "AskPin"
    assert house.counter(owner.account).failures == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_l22_a_form_from_another_site_is_refused(house: House, headers: dict[str, str]) -> None:
    owner = house.customer()
    page = owner.open("/sign-in")
    answer = owner.post(page, {"username": owner.username, "password": owner.password}, headers=headers)
    assert answer.status_code == 403
    assert house.counter(owner.account).version == 0


def test_l22_a_form_without_the_browsers_cookie_opens_nothing(house: House) -> None:
    owner = house.customer()
    page = owner.open("/sign-in")
    owner.client.cookies.clear()
    answer = owner.post(page, {"username": owner.username, "password": owner.password})
    assert answer.status_code == 404
    assert house.counter(owner.account).version == 0


OUTSIDE = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "%2f%2fevil.example",
    "javascript:alert(1)",
    "\t//evil.example",
]


@pytest.mark.parametrize("target", OUTSIDE)
@pytest.mark.parametrize("name", ["next", "return_to", "redirect_uri", "continue", "client_id"])
def test_l23_nothing_in_an_address_leads_outside_after_sign_in(house: House, target: str, name: str) -> None:
    owner = house.customer()
    page = owner.follow(owner.get("/sign-in", params={name: target}))
    page = owner.walk(page)
    assert page.left is None
    assert page.path == "/"
    assert "evil" not in page.response.text
