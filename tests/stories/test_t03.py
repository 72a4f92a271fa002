"""T3: what ends reaches the backends: billing and the portal of the examples are told by the worker, over real HTTP."""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from click.testing import CliRunner, Result

from examples import billing, listen, portal
from examples.events import Receiver
from idp.cli import idp, signalling
from idp.flows import assist
from idp.flows.assist import Act
from idp.model import Client
from idp.vault import digest
from tests.examples.tiny_provider import running
from tests.harness import CONFIG, House, open_house
from tests.people import BILLING, SERVICE, Person

WITHIN = 1.0


@dataclass
class Town:
    """The house, a portal and a backend, and the worker that goes between them."""

    house: House
    portal: str
    billing: str
    receiver: Receiver

    def arrives(self) -> Person:
        """Someone signs in at the portal."""
        person = self.house.customer()
        page = person.walk(person.open(person.get(f"{self.portal}/sign-in").headers["Location"]))
        assert page.left is not None, page.text
        person.get(page.left)
        assert self.hello(person)
        return person

    def hello(self, person: Person) -> bool:
        """Whether the portal still knows who this is."""
        return "Hello, Maria" in person.get(f"{self.portal}/").text

    def bill(self, token: str) -> int:
        return httpx.get(f"{self.billing}/bills/latest", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as stack:
        ports = [free_port() for _ in range(2)]
        shop, backend = (f"http://localhost:{port}" for port in ports)
        secret = secrets.token_urlsafe(32)
        how = {"environ": {"PORTAL_CLIENT_SECRET": secret}, "clients": (portal_client(shop, secret),)}
        house = stack.enter_context(open_house("sqlite", tmp_path_factory.mktemp("town"), **how))
        settings = portal.Settings(house.url, "portal", secret, shop, BILLING, SERVICE)
        stack.enter_context(running(portal.server(ports[0], settings)))
        told = Receiver(house.url, "billing", house.secrets["BILLING_CLIENT_SECRET"], f"{backend}/events")
        stack.enter_context(running(listen(billing.create_app(house.url, BILLING, told), ports[1])))
        assert told.subscribe()
        stack.enter_context(signalling.carrying(house.world, threading.Event()))
        yield Town(house, shop, backend, told)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def portal_client(url: str, secret: str) -> Client:
    return Client(
        "portal",
        "Norda My Account",
        ("authorization_code", "refresh_token"),
        (f"{url}/callback", "http://localhost:8081/callback"),
        (f"{url}/signed-out",),
        secret_digests=(digest(secret),),
        scope=("openid", "profile", "email", "billing:read", "service:read", "offline_access"),
        resources=(BILLING, SERVICE),
        backchannel_logout_uri=f"{url}/backchannel-logout",
    )


def soon(true: Callable[[], bool]) -> float:
    """The seconds until something is true; fails where it is not within the second that is promised."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < WITHIN, "not told within a second"
        time.sleep(0.02)
    return time.monotonic() - began


def signs_out(_: Town, person: Person) -> None:
    page = person.fill(person.open("/logout"))
    assert page.heading == "You are signed out", page.text


def signs_out_everywhere(_: Town, person: Person) -> None:
    page = person.open("/profile/sessions")
    person.press(page, "/profile/sessions/all")


def is_blocked(town: Town, person: Person) -> None:
    assist.change_state(town.house.world, person.username, Act.BLOCK, "test")


def is_closed(town: Town, person: Person) -> None:
    assist.change_state(town.house.world, person.username, Act.CLOSE, "test")


def changes_the_password_elsewhere(_: Town, person: Person) -> None:
    there = person.elsewhere()
    there.sign_in()
    page = there.open("/profile/password")
    page = there.fill(page, current=there.password, password=there.new_password, password_again=there.new_password)
    assert page.status == 200, page.text


ENDS: list[Callable[[Town, Person], None]] = [
    signs_out,
    signs_out_everywhere,
    is_blocked,
    is_closed,
    changes_the_password_elsewhere,
]


@pytest.mark.parametrize("end", ENDS)
def test_t03_what_ends_is_refused_by_billing_within_a_second_and_gone_at_the_portal(
    town: Town, end: Callable[[Town, Person], None]
) -> None:
    person = town.arrives()
    issued = person.tokens()
    token = issued["access_token"]
    assert (town.bill(token), town.hello(person)) == (200, True)
    end(town, person)
    assert town.house.refresh(issued["refresh_token"]).status_code == 400 or end is signs_out
    soon(lambda: town.bill(token) == 401)
    soon(lambda: not town.hello(person))
    # The token itself is as good as ever: whoever does not listen would still take it.
    deaf = billing.create_app(town.house.url, BILLING).test_client()
    assert deaf.get("/bills/latest", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert end is signs_out or town.house.introspect(token) == {"active": False}


def test_t03_nobody_else_is_signed_out(town: Town) -> None:
    person, other = town.arrives(), town.arrives()
    token, others = (one.tokens()["access_token"] for one in (person, other))
    signs_out(town, person)
    soon(lambda: town.bill(token) == 401)
    assert (town.bill(others), town.hello(other)) == (200, True)


def test_t03_whoever_comes_back_is_let_in(town: Town) -> None:
    person = town.arrives()
    before = person.tokens()["access_token"]
    is_blocked(town, person)
    soon(lambda: town.bill(before) == 401)
    assist.change_state(town.house.world, person.username, Act.UNBLOCK, "test")
    # Tokens name their moment in whole seconds: one of the very second in which everything ended counts as from before.
    town.house.clock.move(seconds=1)
    again = person.elsewhere()
    token = again.tokens()["access_token"]
    soon(lambda: town.bill(token) == 200)
    assert town.bill(before) == 401


def staff(town: Town, *arguments: str) -> str:
    """What `idp streams` says."""
    environ = {**town.house.secrets, "IDP_CONFIG": str(CONFIG)}
    said: Result = CliRunner(env=environ).invoke(idp, ["streams", *arguments])
    assert said.exit_code == 0, said.output
    return said.output


def test_t03_staff_hold_a_stream_back_and_let_it_flow_and_nothing_is_lost(town: Town) -> None:
    (stream_id,) = re.findall(r"│ (\S{22}) │ billing", staff(town, "list"))
    person = town.arrives()
    token = person.tokens()["access_token"]
    assert staff(town, "pause", stream_id, "--reason", "We move house") == f"{stream_id}: paused.\n"
    assert "paused (We move house)" in staff(town, "list")
    signs_out(town, person)
    soon(lambda: not town.hello(person))
    assert town.bill(token) == 200
    assert staff(town, "resume", stream_id) == f"{stream_id}: flows.\n"
    soon(lambda: town.bill(token) == 401)


def test_t03_staff_remove_a_stream_and_its_receiver_may_begin_another(town: Town) -> None:
    (stream_id,) = re.findall(r"│ (\S{22}) │ billing", staff(town, "list"))
    assert staff(town, "remove", stream_id) == f"{stream_id}: removed.\n"
    unknown = CliRunner(env={**town.house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["streams", "pause", stream_id])
    assert (unknown.exit_code, unknown.output) == (1, f"Error: There is no stream {stream_id}.\n")
    assert town.receiver.subscribe()
    assert stream_id not in staff(town, "list")
