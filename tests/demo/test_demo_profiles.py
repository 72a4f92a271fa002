"""A16: the demo shows every profile: its people are those whom the policy gives something to show, and see what is promised."""

import csv
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click import unstyle
from click.testing import CliRunner

from idp.cli.demo import CUSTOMERS
from idp.cli.demo import demo as demo_command
from idp.cli.demo_cast import cast, first_steps
from idp.cli.demo_guide import guide
from idp.cli.demo_people import ANSWER, APP_KEY, PASSWORD, PIN, People, thrifty
from idp.flows import belonging
from idp.policies import registration
from idp.policies.registration import Claimed
from idp.settings import load_policy
from tests.demo.running import ROOT, Visitor, running_demo
from tests.harness import CONFIG, House, open_house
from tests.people import Page
from tests.profiles import laws
from tests.profiles.members import Member
from tests.second_factor.phones import Phone

PROFILES = sorted(path.stem for path in (CONFIG / "policies").glob("*.toml"))
WHERE = {
    name: f"http://localhost:2808{port}" for port, name in enumerate(("identity", "portal", "billing", "service", "inbox"))
}
WHERE["metrics"] = "http://localhost:28086"
BILLING = "http://localhost:8082"
STEPS = {"second": "EnrolSecondFactor", "terms": "AcceptTerms", "purposes": "AnswerPurposes", **laws.PIECE_STEPS}


