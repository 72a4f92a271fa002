"""Registration in a real browser: the walk of each profile in both languages, to its end; every page of it judged by axe.

Then My Profile of one who registered: details, answers, customer numbers, what is held, and cancelling, taken back.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Route, expect

from idp.model import Customer
from idp.policies.policy import Policy
from tests.browser.guest import Guest
from tests.browser.typist import Typist
from tests.demo.running import Demo
from tests.gateways import Gateway, open_gateway
from tests.harness import House, open_house
from tests.people import ANSWER, PORTAL_CALLBACK, Person
from tests.profiles.members import member
from tests.registering import CHOSEN, codes, records

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]
MOBILE, LANDLINE = "+447400123456", "+442079460018"
# One customer for each walk.
CUSTOMERS = tuple(Customer(f"00123456{n}", f"K{n}", "rossi", frozenset({MOBILE, LANDLINE}), "Maria", "Rossi") for n in range(3))
QUESTIONS = {"en": "Please answer %s questions", "it": "Risponda a %s domande"}


@dataclass(frozen=True)
class Walk:
    """Who registers under which profile, in what manner, and what they type; ``wrong`` is put right at the second try."""

    profile: str
    how: dict[str, Any]
    typed: dict[str, str]
    wrong: dict[str, str]
    # Where the page that tells of what was wrong puts the focus.
    focus: str
    # From a client, and back to it; otherwise from the sign-in page to My Profile.
    client: bool = False
    keyboard: bool = False
    # What the profile asks after the form, in this order.
    then: tuple[str, ...] = field(default=())
    code_to: str = ""

    @property
    def name(self) -> str:
        """What its test is called."""
        return f"{self.profile}-{self.how['language']}"


def own(**typed: str) -> dict[str, str]:
    """What everybody types, with these."""
    return {"given_name": "Maria", "family_name": "Rossi", **typed}


def bill(n: int, number: str, email: str) -> dict[str, str]:
    """What stands on the bill of one of the customers."""
    return {"account_number": f"0012 3456 {n}", "family_name": "Rossi", "number": number, "email": email}


EN, IT = {"language": "en"}, {"language": "it"}
PHONE, DARK = {"size": "phone"}, {"scheme": "dark"}
CONSUMER, CODE = ("confirm", "question", "terms", "two purposes"), ("confirm", "three purposes")
WALKS = (
    Walk("open-registration", EN | DARK, own(username="maria"), {"username": "m r"}, "username", then=("two purposes",)),
    Walk(
        "open-registration",
        IT | PHONE | {"javascript": False},
        {"username": "mario"},
        {"password_again": "another one"},
        "password_again",
        client=True,
        then=("two purposes",),
    ),
    Walk("consumer", EN, own(email="en@example.com"), {"email": "en at example"}, "email", keyboard=True, then=CONSUMER),
    Walk(
        "consumer",
        IT | PHONE,
        own(email="it@example.com", account_number="001234560"),
        {"family_name": "Bianchi"},
        "given_name",
        client=True,
        then=CONSUMER,
    ),
    Walk(
        "customer-code",
        EN | PHONE | DARK,
        own(customer_code="k 0", email="en@example.com", username="maria.en"),
        {"customer_code": "k 9"},
        "customer_code",
        client=True,
        then=CODE,
    ),
    Walk(
        "customer-code",
        IT,
        own(customer_code="K1", email="it@example.com", username="maria.it"),
        {"username": "m"},
        "username",
        then=CODE,
    ),
    Walk(
        "self-serve",
        EN | PHONE,
        bill(0, "07400 123456", "en@example.com"),
        {"number": "12"},
        "number",
        client=True,
        then=("confirm",),
        code_to=MOBILE,
    ),
    Walk(
        "self-serve", IT | DARK, bill(1, "020 7946 0018", "it@example.com"), {"number": ""}, "number", then=("confirm",)
    ),
)  # fmt: skip


def roomy(policy: Policy) -> Policy:
    """As shipped, with room for many people at one address; the extra proof is a code, also for who has a question."""
    limits = replace(policy.rate_limits, registration="600/minute", sign_in="600/minute", change="600/minute")
    extra = replace(policy.step_up, extra_by=("email_code",))
    return replace(policy, rate_limits=limits, step_up=extra)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], House]]:
    """A house for each profile, opened when it is first asked for, with customers and a gateway for text messages."""
    opened: dict[str, House] = {}
    with ExitStack() as stack:
        gateway: Gateway = stack.enter_context(open_gateway())

        def house(profile: str) -> House:
            if profile not in opened:
                environ = {**gateway.environ, "IDP_PROFILE": profile}
                folder: Path = tmp_path_factory.mktemp(profile)
                opened[profile] = stack.enter_context(open_house("sqlite", folder, policy=roomy, environ=environ))
                records(opened[profile], *CUSTOMERS)
            return opened[profile]

        yield house


@pytest.mark.parametrize("walk", WALKS, ids=[walk.name for walk in WALKS])
def test_b01_c01_d01_e01_a_registration_is_walked_to_its_end(
    houses: Callable[[str], House], chromium: Browser, walk: Walk
) -> None:
    house = houses(walk.profile)
    kind = Typist if walk.keyboard else Guest
    with kind(chromium, cast("Demo", None), **walk.how) as someone:
        arrives(someone, house, client=walk.client)
        someone.stands(someone.says("Sign in"), f"{walk.profile}-1-sign-in", focus="username")
        someone.goes(someone.says("Register"))
        fills_in(someone, walk)
        for number, step in enumerate(walk.then, 4):
            STEPS[step](someone, house, walk, f"{walk.profile}-{number}-{step.replace(' ', '-')}")
        ends(someone, walk)


def arrives(someone: Guest, house: House, *, client: bool) -> None:
    """At the sign-in page: sent there by a client, which is not there but in name, or by oneself."""
    asked = urlencode(house.person().request("portal"), doseq=True) if client else ""
    someone.page.route(f"{PORTAL_CALLBACK}**", welcome)
    someone.page.goto(f"{house.url}/authorize?{asked}" if client else f"{house.url}/sign-in")


def welcome(route: Route) -> None:
    """What a client says to who comes back."""
    route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>Portal</title><h1>Portal</h1>")


def fills_in(someone: Guest, walk: Walk) -> None:
    """The form, at first with a fault in it."""
    label, secrets = someone.says("Register"), {"password": CHOSEN, "password_again": CHOSEN}
    someone.stands(label, f"{walk.profile}-2-form")
    someone.sends(label, **{**walk.typed, **secrets, **walk.wrong})
    someone.stands(label, f"{walk.profile}-3-wrong", focus=walk.focus, wrong=True)
    # What was typed is still there, but for the passwords.
    right = {name: value for name, value in walk.typed.items() if name in walk.wrong}
    someone.sends(label, **right, **secrets)


def confirms(someone: Guest, house: House, walk: Walk, name: str) -> None:
    someone.stands(someone.says("Confirm your registration"), name, focus="code")
    to = walk.code_to or walk.typed["email"]
    expect(someone.page.locator("p.lead")).to_contain_text(to)
    someone.sends(someone.says("Confirm"), code=codes(house, to)[-1])


def chooses_a_question(someone: Guest, _house: House, _walk: Walk, name: str) -> None:
    someone.stands(someone.says("Choose a security question"), name, focus="question")
    someone.picks("question", "first_trip")
    someone.sends(someone.says("Save answer"), answer=ANSWER)


def accepts(someone: Guest, _house: House, _walk: Walk, name: str) -> None:
    someone.stands(someone.says("Our terms"), name)
    someone.press(someone.says("I accept"))


def answers(purposes: tuple[str, ...]) -> Callable[[Guest, House, Walk, str], None]:
    """A walk past these purposes: yes to the first, no to the others."""

    def answer(someone: Guest, _house: House, _walk: Walk, name: str) -> None:
        someone.stands(QUESTIONS[someone.language] % len(purposes), name)
        expect(someone.page.locator("input:checked")).to_have_count(0)
        for purpose in purposes:
            someone.answers(f"purpose-{purpose}", "yes" if purpose == purposes[0] else "no")
        someone.press(someone.says("Continue"))

    return answer


STEPS: dict[str, Callable[[Guest, House, Walk, str], None]] = {
    "confirm": confirms,
    "question": chooses_a_question,
    "terms": accepts,
    "two purposes": answers(("news", "third_parties")),
    "three purposes": answers(("news", "profiling", "third_parties")),
}


def ends(someone: Guest, walk: Walk) -> None:
    """At the client, with a code for it; or signed in, and at My Profile."""
    if walk.client:
        expect(someone.page.locator("h1")).to_have_text("Portal")
        assert "code=" in someone.page.url
        return
    expect(someone.page.locator("h1")).to_have_text(someone.says("Hello, %(name)s", name="Maria Rossi"))
    someone.goes(someone.says("My Profile"))
    someone.stands(someone.says("My Profile"), f"{walk.profile}-8-profile")


# My Profile


def test_c02_c03_my_profile_details_answers_numbers_data_and_cancelling(
    houses: Callable[[str], House], visitor: Callable[..., Guest]
) -> None:
    house, someone = houses("consumer"), visitor()
    person = member(house, with_answer=True)
    signs_in(someone, house, person)
    someone.goes("My Profile")
    someone.stands("My Profile", "profile-1")
    changes_details(someone)
    answers_anew(someone)
    adds_a_number(someone, person)
    sees_what_is_held(someone, house, person)
    cancels(someone, person)
    signs_in(someone, house, person)
    someone.stands("Keep your access?", "profile-9-keep")
    someone.press("Keep my access")
    expect(someone.page.locator("h1")).to_contain_text("Hello")


def signs_in(someone: Guest, house: House, person: Person) -> None:
    someone.page.goto(f"{house.url}/sign-in")
    someone.fills(username=person.username, password=person.password)
    someone.press("Sign in")


def changes_details(someone: Guest) -> None:
    someone.goes("Change your details")
    someone.stands("Your details", "profile-2-details")
    someone.picks("zone", "Europe/Rome")
    someone.sends("Save", given_name="Giulia", family_name="x" * 101)
    someone.stands("Your details", "profile-2-details-wrong", focus="family_name", wrong=True)
    someone.picks("zone", "Europe/Rome")
    someone.sends("Save", given_name="Giulia", family_name="Rossi")
    told(someone, "Your details are saved.")
    expect(someone.page.locator("main")).to_contain_text("Giulia Rossi")


def answers_anew(someone: Guest) -> None:
    someone.goes("What you have agreed to")
    someone.stands("What you have agreed to", "profile-3-consents")
    someone.answers("purpose-news", "yes")
    someone.press("Save answers")
    told(someone, "Your answers are saved.")
    expect(someone.page.locator("input[name='purpose-news'][value='yes']")).to_be_checked()
    someone.goes("Back to My Profile")


def adds_a_number(someone: Guest, person: Person) -> None:
    someone.goes("Change for whom you act")
    someone.stands("For whom you act", "profile-4-capacities")
    someone.goes("Add a customer number")
    someone.stands("Add a customer number", "profile-5-add", focus="current")
    someone.sends("Add", current=person.password, account_number="001234569", family_name="Rossi")
    someone.stands("Add a customer number", "profile-5-add-wrong", focus="current", wrong=True)
    someone.sends("Add", current=person.password, account_number="001234562", family_name="Rossi")
    told(someone, "The customer number is added.")
    someone.stands("For whom you act", "profile-4-capacities-added")
    someone.goes("Back to My Profile")


def sees_what_is_held(someone: Guest, house: House, person: Person) -> None:
    """The page, behind a code that is mailed; and all of it as a file."""
    someone.goes("What we hold about you")
    someone.stands("One more check", "profile-6-send")
    someone.press("Send me the code")
    someone.stands("One more check", "profile-6-code", focus="code")
    someone.sends("Continue", code=house.code(person))
    someone.stands("What we hold about you", "profile-7-data")
    with someone.page.expect_download() as download:
        someone.goes("Download everything as a file (JSON)")
    held = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert held["account"]["email"] == person.account.email
    someone.goes("Back to My Profile")


def cancels(someone: Guest, person: Person) -> None:
    someone.goes("Cancel a service, or everything")
    heading, cancel = "What would you like to cancel?", "Cancel what I chose"
    someone.stands(heading, "profile-8-leave")
    someone.answers("what", "*")
    someone.sends(cancel, current="not my password")
    someone.stands(heading, "profile-8-leave-wrong", focus="current", wrong=True)
    someone.sends(cancel, current=person.password)
    someone.stands("Your access is cancelled", "profile-8-left")


def told(someone: Guest, news: str) -> None:
    """Good news, above."""
    expect(someone.page.locator(".good")).to_have_text(news)
