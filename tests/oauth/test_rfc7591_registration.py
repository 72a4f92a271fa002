"""RFC 7591: clients register themselves, with a token that the operator gave out, and no more than such a client may have."""

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idp.model import Registrar
from idp.store import open_store
from idp.vault import digest
from tests.oauth.clients import ASSERTING, DEVICE_CODE, SECRET
from tests.oauth.provider import ISSUER, Provider, basic
from tests.oauth.registering import PATH, SCOPE, TOKEN, WEB, bearer, open_registration, register, registered
from tests.oauth.stand import standing

KEYS = {"keys": [ASSERTING.as_dict(private=False)]}


@pytest.fixture
def desk(provider: Provider) -> Provider:
    return open_registration(provider)


@pytest.fixture(scope="module")
def closed_desk(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One for all whose registrations are refused: as many as come within the hour, and none of them leaves a trace."""
    path = shutil.copy(empty, tmp_path_factory.mktemp("closed"))
    store = open_store(f"sqlite:///{path}")
    yield open_registration(Provider(store))
    store.close()


def test_a_client_registers_and_is_known_at_once(desk: Provider) -> None:
    response = register(desk)
    said = response.json
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert said["registration_client_uri"] == f"{ISSUER}{PATH}/{said['client_id']}"
    assert said["client_id_issued_at"] == int(desk.clock().timestamp())
    assert said["client_secret_expires_at"] == 0
    assert len(said["client_secret"]) >= 43
    assert (said["grant_types"], said["response_types"]) == (["authorization_code"], ["code"])
    assert (said["scope"], said["token_endpoint_auth_method"]) == (" ".join(SCOPE), "client_secret_basic")
    form = {"grant_type": "authorization_code", "code": "none", "redirect_uri": WEB}
    headers = basic(said["client_id"], said["client_secret"])
    assert desk.http.post("/token", data=form, headers=headers).json["error"] == "invalid_grant"
    assert desk.http.post("/token", data=form, headers=basic(said["client_id"], SECRET)).json["error"] == "invalid_client"
    assert ("client.registered", "done") in desk.audit()


def test_people_are_asked_whatever_the_client_says_of_itself(desk: Provider) -> None:
    said = registered(desk, consent=False, disabled=False, introspects=["billing"], fapi=True, initiate_login_uri=WEB)
    client = desk.world.clients[said["client_id"]]
    assert (client.consent, client.introspects, client.fapi, client.initiate_login_uri) == (True, (), False, None)
    desk.door.sign_in()
    asked = desk.authorize(client_id=client.id, redirect_uri=WEB)
    assert asked.headers["Location"].startswith("/sign-in/")


def test_secrets_and_tokens_are_kept_as_digests(desk: Provider) -> None:
    said = registered(desk)
    with desk.store.engine.connect() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM clients").all())
    assert said["client_id"] in rows
    assert said["client_secret"] not in rows
    assert said["registration_access_token"] not in rows


def test_off_where_no_token_was_given_out(desk: Provider) -> None:
    path = "/.well-known/openid-configuration"
    assert desk.http.get(path).json["registration_endpoint"] == ISSUER + PATH
    desk.start(registrar=Registrar())
    assert register(desk).status_code == 404
    assert "registration_endpoint" not in desk.http.get(path).json


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("another"),
        bearer(""),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {base64.b64encode(TOKEN.encode()).decode()}"},
    ],
)
def test_no_one_else_registers(desk: Provider, headers: dict[str, str]) -> None:
    response = desk.http.post(PATH, json={"redirect_uris": [WEB]}, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert desk.http.post(PATH, json={"access_token": TOKEN}, query_string={"access_token": TOKEN}).status_code == 401
    with desk.store.read() as tx:
        assert tx.clients.all() == []


def test_guesses_are_throttled_by_where_they_come_from_alone(desk: Provider) -> None:
    assert register(desk, token="wrong").json["error"] == "invalid_token"
    assert desk.failures == [""]
    desk.throttled = True
    assert register(desk, token="wrong").status_code == 429
    assert register(desk).status_code == 201


METADATA: list[tuple[dict[str, Any], str, str]] = [
    ({"redirect_uris": None}, "invalid_redirect_uri", "nowhere to send"),
    ({"redirect_uris": []}, "invalid_redirect_uri", "nowhere to send"),
    ({"redirect_uris": WEB}, "invalid_redirect_uri", "not one of those accepted"),
    ({"redirect_uris": ["http://new.example/cb"]}, "invalid_redirect_uri", "plain http"),
    ({"redirect_uris": ["http://localhost/cb"]}, "invalid_redirect_uri", "keep no secret"),
    ({"redirect_uris": ["https://*.example/cb"]}, "invalid_redirect_uri", "no wildcard"),
    ({"redirect_uris": ["https://new.example/cb#x"]}, "invalid_redirect_uri", "no fragment"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", "runs or opens"),
    ({"redirect_uris": ["https://pörtal.example/"]}, "invalid_redirect_uri", "beyond ASCII"),
    ({"redirect_uris": ["https://new.example/" + "x" * 2048]}, "invalid_redirect_uri", "not one of those accepted"),
    ({"redirect_uris": [f"https://new.example/{one}" for one in range(21)]}, "invalid_redirect_uri", "not one of those"),
    ({"redirect_uris": ["com.example.app:/cb"]}, "invalid_redirect_uri", "keep no secret"),
    ({"post_logout_redirect_uris": ["http://new.example/"]}, "invalid_client_metadata", "plain http"),
    ({"client_name": "x" * 101}, "invalid_client_metadata", "client_name"),
    ({"client_name": "two\nlines"}, "invalid_client_metadata", "does not fit on a line"),
    ({"client_name": 7}, "invalid_client_metadata", "client_name"),
    ({"grant_types": ["client_credentials"]}, "invalid_client_metadata", "grant_types"),
    ({"grant_types": ["implicit"]}, "invalid_client_metadata", "grant_types"),
    (
        {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
        "invalid_client_metadata",
        "grant_types",
    ),
    ({"grant_types": ["refresh_token"]}, "invalid_client_metadata", "no other grant"),
    ({"response_types": ["token"]}, "invalid_client_metadata", "response_types"),
    ({"response_types": ["code", "code id_token"]}, "invalid_client_metadata", "response_types"),
    ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata", "token_endpoint_auth_method"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata", "public keys"),
    ({"scope": "openid service:read"}, "invalid_client_metadata", "not all of it"),
    ({"scope": "ssf.manage"}, "invalid_client_metadata", "not all of it"),
    ({"jwks": KEYS, "jwks_uri": "http://127.0.0.1/jwks"}, "invalid_client_metadata", "given twice"),
    ({"jwks": {"keys": [ASSERTING.as_dict(private=True)]}}, "invalid_client_metadata", "private key"),
    ({"jwks": {"keys": []}}, "invalid_client_metadata", "no keys"),
    ({"jwks": {"keys": [{"kty": []}]}}, "invalid_client_metadata", "not a public RSA"),
    ({"jwks": {"keys": [KEYS["keys"][0] | {"alg": {}}]}}, "invalid_client_metadata", "none of the keys"),
    ({"client_name": "portal"}, "invalid_client_metadata", "name of another"),
    ({"client_name": " P\u2060o r t A L!"}, "invalid_client_metadata", "client_name"),
    ({"client_name": "\uff30ortal."}, "invalid_client_metadata", "name of another"),
    (
        {"subject_type": "pairwise", "grant_types": ["authorization_code", DEVICE_CODE]},
        "invalid_client_metadata",
        "sector_identifier_uri",
    ),
    ({"jwks_uri": "https://10.0.0.1/jwks"}, "invalid_client_metadata", "does not go there"),
    ({"jwks_uri": "https://[::ffff:169.254.169.254]/jwks"}, "invalid_client_metadata", "does not go there"),
    ({"jwks_uri": "http://new.example/jwks"}, "invalid_client_metadata", "plain http"),
    ({"backchannel_logout_uri": "https://169.254.169.254/"}, "invalid_client_metadata", "does not go there"),
    ({"frontchannel_logout_uri": "https://evil.example/bye"}, "invalid_client_metadata", "origin of a redirect"),
    ({"request_uris": ["https://192.168.0.1/request"]}, "invalid_client_metadata", "does not go there"),
    ({"require_signed_request_object": True}, "invalid_client_metadata", "public keys"),
    ({"require_pushed_authorization_requests": "yes"}, "invalid_client_metadata", "require_pushed"),
    ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata", "id_token_signed_response_alg"),
    ({"default_max_age": 59}, "invalid_client_metadata", "default_max_age"),
    ({"default_max_age": "3600"}, "invalid_client_metadata", "default_max_age"),
    (
        {"subject_type": "pairwise", "redirect_uris": [WEB, "https://other.example/cb"]},
        "invalid_client_metadata",
        "do not have one host",
    ),
    ({"software_statement": "e30.e30."}, "unapproved_software_statement", "No software statement"),
]


@pytest.mark.parametrize(("metadata", "error", "what"), METADATA, ids=range(len(METADATA)))
def test_metadata_that_is_refused(closed_desk: Provider, metadata: dict[str, Any], error: str, what: str) -> None:
    response = register(closed_desk, **metadata)
    assert (response.status_code, response.json["error"]) == (400, error)
    assert what in response.json["error_description"]
    assert set(response.json["error_description"]) <= {chr(code) for code in range(0x20, 0x7F)} - {'"', "\\"}
    with closed_desk.store.read() as tx:
        assert tx.clients.all() == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b'{"client_name": "A", "client_name": "B"}', {}, 400),
        (b'{"client_name": "\\ud800"}', {}, 400),
        (b'{"jwks": {"keys": [{"kty": "\\udfff"}]}}', {}, 400),
        (b'{"jwks": {"keys": [], "x": 1e999}}', {}, 400),
        (b'{"default_max_age": NaN}', {}, 400),
        (b"[" * 50_000, {}, 400),
        (b" " * 70_000 + b"{}", {}, 413),
        (b"client_name=A", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
    # Never by what they hold: names of tests are written, sent and compared.
    ids=range(11),
)
def test_bodies_that_are_none(desk: Provider, body: bytes, headers: dict[str, str], status: int) -> None:
    usual = {"Content-Type": "application/json", **bearer(TOKEN)}
    assert desk.http.post(PATH, data=body, headers=usual | headers).status_code == status


def test_other_methods_are_refused(desk: Provider) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = desk.http.open(PATH, method=method, headers=bearer(TOKEN))
        assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")


def test_an_app_and_a_client_with_keys(desk: Provider) -> None:
    app = registered(
        desk, token_endpoint_auth_method="none", redirect_uris=["http://127.0.0.1/cb", "com.example.app:/cb"], scope="openid"
    )
    assert not {"client_secret", "client_secret_expires_at"} & app.keys()
    assert desk.world.clients[app["client_id"]].public
    keyed = registered(
        desk,
        token_endpoint_auth_method="private_key_jwt",
        jwks=KEYS,
        require_pushed_authorization_requests=True,
        dpop_bound_access_tokens=True,
        subject_type="pairwise",
        default_max_age=3600,
        grant_types=["authorization_code", "refresh_token"],
    )
    client = desk.world.clients[keyed["client_id"]]
    assert (client.require_par, client.dpop, client.sector, client.jwks) == (True, True, "new.example", KEYS)
    assert (keyed["subject_type"], keyed["default_max_age"], keyed["jwks"]) == ("pairwise", 3600, KEYS)
    assert keyed["require_pushed_authorization_requests"] is keyed["dpop_bound_access_tokens"] is True


def test_a_sector_is_believed_where_it_lists_every_address(desk: Provider) -> None:
    addresses = [WEB, "https://other.example/cb"]
    with standing() as stand:
        wish = {"subject_type": "pairwise", "redirect_uris": addresses, "sector_identifier_uri": f"{stand.url}/sector"}
        stand.body = json.dumps(addresses).encode()
        said = registered(desk, **wish)
        assert desk.world.clients[said["client_id"]].sector == "127.0.0.1"
        for body in (json.dumps(addresses[:1]).encode(), b"{}", b"no", json.dumps([[WEB]]).encode()):
            stand.body = body
            assert register(desk, **wish).json["error"] == "invalid_client_metadata"
        for fault in ("redirect", "large", "missing"):
            stand.fault = fault
            assert "nothing can be read" in register(desk, **wish).json["error_description"]


def test_what_is_not_known_is_passed_over(desk: Provider) -> None:
    said = registered(desk, tos_uri="https://new.example/tos", contacts=["a@new.example"], colour="red", jwks=None)
    assert not {"tos_uri", "contacts", "colour"} & said.keys()


def test_no_more_registrations_than_anybody_needs(desk: Provider) -> None:
    answers = [register(desk, client_name=7).status_code for _ in range(61)]
    assert answers == [400] * 60 + [429]
    assert register(desk).headers["Retry-After"] == "3600"


def test_one_who_registers_too_much_stops_nobody_else(desk: Provider) -> None:
    other = "another initial access token of 256 random bits"
    known = desk.world.registrar
    desk.start(registrar=replace(known, tokens=known.tokens | {digest(other)}))
    while register(desk, client_name=7).status_code == 400:
        pass
    assert register(desk, token=other).status_code == 201


def test_a_request_object_named_with_its_digest(desk: Provider) -> None:
    said = registered(desk, request_uris=["https://new.example/request#digest"], jwks=KEYS)
    assert said["request_uris"] == ["https://new.example/request#digest"]
