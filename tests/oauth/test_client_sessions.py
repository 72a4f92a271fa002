"""Clients that want more than the policy: the greatest age of proofs (``default_max_age``) and of disuse (``session_idle``)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.model import Client
from tests.harness import MORE_CLIENTS, House, open_house
from tests.people import PARTNER_SECRET, Page, Person
from tests.stories.test_t01 import claims_of

PARTNER = next(client for client in MORE_CLIENTS if client.id == "partner")
AGED = replace(
    PARTNER, id="aged", redirect_uris=("https://aged.example/cb",), consent=False, default_max_age=timedelta(hours=1)
)
BUSY = replace(
    PARTNER, id="busy", redirect_uris=("https://busy.example/cb",), consent=False, session_idle=timedelta(minutes=10)
)
BOX = Client("box", "Box", ("urn:ietf:params:oauth:grant-type:device_code",), auth_method="none", scope=("openid",))
BOX = replace(BOX, session_idle=timedelta(minutes=10))


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def exacting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(request.param, tmp_path_factory.mktemp("exacting"), clients=(AGED, BUSY, BOX)) as opened:
        yield opened


def asked(person: Person, client: str, **more: str) -> Page:
    """Where an authorization request of a client leads."""
    return person.ask(client, redirect_uri=f"https://{client}.example/cb", scope="openid", **more)


def answered(page: Page) -> bool:
    """Whether the client was given a code at once, or the person has to sign in anew."""
    if page.left is None:
        assert page.step == "AskUsernameAndPassword", page.text
        return False
    return "code" in page.answer


def silent(person: Person, client: str) -> str:
    """What ``prompt=none`` is answered: "code", or the error."""
    answer = asked(person, client, prompt="none").answer
    return answer.get("error", "code")


def uses(person: Person, minutes: int) -> None:
    """Somebody at work in the browser, for so long."""
    for _ in range(minutes // 5):
        person.house.clock.move(minutes=5)
        assert person.signed_in()


def test_proofs_older_than_the_client_accepts_are_given_anew(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        person.sign_in()
        uses(person, 60)
        assert silent(person, "aged") == "code"
        assert answered(asked(person, "aged"))
        clock.move(seconds=1)
        assert silent(person, "aged") == "login_required"
        assert not answered(asked(person, "aged"))
        # Other clients go by the policy.
        assert silent(person, "busy") == "code"
        page = person.walk(asked(person, "aged"))
        assert page.answer["code"]
        assert silent(person, "aged") == "code"


def test_the_smaller_of_max_age_and_the_client_s_own_counts(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped():
        person.sign_in()
        uses(person, 30)
        assert answered(asked(person, "aged", max_age="1800"))
        assert not answered(asked(person, "aged", max_age="1799"))
        uses(person, 35)
        assert not answered(asked(person, "aged", max_age="36000"))


def test_the_id_token_says_when_the_proofs_were_given(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        began = int(clock().timestamp())
        person.sign_in()
        clock.move(minutes=5)
        page = asked(person, "aged")
        form = {
            "grant_type": "authorization_code",
            "code": page.answer["code"],
            "redirect_uri": "https://aged.example/cb",
            "code_verifier": person.verifiers[page.answer["state"]],
            "client_id": "aged",
            "client_secret": PARTNER_SECRET,
        }
        issued = exacting.post("/token", form).json()
        assert claims_of(issued["id_token"])["auth_time"] == began


def test_a_session_unused_for_longer_than_the_client_accepts_is_not_enough(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=10)
        assert silent(person, "busy") == "code"
        clock.move(minutes=10, seconds=1)
        assert silent(person, "busy") == "login_required"
        # To be refused was no use of the session, however often it is tried.
        assert silent(person, "busy") == "login_required"
        assert not answered(asked(person, "busy"))
        assert not answered(asked(person, "busy"))
        assert silent(person, "aged") == "code"


@pytest.mark.parametrize(("rested", "heading"), [(9, "Connect Box?"), (11, None)])
def test_nor_is_it_for_a_device_of_such_a_client(exacting: House, rested: int, heading: str | None) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=rested)
        told = exacting.post("/device_authorization", {"client_id": "box", "scope": "openid"}).json()
        page = person.fill(person.open("/device"), user_code=told["user_code"])
        assert (page.heading == heading) if heading else page.step == "AskUsernameAndPassword"


def test_who_signs_in_anew_for_such_a_client_goes_on_in_the_same_session(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        person.sign_in()
        (before,) = exacting.world.store.sessions.of_account(person.account.id, clock())
        clock.move(minutes=11)
        page = person.walk(asked(person, "busy"))
        assert page.answer["code"]
        (after,) = exacting.world.store.sessions.of_account(person.account.id, clock())
        assert (after.public_id, after.id == before.id) == (before.public_id, False)
        assert silent(person, "busy") == "code"


def test_a_request_that_is_refused_does_not_move_the_session_s_end(exacting: House) -> None:
    person = exacting.customer()
    with exacting.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=11)
        for _ in range(19):
            assert silent(person, "busy") == "login_required"
            clock.move(minutes=1)
        assert not person.signed_in()
