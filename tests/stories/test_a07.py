"""A7: PIN, password, question and answer can be changed at any time from My Profile, under the present secret."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from idp.model import Account, Factor
from idp.policies import credentials
from idp.vault import Hasher, HashPool, Vault, digest
from tests.harness import House, together
from tests.people import ANSWER, PASSWORD, PIN, Page, Person

FORM = "application/x-www-form-urlencoded"
NEW_PASSWORD, NEW_PIN, NEW_QUESTION, NEW_ANSWER = "plum orchard under seven lanterns", "739164", "first_trip", "To the lake"
EVERY = ("password", "pin", "question")
FACTORS = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.ANSWER}
# The counter that the proof of the present secret falls on.
PROVED_BY = {"password": Factor.PASSWORD, "pin": Factor.PIN, "question": Factor.PASSWORD}
HEADINGS = {
    "password": "Change your password",
    "pin": "Change your PIN",
    "question": "Change your security question",
}


def written(person: Person, name: str, **changes: str | None) -> dict[str, Any]:
    """What someone writes into the form of a change."""
    fields: dict[str, dict[str, str]] = {
        "password": {"current": person.password, "password": NEW_PASSWORD, "password_again": NEW_PASSWORD},
        "pin": {"current": person.pin, "pin": NEW_PIN, "pin_again": NEW_PIN},
        "question": {"current": person.password, "question": NEW_QUESTION, "answer": NEW_ANSWER},
    }
    return fields[name] | changes


def changed(person: Person, name: str, **changes: str | None) -> Page:
    return person.fill(person.open(f"/profile/{name}"), **written(person, name, **changes))


def renewed(person: Person, name: str) -> Person:
    """The same person at another browser, with the new secret."""
    new: dict[str, dict[str, str]] = {
        "password": {"password": NEW_PASSWORD},
        "pin": {"pin": NEW_PIN},
        "question": {"question": NEW_QUESTION, "answer": NEW_ANSWER},
    }
    return person.elsewhere(**new[name])


def cookie(person: Person, what: str = "session") -> str | None:
    return next((one.value for one in person.client.cookies.jar if one.name.endswith(f"idp_{what}")), None)


def known_device(house: House, person: Person, account: Account) -> bool:
    secret = (cookie(person, "device") or "").strip('"').partition(".")[0]
    rules = house.world.policy.lockout
    with house.world.store.read() as tx:
        return tx.devices.known(account.id, digest(secret), house.clock(), rules.known_device_lifetime) is not None


def holds(house: House, person: Person, factor: Factor, typed: str) -> bool:
    held = person.account.credential(factor)
    assert held is not None
    return house.vault.verify(credentials.prepare(factor, typed), held.hash)


@pytest.mark.parametrize("name", EVERY)
def test_a07_each_secret_is_changed_and_counts_at_once(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    profile = person.open("/profile")
    assert f"/profile/{name}" in profile.links
    page = person.open(f"/profile/{name}")
    assert page.heading == HEADINGS[name]
    assert "signed in elsewhere is signed out" in page.text
    before = person.account.credential(FACTORS[name])
    done = changed(person, name)
    assert (done.status, done.path) == (200, f"/profile?done={name}")
    assert "counts from now on" in done.text
    assert person.account.credential(FACTORS[name]) != before
    old = {"password": PASSWORD, "pin": PIN, "question": ANSWER}[name]
    assert not holds(house, person, FACTORS[name], old)
    # The old one is dead at once, the new one works.
    stale, fresh = person.elsewhere(), renewed(person, name)
    extra = {"acr_values": "extra"} if name == "question" else {}
    assert stale.authorize(**extra).status == 401
    assert fresh.authorize(**extra).answer["code"]


@pytest.mark.parametrize("name", EVERY)
def test_a07_this_browser_stays_signed_in_under_a_new_identifier(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    old = cookie(person)
    changed(person, name)
    assert person.signed_in()
    assert cookie(person) not in (old, None)
    with_the_old = person.elsewhere()
    with_the_old.client.cookies.set("idp_session", old or "")
    assert not with_the_old.signed_in()
    # It goes on at clients without being asked again, and may change the next thing.
    assert person.authorize().answer["code"]
    again = {"current": NEW_PASSWORD} if name == "password" else {}
    other = "question" if name != "question" else "pin"
    assert changed(person, other, **(again if other != "pin" else {})).path == f"/profile?done={other}"


@pytest.mark.parametrize("name", EVERY)
def test_a07_what_was_open_elsewhere_ends(house: House, name: str) -> None:
    person = house.customer()
    other = person.elsewhere()
    theirs, mine = other.tokens(), person.tokens()
    changed(person, name)
    assert not other.signed_in()
    for issued in (theirs, mine):
        answer = house.refresh(issued["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert house.introspect(issued["access_token"])["active"] is False
    assert known_device(house, person, person.account)
    assert not known_device(house, other, person.account)
    # A forgotten device is counted with the unknown ones.
    other.try_password()
    assert house.counter(person.account).failures == 1


@pytest.mark.parametrize("name", EVERY)
def test_a07_a_sign_in_half_way_through_does_not_outlive_the_change(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    other = person.elsewhere()
    half = other.sign_in(until="AskPin")
    changed(person, name)
    other.fill(half, pin=PIN)
    assert other.signed_in() is (name == "question")


@pytest.mark.parametrize("name", EVERY)
def test_a07_every_address_is_told_with_a_way_to_say_it_was_not_me(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    changed(person, name)
    ((letter, context),) = house.letters(person.account, "changed")
    assert letter.to == person.account.email
    assert context["changed"] == {"question": "answer"}.get(name, name)
    assert context["link"].startswith(f"{house.url}/not-me?code=")
    (entry,) = house.audit("credential.set", person.account)
    assert (entry.outcome, entry.actor, entry.facts["factor"]) == ("replaced", "person", FACTORS[name])


@pytest.mark.parametrize("name", EVERY)
def test_a07_the_present_secret_comes_first_and_of_the_new_one_nothing_is_said(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    worst = {"password": {"password": PASSWORD, "password_again": PASSWORD}, "pin": {"pin": PIN, "pin_again": PIN}}
    before = person.account
    hashes = house.hashes
    wrong = "918273" if name == "pin" else "not the present one"
    page = changed(person, name, current=wrong, **worst.get(name, {"answer": "x"}))
    assert page.status == 401
    assert house.hashes == hashes + 1
    assert "After several wrong tries it is blocked" in page.text
    assert "used this before" not in page.text
    assert "easy to guess" not in page.text
    assert "too short" not in page.text
    assert person.account == before
    assert not house.letters(before, "changed")


@pytest.mark.parametrize("name", EVERY)
def test_a07_wrong_tries_fall_on_the_counter_of_the_sign_in_and_lock(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    factor = PROVED_BY[name]
    wrong = "918273" if name == "pin" else "not the present one"
    texts = {changed(person, name, current=wrong).text for _ in range(4)}
    (device,) = {counter.device for counter in house.counters(person.account) if counter.device}
    assert house.counter(person.account, factor, device).failures == 4
    if factor is Factor.PASSWORD:
        person.fill(person.ask(prompt="login"), username=person.username, password=wrong)
    else:
        texts.add(changed(person, name, current=wrong).text)
    assert house.counter(person.account, factor, device).locked_until is not None
    before = person.account
    page = changed(person, name)
    texts.add(page.text)
    assert page.status == 401
    assert len(texts) == 1, "locked and wrong are told the same"
    assert person.account == before
    assert person.signed_in()
    (told,) = house.letters(person.account, "locked")
    assert told[1]["factor"] == factor
    # Its owner's other counter is open: a stranger with the session locks nobody out.
    elsewhere = person.elsewhere()
    elsewhere.sign_in()
    assert elsewhere.signed_in()


REFUSED = [
    ("password", {"password": "short"}, "at least 8 characters"),
    ("password", {"password": PASSWORD}, "used this before"),
    ("password", {"password": "password123"}, "stolen passwords"),
    ("password", {"password": "rossi loves long words"}, "leave out your name"),
    ("password", {"password": "x" * 129}, "no more than 128"),
    ("password", {"password": "one of two things", "password_again": "the other of two"}, "not the same"),
    ("password", {"password": None}, "fill this in"),
    ("pin", {"pin": "111111"}, "easy to guess"),
    ("pin", {"pin": "123456"}, "easy to guess"),
    ("pin", {"pin": PIN}, "used this before"),
    ("pin", {"pin": "12345"}, "exactly 6 digits"),
    ("pin", {"pin": "١٢٣٤٥٦"}, "exactly 6 digits"),
    ("pin", {"pin": "739164", "pin_again": "739165"}, "not the same"),
    ("question", {"answer": "x"}, "at least 3 characters"),
    ("question", {"answer": "nothing"}, "easy to guess"),
    ("question", {"answer": "Maria Rossi"}, "easy to guess"),
    ("question", {"question": "what_is_up"}, "one of the questions"),
    ("question", {"current": None}, "fill this in"),
]


@pytest.mark.parametrize(("name", "fields", "told"), REFUSED)
def test_a07_what_may_not_be_chosen_changes_nothing(house: House, name: str, fields: dict[str, Any], told: str) -> None:
    person = house.customer()
    person.sign_in()
    twin = f"{name}_again"
    if name in fields and twin not in fields:
        fields = {**fields, twin: fields[name]}
    before, session = person.account, cookie(person)
    page = changed(person, name, **fields)
    assert page.status == 422
    assert told in page.text
    assert page.heading == HEADINGS[name]
    assert not [field for field in page.fields.values() if field.get("type") == "password" and field.get("value")]
    assert person.account == before
    assert cookie(person) == session
    assert not house.letters(before, "changed")


def test_a07_former_passwords_are_remembered_across_changes(house: House) -> None:
    person = house.customer()
    person.sign_in()
    used = [PASSWORD]
    for number in range(5):
        new = f"{NEW_PASSWORD} {number}"
        assert changed(person, "password", current=used[-1], password=new, password_again=new).status == 200
        used.append(new)
    for old in used:
        page = changed(person, "password", current=used[-1], password=old, password_again=old)
        assert "used this before" in page.text
    assert person.signed_in()


def test_a07_the_former_answer_is_no_proof_any_more(house: House) -> None:
    person = house.customer()
    issued = person.tokens(acr_values="extra")
    assert house.introspect(issued["access_token"])["acr"] == "extra"
    changed(person, "question")
    assert person.signed_in()
    page = person.ask(acr_values="extra")
    assert page.step == "ExtraProof"
    assert "trip" in page.text
    person.answer = NEW_ANSWER
    assert person.walk(page).answer["code"]


def test_a07_a_first_question_is_chosen_and_told_like_any_change(house: House) -> None:
    person = house.customer()
    person.sign_in()
    with house.world.store.begin() as tx:
        tx.accounts.drop_credential(person.account.id, Factor.ANSWER)
    assert person.open("/profile/question").heading == "Choose a security question"
    assert changed(person, "question").path == "/profile?done=question"
    assert holds(house, person, Factor.ANSWER, NEW_ANSWER)
    assert [context["changed"] for _, context in house.letters(person.account, "changed")] == ["answer"]


@pytest.mark.parametrize("name", EVERY)
def test_a07_two_tabs(house: House, name: str) -> None:
    person = house.customer()
    person.sign_in()
    first, second = person.open(f"/profile/{name}"), person.open(f"/profile/{name}")
    stranger = person.elsewhere()
    stranger.client.cookies.update(person.client.cookies)
    assert person.fill(first, **written(person, name)).status == 200
    # The second tab has the new cookie: its form is genuine, and its present secret is the old one.
    late = person.fill(second, **written(person, name))
    assert late.status == (200 if name == "question" else 401)
    assert person.signed_in()
    # A browser left with the old cookie is signed out, and loses nothing else.
    gone = stranger.post(second, written(person, name))
    assert (gone.status_code, gone.headers["Location"]) == (303, "/sign-in?to=profile")


@pytest.mark.parametrize("name", EVERY)
def test_a07_of_two_changes_at_once_one_is_made(house: House, name: str) -> None:
    person = house.customer()
    other = person.elsewhere()
    person.sign_in()
    other.sign_in()
    pages = [(who, who.open(f"/profile/{name}")) for who in (person, other)]
    made: list[dict[str, Any]] = [written(person, name) for _ in pages]
    made[1] |= {
        "password": dict.fromkeys(("password", "password_again"), "another one under the moon"),
        "pin": {"pin": "604829", "pin_again": "604829"},
        "question": {"answer": "To the hills"},
    }[name]

    def send(number: int) -> Callable[[], Any]:
        who, page = pages[number]
        return lambda: who.post(page, made[number])

    answers = together([send(0), send(1)])
    assert all(answer.status_code < 500 for answer in answers)
    done = [answer for answer in answers if answer.headers.get("Location", "").startswith("/profile?done")]
    kept = [entry for entry in house.audit("credential.set", person.account) if entry.outcome == "replaced"]
    signed_in = [who for who, _ in pages if who.signed_in()]
    assert len(signed_in) == 1
    assert len(kept) == len(house.letters(person.account, "changed"))
    assert 1 <= len(done) <= len(kept)
    field = {"question": "answer"}.get(name, name)
    live = made[[who for who, _ in pages].index(signed_in[0])][field]
    assert holds(house, person, FACTORS[name], live)


@pytest.mark.parametrize("name", [*EVERY, "email"])
def test_a07_without_a_session_there_is_only_the_sign_in_page(house: House, name: str) -> None:
    person = house.customer()
    for path in ("/profile", f"/profile/{name}"):
        answer = person.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=profile")
    before = person.account
    answer = person.client.post(f"/profile/{name}", data=written(person, "password"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=profile")
    assert person.account == before


@pytest.mark.parametrize("name", [*EVERY, "email"])
def test_a07_a_form_from_elsewhere_is_refused(house: House, name: str) -> None:
    person, other = house.customer(), house.customer()
    person.sign_in()
    other.sign_in()
    page, theirs = person.open(f"/profile/{name}"), other.open(f"/profile/{name}")
    before = person.account
    fields = written(person, name) if name != "email" else {"current": PASSWORD, "email": "new@example.com"}
    for csrf in (None, "", theirs.hidden["csrf"], house.person().open("/invitation").hidden["csrf"]):
        assert person.post(page, {**fields, "csrf": csrf}).status_code == 403
    assert person.post(page, fields, headers={"Origin": "https://evil.example"}).status_code == 403
    assert person.post(page, fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert person.client.get(page.action, params={**page.hidden, **fields}).status_code == 200
    assert person.client.post(page.action, json={**page.hidden, **fields}).status_code == 403
    twice = [*page.hidden.items(), *fields.items(), ("current", "x")]
    answer = person.client.post(
        page.action,
        content="&".join(f"{key}={value}" for key, value in twice).replace(" ", "+"),
        headers={"Content-Type": FORM},
    )
    assert answer.status_code == 400
    assert person.account == before
    assert not house.letters(before)


def test_a07_a_hash_of_an_older_scheme_is_changed_in_one_go(house: House) -> None:
    person = house.customer()
    person.sign_in()
    weaker = Vault(house.settings.secrets.master_key, Hasher(8, 1, 1), HashPool(1, 1))
    held = person.account.credential(Factor.PASSWORD)
    assert held is not None
    with house.world.store.begin() as tx:
        tx.accounts.set_credential(person.account.id, replace(held, hash=weaker.hash(PASSWORD)))
    assert changed(person, "password").path == "/profile?done=password"


def choosing(policy: Any) -> Any:
    return replace(policy, change=replace(policy.change, end_others="choose"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql+redis"])
@pytest.mark.parametrize("name", EVERY)
def test_a07_where_policy_lets_people_choose_the_rest_may_stay_open(
    new_house: Callable[..., House], kind: str, name: str
) -> None:
    house = new_house(kind, policy=choosing)
    for stays in (True, False):
        person = house.customer()
        other = person.elsewhere()
        issued = other.tokens()
        person.sign_in()
        page = person.open(f"/profile/{name}")
        assert "checked" in page.fields["end_others"], "the safe choice is made beforehand"
        page = person.fill(page, **written(person, name, current="000000", end_others=None))
        assert "checked" not in page.fields["end_others"], "what was chosen is kept after a fault"
        person.fill(page, **written(person, name, end_others=None if stays else "yes"))
        assert person.signed_in()
        assert other.signed_in() is stays
        assert (house.refresh(issued["refresh_token"]).status_code == 200) is stays
        assert known_device(house, other, person.account) is stays
        assert house.letters(person.account, "changed")


def test_a07_where_policy_always_ends_the_rest_no_field_says_otherwise(house: House) -> None:
    person = house.customer()
    other = person.elsewhere()
    other.sign_in()
    person.sign_in()
    assert "end_others" not in person.open("/profile/password").fields
    changed(person, "password", end_others="")
    assert not other.signed_in()


def test_a07_rows_are_there_where_policy_enables_them(new_house: Callable[..., House]) -> None:
    def without(policy: Any) -> Any:
        return replace(
            policy,
            pin=replace(policy.pin, enabled=False),
            security_question=replace(policy.security_question, enabled=False),
        )

    house = new_house(policy=without)
    person = house.customer(secrets=(Factor.PASSWORD,))
    person.sign_in()
    profile = person.open("/profile")
    assert profile.status == 200
    assert not {"/profile/pin", "/profile/question", "/profile/mobile"} & set(profile.links)
    for name in ("pin", "question", "mobile"):
        assert person.open(f"/profile/{name}").status == 404
        csrf = person.open("/profile/password").hidden["csrf"]
        assert person.client.post(f"/profile/{name}", data={"csrf": csrf}).status_code == 404
    assert changed(person, "password").status == 200


def test_a07_the_profile_shows_what_is_on_file_and_no_secret(house: House) -> None:
    person = house.customer()
    person.sign_in()
    assert "/profile" in person.open("/").links
    profile = person.open("/profile?done=<script>")
    account = person.account
    for text in (account.full_name, account.username, account.email, "It can never be changed."):
        assert text in profile.text
    assert "Done." not in profile.text
    assert "<script>" not in profile.response.text.replace('<script src="', "")
    assert profile.response.headers["Cache-Control"] == "no-store"
    for held in account.credentials:
        assert held.hash not in profile.response.text


def test_a07_changes_are_throttled_by_source(new_house: Callable[..., House]) -> None:
    def few(policy: Any) -> Any:
        return replace(policy, rate_limits=replace(policy.rate_limits, change="3/minute"))

    house = new_house(policy=few)
    person = house.customer()
    person.sign_in()
    page = person.open("/profile/email")
    fields = {"current": PASSWORD, "email": "nothing"}
    statuses = [person.post(page, fields).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]
    assert person.open("/profile").status == 200
