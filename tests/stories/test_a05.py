"""A5: forgotten password: username and email, the answer, a temporary password by mail, and a new one before anything else."""

from datetime import timedelta

from idp.flows import assist
from idp.model import Factor
from tests.harness import House
from tests.people import NEW_PASSWORD, PASSWORD, Page, Person
from tests.recoveries import known, masked, templates, without

SENT = "Check your mailbox"


def asked(person: Person) -> Page:
    """As far as the question."""
    page = person.recover("password")
    assert page.step == "AnswerToRecover"
    return page


def temporaries(house: House, person: Person) -> list[str]:
    return [context["password"] for _, context in house.letters(person.account, "temporary_password")]


def test_a05_from_the_client_by_the_letter_to_a_new_password_and_back_to_the_client(house: House) -> None:
    person = house.customer()
    page = person.ask()
    (way,) = [link for link in page.links if link.startswith("/recover?")]
    (form,) = [link for link in person.open(way).links if link.startswith("/recover/password")]
    page = person.recover("password", page=person.open(form))
    assert (page.step, page.heading) == ("AnswerToRecover", "Your security question")
    page = person.fill(page, answer="  SCUOLA   manzoni ")
    assert (page.step, page.heading) == ("MailSent", SENT)
    assert "within 1 hour" in page.text
    ((letter, context),) = house.letters(person.account, "temporary_password")
    assert letter.to == person.account.email
    assert context["username"] is None
    page = person.fill(page)
    page = person.fill(page, username=person.username, password=context["password"])
    assert page.step == "ReplacePassword"
    assert "temporary password" in page.text
    assert page.fields["username"]["value"] == person.username
    page = person.walk(page, until="AskUsernameAndPassword")
    assert "Your new password is saved" in page.text
    page = person.walk(page)
    assert person.password == NEW_PASSWORD
    claims = person.redeem(page).json()
    assert claims["access_token"]
    assert person.elsewhere(password=PASSWORD).try_password(PASSWORD).status == 401


def test_a05_no_code_and_no_session_before_the_new_password_is_chosen(house: House) -> None:
    person = house.customer()
    temporary = house.temporary_password(person)
    page = person.ask()
    page = person.fill(page, username=person.username, password=temporary)
    assert page.step == "ReplacePassword"
    assert not person.signed_in()
    transaction = page.path.rpartition("/")[2]
    assert person.open(f"/authorize/{transaction}").step == "ReplacePassword"
    assert person.ask(prompt="none").answer["error"] == "login_required"
    for step, fields in (("AskPin", {"pin": person.pin}), ("MailSent", {}), ("ResetByCode", {"code": "1"})):
        assert person.fill(page, step=step, **fields).step == "ReplacePassword"
    # Left half-way, the temporary password is used up: a letter more brings another.
    assert person.elsewhere().try_password(temporary).status == 401


def test_a05_asking_changes_nothing_and_the_password_goes_on_working_until_it_is_replaced(house: House) -> None:
    person = house.customer()
    issued = person.tokens("app")
    before = known(house, person)
    page = asked(person.elsewhere())
    assert known(house, person) == before
    assert templates(house, person) == []
    temporary = house.temporary_password(person)
    account, counted = known(house, person)
    assert without(account, Factor.TEMPORARY) == before[0].credentials
    assert account.sessions_valid_from == before[0].sessions_valid_from
    assert counted == before[1]
    assert person.signed_in()
    assert house.refresh(issued["refresh_token"], "app").status_code == 200
    assert person.elsewhere().try_password(PASSWORD).step == "AskPin"
    assert person.elsewhere().try_password(temporary).step == "ReplacePassword"
    assert page.status == 200


