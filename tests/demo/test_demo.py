"""A16: one command starts the product with sample people, a portal, both backends and an inbox, and leaves nothing behind."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from idp.cli.demo_cast import cast
from idp.cli.demo_people import ANSWER, PASSWORD, PIN
from idp.policies.policy import Policy
from tests.demo.running import PORTS, ROOT, Demo, Visitor, running_demo, seven_ports, started_demo
from tests.people import Page

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    with Visitor() as someone:
        yield someone


def sign_in(demo: Demo, visitor: Visitor, username: str) -> Page:
    """From the portal to the page after the password."""
    page = visitor.open(f"{demo.portal}/sign-in")
    assert page.heading == "Sign in"
    return visitor.fill(page, username=username, password=PASSWORD)


def through(demo: Demo, visitor: Visitor, username: str) -> Page:
    """To the page after the PIN."""
    page = sign_in(demo, visitor, username)
    assert page.step == "AskPin", page.text
    return visitor.fill(page, pin=PIN)


def at_the_portal(demo: Demo, page: Page) -> bool:
    return str(page.response.url) == f"{demo.portal}/"


def sees_everything(demo: Demo, visitor: Visitor, username: str) -> None:
    page = through(demo, visitor, username)
    assert at_the_portal(demo, page), page.text
    assert "Due on" in page.text
    assert "€" in page.text
    assert "An engineer comes on" in page.text


def sees_no_fault(demo: Demo, visitor: Visitor, username: str) -> None:
    page = through(demo, visitor, username)
    assert at_the_portal(demo, page), page.text
    assert "Due on" in page.text
    assert "An engineer comes on" not in page.text
    assert "did not accept your sign-in" in page.text


def enrols(language: str) -> Callable[[Demo, Visitor, str], None]:
    heading = {"en": "Hello, Anna", "it": "Ciao, Luca"}[language]

    def run(demo: Demo, _: Visitor, username: str) -> None:
        with Visitor(language) as visitor:
            page = visitor.open(demo.invitation(username))
            page = visitor.fill(page)
            while page.step is not None:
                page = visitor.fill(page, **choices[page.step])
            assert at_the_portal(demo, page), page.text
            assert page.heading == heading
            assert "€" in page.text
            again = visitor.fill(visitor.open(demo.invitation(username)))
            assert again.response.is_client_error, "an invitation opens once"
            assert "code" in again.fields

    choices = {
        "ChoosePassword": {"password": "a calm grey heron", "password_again": "a calm grey heron"},
        "CreatePin": {"pin": "902741", "pin_again": "902741"},
        "ChooseQuestion": {"question": "first_trip", "answer": "Trieste"},
    }
    return run


def goes_on_at_the_pin(demo: Demo, visitor: Visitor, username: str) -> None:
    page = sign_in(demo, visitor, username)
    assert page.step == "CreatePin", page.text
    page = visitor.fill(page, pin="902741", pin_again="902741")
    page = visitor.fill(page, question="first_trip", answer="Trieste")
    assert at_the_portal(demo, page), page.text


def wakes_by_an_answer(demo: Demo, visitor: Visitor, username: str) -> None:
    page = through(demo, visitor, username)
    assert page.step == "Reactivate", page.text
    page = visitor.fill(page, answer=f" {ANSWER.lower()}")
    assert at_the_portal(demo, page), page.text
    assert "€" in page.text


def is_refused(heading: str) -> Callable[[Demo, Visitor, str], None]:
    def run(demo: Demo, visitor: Visitor, username: str) -> None:
        page = sign_in(demo, visitor, username)
        assert page.status == 403
        assert page.heading == heading

    return run


def reads_the_words_of_a_wrong_password(demo: Demo, visitor: Visitor, username: str) -> None:
    page = sign_in(demo, visitor, username)
    assert page.step == "AskUsernameAndPassword"
    assert page.status == 401
    with Visitor() as stranger:
        unknown = sign_in(demo, stranger, "nobody.knows")
    assert page.text.replace(username, "") == unknown.text.replace("nobody.knows", "")
    assert demo.letters(username)


def is_asked_whether_to_stay(demo: Demo, visitor: Visitor, username: str) -> None:
    page = through(demo, visitor, username)
    assert page.step == "KeepAccount", page.text


PEOPLE = cast(Policy())
SEES = {
    "maria": sees_everything,
    "john": sees_no_fault,
    "anna": enrols("en"),
    "luca": enrols("it"),
    "hugo": goes_on_at_the_pin,
    "sofia": sees_everything,
    "sven": wakes_by_an_answer,
    "elsa": is_refused("Your access has expired"),
    "lena": reads_the_words_of_a_wrong_password,
    "paul": is_refused("Blocked for a while"),
    "lara": is_asked_whether_to_stay,
    "bea": is_refused("Your access is blocked"),
    "carl": is_refused("This access is closed"),
}


@pytest.mark.parametrize("username", [person.username for person in PEOPLE])
def test_a16_each_sample_person_sees_the_page_promised(demo: Demo, visitor: Visitor, username: str) -> None:
    SEES[username](demo, visitor, username)


def test_a16_a_visitor_signs_in_sees_a_bill_and_a_fault_and_signs_out(demo: Demo, visitor: Visitor) -> None:
    landing = visitor.open(demo.portal)
    assert "/sign-in" in landing.links
    sees_everything(demo, visitor, "maria")
    page = visitor.fill(visitor.open(demo.portal))
    assert page.heading == "You are signed out"
    assert "and at the identity service" in page.text
    assert visitor.open(f"{demo.portal}/sign-in").step == "AskUsernameAndPassword"


def test_a16_the_backends_refuse_who_brings_no_token(demo: Demo, visitor: Visitor) -> None:
    assert visitor.open(f"{demo.billing}/bills/latest").status == 401
    assert visitor.open(f"{demo.service}/faults/open").status == 401


def test_a16_the_inbox_holds_the_invitations_and_no_letters_about_the_past(demo: Demo) -> None:
    assert demo.invitation("anna")
    assert demo.invitation("luca")
    assert len(demo.letters("lena")) == 1


def test_t03_the_demo_s_portal_and_billing_are_told_what_ends(demo: Demo, visitor: Visitor) -> None:
    (kept,) = demo.folder.glob("*/demo.sqlite3")
    ends = time.monotonic() + 20
    with closing(sqlite3.connect(f"file:{kept}?mode=ro", uri=True)) as database:
        while database.execute("SELECT client_id, status FROM streams").fetchall() != [("billing", "enabled")]:
            assert time.monotonic() < ends, "billing has no stream"
            time.sleep(0.1)
        sees_everything(demo, visitor, "maria")
        page = visitor.fill(visitor.open(f"{demo.identity}/logout"))
        assert page.heading == "You are signed out"
        ends = time.monotonic() + 5
        # What was taken is gone: neither waits, and neither was refused.
        while database.execute("SELECT kind FROM signals").fetchall():
            assert time.monotonic() < ends, "somebody was not told"
            time.sleep(0.05)
    assert "Hello" not in visitor.open(demo.portal).heading


def test_a16_what_it_prints_fits_80_columns_and_begins_with_the_portal(demo: Demo) -> None:
    lines = demo.said.splitlines()
    assert not [line for line in lines if len(line) > 80]
    addresses = [line.strip() for line in lines if "http://" in line]
    assert addresses[0] == demo.portal
    for secret in (PASSWORD, PIN, ANSWER):
        assert secret in demo.said
    for person in PEOPLE:
        assert f"  {person.username} " in demo.said


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a16_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    with running_demo(tmp_path) as demo:
        assert demo.left_behind_now(), "the test can see what is there while it runs"
        assert demo.stop(signal.Signals[name]) == 0
        assert "Stopped; nothing is left behind." in demo.said
        assert "Traceback" not in demo.said, demo.said
        assert demo.left_behind() == []


def test_a16_stopped_while_it_starts_it_leaves_nothing_behind(tmp_path: Path) -> None:
    with started_demo(tmp_path) as demo:
        assert demo.process.stdout is not None
        demo.said = demo.process.stdout.readline()
        assert demo.said.startswith("Starting")
        assert demo.stop(signal.SIGINT) == 0
        assert "The demo is running" not in demo.said
        assert demo.left_behind() == []


def test_a16_killed_it_takes_everything_with_it(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        assert demo.stop(signal.SIGKILL) == -signal.SIGKILL
        assert demo.left_behind() == []


def test_a16_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    port = seven_ports()
    with socket.create_server(("127.0.0.1", port + PORTS - 1)):
        done = subprocess.run(
            [sys.executable, "-m", "idp", "demo", "--port", str(port)], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert f"In use: port {port + PORTS - 1}." in done.stderr
    assert "IDP_DEMO_PORT=" in done.stderr
    assert "Traceback" not in done.stderr
