"""Attacks on what portals may ask of a session across origins (cases S-02, S-04 and A-43 of the security plan)."""

from typing import Any

import pytest
from httpx import Response

from idp.model import Client
from idp.web.watching import origins
from tests.harness import House
from tests.people import Person

PORTAL = {"Origin": "http://localhost:8081", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
JSON = {"Content-Type": "application/json"}
STRANGE = [
    "https://evil.example",
    "null",
    "http://localhost:8081.evil.example",
    "http://localhost:80811",
    "http://localhost",
    "https://localhost:8081",
    "HTTP://LOCALHOST:8081",
    "http://localhost:8081/",
    "http://localhost:8081 https://evil.example",
    # Somebody else's application, for which people are asked to agree, and one that is shut.
    "https://partner.example",
    "https://off.example",
    # An app's loopback address, which any program of the machine may listen at.
    "http://127.0.0.1:5000",
    "com.norda.app:",
    "*",
    "",
]


def cors(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


def ends_in(person: Person) -> int:
    told: dict[str, Any] = person.get("/session").json()
    return int(told["ends_in"])


def test_a09_a_portal_of_the_same_site_hears_how_long_the_session_lasts_and_extends_nothing(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        for minute in range(29):
            answer = person.get("/session", headers=PORTAL)
            assert answer.json()["ends_in"] == (30 - minute) * 60
            clock.move(minutes=1)
        assert cors(answer) == {
            "access-control-allow-origin": "http://localhost:8081",
            "access-control-allow-credentials": "true",
        }
        assert answer.headers["Vary"] == "Origin"
        assert answer.headers["Cache-Control"] == "no-store"
        clock.move(minutes=1)
        assert person.get("/session", headers=PORTAL).json() == {"signed_in": False}


def test_a09_a_portal_of_the_same_site_says_that_someone_is_still_there(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=29)
        answer = person.client.post("/session", content="{}", headers=PORTAL | JSON)
        assert (answer.status_code, answer.json()["ends_in"]) == (200, 1800)
        assert cors(answer)["access-control-allow-origin"] == "http://localhost:8081"
        clock.move(minutes=29)
        assert person.signed_in()


def test_a09_the_preflight_lets_the_portal_in(house: House) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = house.person().client.options("/session", headers=PORTAL | asked)
    assert answer.status_code == 204
    assert cors(answer) == {
        "access-control-allow-origin": "http://localhost:8081",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "Content-Type",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize("origin", STRANGE)
def test_s04_a_foreign_origin_reads_nothing_and_extends_nothing(house: House, origin: str) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=29)
        for site in ("same-site", "cross-site"):
            headers = {"Origin": origin, "Sec-Fetch-Site": site}
            assert cors(person.get("/session", headers=headers)) == {}
            assert cors(person.client.options("/session", headers=headers)) == {}
            answer = person.client.post("/session", content="{}", headers=headers | JSON)
            assert (answer.status_code, cors(answer)) == (403, {})
            assert answer.headers["Vary"] == "Origin"
        assert ends_in(person) == 60


@pytest.mark.parametrize(
    "how",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json-not"},
    ],
    ids=str,
)
def test_s04_a_portal_s_post_that_no_preflight_guards_or_of_another_site_extends_nothing(
    house: House, how: dict[str, str]
) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=29)
        answer = person.client.post("/session", content="{}", headers=PORTAL | JSON | how)
        assert answer.status_code == 403
        assert ends_in(person) == 60


def test_s04_a_portal_of_another_site_is_told_so_instead_of_that_nobody_is_signed_in(house: House) -> None:
    for site in ("cross-site", "none", ""):
        answer = house.person().get("/session", headers=PORTAL | {"Sec-Fetch-Site": site})
        assert (answer.status_code, answer.json()) == (403, {"error": "cross_site"})


def test_s02_a_portal_extends_no_session_that_has_ended(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        person.sign_in()
        clock.move(minutes=30)
        answer = person.client.post("/session", content="{}", headers=PORTAL | JSON)
        assert (answer.status_code, answer.json()) == (200, {"signed_in": False})
        assert not person.signed_in()


def test_a43_no_page_and_no_authorization_request_is_shared_with_a_portal(house: House) -> None:
    person = house.customer()
    person.sign_in()
    for path in ("/", "/authorize", "/authorize?client_id=portal", "/sign-in", "/profile/sessions", "/session/over", "/logout"):
        assert cors(person.get(path, headers=PORTAL)) == {}, path
        asked = {"Access-Control-Request-Method": "GET"}
        assert cors(person.client.options(path, headers=PORTAL | asked)) == {}, path


def test_a09_the_script_has_an_address_that_stays_and_may_be_loaded_from_elsewhere(house: House) -> None:
    answer = house.get("/static/session.js")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert "BroadcastChannel" in answer.text
    assert house.get("/static/style.css").status_code == 404


def test_a09_the_origins_are_those_of_one_s_own_clients_that_sign_people_in() -> None:
    def client(address: str, **facts: Any) -> Client:
        return Client("c", "C", redirect_uris=(address,), **facts)

    assert origins([client("https://a.example:8443/cb?x=1"), client("http://[::1]:9/cb")]) == {
        "https://a.example:8443",
        "http://[::1]:9",
    }
    assert origins([client("https://a.example/cb", consent=True), client("https://b.example/cb", disabled=True)]) == set()
    assert origins([client("com.norda.app:/cb"), client("https://c.example/cb", grant_types=("client_credentials",))]) == set()
