"""E6: the mobile app signs in by the system's browser (RFC 8252): loopback or a scheme of its own, PKCE, rotating refresh."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from examples.app.native import App, Refused
from tests.harness import House
from tests.people import Person

BILLING = "http://localhost:8082"
BILL = f"{BILLING}/bills/latest"


@pytest.fixture
def house(self_serve: House) -> House:
    """The profile that these stories are of."""
    return self_serve


class Phone:
    """A person with the app, and the browser that it opens."""

    def __init__(self, house: House, person: Person, folder: Path) -> None:
        self.person = person
        self.house = house
        self.app = self.started(folder / "tokens.json")
        self.asked: list[str] = []
        self.away: threading.Thread | None = None

    def started(self, kept: Path) -> App:
        """The app, with what it kept; its clock goes right."""
        return App(self.house.url, "app", kept, clock=lambda: self.house.clock().timestamp())

    def browse(self, url: str) -> None:
        """The browser goes its way while the app waits."""
        self.asked.append(url)
        self.away = threading.Thread(target=self._go, args=(url,))
        self.away.start()

    def _go(self, url: str) -> None:
        page = self.person.walk(self.person.open(url))
        assert page.left is not None, page.text
        httpx.get(page.left)

    def kept(self) -> dict[str, str]:
        tokens: dict[str, str] = json.loads(self.app.kept.read_text("utf-8"))
        return tokens


@pytest.fixture
def phone(house: House, tmp_path: Path) -> Iterator[Phone]:
    held = Phone(house, house.customer(), tmp_path / "app")
    yield held
    if held.away is not None:
        held.away.join(10)


def token(phone: Phone) -> str:
    return phone.app.authorization("GET", BILL)["Authorization"].removeprefix("DPoP ")


def test_e06_by_the_browser_and_a_port_of_this_machine(house: House, phone: Phone) -> None:
    phone.app.sign_in(phone.browse, BILLING)
    query = parse_qs(urlsplit(phone.asked[0]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert "client_secret" not in query
    assert house.introspect(token(phone))["active"]
    # Nobody else on the machine can read it.
    assert phone.app.kept.stat().st_mode & 0o077 == 0


def test_e06_the_refresh_token_rotates_and_survives_a_restart(house: House, phone: Phone) -> None:
    phone.app.sign_in(phone.browse, BILLING)
    first = phone.kept()
    with house.clock.stopped() as clock:
        clock.move(minutes=20)
        first["expires_at"] = "0"
        phone.app.kept.write_text(json.dumps({**phone.kept(), "expires_at": 0}), "utf-8")
        again = phone.started(phone.app.kept)
        renewed = again.authorization("GET", BILL)["Authorization"].removeprefix("DPoP ")
        assert renewed != first["access_token"]
        assert phone.kept()["refresh_token"] != first["refresh_token"]
        clock.move(minutes=1)
        # Whoever copied the file before is found out, and what the copy opened ends for both.
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "app"}
        stolen = house.post("/token", form, None)
        assert stolen.json()["error"] == "invalid_grant"
        assert not house.introspect(renewed)["active"]


def test_e06_several_processes_of_one_app_spend_one_token_once(house: House, phone: Phone) -> None:
    phone.app.sign_in(phone.browse, BILLING)
    phone.app.kept.write_text(json.dumps({**phone.kept(), "expires_at": 0}), "utf-8")
    with ThreadPoolExecutor(8) as pool:
        apps = [phone.started(phone.app.kept) for _ in range(8)]
        tokens = {made["Authorization"] for made in pool.map(lambda app: app.authorization("GET", BILL), apps)}
    assert len(tokens) == 1
    assert house.introspect(tokens.pop().removeprefix("DPoP "))["active"]


def test_e06_tokens_copied_without_the_key_open_nothing(house: House, phone: Phone, tmp_path: Path) -> None:
    phone.app.sign_in(phone.browse, BILLING)
    assert phone.app.kept.with_suffix(".key").stat().st_mode & 0o077 == 0
    mine = token(phone)
    copied = tmp_path / "thief" / "tokens.json"
    copied.parent.mkdir()
    copied.write_text(json.dumps({**phone.kept(), "expires_at": 0}), "utf-8")
    with pytest.raises(Refused, match="invalid_grant"):
        phone.started(copied).authorization("GET", BILL)
    form = {"grant_type": "refresh_token", "refresh_token": phone.kept()["refresh_token"], "client_id": "app"}
    assert house.post("/token", form, None).json()["error"] == "invalid_grant"
    # The token itself is no bearer's, and the person loses nothing.
    assert house.introspect(mine)["token_type"] == "DPoP"
    assert house.introspect(mine)["cnf"]["jkt"]
    assert token(phone) == mine


def test_e06_signed_out_is_signed_out(house: House, phone: Phone) -> None:
    phone.app.sign_in(phone.browse, BILLING)
    mine = token(phone)
    phone.app.sign_out()
    assert not house.introspect(mine)["active"]
    with pytest.raises(Refused, match="login_required"):
        phone.app.authorization("GET", BILL)


@pytest.mark.parametrize("guessed", ["guessed", "gu%C3%A9ssed"])
def test_e06_an_answer_that_is_not_the_provider_s_is_refused(phone: Phone, guessed: str) -> None:
    def strange(url: str) -> None:
        address = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        asking.append(threading.Thread(target=ask, args=(address,)))
        asking[0].start()

    def ask(address: str) -> None:
        answers = ("?code=x", "?code=x&state=guessed&state=again", f"?code=x&state={guessed}&iss=https://evil.example")
        told.extend(httpx.get(address + answer).status_code for answer in answers)

    asking: list[threading.Thread] = []
    told: list[int] = []
    with pytest.raises(Refused, match="invalid_response"):
        phone.app.sign_in(strange, BILLING)
    asking[0].join(10)
    # What is no answer at all is not even waited for; the third was one, of somebody else.
    assert told == [404, 404, 200]
    assert not phone.app.kept.exists()


def test_e06_whoever_never_comes_back_is_not_waited_for(phone: Phone) -> None:
    with pytest.raises(Refused, match="access_denied"):
        phone.app.sign_in(lambda _: None, BILLING, wait=0.2)


def test_e06_a_scheme_of_its_own_is_compared_letter_by_letter(house: House) -> None:
    person = house.customer()
    page = person.authorize(client="app", redirect_uri="com.norda.app:/callback", scope="openid")
    assert page.left is not None
    assert page.left.startswith("com.norda.app:/callback?")
    for other in ("com.norda.app://callback", "com.norda.app:/callback/", "COM.norda.app:/callback", "com.evil.app:/callback"):
        refused = person.elsewhere().ask(client="app", redirect_uri=other, scope="openid")
        assert refused.status == 400
        assert refused.left is None
