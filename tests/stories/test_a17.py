"""A17: personal data is encrypted in transit; secrets are never stored in the clear; cookies carry opaque ids alone."""

import base64
import re
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect, text

from idp.settings import ConfigurationError
from tests.harness import House, settings_of
from tests.people import Person


def everything_stored(house: House) -> str:
    """Every value of every table, and of Redis, as text."""
    engine = house.world.store.engine
    told: list[str] = []
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            told += [repr(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{table}"'))]  # noqa: S608
    if house.settings.redis.url:
        import redis  # noqa: PLC0415

        client = redis.Redis.from_url(house.settings.redis.url)
        for key in client.scan_iter():
            told.append(repr(key))
            told.append(repr(client.dump(key)))
            if client.type(key) in (b"string", "string"):
                told.append(repr(client.get(key)))
            elif client.type(key) in (b"hash", "hash"):
                told.append(repr(client.hgetall(key)))
        client.close()
    return "\n".join(told)


def cookies_of(person: Person) -> dict[str, str]:
    return {cookie.name: cookie.value or "" for cookie in person.client.cookies.jar}


def test_a17_no_secret_is_stored_in_the_clear(house: House) -> None:
    person, code = house.invited()
    person.password, person.answer = "canary quokka 4711 password", "Canary Scuola di Quokka"
    person.pin = "705829"
    person.open_invitation(code)
    person.walk(person.open_invitation(code))
    person.try_password("canary wrong quokka password")
    browser = person.elsewhere()
    page = browser.authorize(scope="openid offline_access billing:read")
    issued = browser.redeem(page).json()
    kept = everything_stored(house)
    secrets = {
        "password": person.password,
        "answer": "canary scuola di quokka",
        "answer as typed": person.answer,
        "wrong password": "canary wrong quokka password",
        "invitation": code,
        "code": page.answer["code"],
        "access token": issued["access_token"],
        "refresh token": issued["refresh_token"],
        "refresh secret": issued["refresh_token"].partition(".")[2],
        "id token": issued["id_token"],
        **{f"cookie {name}": value.partition(".")[0] for name, value in cookies_of(browser).items() if len(value) > 5},
    }
    assert {name for name, secret in secrets.items() if secret in kept} == set()
    assert f"'{person.pin}'" not in kept
    assert "PRIVATE KEY" not in kept
    assert '"d":' not in kept
    assert re.search(r"\$argon2id\$", kept)


def test_a17_cookies_are_opaque_httponly_lax_and_of_this_host_alone(house: House) -> None:
    person = house.customer()
    given: list[str] = []
    page = person.open("/sign-in")
    page = person.fill(page, **(person.given(page) or {}))
    page = person.fill(page, **(person.given(page) or {}))
    for response in (*page.trail, page.response, *person.open("/sign-in").trail):
        given += response.headers.get_list("Set-Cookie")
    assert given
    for line in given:
        (morsel,) = SimpleCookie(line).values()
        assert morsel["httponly"], line
        assert morsel["samesite"] == "Lax", line
        assert morsel["path"] == "/", line
        assert not morsel["domain"], line
    held = cookies_of(person)
    assert set(held) == {"idp_browser", "idp_session", "idp_device"}
    account = person.account
    for value in held.values():
        for part in value.split("."):
            assert re.fullmatch(r"[A-Za-z0-9_-]{32,}", part)
            opened = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            for fact in (account.id, account.username, account.email, account.given_name):
                assert fact.encode() not in opened
                assert fact not in value


def test_a17_over_https_cookies_are_secure_host_cookies_and_browsers_are_told_to_stay_with_it(house: House) -> None:
    from idp.app.factory import create_app  # noqa: PLC0415

    settings = replace(house.settings, issuer="https://id.example")
    client = create_app(settings, replace(house.world, issuer="https://id.example")).test_client()
    answer = client.get("/sign-in", base_url="https://id.example")
    (line,) = answer.headers.getlist("Set-Cookie")
    assert line.startswith("__Host-idp_browser=")
    assert "; Secure" in line
    assert "Domain" not in line
    page = client.get(answer.headers["Location"], base_url="https://id.example")
    assert "max-age=63072000" in page.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("issuer", ["http://id.example", "http://192.168.0.7:8080", "http://localhost.evil.example"])
def test_a17_an_issuer_that_is_not_https_is_refused_unless_it_is_this_machine(issuer: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        settings_of(issuer, f"sqlite:///{tmp_path}/idp.sqlite3", None)


def test_a17_no_address_that_a_person_sees_holds_a_secret_or_personal_data(house: House) -> None:
    person = house.customer()
    page = person.authorize()
    seen: list[Any] = [str(response.url) for response in page.trail] + [page.left]
    page = person.elsewhere().sign_in()
    seen += [str(response.url) for response in page.trail]
    for address in seen:
        assert person.username not in address
        assert person.account.email not in address
        assert person.password not in address
        assert httpx.URL(address).userinfo == b""


def test_a17_pages_are_kept_by_no_cache_and_send_no_referrer_to_others(house: House) -> None:
    person = house.customer()
    for page in (
        person.open("/sign-in"),
        person.sign_in(until="AskPin"),
        person.open("/invitation?code=x"),
        person.open("/no"),
    ):
        for response in (page.response, *page.trail):
            assert response.headers["Cache-Control"] == "no-store"
            # Nothing is told to other sites. (Under "no-referrer" browsers would send forms with the origin "null".)
            assert response.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
