"""B6: the billing account number is in no cookie, URL, log, letter or token but one for billing; at rest it is sealed."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import inspect, text

from idp.cli import idp
from tests.acting import acting_house, ask, chosen, claim, claims, somebody, tokens
from tests.harness import CONFIG, House
from tests.people import BILLING, PASSWORD, SERVICE, Person

# Each of them comes into the house in a way of its own; none is like anything else there.
IMPORTED, TYPED, STAFFS, WRONG = "ITQUOKKA4711AX", "ITWOMBAT0815BX", "ITNUMBAT1234CX", "ITBILBY99887DX"
REGISTERED = "ITPOTOROO55EX"
RECORDS = (
    {"account_number": "IT-QUOKKA-4711-AX", "customer_code": "", "family_name": "Rossi", "organisation": ""},
    {"account_number": "IT-WOMBAT-0815-BX", "customer_code": "", "family_name": "", "organisation": "Officine Rossi S.r.l."},
    {"account_number": "IT-POTOROO-55-EX", "customer_code": "", "family_name": "Bianchi", "organisation": ""},
)


def traces(number: str) -> list[str]:
    """The number in every form in which it could lie about; a digest without a key is as good as the number."""
    raw = number.encode()
    digested = hashlib.sha256(raw)
    return [
        number.lower(),
        number[2:8].lower(),  # as it is typed, in groups
        base64.b64encode(raw).decode().rstrip("=").lower(),
        raw.hex(),
        digested.hexdigest(),
        base64.urlsafe_b64encode(digested.digest()).decode().rstrip("=").lower(),
    ]


def holds(shown: str) -> set[str]:
    """Which of the numbers a text gives away."""
    whole = unquote_plus(shown).lower() + shown.lower()
    return {
        number for number in (IMPORTED, TYPED, STAFFS, WRONG, REGISTERED) if any(trace in whole for trace in traces(number))
    }


@dataclass
class Seen:
    """All that went between the house and whoever asked."""

    cookies: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def take(self, response: httpx.Response) -> None:
        request = response.request
        self.addresses += [str(request.url), response.headers.get("Location", ""), request.headers.get("Referer", "")]
        self.cookies += [*response.headers.get_list("Set-Cookie"), request.headers.get("Cookie", "")]
        self.headers += [f"{name}: {value}" for name, value in response.headers.items()]
        self.bodies.append(response.text)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Listens on every client of the test."""
    heard, send = Seen(), httpx.Client.send

    def listening(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        response = send(client, request, **more)
        response.read()
        heard.take(response)
        return response

    monkeypatch.setattr(httpx.Client, "send", listening)
    return heard


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with acting_house(request.param, tmp_path_factory.mktemp("numbers"), RECORDS) as house:
        yield house


def stored(house: House) -> dict[str, str]:
    """Every value of every table, and of Redis, as text, by where it lies."""
    found: dict[str, str] = {}
    engine = house.world.store.engine
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608
            found[table] = "\n".join(repr(tuple(map(_readable, row))) for row in rows)
    if house.settings.redis.url:
        import redis  # noqa: PLC0415

        with redis.Redis.from_url(house.settings.redis.url) as client:
            for key in client.scan_iter():
                read = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}.get(client.type(key))
                found[f"redis {key!r}"] = repr((key, read(key) if read else client.dump(key)))
    return found


def _readable(value: object) -> object:
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, memoryview)) else value


def staff(house: House, *arguments: str, typed: str | None = None) -> str:
    environ = {**house.secrets, "IDP_CONFIG": str(CONFIG), "COLUMNS": "200"}
    result = CliRunner(env=environ).invoke(idp, arguments, input=typed)
    assert result.exit_code == 0, result.output
    return result.output


def registered(house: House) -> Person:
    """Somebody who registers with a number, and is confirmed."""
    email = f"{house.name()}@example.com"
    person = house.person(username=email)
    form = person.open("/register")
    typed = {"given_name": "Ada", "family_name": "Bianchi", "email": email, "account_number": "it potoroo-55 ex"}
    page = person.fill(form, **typed, password="4 quiet rivers", password_again="4 quiet rivers")
    assert page.step == "ConfirmRegistration", page.text
    (letter,) = house.letters(person.account, "registration_code")
    person.walk(person.fill(page, code=letter[1]["code"]))
    assert person.signed_in()
    return person


