"""Apache's mod_auth_openidc with the provider: it guards a page, renews its tokens, hears of a session ended elsewhere."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from idp.flows.courier import Courier, Fate
from idp.flows.keys import open_ring
from tests.harness import House
from tests.interop.apache import running_apache
from tests.interop.ports import Ports
from tests.people import Person

pytestmark = [pytest.mark.xdist_group("interop")]


@pytest.fixture(scope="module")
def site(provider: House, ports: Ports) -> Iterator[str]:
    # Not pytest's own folder: whom Apache becomes may not look into that.
    with tempfile.TemporaryDirectory() as folder, running_apache(provider.url, ports.free("apache"), Path(folder)):
        yield ports.site("apache")


def arrived(site: str, person: Person, visitor: httpx.Client) -> httpx.Response:
    """The guarded page, after signing in."""
    asked = visitor.get("/home/page").headers["Location"]
    assert "code_challenge_method=S256" in asked
    back = person.walk(person.open(asked)).left
    assert back is not None
    assert visitor.get(back).headers["Location"] == f"{site}/home/page"
    return visitor.get("/home/page")


def test_mod_auth_openidc_signs_in_renews_and_signs_out(provider: House, site: str) -> None:
    person = provider.customer()
    with httpx.Client(base_url=site) as visitor:
        page = arrived(site, person, visitor)
        assert page.text == "members only"
        assert page.headers["X-Signed-In"] == person.account.email

        before = visitor.get("/callback?info=json").json()
        assert before["userinfo"]["sub"] == before["id_token"]["sub"]
        renewing = visitor.get("/callback", params={"refresh": f"{site}/home/page", "access_token": before["access_token"]})
        assert renewing.headers["Location"] == f"{site}/home/page"
        after = visitor.get("/callback?info=json").json()
        assert after["refresh_token"] != before["refresh_token"]

        leaving = visitor.get("/callback", params={"logout": f"{site}/bye"}).headers["Location"]
        assert person.walk(person.open(leaving)).left == f"{site}/bye"
        assert not person.signed_in()
        assert visitor.get("/home/page").status_code == 302


def carried(provider: House) -> list[tuple[str, str]]:
    """What the worker carries now, and whether it was taken."""
    courier = Courier(provider.world, open_ring(provider.world, time.monotonic))
    try:
        return [(one.target, one.fate) for one in courier.empty()]
    finally:
        courier.close()


def test_mod_auth_openidc_hears_that_the_session_ended_elsewhere(provider: House, site: str) -> None:
    person = provider.customer()
    with httpx.Client(base_url=site) as visitor:
        assert arrived(site, person, visitor).text == "members only"
        person.fill(person.open("/logout"))
        assert not person.signed_in()
        assert visitor.get("/home/page").status_code == 200
        fates = carried(provider)
        assert ("apache", Fate.TAKEN) in fates, fates
        assert visitor.get("/home/page").status_code == 302