@pytest.fixture(params=PROFILES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """The product under one profile, with the demo's people and customers in it."""
    with open_house("sqlite", tmp_path, environ={"IDP_PROFILE": request.param, "IDP_SMS_URL": "http://localhost:1/"}) as opened:
        people = People(thrifty(opened.world, opened.settings))
        people.bring_in(CUSTOMERS)
        people.move_in()
        yield opened


def sign_in_name(house: House, username: str) -> str:
    """By what the demo's people are known: the email address where nobody chooses another name."""
    return username if "username" in house.world.policy.sign_in.identify_by else f"{username}@example.com"


def resident(house: House, username: str) -> Member:
    phone = Phone(APP_KEY) if house.world.policy.second_factor.required else None
    name = sign_in_name(house, username)
    return Member(house, username=name, password=PASSWORD, pin=PIN, answer=ANSWER, question="first_trip", phone=phone)


def comes_in(person: Member) -> list[str]:
    steps, page = person.steps_of(person.ask())
    assert "code" in page.answer, page.answer
    return steps


def as_usual(person: Member) -> None:
    assert tuple(comes_in(person)) == laws.later_steps(person.house.world.policy)


def says_for_whom(person: Member) -> None:
    page = person.walk(person.ask())
    assert page.step == "ChooseCapacity", page.text
    assert "Harbour Books" in page.text
    assert "Keller & Figli" in page.text


def follows_the_letter(person: Member) -> None:
    (_, context) = person.house.letters(person.account, "invitation")[-1]
    steps, page = person.steps_of(person.open_invitation(context["code"]))
    assert tuple(steps) == laws.first_steps(person.house.world.policy)
    assert page.left, page.text


def goes_on(person: Member) -> None:
    law = person.house.world.policy
    page = person.answered(person.ask())
    assert page.step == STEPS[first_steps(law)[1]], page.text
    assert person.walk(page).left or law.second_factor.required


def wakes(person: Member) -> None:
    as_asleep = comes_in(person)
    assert as_asleep[: len(laws.later_steps(person.house.world.policy))] == list(laws.later_steps(person.house.world.policy))
    assert "reactivated" in [letter.template for letter, _ in person.house.letters(person.account)]


def is_refused(heading: str, *, after: int = 1) -> Callable[[Member], None]:
    def run(person: Member) -> None:
        page = person.ask()
        for _ in range(after):
            assert page.status == 200
            page = person.fill(page, **(person.given(page) or {}))
        assert (page.status, page.heading) == (403, heading)

    return run


def is_told_what_a_wrong_password_is_told(person: Member) -> None:
    page = person.fill(person.ask(), username=person.username, password=PASSWORD)
    assert (page.status, page.step) == (401, "AskUsernameAndPassword")
    assert "locked" in [letter.template for letter, _ in person.house.letters(person.account)]


def may_stay(person: Member) -> None:
    page = person.walk(person.ask())
    assert page.step == "KeepAccount", page.text


SEES: dict[str, Callable[[Member], None]] = {
    "maria": as_usual,
    "john": as_usual,
    "anna": follows_the_letter,
    "luca": follows_the_letter,
    "hugo": goes_on,
    "dora": says_for_whom,
    "sofia": as_usual,
    "sven": wakes,
    "elsa": is_refused("Your access has expired"),
    "lena": is_told_what_a_wrong_password_is_told,
    "paul": is_refused("Blocked for a while"),
    "lara": may_stay,
    "bea": is_refused("Your access is blocked"),
    "carl": is_refused("This access is closed"),
}


def test_a16_each_profile_has_people_who_see_what_is_promised_and_customers_who_may_register(house: House) -> None:
    people = cast(house.world.policy)
    assert len({one.username for one in people}) == len(people)
    for sample in people:
        person = resident(house, sample.username)
        SEES[sample.username](person)
        assert (person.account.full_name, person.account.entitlements) == (sample.name, sample.entitlements)
    the_extra_proof_is_reached(resident(house, "maria"))
    every_customer_told_of_matches(house)


def the_extra_proof_is_reached(person: Member) -> None:
    """As the portal asks for it before it shows an itemised bill."""
    house = person.house
    house.clock.move(minutes=2)
    page = person.walk(person.ask(acr_values="extra", resource=BILLING, scope="openid billing:read"), until="ExtraProofByCode")
    if page.step == "ExtraProofByCode":
        page = person.fill(page, send="yes")
        page = person.fill(page, code=extra_code(person))
    token = person.redeem(page).json()["access_token"]
    assert house.introspect(token)["acr"] in {"extra", "mfa"}


def extra_code(person: Member) -> str:
    """The code that was mailed or texted."""
    house, known = person.house, {person.account.email, person.account.mobile}
    with house.world.store.begin() as tx:
        waiting = tx.outbox.claim(house.clock() + timedelta(microseconds=1), timedelta(0), 100)
    sealed = [body for letter, body in waiting if letter.template == "extra_code" and letter.to in known]
    return str(house.vault.open_json(sealed[-1])["code"])


def every_customer_told_of_matches(house: House) -> None:
    rules = house.world.policy.registration
    assert rules.open == bool(rules.match_customer)
    with CUSTOMERS.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows if rules.open else ():
        for number in row["numbers"].split(";"):
            key = house.world.numbers.key(number)
            claimed = Claimed(row["account_number"], row["customer_code"], row["given_name"], row["family_name"], key)
            assert registration.matches(belonging.record(house.world, claimed), claimed, rules), row
    mobiles = [house.world.numbers.canonical(row["numbers"].split(";")[0]) for row in rows]
    assert None in mobiles, "a landline, whose code goes by mail"
    assert {mobile[:3] for mobile in mobiles if mobile} == {"+44", "+39"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a16_what_it_prints_tells_of_the_profile_in_80_columns(profile: str) -> None:
    law = load_policy(ROOT / "config" / "policies" / f"{profile}.toml")
    people = cast(law)
    said = unstyle("\n".join(guide(law, people, CUSTOMERS, WHERE)))
    assert not [line for line in said.splitlines() if len(line) > 80]
    assert f"The profile is {profile} " in said
    assert " ".join(law.about.split()) in " ".join(said.split())
    assert [f"  {one.username} " in said for one in people] == [True] * len(people)
    assert (PIN in said) == law.pin.enabled
    assert (ANSWER in said) == ("question" in law.registration.enrolment)
    assert (APP_KEY in said) == law.second_factor.required
    assert ("suspended" in said) == (law.inactivity.suspend_after is not None)
    assert (f"{WHERE['identity']}/register" in said) == law.registration.open
    assert ("D'Angelo" in said) == bool(law.registration.match_customer)
    assert ("C 7701 02" in said) == ("customer_code" in law.registration.match_customer)
    assert ("+39 02 0000 0258" in said) == ("number" in law.registration.match_customer)


@pytest.mark.xdist_group("demo")
@pytest.mark.timeout(300)
def test_a16_the_command_starts_another_profile(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--profile", "consumer") as demo, Visitor() as visitor:
        assert "The profile is consumer " in demo.said
        page = visitor.open(f"{demo.portal}/sign-in")
        page = visitor.fill(page, username="maria@example.com", password=PASSWORD)
        assert bill(page)
        page = visitor.open(f"{demo.portal}/itemised")
        assert page.step == "ExtraProof", page.text
        assert "+44 7700" in visitor.fill(page, answer=ANSWER).text


def bill(page: Page) -> bool:
    return "Due on" in page.text and "An engineer comes on" in page.text


def test_a16_a_profile_that_is_not_there_is_told_with_those_that_are() -> None:
    done = CliRunner().invoke(demo_command, ["--profile", "selfserve", "--config", str(CONFIG)])
    assert done.exit_code == 1
    assert f"There is no profile selfserve. Choose one of: {', '.join(PROFILES)}." in done.stderr


def test_a16_make_passes_the_profile_on() -> None:
    done = subprocess.run(["make", "-n", "demo", "PROFILE=self-serve"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m idp demo --profile self-serve" in done.stdout
