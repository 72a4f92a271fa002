"""C4: a person may act as consumer, business customer, or on behalf of one; chosen at sign-in, and the token says which."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.model import Capacity, Role
from tests.acting import ALL, acting_house, ask, capacities, chosen, claim, claims, signed_in, somebody, tokens
from tests.harness import CONFIG, House, together
from tests.people import BILLING, PASSWORD, SERVICE, Person

RECORDS = (
    {"account_number": "IT-4711-0815-AX", "customer_code": "", "family_name": "Rossi", "organisation": ""},
    {"account_number": "IT-4711-0815-BX", "customer_code": "", "family_name": "Bianchi", "organisation": ""},
    {"account_number": "IT-9000-1111-CX", "customer_code": "", "family_name": "", "organisation": "Officine Rossi S.r.l."},
    {"account_number": "IT-8000-2222-DX", "customer_code": "", "family_name": "Verdi", "organisation": ""},
    {"account_number": "IT-7000-3333-EX", "customer_code": "", "family_name": "Neri", "organisation": ""},
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with acting_house(request.param, tmp_path_factory.mktemp("acting"), RECORDS) as house:
        yield house


ACTS = [
    ("forme", {"capacity": "consumer"}),
    ("forus", {"capacity": "business", "organisation": "Rossi & figli"}),
    ("forthem", {"capacity": "on_behalf", "organisation": "Lega <Calcio>"}),
]


def told(token: str) -> dict[str, str]:
    return {name: value for name, value in claims(token).items() if name in ("capacity", "organisation")}


@pytest.mark.parametrize(("capacity", "says"), ACTS)
def test_c04_it_is_chosen_at_sign_in_and_every_token_says_which(consumer: House, capacity: str, says: dict[str, str]) -> None:
    person = somebody(consumer)
    issued = tokens(person, chosen(person, ask(person), capacity), resource=BILLING)
    assert told(issued["id_token"]) == told(issued["access_token"]) == says
    # Another backend's token says the same, and so does one for userinfo; the next ones too.
    other = consumer.refresh(issued["refresh_token"], resource=SERVICE).json()
    assert told(other["access_token"]) == told(other["id_token"]) == says
    own = tokens(person, person.authorize(scope="openid profile"))
    assert told(own["access_token"]) == told(own["id_token"]) == says
    # Backends that ask are told.
    assert consumer.introspect(issued["access_token"]).items() >= says.items()
    assert consumer.introspect(other["access_token"], "service").items() >= says.items()
    assert consumer.audit("grant.opened", person.account)[0].facts["capacity"] == says["capacity"]


def test_c04_the_page_tells_them_apart(consumer: House) -> None:
    person = somebody(consumer)
    page = person.walk(ask(person))
    assert page.heading == "For whom are you here?"
    for words in ("For yourself", "For Rossi & figli", "On behalf of Lega <Calcio>", "ending in 9ZZ"):
        assert words in page.text
    assert "<Calcio>" not in page.response.text


def test_c04_who_has_one_is_not_asked_and_who_has_none_acts_in_none(consumer: House) -> None:
    one = somebody(consumer, capacities(consumer)[1])
    assert told(tokens(one, one.authorize(scope=ALL, resource=[BILLING]), resource=BILLING)["id_token"]) == ACTS[1][1]
    nobody = somebody(consumer, *capacities(consumer)[:1])
    with consumer.world.store.begin() as tx:
        tx.particulars.set_capacities(nobody.account.id, ())
    assert told(tokens(nobody, nobody.authorize(scope=ALL, resource=[BILLING]), resource=BILLING)["id_token"]) == {}


def test_c04_single_sign_on_keeps_it_and_select_account_asks_anew(consumer: House) -> None:
    person = somebody(consumer)
    tokens(person, chosen(person, ask(person), "forus"), resource=BILLING)
    again = ask(person)
    assert again.left, again.text
    assert told(tokens(person, again, resource=BILLING)["id_token"]) == ACTS[1][1]
    app = person.authorize("app", scope="openid billing:read", resource=[BILLING])
    assert told(person.redeem(app, "app", resource=BILLING).json()["access_token"]) == ACTS[1][1]
    # A step up asks for more proof, and not for whom.
    asked = ask(person, acr_values="extra")
    assert asked.step == "ExtraProof", asked.text
    assert told(tokens(person, person.walk(asked), resource=BILLING)["id_token"]) == ACTS[1][1]
    switched = ask(person, prompt="select_account")
    assert switched.step == "AskUsernameAndPassword"
    issued = tokens(person, chosen(person, switched, "forthem"), resource=BILLING)
    assert told(issued["id_token"]) == ACTS[2][1]
    assert told(tokens(person, ask(person), resource=BILLING)["id_token"]) == ACTS[2][1]


def test_c04_without_a_person_to_ask_nothing_is_chosen(consumer: House) -> None:
    person = somebody(consumer, capacities(consumer)[0])
    person.authorize()
    with consumer.world.store.begin() as tx:
        tx.particulars.set_capacities(person.account.id, capacities(consumer)[1:])
    assert ask(person, prompt="none").answer["error"] == "interaction_required"
    assert person.walk(ask(person)).step == "ChooseCapacity"


def test_c04_what_was_granted_in_a_capacity_ends_with_it(consumer: House) -> None:
    person = somebody(consumer)
    issued = tokens(person, chosen(person, ask(person), "forus"), resource=BILLING)
    waiting = person.ask(scope=ALL, resource=[BILLING])
    with consumer.world.store.begin() as tx:
        tx.particulars.set_capacities(person.account.id, capacities(consumer)[::2])
    for refused in (consumer.refresh(issued["refresh_token"], resource=BILLING), person.redeem(waiting, resource=BILLING)):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert consumer.introspect(issued["access_token"]) == {"active": False}
    assert consumer.introspect(issued["refresh_token"], "portal") == {"active": False}
    # The session is asked anew in which of those that are left.
    assert told(tokens(person, chosen(person, ask(person), "forthem"), resource=BILLING)["id_token"]) == ACTS[2][1]
    # With one left there is nothing to choose, and what was granted in another is not taken for it.
    with consumer.world.store.begin() as tx:
        tx.particulars.set_capacities(person.account.id, capacities(consumer)[:1])
    assert told(tokens(person, ask(person), resource=BILLING)["id_token"]) == ACTS[0][1]


# Attacks


@pytest.mark.parametrize("typed", ["", "x", "' OR 1=1 --", "\0", "é" * 3000, None])
def test_c04_an_id_that_is_none_chooses_nothing(consumer: House, typed: str | None) -> None:
    person = somebody(consumer)
    page = person.walk(ask(person))
    after = person.fill(page, capacity=typed)
    assert (after.status, after.step) == (422, "ChooseCapacity")
    assert person.walk(ask(person)).step == "ChooseCapacity"


def test_c04_nobody_acts_in_anothers_capacity(consumer: House) -> None:
    theirs = somebody(consumer, Capacity("theirs", Role.CONSUMER, "", consumer.vault.seal(b"IT0000000000")))
    theirs.authorize()
    person = somebody(consumer)
    after = person.fill(person.walk(ask(person)), capacity="theirs")
    assert (after.status, after.step) == (422, "ChooseCapacity")


def test_c04_a_choice_of_one_window_is_not_that_of_the_other(consumer: House) -> None:
    person = somebody(consumer)
    first, second = person.walk(ask(person)), person.walk(ask(person))
    # The first stops at the door of the authorization endpoint, and goes on after the second has chosen otherwise.
    held = person.post(first, {"capacity": "forme"})
    assert held.status_code == 303
    issued = tokens(person, person.fill(second, capacity="forus"), resource=BILLING)
    assert told(issued["id_token"]) == ACTS[1][1]
    assert told(tokens(person, person.follow(held), resource=BILLING)["id_token"]) == ACTS[0][1]


def test_c04_of_two_choices_at_once_one_counts(consumer: House) -> None:
    person = somebody(consumer)
    page = person.walk(ask(person))
    answers = together([lambda: person.post(page, {"capacity": "forme"}), lambda: person.post(page, {"capacity": "forus"})])
    assert all(answer.status_code in (303, 404) for answer in answers), answers
    done = next(page for page in map(person.follow, answers) if page.left)
    assert told(tokens(person, done, resource=BILLING)["id_token"]) in (ACTS[0][1], ACTS[1][1])


def test_c04_another_person_at_the_same_browser_is_asked_anew(consumer: House) -> None:
    person, other = somebody(consumer), somebody(consumer)
    tokens(person, chosen(person, ask(person), "forus"), resource=BILLING)
    person.username = other.username
    page = ask(person, prompt="login")
    page = person.walk(person.fill(page, username=other.username, password=PASSWORD))
    assert page.step == "ChooseCapacity"


# My Profile


def test_c04_a_person_adds_and_gives_up_a_customer_number(consumer: House) -> None:
    person = signed_in(consumer, capacities(consumer)[1])
    issued = tokens(person, ask(person), resource=BILLING)
    page = claim(person, account_number=" it 4711.0815/ax ")
    assert page.path == "/profile/capacities?done=add", page.text
    assert "The customer number is added." in page.text
    assert "For yourself" in page.text
    assert "ending in 5AX" in page.text
    added = person.account.capacities[1]
    assert (added.role, added.organisation) == (Role.CONSUMER, "")
    assert [one.facts.get("role") for one in consumer.audit("capacity.add", person.account)] == ["consumer"]
    (letter,) = consumer.letters(person.account, "changed")
    assert letter[1]["changed"] == "capacity"
    # What was granted before goes on; nobody else can add the number.
    assert consumer.refresh(issued["refresh_token"], resource=BILLING).status_code == 200
    assert "For yourself" in person.open("/profile").text
    stranger = signed_in(consumer, capacities(consumer)[1])
    refused = claim(stranger, account_number="IT47110815AX")
    assert (refused.status, stranger.account.capacities) == (422, capacities_of(stranger))
    # Given up, it is free for whoever has the bill.
    form = person.open(f"/profile/capacities/remove?id={added.id}")
    assert person.fill(form, current="wrong wrong wrong").status == 401
    page = person.fill(form, current=PASSWORD)
    assert "You no longer act for that customer." in page.text
    assert [one.role for one in person.account.capacities] == [Role.BUSINESS]
    assert claim(stranger, account_number="IT47110815AX").path == "/profile/capacities?done=add"


def capacities_of(person: Person) -> tuple[Capacity, ...]:
    return person.account.capacities[:1]


def test_c04_of_what_does_not_match_nothing_is_told(consumer: House) -> None:
    person = signed_in(consumer, capacities(consumer)[1])
    pages = [
        claim(person, account_number="IT47110815BX"),  # another's name
        claim(person, account_number="IT99999999ZZ"),  # nobody's
        claim(person, account_number="???"),  # none at all
    ]
    assert {page.status for page in pages} == {422}
    assert len({page.text for page in pages}) == 1
    assert "That is not what our records say" in pages[0].text
    assert len(person.account.capacities) == 1


def test_c04_the_name_of_a_business_makes_a_business_customer(consumer: House) -> None:
    person = signed_in(consumer, capacities(consumer)[1])
    page = claim(person, account_number="IT90001111CX", family_name="OFFICINE ROSSI SRL")
    assert "For Officine Rossi S.r.l." in page.text
    assert (
        "You act for this customer already."
        in claim(person, account_number="IT90001111CX", family_name="Officine Rossi S.r.l.").text
    )
    assert person.account.capacities[1].role is Role.BUSINESS


def test_c04_guesses_are_counted_for_the_account_too(consumer: House) -> None:
    person = signed_in(consumer, capacities(consumer)[1])
    most = int(consumer.world.policy.registration.guesses.partition("/")[0])
    assert [claim(person, account_number=f"IT0000{number}").status for number in range(most)] == [422] * most
    assert claim(person, account_number="IT00009").status == 429
    # The right one is not taken any more either.
    assert claim(person, account_number="IT47110815BX", family_name="Bianchi").status == 429


def test_c04_the_limit_of_guesses_does_not_tell_whose_a_number_is(consumer: House) -> None:
    owner, stranger = signed_in(consumer, capacities(consumer)[1]), signed_in(consumer, capacities(consumer)[1])
    assert claim(owner, account_number="IT70003333EX", family_name="Neri").path == "/profile/capacities?done=add"
    most = int(consumer.world.policy.registration.guesses.partition("/")[0])
    assert [claim(stranger, account_number="IT70003333EX", family_name="Neri").status for _ in range(most)] == [422] * most
    assert claim(stranger, account_number="IT70003333EX", family_name="Neri").status == 429


def test_c04_the_password_is_asked_first(consumer: House) -> None:
    person = signed_in(consumer, capacities(consumer)[1])
    for page in (
        claim(person, account_number="IT47110815BX", family_name="Bianchi", current="wrong wrong wrong"),
        claim(person, account_number="IT99999999ZZ", current="wrong wrong wrong"),
    ):
        assert page.status == 401
        assert "That is not your present password." in page.text
    assert len(person.account.capacities) == 1


def test_c04_two_people_at_once_cannot_both_have_a_number(consumer: House) -> None:
    people = [signed_in(consumer, capacities(consumer)[1]) for _ in range(3)]
    fields = {"account_number": "IT80002222DX", "family_name": "Verdi"}
    pages = together([lambda person=person: claim(person, **fields) for person in people])
    assert sorted(page.status for page in pages) == [200, 422, 422]
    # The same person twice at once has it once.
    (owner,) = [person for person in people if len(person.account.capacities) == 2]
    form = owner.open(f"/profile/capacities/remove?id={owner.account.capacities[1].id}")
    together([lambda: owner.fill(form, current=PASSWORD)] * 2)
    assert len(owner.account.capacities) == 1
    twice = together([lambda: claim(owner, **fields)] * 2)
    assert sorted(page.status for page in twice) == [200, 422]
    assert len(owner.account.capacities) == 2


def test_c04_nobody_gives_up_anothers(consumer: House) -> None:
    theirs, person = signed_in(consumer, capacities(consumer)[0]), signed_in(consumer, capacities(consumer)[1])
    with consumer.world.store.begin() as tx:
        tx.particulars.set_capacities(theirs.account.id, (Capacity("onlytheirs", Role.CONSUMER),))
    assert person.open("/profile/capacities/remove?id=onlytheirs").path == "/profile/capacities"
    form = person.open(f"/profile/capacities/remove?id={person.account.capacities[0].id}")
    assert person.fill(form, current=PASSWORD, id="onlytheirs").path == "/profile/capacities"
    assert len(theirs.account.capacities) == len(person.account.capacities) == 1
    assert person.post(form, {"current": PASSWORD, "csrf": "x"}).status_code == 403
    assert person.post(form, {"current": PASSWORD, "id": "a b"}).status_code in (303, 422)


def test_c04_where_there_are_no_records_nothing_can_be_added(house: House) -> None:
    person = house.customer(capacities=(Capacity("a", Role.CONSUMER),))
    person.sign_in()
    assert "Add a customer number" not in person.open("/profile/capacities").text
    assert person.get("/profile/capacities/add").status_code == 404
    assert person.open("/profile/capacities").heading == "For whom you act"
    with house.world.store.begin() as tx:
        tx.particulars.set_capacities(person.account.id, ())
    assert "For whom you act" not in person.open("/profile").text


def test_c04_pages_need_a_session(consumer: House) -> None:
    stranger = consumer.person()
    for path in ("/profile/capacities", "/profile/capacities/add", "/profile/capacities/remove?id=a"):
        assert stranger.get(path).headers["Location"].startswith("/sign-in?to=capacities")
    for path in ("/profile/capacities/add", "/profile/capacities/remove"):
        assert stranger.client.post(path, data={"current": PASSWORD}).headers["Location"] == "/sign-in?to=capacities"


def test_c04_signing_in_leads_to_the_page_that_was_wanted(consumer: House) -> None:
    person = somebody(consumer, capacities(consumer)[0])
    page = person.walk(person.open(f"/sign-in?{urlencode({'to': 'capacities'})}"))
    assert page.path == "/profile/capacities", page.path


# Staff


def staff(house: House, *arguments: str, typed: str | None = None) -> Result:
    """Run ``idp accounts capacity``."""
    environ = {**house.secrets, "IDP_CONFIG": str(CONFIG), "COLUMNS": "200"}
    return CliRunner(env=environ).invoke(idp, ["accounts", "capacity", *arguments], input=typed)


def test_c04_staff_see_add_and_remove(consumer: House) -> None:
    person = somebody(consumer, capacities(consumer)[1])
    arguments = ("add", person.username, "--role", "on_behalf", "--organisation", "Lega  Calcio", "--account-number")
    added = staff(consumer, *arguments, typed="IT-4711-7777-QX\n")
    assert added.exit_code == 0, added.output
    assert "on_behalf for Lega Calcio, account number …7QX: added" in added.output
    assert "47117777" not in added.output
    capacity = person.account.capacities[1]
    shown = staff(consumer, "list", person.username).output
    assert capacity.id in shown
    assert "…7QX" in shown
    assert "47117777" not in shown
    issued = tokens(person, chosen(person, ask(person), capacity.id), resource=BILLING)
    assert claims(issued["access_token"])["account_number"] == "IT47117777QX"
    assert staff(consumer, *arguments, typed="it47117777qx\n").exit_code == 1
    removed = staff(consumer, "remove", person.username, capacity.id)
    assert removed.exit_code == 0, removed.output
    assert consumer.refresh(issued["refresh_token"], resource=BILLING).json()["error"] == "invalid_grant"
    entries = [*consumer.audit("capacity.add", person.account), *consumer.audit("capacity.remove", person.account)]
    assert [(one.actor.partition(":")[0], one.facts) for one in entries] == [("cli", {"role": "on_behalf"})] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--role", "consumer", "--organisation", "Lega"), "nobody else"),
        (("--role", "business"), "has an organisation"),
        (("--role", "business", "--organisation", "x" * 129), "at most 128"),
        (("--role", "consumer", "--account-number", "4711/é"), "letters and digits"),
        (("--role", "king"), "Invalid value"),
    ],
)
def test_c04_staff_are_told_what_cannot_be(consumer: House, arguments: tuple[str, ...], told: str) -> None:
    person = somebody(consumer, capacities(consumer)[1])
    refused = staff(consumer, "add", person.username, *arguments)
    assert refused.exit_code != 0
    assert told in refused.output
    assert len(person.account.capacities) == 1


def test_c04_staff_cannot_add_to_nobody_nor_without_end(consumer: House) -> None:
    for refused in (
        staff(consumer, "add", "nobody at all", "--role", "consumer"),
        staff(consumer, "remove", "nobody at all", "x"),
        staff(consumer, "list", "nobody at all"),
        staff(consumer, "remove", somebody(consumer).username, "x"),
    ):
        assert refused.exit_code == 1
        assert "no account of that name" in refused.output
    full = somebody(consumer, *(Capacity(f"c{number}", Role.CONSUMER) for number in range(20)))
    assert "as many capacities" in staff(consumer, "add", full.username, "--role", "consumer").output


def test_c04_explain_tells_the_capacities_and_no_number(consumer: House) -> None:
    person = somebody(consumer)
    environ = {**consumer.secrets, "IDP_CONFIG": str(CONFIG)}
    told = CliRunner(env=environ).invoke(idp, ["explain", person.username]).output
    assert "Acts as consumer, business customer Rossi & figli, on behalf of Lega <Calcio>." in told
    bare = CliRunner(env=environ).invoke(idp, ["explain", person.username, "--json"]).output
    assert '"role": "on_behalf"' in bare
    assert "9ZZ" not in told + bare
