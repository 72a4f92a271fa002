"""``idp clients``: every change is judged before it is written, audited, and known to a running service at once."""

import getpass
import hashlib
import json
import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.cli import clients as command
from idp.flows import registering_clients as flow
from idp.flows.known_clients import changed
from tests.clients.conftest import Desk

SHOP = ("--id", "shop", "name=The shop", "redirect_uris=https://shop.example/cb,https://shop.example/cb2")
APP = ("--id", "app2", "name=App", "auth_method=none", "redirect_uris=com.example.app:/cb")


STORED = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_a_client_is_registered_and_its_secret_shown_once(desk: Desk) -> None:
    client_id, secret = desk.add(*SHOP, "scope=openid profile billing:read", "resources=billing")
    assert (client_id, len(secret) >= 43) == ("shop", True)
    changed(desk.world.clients)
    client = desk.world.clients["shop"]
    assert client.secret_digests == (digest_of(secret),)
    assert client.redirect_uris == ("https://shop.example/cb", "https://shop.example/cb2")
    assert client.resources == ("http://localhost:8082",)
    said = desk.run("show", "shop").stdout
    assert "[clients.shop]" in said
    assert 'scope = "openid profile billing:read"' in said
    assert 'resources = ["billing"]' in said
    assert secret not in said + desk.run("list").stdout
    assert desk.audit() == [("client.registered", f"cli:{getpass.getuser()}")]


def test_an_id_is_made_where_none_is_given(desk: Desk) -> None:
    made = {desk.add("name=One", "auth_method=none", "redirect_uris=https://one.example/cb")[0] for _ in range(2)}
    assert len(made) == 2
    assert all(re.fullmatch(r"client-[A-Za-z0-9_-]{22}", one) for one in made)


def test_a_client_comes_from_a_file_and_its_secret_goes_to_one(desk: Desk) -> None:
    Path("shop.toml").write_text('name = "Shop"\nredirect_uris = ["https://shop.example/cb"]\n[exchanges]\n')
    said = desk.run("add", "--id", "shop", "--from", "shop.toml", "--file", "secret", "consent=true").stdout
    kept = Path("secret")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() not in said
    shown = desk.show("shop")
    assert (shown["consent"], shown["secret_from"]) == (True, [f"sha256:{digest_of(kept.read_text().strip())}"])
    desk.run("secret", "shop", "--file", "secret", code=1)
    assert desk.show("shop") == shown


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("name=X", "redirect_uris=http://shop.example/cb"), "redirect_uris[1]: plain http"),
        (("name=X", "redirect_uris=https://*.example/cb"), "redirect_uris[1]: a redirect address has no wildcard"),
        (("redirect_uris=https://x.example/cb",), "name: missing"),
        (("name=X", "redirect_uris=https://x.example/cb", "scope=billing:read"), 'scope: "billing:read" is offered by none'),
        (("name=X", "redirect_uris=https://x.example/cb", "consent=yes"), 'consent: "yes" is not true or false'),
        (("name=X", "redirect_uris=https://x.example/cb", "colour=red"), "colour: unknown key"),
        (("name=X", "redirect_uris=https://x.example/cb", "resources=biling"), 'Did you mean "billing"?'),
        (("name=X", "auth_method=none", "grant_types=client_credentials"), "needs a client that keeps a secret"),
    ],
)
def test_a_client_that_may_not_be_is_not_written(desk: Desk, words: tuple[str, ...], what: str) -> None:
    assert what in desk.run("add", "--id", "x", *words, code=1).stderr
    assert desk.audit() == []
    desk.run("show", "x", code=1)


@STORED
def test_a_client_is_changed_key_by_key(desk: Desk) -> None:
    _, secret = desk.add(*SHOP)
    desk.run("set", "shop", "redirect_uris=https://shop.example/new", "default_max_age=8h", "require_par=true")
    shown = desk.show("shop")
    assert shown["redirect_uris"] == ["https://shop.example/new"]
    assert (shown["default_max_age"], shown["require_par"]) == ("8h", True)
    assert shown["secret_from"] == [f"sha256:{digest_of(secret)}"]
    desk.run("set", "shop", "default_max_age=", "require_par=")
    assert not {"default_max_age", "require_par"} & desk.show("shop").keys()
    assert "plain http" in desk.run("set", "shop", "redirect_uris=http://shop.example/new", code=1).stderr
    desk.run("set", "shop", "auth_method=none")
    assert "secret_from" not in desk.show("shop")
    assert "not KEY=VALUE" in desk.run("set", "shop", "consent", code=2).stderr
    events = [event for event, _ in desk.audit()]
    assert events == ["client.registered", "client.changed", "client.changed", "client.changed"]


