"""Attacks below the application: malformed HTTP, crashes, clocks, settings and logs (cases X of the security plan)."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from idp.model import Factor
from idp.settings import ConfigurationError
from tests.attacks.production import Production, health, production
from tests.harness import House, settings_of
from tests.people import CHROME, PASSWORD, Person


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with production("sqlite", tmp_path_factory.mktemp("served")) as running:
        yield running


def status_of(answer: bytes) -> int | None:
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else None


HOST = b"Host: localhost\r\nConnection: close\r\n"
MALFORMED: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET /\r\n\r\n",
    "bad version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "bad chunk": b"POST /token HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    "length and chunks": b"POST /token HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    "two lengths": b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "negative length": b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "length of words": b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: ten\r\n\r\n",
    "200 headers": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
    "64 kB header": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    "64 kB address": b"GET /sign-in?" + b"y" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in header": b"GET / HTTP/1.1\r\n" + HOST + b"X-A : y\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: y\r\n z\r\n\r\n",
    "bad UTF-8 path": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in path": b"GET /sign-in\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "percent NUL": b"GET /sign-in/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "percent nothing": b"GET /%zz%f HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /sign-in HTTP/1.1\r\nConnection: close\r\n\r\n",
    "absolute form": b"GET http://evil.example/sign-in HTTP/1.1\r\n" + HOST + b"\r\n",
    "options *": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "trace": b"TRACE /sign-in HTTP/1.1\r\n" + HOST + b"Cookie: a=canary\r\n\r\n",
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "lower case method": b"post /token HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
    "strange expectation": b"POST /token HTTP/1.1\r\n" + HOST + b"Expect: 200-maybe\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_x01_malformed_http_is_refused_and_the_server_lives(served: Production, case: str) -> None:
    answer = served.raw(MALFORMED[case])
    status = status_of(answer)
    assert status is None or status < 500 or status == 501, answer[:300]
    assert b"Traceback" not in answer
    assert b"canary" not in answer
    assert b"evil.example" not in answer.partition(b"\r\n\r\n")[0]
    # Nothing was taken for a second request.
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert health(served.house) == 200


PATHS = [
    "//token",
    "/token/",
    "/TOKEN",
    "/token;jsessionid=1",
    "/./token",
    "/x/../token",
    "/token%2f",
    "/%74oken/",
    "/token%00",
]


@pytest.mark.parametrize("path", PATHS)
def test_x01_no_other_spelling_of_a_path_is_a_way_round(served: Production, path: str) -> None:
    body = b"grant_type=client_credentials"
    head = f"POST {path} HTTP/1.1\r\n".encode() + HOST
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert status_of(served.raw(head + form + body)) in (400, 401, 404)


def test_x01_a_forged_host_moves_nothing(served: Production) -> None:
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
    }
    for path in ("/.well-known/openid-configuration", "/sign-in", "/", "/invitation", "/nothing"):
        answer = httpx.get(served.house.url + path, headers=headers)
        assert "evil" not in answer.text
        assert "evil" not in str(answer.headers)


def test_x01_a_slow_body_holds_nobody_up(served: Production) -> None:
    head = (
        b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nx"
    )
    slow = [threading.Thread(target=served.raw, args=(head, 3)) for _ in range(30)]
    for thread in slow:
        thread.start()
    answers = [httpx.get(f"{served.house.url}/sign-in", timeout=5).status_code for _ in range(5)]
    assert answers == [303] * 5
    for thread in slow:
        thread.join()


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "FOO"])
@pytest.mark.parametrize("path", ["/sign-in", "/token", "/authorize", "/jwks.json", "/logout/confirm"])
def test_x02_methods_that_mean_nothing_are_refused(served: Production, path: str, method: str) -> None:
    answer = httpx.request(method, served.house.url + path)
    assert answer.status_code in (400, 405, 501)
    assert "set-cookie" not in answer.headers or "Traceback" not in answer.text


def hammer(call: Callable[[], Any], times: int = 4) -> list[threading.Thread]:
    def run() -> None:
        with suppress(httpx.TransportError):
            call()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize("kind", ["sqlite", "postgresql+redis"])
def test_x04_a_kill_in_the_middle_leaves_everything_whole(kind: Any, tmp_path: Path) -> None:
    with production(kind, tmp_path) as running:
        house = running.house
        person = house.customer()
        issued = person.tokens()
        page = person.elsewhere().authorize
        redeemer = person.elsewhere()
        answer = redeemer.authorize(scope="openid offline_access billing:read")
        invited, code = house.invited()
        choosing = invited.open_invitation(code)
        threads = hammer(lambda: house.refresh(issued["refresh_token"]))
        threads += hammer(lambda: redeemer.redeem(answer))
        threads += hammer(lambda: invited.post(choosing, invited.given(choosing)), 1)
        threads += hammer(page, 1)
        running.kill()
        for thread in threads:
            thread.join()
        running.start()
        # The password was chosen with its audit row, or not at all; the invitation went with it.
        chosen = house.account(invited.username).credential(Factor.PASSWORD)
        assert len(house.audit("credential.set", house.account(invited.username))) == (chosen is not None)
        again = invited.elsewhere()
        opened = again.sign_in(until="CreatePin") if chosen else again.open_invitation(code)
        assert opened.step == ("CreatePin" if chosen else "ChoosePassword")
        # Redemption spent the code or did not; it never gave two sets.
        assert redeemer.redeem(answer).status_code in (200, 400)
        assert redeemer.redeem(answer).status_code == 400
        # The counter is whole, and the owner gets in.
        person.elsewhere().tokens()
        for one in (person, redeemer, invited, again):
            one.close()


def test_x05_a_clock_that_jumps_back_a_minute_or_five_breaks_nothing(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        issued = person.tokens()
        person.sign_in()
        for minutes in (1, 5):
            clock.move(minutes=-minutes)
            assert person.signed_in()
            assert house.refresh(issued["refresh_token"]).status_code in (200, 400)
            visitor = person.elsewhere()
            visitor.sign_in()
            assert visitor.signed_in()
            clock.move(minutes=minutes)


@pytest.mark.parametrize(
    "environ",
    [
        {"IDP_MASTER_KEY": ""},
        {"IDP_MASTER_KEY": "0" * 64},
        {"IDP_MASTER_KEY": "changeme"},
        {"IDP_MASTER_KEY": "a1" * 16},
        {"PORTAL_CLIENT_SECRET": "secret"},
        {"PORTAL_CLIENT_SECRET": ""},
        {"IDP_ISSUER": "http://id.example"},
        {"IDP_ISSUER": "https://id.example/?x"},
        {"IDP_DEBUG": "1"},
        {"IDP_HASHING_MEMORY_KIB": "8"},
        {"IDP_HASHING_ITERATIONS": "1"},
        {"IDP_SERVER_MAX_BODY": "999999999"},
    ],
    ids=str,
)
def test_x07_weak_secrets_and_broken_floors_stop_the_start(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_of("http://localhost:8080", f"sqlite:///{tmp_path}/x.sqlite3", None, **environ)
    told = str(refused.value)
    ((name, value),) = environ.items()
    key = name.removeprefix("IDP_").lower()
    # It says where, and never what the secret was.
    assert name in told or "clients.portal.secret_from" in told or key.replace("_", ".", 1) in told
    if name == "IDP_MASTER_KEY" and value:
        assert value not in told


def test_x08_no_secret_is_logged_whatever_is_done(tmp_path: Path) -> None:
    with production("sqlite", tmp_path) as running:
        house = running.house
        invited, code = house.invited()
        invited.password, invited.pin, invited.answer = "canary quokka 4711 pass", "705829", "Canary Quokka Answer"
        invited.headers = {}
        invited.walk(invited.open_invitation(code))
        wrong = "canary wrong wombat pass"
        invited.elsewhere().try_password(wrong)
        browser = invited.elsewhere()
        page = browser.authorize(scope="openid offline_access billing:read", login_hint="canary-hint", nonce="canary-nonce")
        issued = browser.redeem(page).json()
        refreshed = house.refresh(issued["refresh_token"]).json()
        house.userinfo(issued["access_token"])
        house.introspect(issued["access_token"])
        house.post(
            "/token", {"grant_type": "client_credentials", "client_secret": "canary-client-secret", "client_id": "billing"}
        )
        running.raw(
            b"GET /sign-in?password=canary-in-address HTTP/1.1\r\nHost: x\r\nCookie: idp_session=canary-cookie\r\n\r\n", 1
        )
        running.raw(b"POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic canary-basic\r\nContent-Length: zz\r\n\r\n", 1)
        cookies = [cookie.value for person in (invited, browser) for cookie in person.client.cookies.jar]
        for person in (invited, browser):
            person.close()
        running.stop()
        told = running.output.read_text()
    assert '"event": "request"' in told or '"event":"request"' in told
    secrets = {
        "password": invited.password,
        "PIN": f'"{invited.pin}"',
        "answer": invited.answer,
        "wrong password": wrong,
        "invitation": code,
        "code": page.answer["code"],
        "verifier": browser.verifiers[page.answer["state"]],
        "refresh token": issued["refresh_token"],
        "next refresh token": refreshed["refresh_token"],
        "access token": issued["access_token"].rpartition(".")[2],
        "id token": issued["id_token"].rpartition(".")[2],
        "anything sown": "canary",
        "name": invited.username,
        "master key": house.secrets["IDP_MASTER_KEY"],
        "client's secret": house.secrets["PORTAL_CLIENT_SECRET"],
        **{f"cookie {number}": value or "-" for number, value in enumerate(cookies) if value and len(value) > 5},
    }
    assert {name for name, secret in secrets.items() if secret in told} == set()
    assert "Authorization" not in told
    assert "Set-Cookie" not in told
    assert PASSWORD not in told
    assert CHROME not in told


def test_x08_a_fault_is_told_without_values_to_people_and_to_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("canary: what a person typed")

    person: Person = house.customer()
    page = person.open("/sign-in")
    monkeypatch.setattr("idp.flows.sign_in.password", fail)
    answer = person.post(page, {"username": person.username, "password": "canary-of-a-password"})
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    told = capfd.readouterr()
    assert "canary" not in told.out + told.err