def test_a05_once_replaced_everything_that_began_before_ends_and_every_address_is_told(house: House) -> None:
    person = house.customer()
    other = person.elsewhere()
    issued = other.tokens("app")
    known_device = [counter for counter in house.counters(person.account) if counter.device]
    assert other.signed_in()
    temporary = house.temporary_password(person)
    browser = person.elsewhere()
    browser.walk(browser.try_password(temporary))
    assert browser.signed_in()
    assert not other.signed_in()
    assert house.refresh(issued["refresh_token"], "app").status_code == 400
    assert house.introspect(issued["access_token"])["active"] is False
    ((letter, context),) = house.letters(person.account, "changed")
    assert (letter.to, context["changed"]) == (person.account.email, "password")
    # The device of before is a stranger's now: what it tries falls on the account's own counter.
    other.try_password()
    assert house.counter(person.account).failures == 1
    assert known_device is not None


def test_a05_a_temporary_password_works_once_and_the_newest_alone(house: House) -> None:
    person = house.customer()
    older, newer = house.temporary_password(person), house.temporary_password(person)
    assert person.elsewhere().try_password(older).status == 401
    # Typed as people type: capitals, spaces for hyphens.
    assert person.elsewhere().try_password(newer.upper().replace("-", " ")).step == "ReplacePassword"
    assert person.elsewhere().try_password(newer).status == 401


