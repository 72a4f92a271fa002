"""Clients and resources: what is read, and what is refused with its line and remedy."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from idp.settings import load

Refusals = Callable[[dict[str, str]], list[str]]
Spoil = Callable[[str, str, str], int]
EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def toml_key(**changes: str | None) -> str:
    key = {name: value for name, value in (EC_KEY | changes).items() if value is not None}
    return "jwks = { keys = [{ " + ", ".join(f'{name} = "{value}"' for name, value in key.items()) + " }] }"


def add(config: Path, lines: str, head: str = "[clients.extra]") -> int:
    """A further client at the end of the file; answers the line of its head."""
    path = config / "clients.toml"
    text = path.read_text("utf-8")
    path.write_text(f"{text}{head}\n{lines}\n", "utf-8")
    return text.count("\n") + 1


def test_the_shipped_clients(config: Path, environ: dict[str, str]) -> None:
    clients = load(config, environ).clients
    portal, app, billing = clients["portal"], clients["app"], clients["billing"]
    assert portal.secret_digests == (hashlib.sha256(environ["PORTAL_CLIENT_SECRET"].encode()).hexdigest(),)
    assert portal.redirect_uris == ("http://localhost:8081/callback",)
    assert portal.initiate_login_uri == "http://localhost:8081/sign-in"
    assert portal.scope == ("openid", "profile", "email", "offline_access", "billing:read", "billing:write", "service:read")
    assert portal.resources == ("http://localhost:8082", "http://localhost:8083")
    assert app.public
    assert app.require_pkce
    assert app.secret_digests == ()
    assert billing.grant_types == ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")
    assert set(billing.exchanges) == {"http://localhost:8083"}
    assert billing.introspects == ("http://localhost:8082",)


def test_secrets_rotate_with_an_overlap(config: Path, environ: dict[str, str], spoil: Spoil) -> None:
    new, digest = "n3w-" * 4 + "abcdefghijklmnop", "ab" * 32
    Path("secret").write_text(new + "\n")
    old = '["env:PORTAL_CLIENT_SECRET"]'
    spoil("clients.toml", old, f'["env:PORTAL_CLIENT_SECRET", "file:{Path("secret").absolute()}", "sha256:{digest}"]')
    digests = load(config, environ).clients["portal"].secret_digests
    assert digests[1:] == (hashlib.sha256(new.encode()).hexdigest(), digest)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("env:NOWHERE", "the environment variable NOWHERE is not set"),
        ("env:SHORT", "the secret is shorter than 32 characters"),
        ("env:DULL", "the secret is not random"),
        ("file:nowhere", "the file nowhere can't be read"),
        ("sha256:ABCD", "the digest is not 64 lower-case hex digits"),
        ("canary-secret-written-here-by-mistake", "the source is not env:, file: or sha256:"),
        ("env:", "the source is not env:, file: or sha256:"),
    ],
)
def test_a_poor_secret_is_refused_and_never_shown(
    *, refusals: Refusals, environ: dict[str, str], spoil: Spoil, source: str, what: str
) -> None:
    environ |= {"SHORT": "canary-short", "DULL": "ab" * 20}
    line = spoil("clients.toml", "env:PORTAL_CLIENT_SECRET", source)
    (said,) = refusals(environ)
    assert said.startswith(f"config/clients.toml:{line}: clients.portal.secret_from[1]: {what}. ")
    assert "canary" not in said


REDIRECTS: list[tuple[str, str]] = [
    ("/callback", "not absolute"),
    ("//portal.example/callback", "not absolute"),
    ("https://portal.example/cb#x", "no fragment"),
    ("https://portal.example/cb#", "no fragment"),
    ("https://*.portal.example/cb", "no wildcard"),
    ("https://portal.example/*", "no wildcard"),
    ("https://good@portal.example/cb", "carries a user name"),
    ("https://portal.example/a/../cb", "dot segments"),
    ("https://portal.example/%2E%2e/cb", "dot segments"),
    ("https://Portal.example/cb", "capital letters"),
    ("https://portal.example/c b", "spaces"),
    ("https://portal.example\\\\@evil.example/", "backslashes"),
    ("https://pörtal.example/", "letters beyond ASCII"),
    ("https:portal.example/cb", "names no host"),
    ("http://portal.example/cb", "plain http"),
    ("javascript:alert(1)", "runs or opens"),
    ("JavaScript:alert(1)", "capital letters"),
    ("data:text/html,x", "runs or opens"),
    ("file:///etc/passwd", "runs or opens"),
    ("intent://x", "runs or opens"),
    ("vbscript:x", "runs or opens"),
    ("blob:https://x", "runs or opens"),
    ("myapp:/callback", "not a reversed domain"),
    ("com.norda.app:/callback", "for apps that keep no secret"),
]


@pytest.mark.parametrize(("address", "what"), REDIRECTS)
@pytest.mark.parametrize("key", ["redirect_uris", "post_logout_redirect_uris"])
def test_a_dangerous_redirect_is_refused(
    *, refusals: Refusals, environ: dict[str, str], spoil: Spoil, key: str, address: str, what: str
) -> None:
    page = {"redirect_uris": "callback", "post_logout_redirect_uris": "signed-out"}[key]
    line = spoil(
        "clients.toml", f'{key} = ["http://localhost:8081/{page}"]', f'{key} = [\n  "https://ok.example/",\n  "{address}",\n]'
    )
    (said,) = refusals(environ)
    assert said.startswith(f"config/clients.toml:{line + 2}: clients.portal.{key}[2]: ")
    assert what in said


@pytest.mark.parametrize(
    "address",
    ["https://portal.example/cb?tenant=1", "http://[::1]:9/cb", "https://portal.example:8443/cb", "http://127.0.0.1/cb"],
)
def test_a_sound_redirect_is_kept_letter_by_letter(config: Path, environ: dict[str, str], spoil: Spoil, address: str) -> None:
    spoil("clients.toml", "http://localhost:8081/callback", address)
    assert load(config, environ).clients["portal"].redirect_uris == (address,)


PUBLIC = 'name = "Extra"\nauth_method = "none"\nredirect_uris = ["https://x.example/cb"]\n'
BARE = 'name = "Extra"\nsecret_from = ["env:PORTAL_CLIENT_SECRET"]\ngrant_types = ["client_credentials"]\n'
KEYED = 'name = "Extra"\nauth_method = "private_key_jwt"\ngrant_types = ["client_credentials"]\n'
SPOILT: list[tuple[str, str, str]] = [
    (PUBLIC + "require_pkce = false", "require_pkce", "a public client must use PKCE"),
    (
        PUBLIC + 'grant_types = ["authorization_code", "client_credentials"]',
        "grant_types",
        "needs a client that keeps a secret",
    ),
    (PUBLIC + 'introspects = ["billing"]', "introspects", "introspection needs a client that keeps a secret"),
    (
        PUBLIC + 'secret_from = ["env:PORTAL_CLIENT_SECRET"]',
        "secret_from",
        "a client that proves itself otherwise uses no secret",
    ),
    (PUBLIC + 'grant_types = ["password"]', "grant_types[1]", '"password" is not one of the choices'),
    (PUBLIC + 'grant_types = ["implicit"]', "grant_types[1]", '"implicit" is not one of the choices'),
    (PUBLIC + "grant_types = []", "grant_types", "the client may use no grant"),
    (PUBLIC + 'grant_types = ["refresh_token"]', "grant_types", "no other grant gives the client a refresh token"),
    (PUBLIC + "response_modes = []", "response_modes", "accepts no answer"),
    (PUBLIC + 'response_modes = ["fragment"]', "response_modes[1]", '"fragment" is not one of the choices'),
    (PUBLIC + 'scope = "openid billing:read"', "scope", '"billing:read" is offered by none of the client\'s resources'),
    (PUBLIC + 'resources = ["billing"]\nscope = "billing:reed"', "scope", 'Did you mean "billing:read"?'),
    (PUBLIC + 'scope = "openid openid"', "scope", "a scope is listed twice"),
    (PUBLIC + 'resources = ["biling"]', "resources[1]", 'Did you mean "billing"?'),
    (PUBLIC + 'initiate_login_uri = "http://x.example/sign-in"', "initiate_login_uri", "plain http"),
    (PUBLIC + 'id_token_alg = "HS256"', "id_token_alg", '"HS256" is not one of the choices'),
    (PUBLIC.replace('"Extra"', '" "'), "name", "the name is empty"),
    (PUBLIC.replace('name = "Extra"\n', ""), "name", "missing"),
    (PUBLIC + 'secret = "canary"', "secret", 'unknown key. Did you mean "secret_from"?'),
    (PUBLIC + 'default_max_age = "59s"', "default_max_age", "below the floor of 1m"),
    (PUBLIC + "default_max_age = 3600", "default_max_age", "3600 is not a duration"),
    (PUBLIC + 'session_idle = "4m"', "session_idle", "below the floor of 5m"),
    (PUBLIC + 'session_idel = "15m"', "session_idel", 'unknown key. Did you mean "session_idle"?'),
    (BARE + 'session_idle = "15m"', "session_idle", "nobody signs in at this client"),
    (BARE + 'default_max_age = "8h"', "default_max_age", "nobody signs in at this client"),
    (BARE.replace('secret_from = ["env:PORTAL_CLIENT_SECRET"]', ""), "secret_from", "missing"),
    (BARE + 'introspects = ["nothing"]', "introspects[1]", '"nothing" is not a resource'),
    (BARE.replace("client_credentials", "authorization_code"), "redirect_uris", "has nowhere to send its answer"),
    (KEYED, "jwks", "private_key_jwt needs the client's public keys"),
    (KEYED + 'jwks_file = "x.json"\n' + toml_key(), "jwks_file", "the keys are given twice"),
    (KEYED + 'jwks_file = "nowhere.json"', "jwks_file", "can't be read as JSON"),
    (KEYED + "jwks = { keys = [] }", "jwks", "holds no keys"),
    (KEYED + "jwks = { keys = [7] }", "jwks", "key 1: it is not a public RSA, EC or OKP key"),
    (KEYED + toml_key(d="canary"), "jwks", "key 1: it is a private key"),
    (KEYED + toml_key(kty="oct", k="canary"), "jwks", "key 1: it is not a public RSA, EC or OKP key"),
    (KEYED + toml_key(y=None), "jwks", "key 1: it lacks crv or x or y"),
    (KEYED + toml_key(use="enc"), "jwks", "key 1: it is not for signatures"),
    (KEYED + 'jwks = { keys = [{ kty = "RSA", n = "AQAB", e = "AQAB" }] }', "jwks", "shorter than 2048 bits"),
]


@pytest.mark.parametrize(("lines", "key", "what"), SPOILT, ids=range(len(SPOILT)))
def test_a_contradictory_client_is_refused(
    *, config: Path, refusals: Refusals, environ: dict[str, str], lines: str, key: str, what: str
) -> None:
    head = add(config, lines)
    matching = [said for said in refusals(environ) if f": clients.extra.{key}: " in said]
    assert len(matching) == 1
    assert what in matching[0]
    written = [
        number for number, line in enumerate(lines.splitlines(), head + 1) if line.startswith(key.partition("[")[0] + " =")
    ]
    # A key written twice by a row above would be a syntax error; where it is not written, the client's own line is named.
    assert matching[0].startswith(f"config/clients.toml:{written[-1] if written else head}: ")
    assert "canary" not in matching[0]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ('"acc_1"', 'a client id never begins with "acc_"'),
        ('"a b"', '"a b" is not a client id'),
        ('"<script>"', "is not a client id"),
        ('"ä"', "is not a client id"),
        ('""', "is not a client id"),
        (f'"{"x" * 65}"', "is not a client id"),
    ],
)
def test_client_ids_are_unlike_people_and_markup(
    config: Path, refusals: Refusals, environ: dict[str, str], name: str, what: str
) -> None:
    head = add(config, PUBLIC, f"[clients.{name}]")
    (said,) = refusals(environ)
    assert said.startswith(f"config/clients.toml:{head}: clients.")
    assert what in said


def test_a_client_proves_itself_by_its_public_keys(config: Path, environ: dict[str, str]) -> None:
    add(config, KEYED + toml_key())
    (config / "keys.json").write_text(json.dumps({"keys": [EC_KEY]}))
    add(config, KEYED + 'jwks_file = "keys.json"', "[clients.other]")
    clients = load(config, environ).clients
    assert clients["extra"].jwks == clients["other"].jwks == {"keys": [EC_KEY]}
    assert clients["extra"].secret_digests == ()


def test_a_client_may_want_fresher_proofs_and_busier_sessions(config: Path, environ: dict[str, str]) -> None:
    add(config, PUBLIC + 'default_max_age = "8h"\nsession_idle = "15m"')
    add(config, PUBLIC + 'default_max_age = "never"', "[clients.other]")
    clients = load(config, environ).clients
    extra, other = clients["extra"], clients["other"]
    assert (extra.default_max_age, extra.session_idle) == (timedelta(hours=8), timedelta(minutes=15))
    assert (other.default_max_age, other.session_idle) == (None, None)


def test_an_app_may_have_a_scheme_of_its_own(config: Path, environ: dict[str, str]) -> None:
    add(config, PUBLIC.replace("https://x.example/cb", "com.example.app:/cb"))
    assert load(config, environ).clients["extra"].redirect_uris == ("com.example.app:/cb",)


RESOURCES: list[tuple[str, str, str, str]] = [
    ('identifier = "http://localhost:8082"', 'identifier = "billing"', "resources.billing.identifier", "not absolute"),
    ('identifier = "http://localhost:8082"', 'identifier = "urn:b#x"', "resources.billing.identifier", "fragment"),
    ('identifier = "http://localhost:8083"', 'identifier = "http://localhost:8082"', "resources.service.identifier", "already"),
    ('identifier = "http://localhost:8083"', 'identifier = "urn:"', "resources.service.identifier", "names nothing"),
    ('# token_lifetime = "5m"', 'token_lifetime = "11m"', "resources.billing.token_lifetime", "longer than the 10m the policy"),
    ('# token_lifetime = "5m"', 'token_lifetime = "2h"', "resources.billing.token_lifetime", "above the ceiling of 1h"),
    ('acr = "pwd"', 'acr = "high"', "resources.billing.acr", "not one of the choices"),
    ('"billing:itemised" = "billing"', '"bill ing" = "billing"', 'resources.billing.scopes."bill ing"', "not a scope"),
    ('"billing:itemised" = "billing"', '"openid" = ""', "resources.billing.scopes.openid", "belongs to OpenID Connect"),
    ('"service:write" = "service"', '"billing:read" = ""', 'resources.service.scopes."billing:read"', "by billing already"),
    ('"billing:itemised" = "billing"', '"x" = "No Such"', "resources.billing.scopes.x", "is not an entitlement"),
    ('"billing:itemised" = "billing"', '"x" = 7', "resources.billing.scopes.x", "7 is not text"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "what"), RESOURCES, ids=range(len(RESOURCES)))
def test_a_contradictory_resource_is_refused(
    *, spoil: Spoil, refusals: Refusals, environ: dict[str, str], old: str, new: str, key: str, what: str
) -> None:
    line = spoil("resources.toml", old, new)
    (first,) = refusals(environ)
    assert first.startswith(f"config/resources.toml:{line}: {key}: ")
    assert what in first


def test_a_resource_has_a_name_that_can_be_written(spoil: Spoil, refusals: Refusals, environ: dict[str, str]) -> None:
    line = spoil("resources.toml", "[resources.service]", '[resources."Ser vice"]')
    spoil("resources.toml", "[resources.service.scopes]", '[resources."Ser vice".scopes]')
    assert any(
        said.startswith(f'config/resources.toml:{line}: resources."Ser vice": "Ser vice" is not a name')
        for said in refusals(environ)
    )


def test_everything_a_client_may_say(config: Path, environ: dict[str, str]) -> None:
    add(
        config,
        'name = "Extra"\nauth_method = "private_key_jwt"\njwks_uri = "https://x.example/jwks.json"\nfapi = true\n'
        'grant_types = ["authorization_code", "refresh_token"]\n'
        'redirect_uris = ["https://x.example/cb", "https://y.example/cb"]\nsubject_type = "pairwise"\nsector = "x.example"\n'
        'request_uris = ["https://x.example/request"]\nrequire_signed_request = true\n'
        'backchannel_logout_uri = "https://x.example/bye"\nfrontchannel_logout_uri = "https://y.example/bye"',
    )
    add(config, PUBLIC + 'subject_type = "pairwise"\ndpop = true\nrequire_par = true', "[clients.other]")
    exchanges = (
        'name = "Exchanger"\nsecret_from = ["env:PORTAL_CLIENT_SECRET"]\nintrospects = ["billing"]\nscope = "ssf.manage"\n'
        'grant_types = ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"]\n'
        '[clients.exchanger.exchanges]\nservice = ["service:read"]'
    )
    add(config, exchanges, "[clients.exchanger]")
    clients = load(config, environ).clients
    extra, other, exchanger = clients["extra"], clients["other"], clients["exchanger"]
    assert (extra.fapi, extra.require_par, extra.dpop, extra.id_token_alg) == (True, True, True, "ES256")
    assert (extra.sector, extra.jwks_uri) == ("x.example", "https://x.example/jwks.json")
    assert (extra.request_uris, extra.require_signed_request) == (("https://x.example/request",), True)
    assert extra.backchannel_logout_uri == "https://x.example/bye"
    assert extra.frontchannel_logout_uri == "https://y.example/bye"
    assert (other.sector, other.dpop, other.require_par, other.id_token_alg) == ("x.example", True, True, "RS256")
    assert exchanger.exchanges == {"http://localhost:8083": ("service:read",)}
    assert exchanger.scope == ("ssf.manage",)
