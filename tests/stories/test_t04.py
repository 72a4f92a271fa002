"""T4: where a billing operation needs more than the sign-in, the portal sends the person back for it, and it goes through."""

import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from examples import billing, listen, portal
from idp.model import Client, Resource
from idp.vault import digest
from tests.examples.tiny_provider import running
from tests.harness import House, open_house
from tests.people import SERVICE, Page, Person, query_of


@dataclass
class Town:
    """The house, the portal of the examples and its billing, each at an address of its own."""

    house: House
    portal: str
    billing: str

    def arrives(self, *, ago: float = 0) -> "Visitor":
        """Someone who signed in so many minutes ago comes to the portal."""
        self.house.clock.move(minutes=-ago)
        person = self.house.customer()
        person.sign_in()
        self.house.clock.move(minutes=ago)
        visitor = Visitor(self, person)
        page = visitor.goes(person.get(f"{self.portal}/sign-in"))
        assert "Hello, Maria" in visitor.back(page).text
        return visitor


@dataclass
class Visitor:
    """Someone at the portal, who is sent to the house and back."""

    town: Town
    person: Person

    def goes(self, response: httpx.Response) -> Page:
        """To the house, where the portal sends them."""
        assert response.headers["Location"].startswith(f"{self.town.house.url}/authorize?"), response.text
        return self.person.open(response.headers["Location"])

    def back(self, page: Page) -> httpx.Response:
        """To the portal, and on to the page they wanted."""
        assert page.left is not None, page.text
        answered = self.person.get(page.left)
        return self.person.get(self.town.portal + answered.headers["Location"]) if answered.is_redirect else answered

    def orders(self, item: str) -> httpx.Response:
        form = self.person.get(f"{self.town.portal}/order")
        csrf = re.search(r'name="csrf" value="([^"]+)"', form.text)
        assert csrf, form.text
        return self.person.client.post(f"{self.town.portal}/order", data={"csrf": csrf[1], "item": item})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    ports = free_port(), free_port()
    shop, backend = (f"http://localhost:{port}" for port in ports)
    secret = secrets.token_urlsafe(32)
    client = Client(
        "portal",
        "Norda My Account",
        ("authorization_code", "refresh_token"),
        (f"{shop}/callback",),
        (f"{shop}/signed-out",),
        secret_digests=(digest(secret),),
        scope=("openid", "profile", "email", "billing:read", "billing:write", "service:read"),
        resources=(backend, SERVICE),
    )
    offered = {"billing:read": "billing", "billing:write": "billing"}
    with ExitStack() as stack:
        house = stack.enter_context(open_house("sqlite", tmp_path_factory.mktemp("t04"), clients=(client,)))
        resource = Resource("billing", backend, offered, timedelta(minutes=5))
        house.world = replace(house.world, resources={**house.world.resources, backend: resource})
        house.restart(lambda law: law)
        stack.enter_context(running(listen(billing.create_app(house.url, backend), ports[1])))
        settings = portal.Settings(house.url, "portal", secret, shop, backend, SERVICE)
        stack.enter_context(running(portal.server(ports[0], settings)))
        yield Town(house, shop, backend)


def test_t04_the_itemised_bill_asks_for_the_missing_proof_alone(town: Town) -> None:
    visitor = town.arrives(ago=15)
    sent = visitor.person.get(f"{town.portal}/itemised")
    asked = query_of(sent.headers["Location"])
    assert (asked["acr_values"], asked["max_age"]) == (["extra"], ["3600"])
    page = visitor.goes(sent)
    assert page.step == "ExtraProof"
    shown = visitor.back(visitor.person.walk(page))
    assert shown.status_code == 200
    assert "Itemised calls" in shown.text
    assert "+44 7700" in shown.text
    # It satisfies for as long as it is fresh: nothing is asked twice.
    assert visitor.person.get(f"{town.portal}/itemised").status_code == 200


def test_t04_an_order_wants_the_whole_sign_in_where_that_was_long_ago(town: Town) -> None:
    visitor = town.arrives(ago=15)
    sent = visitor.orders("roaming")
    asked = query_of(sent.headers["Location"])
    assert (asked["acr_values"], asked["max_age"]) == (["extra"], ["600"])
    page = visitor.goes(sent)
    assert page.step == "AskUsernameAndPassword"
    back = visitor.back(visitor.person.walk(page))
    assert "Please confirm your order." in back.text
    assert visitor.orders("roaming").headers["Location"] == "/order"
    assert "Ordered" in visitor.person.get(f"{town.portal}/order").text


def test_t04_an_order_just_after_the_sign_in_wants_the_missing_proof_alone(town: Town) -> None:
    visitor = town.arrives()
    page = visitor.goes(visitor.orders("second_sim"))
    assert page.step == "ExtraProof"
    visitor.back(visitor.person.walk(page))
    assert visitor.orders("second_sim").headers["Location"] == "/order"
    # The same proof serves the itemised bill.
    assert visitor.person.get(f"{town.portal}/itemised").status_code == 200


def test_t04_what_cannot_be_met_is_said_and_nothing_weaker_is_given(town: Town) -> None:
    visitor = town.arrives()
    before = town.house.settings.policy
    town.house.restart(lambda law: replace(law, step_up=replace(law.step_up, extra_by=("totp",))))
    try:
        page = visitor.goes(visitor.person.get(f"{town.portal}/itemised"))
    finally:
        town.house.restart(lambda _: before)
    assert page.answer["error"] == "unmet_authentication_requirements"
    told = visitor.back(page)
    assert told.status_code == 400
    assert "You are still signed in." in told.text
    assert "Hello, Maria" in visitor.person.get(f"{town.portal}/").text


def test_t04_whoever_turns_away_from_the_proof_has_ordered_nothing(town: Town) -> None:
    visitor = town.arrives()
    page = visitor.goes(visitor.orders("faster_fibre"))
    assert visitor.person.fill(page, answer="not mine").status == 401
    listed = visitor.person.get(f"{town.portal}/order")
    assert "Ordered" not in listed.text