def test_what_is_shown_registers_the_same_again(desk: Desk) -> None:
    words = (
        "auth_method=private_key_jwt",
        "jwks_uri=https://shop.example/jwks.json",
        "fapi=true",
        "subject_type=pairwise",
        "introspects=service",
        'grant_types=["authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"]',
        'exchanges={ billing = ["billing:read"] }',
        "session_idle=15m",
    )
    desk.add(*SHOP, *words)
    text = desk.run("show", "shop").stdout
    Path("again.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("[")))
    desk.add("--id", "again", "--from", "again.toml")
    assert {**desk.show("again"), "client_id": "shop"} == desk.show("shop")
    changed(desk.world.clients)
    again = desk.world.clients["again"]
    assert (again.fapi, again.dpop, again.require_par, again.sector) == (True, True, True, "shop.example")
    assert again.exchanges == {"http://localhost:8082": ("billing:read",)}
    assert again.session_idle == timedelta(minutes=15)


@STORED
def test_disabled_enabled_and_removed(desk: Desk) -> None:
    desk.add(*APP)
    desk.run("disable", "app2")
    assert "app2 (disabled)" in desk.run("list").stdout
    desk.run("enable", "app2")
    desk.run("remove", "app2", answer="n\n", code=1)
    assert desk.show("app2")["name"] == "App"
    desk.run("remove", "app2", "--yes")
    assert "no client app2" in desk.run("show", "app2", code=1).stderr
    assert [event for event, _ in desk.audit()] == [
        f"client.{event}" for event in ("registered", "disabled", "enabled", "removed")
    ]


def test_secrets_overlap_as_long_as_is_said(desk: Desk) -> None:
    _, first = desk.add(*SHOP)
    second = desk.run("secret", "shop").stdout.split()[1]
    changed(desk.world.clients)
    client = desk.world.clients["shop"]
    assert client.secret_digests == (digest_of(second), digest_of(first))
    left = client.secret_ends[digest_of(first)] - desk.world.clock()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert digest_of(second) not in client.secret_ends
    assert "is good until" in desk.run("show", "shop").stdout
    desk.run("set", "shop", "name=Another name")
    changed(desk.world.clients)
    assert desk.world.clients["shop"].secret_ends == client.secret_ends
    third = desk.run("secret", "shop", "--now").stdout.split()[1]
    changed(desk.world.clients)
    assert desk.world.clients["shop"].secret_digests == (digest_of(third),)
    for _ in range(5):
        desk.run("secret", "shop", "--overlap", "1h")
    changed(desk.world.clients)
    assert len(desk.world.clients["shop"].secret_digests) == 4
    assert "write one number and one unit" in desk.run("secret", "shop", "--overlap", "soon", code=2).stderr


def test_a_secret_for_the_file(desk: Desk) -> None:
    lines = desk.run("secret").stdout.splitlines()
    made = lines[0].split()[1]
    assert lines[1] == f'secret_from = ["sha256:{digest_of(made)}"]'


def test_clients_of_the_file_are_changed_there(desk: Desk) -> None:
    for arguments in (("set", "portal", "name=X"), ("disable", "portal"), ("secret", "portal"), ("remove", "portal", "--yes")):
        assert "config/clients.toml: change it there" in desk.run(*arguments, code=1).stderr
    assert "already" in desk.run("add", "--id", "portal", *SHOP[2:], code=1).stderr
    desk.add(*SHOP)
    assert "already" in desk.run("add", *SHOP, code=1).stderr
    assert "no client nobody" in desk.run("disable", "nobody", code=1).stderr
    desk.run("secret", "app2", code=1)
    desk.add(*APP)
    assert "without a secret" in desk.run("secret", "app2", code=1).stderr


def test_check_judges_those_registered_here_by_the_rules_of_today(desk: Desk) -> None:
    desk.add(*SHOP)
    filed = len(desk.world.clients.filed)  # type: ignore[attr-defined]
    assert f"{filed + 1} clients, sound; {filed} of them in the file." in desk.run("check").stdout
    with desk.world.store.engine.begin() as connection:
        document = json.dumps(
            {"name": "Shop", "auth_method": "none", "require_pkce": False, "redirect_uris": ["http://x.example/"]}
        )
        connection.exec_driver_sql(f"UPDATE clients SET document = '{document}' WHERE id = 'shop'")  # noqa: S608
    said = desk.run("check", code=1).stderr
    assert "shop: require_pkce: a public client must use PKCE (RFC 9700 2.1.1)." in said
    assert "shop: redirect_uris[1]: plain http" in said


@STORED
def test_a_running_service_follows_within_two_seconds(desk: Desk) -> None:
    known = desk.world.clients
    before = known.now()  # type: ignore[attr-defined]
    assert "shop" not in known
    desk.add(*SHOP)
    known._looked_at -= 2  # type: ignore[attr-defined]
    assert known["shop"].name == "The shop"
    assert known["portal"] is before["portal"]
    held = known["shop"]
    desk.run("set", "shop", "name=Another")
    assert known["shop"] is held
    known._looked_at -= 2  # type: ignore[attr-defined]
    assert known["shop"].name == "Another"
    desk.run("remove", "shop", "--yes")
    known._looked_at -= 2  # type: ignore[attr-defined]
    assert "shop" not in known
    assert known.keys() == before.keys()


def test_a_file_that_no_secret_came_into_is_not_left(desk: Desk, tmp_path: Path) -> None:
    desk.add(*SHOP)
    path = tmp_path / "secret"
    desk.run("add", *SHOP, "--file", str(path), code=1)
    assert not path.exists()


def test_of_two_operators_at_once_one_is_told_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add(*SHOP)
    read = command.table_of

    def meanwhile(*arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(command, "table_of", read)
        assert isinstance(flow.disable(desk.world, "shop", "cli:other"), flow.StoredClient)
        return read(*arguments)

    monkeypatch.setattr(command, "table_of", meanwhile)
    assert "somebody else meanwhile" in desk.run("set", "shop", "name=Other", code=1).stderr
    assert desk.show("shop")["disabled"] is True