def walked(house: House) -> tuple[Person, dict[str, str]]:
    """Everything that a person, clients, backends and staff do with numbers; the tokens by what they are for."""
    person = somebody(house)
    with house.world.store.begin() as tx:
        tx.particulars.set_capacities(person.account.id, ())
    person.sign_in()
    assert claim(person, account_number=" it quokka-4711/ax ").path.endswith("done=add")
    assert claim(person, account_number="IT-WOMBAT-0815-BX", family_name="Officine Rossi").status == 422
    assert claim(person, account_number="IT-WOMBAT-0815-BX", family_name="officine rossi srl").path.endswith("done=add")
    wrong = {"account_number": "IT-BILBY-99887-DX"}
    assert claim(person, **wrong).status == 422
    assert claim(person, **wrong, current="wrong wrong wrong").status == 401
    assert claim(person, **wrong, csrf="x").status == 403
    assert claim(person, **wrong, family_name="").status == 422
    assert claim(person, account_number="IT-BILBY-99887-DX" * 400).status == 422
    assert person.fill(person.open("/profile/capacities/add"), current=PASSWORD, number="IT-BILBY-99887-DX").status == 422
    add = ("accounts", "capacity", "add", person.username, "--role", "on_behalf", "--organisation", "Lega", "--account-number")
    outputs = [staff(house, *add, typed="IT-NUMBAT-1234-CX\n"), staff(house, "accounts", "capacity", "list", person.username)]
    outputs += [staff(house, "explain", person.username), staff(house, "accounts", "show", person.username)]
    issued: dict[str, str] = {}
    for number, capacity in enumerate(person.account.capacities):
        browser = person.elsewhere()
        first = tokens(browser, chosen(browser, ask(browser), capacity.id), resource=BILLING)
        second = house.refresh(first["refresh_token"], resource=SERVICE).json()
        third = house.refresh(second["refresh_token"], resource=house.url).json()
        last = house.refresh(third["refresh_token"], resource=BILLING).json()
        assert house.userinfo(third["access_token"]).status_code == 200
        asks = {"billing": (first, last), "service": (second,), "issuer": (third,)}
        issued |= {f"{name} {number} {at}": one["access_token"] for name, many in asks.items() for at, one in enumerate(many)}
        issued |= {f"id {number} {at}": one["id_token"] for at, one in enumerate((first, second, third, last))}
        for path in (
            "/",
            "/profile",
            "/profile/capacities",
            f"/profile/capacities/remove?id={capacity.id}",
            "/profile/sessions",
        ):
            browser.open(path)
        browser.open(f"/authorize?account_number={capacity.id}")
        ask(browser, prompt="none", acr_values="extra")
        browser.fill(browser.open(f"/profile/capacities/remove?id={capacity.id}"), current="wrong wrong wrong")
    gone = person.account.capacities[1].id
    person.fill(person.open(f"/profile/capacities/remove?id={gone}"), current=PASSWORD)
    assert not holds("".join(outputs)), "what staff are shown"
    new = registered(house)
    issued["billing new"] = tokens(new, ask(new), resource=BILLING)["access_token"]
    return person, issued


def test_b06_the_number_is_in_a_token_for_billing_and_nowhere_else(
    consumer: House, seen: Seen, capfd: pytest.CaptureFixture[str]
) -> None:
    person, issued = walked(consumer)
    found = {name: holds(json.dumps(claims(token))) for name, token in issued.items()}
    numbers = {"0": {IMPORTED}, "1": {TYPED}, "2": {STAFFS}, "new": {REGISTERED}}
    # That the search can find one is seen by those that must hold theirs.
    assert found == {name: numbers[name.split()[1]] if name.startswith("billing") else set() for name in found}
    assert {name.split()[0] for name in found} == {"billing", "service", "issuer", "id"}
    assert any("idp_session" in one for one in seen.cookies)
    assert [one for one in seen.cookies if holds(one)] == []
    assert [one for one in seen.addresses if holds(one)] == []
    assert [one for one in seen.headers if holds(one)] == []
    # Nor does any page or answer but the tokens themselves, which are told apart above.
    told = [one for one in seen.bodies if holds(one)]
    assert told == [], told[0][:300]
    assert any("ending in 1AX" in one or "ending in 1ax" in one for one in seen.bodies)
    said = capfd.readouterr()
    assert '"route": "/token"' in said.out
    assert holds(said.out + said.err) == set()
    assert holds("".join(repr(letter) for letter in consumer.letters(person.account))) == set()
    assert holds("".join(repr(entry) for entry in consumer.audit())) == set()
    # The operator's own records hold what they were given, and nothing else does.
    places = {place: holds(content) for place, content in stored(consumer).items()}
    assert {place: numbers for place, numbers in places.items() if numbers} == {"customers": {IMPORTED, TYPED, REGISTERED}}


def test_b06_of_a_token_for_billing_only_billing_is_told_the_number(consumer: House) -> None:
    person = somebody(consumer)
    capacity = person.account.capacities[0]
    issued = tokens(person, chosen(person, ask(person), capacity.id), resource=BILLING)
    assert claims(issued["access_token"])["account_number"] == "IT47119999ZZ"
    assert consumer.introspect(issued["access_token"], "billing")["account_number"] == "IT47119999ZZ"
    # The client that carries it there, and everybody else.
    own = consumer.introspect(issued["access_token"], "portal")
    assert (own["active"], own["capacity"]) == (True, "consumer")
    assert "account_number" not in own
    assert consumer.introspect(issued["access_token"], "service") == {"active": False}
    assert "account_number" not in consumer.introspect(issued["refresh_token"], "portal")
    other = consumer.refresh(issued["refresh_token"], resource=SERVICE).json()
    assert "account_number" not in consumer.introspect(other["access_token"], "service")
    mine = consumer.refresh(other["refresh_token"], resource=consumer.url).json()
    assert "account_number" not in consumer.userinfo(mine["access_token"]).json()


def test_b06_a_client_cannot_ask_for_it_as_a_claim(consumer: House) -> None:
    person = somebody(consumer, *somebody(consumer).account.capacities[:1])
    wish = json.dumps({place: {"account_number": {"essential": True}} for place in ("id_token", "userinfo")})
    issued = tokens(person, person.walk(ask(person, claims=wish)), resource=consumer.url)
    told = [claims(issued["id_token"]), claims(issued["access_token"]), consumer.userinfo(issued["access_token"]).json()]
    assert [one.get("account_number") for one in told] == [None] * 3


def test_b06_a_backend_acting_for_itself_has_no_number(consumer: House) -> None:
    issued = consumer.token("service", grant_type="client_credentials").json()
    assert {"account_number", "capacity", "organisation"} & claims(issued["access_token"]).keys() == set()


def test_b06_a_capacity_without_a_number_gives_a_token_without_one(consumer: House) -> None:
    person = somebody(consumer, somebody(consumer).account.capacities[1])
    issued = tokens(person, person.walk(ask(person)), resource=BILLING)
    assert claims(issued["access_token"])["capacity"] == "business"
    assert "account_number" not in claims(issued["access_token"])