def test_a05_a_temporary_password_ends_to_the_second(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        ends = clock() + timedelta(hours=1)
        late = house.temporary_password(person)
        clock.move(hours=1)
        assert clock() == ends
        assert person.elsewhere().try_password(late).status == 401
        early = house.temporary_password(person)
        clock.move(hours=1, microseconds=-1)
        assert person.elsewhere().try_password(early).step == "ReplacePassword"


def test_a05_three_go_out_in_an_hour_and_the_page_says_no_more(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        pages = []
        for _ in range(4):
            browser = person.elsewhere()
            pages.append(masked(browser.fill(asked(browser), answer=browser.answer)))
            clock.move(seconds=1)
        assert len(set(map(str, pages))) == 1
        assert len(temporaries(house, person)) == 3
        assert person.elsewhere().try_password(temporaries(house, person)[-1]).step == "ReplacePassword"
        clock.move(hours=1)
        assert person.elsewhere().try_password(house.temporary_password(person)).step == "ReplacePassword"


def test_a05_whoever_is_named_the_pages_are_the_same_bytes_and_the_work_the_same(house: House) -> None:
    person, blocked, locked = house.customer(), house.customer(), house.customer()
    invited, _ = house.invited(username=stranger_with(house, "invited", asked(person).text))
    assist.change_state(house.world, blocked.username, assist.Act.BLOCK, "test")
    for _ in range(5):
        browser = locked.elsewhere()
        browser.fill(asked(browser), answer="wrong")
    ways = {
        "known": (person.username, person.account.email),
        "another address": (person.username, "nobody@example.com"),
        "no address": (person.username, f"{person.account.email},{locked.account.email}"),
        "blocked": (blocked.username, blocked.account.email),
        "locked": (locked.username, locked.account.email),
        "invited": (invited.username, invited.account.email),
        "unknown": (stranger_with(house, "nobody", asked(person).text), "nobody@example.com"),
    }
    told = {}
    for kind, (username, email) in ways.items():
        visitor = house.person()
        page = visitor.fill(visitor.open("/recover/password"), username=username, email=email)
        hashes = house.hashes
        wrong = visitor.fill(page, answer="wrong")
        assert house.hashes == hashes + 1, kind
        assert wrong.status == 401
        told[kind] = (masked(page), masked(wrong))
    assert {kind for kind, pages in told.items() if pages != told["known"]} == set()


def stranger_with(house: House, stem: str, like: str) -> str:
    """A name without account whose question, the same each time, is the one of the page given."""
    for number in range(200):
        name, visitor = f"{stem}{number}", house.person()
        page = visitor.fill(visitor.open("/recover/password"), username=name, email=f"{number}@example.com")
        if page.text == like:
            return name
    raise AssertionError("every stranger is asked another question")


def test_a05_the_right_answer_of_somebody_who_named_another_address_brings_nothing(house: House) -> None:
    person = house.customer()
    page = person.fill(person.open("/recover/password"), username=person.username, email="nobody@example.com")
    page = person.fill(page, answer=person.answer)
    assert page.status == 401
    assert temporaries(house, person) == []
    # Nor does it count against the person.
    assert house.counter(person.account, Factor.ANSWER).failures == 0


def test_a05_five_wrong_answers_close_the_answer_and_nothing_else(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        page = asked(person)
        wrong = [person.fill(page, answer="wrong") for _ in range(5)][-1]
        right = person.fill(page, answer=person.answer)
        assert masked(right) == masked(wrong)
        assert temporaries(house, person) == []
        assert person.elsewhere().try_password(PASSWORD).step == "AskPin"
        clock.move(minutes=30)
        assert person.fill(asked(person), answer=person.answer).step == "MailSent"


def test_a05_no_step_is_skipped_and_none_is_another_browsers(house: House) -> None:
    person = house.customer()
    page = asked(person)
    for step in ("ReplacePassword", "ResetByCode", "EnterCode", "MailSent", "AskPin"):
        chosen = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD, "code": "123456", "pin": "904617"}
        assert person.fill(page, step=step, **chosen).step == "AnswerToRecover"
    thief = person.elsewhere()
    assert thief.open(page.action).status == 404
    own = thief.open("/sign-in").hidden
    assert thief.client.post(page.action, data={**page.hidden, **own, "answer": person.answer}).status_code == 404
    for path in ("/recover/cancel", "/recover/pin"):
        stolen = {"csrf": own["csrf"], "sign_in": page.action.rpartition("/")[2]}
        assert thief.client.post(path, data=stolen).status_code == 404
    assert person.post(page, {"answer": person.answer, "csrf": "x"}).status_code == 403
    assert temporaries(house, person) == []


def test_a05_the_way_back_leads_to_sign_in_and_leaves_nothing(house: House) -> None:
    person = house.customer()
    page = asked(person)
    forged = person.client.post("/recover/cancel", data={"csrf": "x", "sign_in": page.forms["/recover/cancel"]["sign_in"]})
    assert forged.status_code == 403
    back = person.press(page, "/recover/cancel")
    assert back.step == "AskUsernameAndPassword"
    assert back.action == page.action
    person.walk(back)
    assert person.signed_in()


def test_a05_the_new_password_is_neither_the_temporary_nor_the_old_nor_a_weak_one(house: House) -> None:
    person = house.customer()
    temporary = house.temporary_password(person)
    page = person.try_password(temporary)
    for chosen in (temporary, PASSWORD, "short", "password123"):
        page = person.fill(page, password=chosen, password_again=chosen)
        assert (page.status, page.step) == (422, "ReplacePassword"), chosen
    page = person.fill(page, password=NEW_PASSWORD, password_again=NEW_PASSWORD + "x")
    assert "not the same" in page.text
    assert person.walk(page.__class__(person.get(page.action))).left is None
    assert person.signed_in()


def test_a05_a_client_that_knows_the_person_already_is_answered_for_that_person_alone(house: House) -> None:
    person, other = house.customer(), house.customer()
    person.sign_in()
    page = person.ask(prompt="login")
    assert page.step == "AskUsernameAndPassword"
    (way,) = [link for link in page.links if link.startswith("/recover?")]
    (form,) = [link for link in person.open(way).links if link.startswith("/recover/password")]
    # A recovery begun in somebody's sign-in forgets who that was.
    page = person.fill(person.open(form), username=other.username, email=other.account.email)
    assert page.step == "AnswerToRecover"
    assert person.fill(page, answer=other.answer).step == "MailSent"
    assert len(temporaries(house, other)) == 1
    assert temporaries(house, person) == []


def test_a05_a_blocked_person_gets_no_letter_and_a_suspended_one_still_answers_afterwards(house: House) -> None:
    blocked, asleep = house.customer(), house.customer()
    assist.change_state(house.world, blocked.username, assist.Act.BLOCK, "test")
    assert blocked.fill(asked(blocked), answer=blocked.answer).status == 401
    assert temporaries(house, blocked) == []
    house.leave(days=120)
    temporary = house.temporary_password(asleep)
    page = asleep.walk(asleep.try_password(temporary), until="Reactivate")
    assert page.step == "Reactivate"
    asleep.walk(page)
    assert asleep.signed_in()
