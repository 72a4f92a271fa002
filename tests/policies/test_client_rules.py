"""Which clients may not be: every rule, the client that breaks it alone, and where it is written."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.model import Client, Resource
from idp.policies.client_keys import algorithms_of, refused_keys
from idp.policies.client_rules import CODE, DEVICE, EXCHANGE, ITSELF, MOST_SECRETS, REFRESH, RULES, faults, sector_of

BILLING, SERVICE = "https://billing.example", "https://service.example"
RESOURCES = {
    BILLING: Resource("billing", BILLING, {"billing:read": "billing"}, timedelta(minutes=5)),
    SERVICE: Resource("service", SERVICE, {"service:read": ""}, timedelta(minutes=5)),
}
EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RSA = {"kty": "RSA", "n": "_" * 342, "e": "AQAB"}
DIGEST = "ab" * 32
WEB = Client("web", "Web", redirect_uris=("https://web.example/cb",), secret_digests=(DIGEST,), scope=("openid",))
APP = replace(WEB, auth_method="none", secret_digests=(), redirect_uris=("com.example.app:/cb", "http://127.0.0.1/cb"))
ROBOT = Client(
    "robot", "Robot", (ITSELF,), secret_digests=(DIGEST,), scope=("service:read", "ssf.manage"), resources=(SERVICE,)
)
KEYED = replace(WEB, auth_method="private_key_jwt", secret_digests=(), jwks={"keys": [EC]})
EXCHANGER = replace(ROBOT, grant_types=(EXCHANGE, ITSELF), introspects=(BILLING,), exchanges={SERVICE: ("service:read",)})
FAPI = replace(KEYED, fapi=True, dpop=True, require_par=True, id_token_alg="ES256")
FETCHED = replace(KEYED, jwks=None, jwks_uri="https://web.example/jwks.json")
SOUND = {
    "web": WEB,
    "app": APP,
    "robot": ROBOT,
    "keyed": KEYED,
    "fetched": FETCHED,
    "exchanger": EXCHANGER,
    "fapi": FAPI,
    "fapi app on this machine": replace(FAPI, redirect_uris=("http://127.0.0.1:9/cb", "http://[::1]/cb")),
    "device": replace(APP, grant_types=(DEVICE, REFRESH), redirect_uris=(), backchannel_logout_uri="https://x.example/bye"),
    "digest of a request": replace(KEYED, request_uris=("https://web.example/request#digest",)),
    "on this machine": replace(
        WEB, redirect_uris=("http://localhost:8081/cb",), backchannel_logout_uri="http://localhost:8081/b"
    ),
    "keys beside a secret": replace(WEB, jwks={"keys": [EC]}, require_signed_request=True),
}

# The client, what is changed of it, the field at fault, what is said.
CASES: list[tuple[Client, dict[str, Any], tuple[str | int, ...], str]] = [
    (WEB, {"id": "a b"}, (), "is not a client id"),
    (WEB, {"id": "acc_1"}, (), 'never begins with "acc_"'),
    (WEB, {"name": " "}, ("name",), "empty"),
    (WEB, {"name": "x" * 101}, ("name",), "longer than 100"),
    (WEB, {"name": "a\nb"}, ("name",), "does not fit on a line"),
    (WEB, {"name": "a\u202eb"}, ("name",), "does not fit on a line"),
    (WEB, {"name": "N\u043erda"}, ("name",), "UTS 39 5.2"),
    (WEB, {"grant_types": ()}, ("grant_types",), "may use no grant"),
    (ROBOT, {"grant_types": (ITSELF, REFRESH)}, ("grant_types",), "no other grant gives"),
    (APP, {"grant_types": (CODE, ITSELF)}, ("grant_types",), "RFC 6749 4.4"),
    (APP, {"grant_types": (CODE, EXCHANGE)}, ("grant_types",), "token-exchange needs"),
    (APP, {"introspects": (BILLING,)}, ("introspects",), "RFC 7662 2.1"),
    (APP, {"require_pkce": False}, ("require_pkce",), "RFC 9700 2.1.1"),
    (WEB, {"redirect_uris": ()}, ("redirect_uris",), "nowhere to send"),
    (WEB, {"response_modes": ()}, ("response_modes",), "no answer"),
    (ROBOT, {"default_max_age": timedelta(hours=1)}, ("default_max_age",), "nobody signs in"),
    (ROBOT, {"session_idle": timedelta(hours=1)}, ("session_idle",), "nobody signs in"),
    (ROBOT, {"backchannel_logout_uri": "https://x.example/"}, ("backchannel_logout_uri",), "nobody signs in"),
    (ROBOT, {"request_uris": ("https://x.example/r",)}, ("request_uris",), "no authorization"),
    (ROBOT, {"require_par": True}, ("require_par",), "no authorization"),
    (ROBOT, {"require_signed_request": True}, ("require_signed_request",), "no authorization"),
    (WEB, {"require_signed_request": True}, ("require_signed_request",), "RFC 9101 10.5"),
    (APP, {"secret_digests": (DIGEST,)}, ("secret_digests",), "uses no secret"),
    (KEYED, {"secret_digests": (DIGEST,)}, ("secret_digests",), "uses no secret"),
    (WEB, {"secret_digests": ()}, ("secret_digests",), "missing"),
    (WEB, {"secret_digests": tuple(f"{one:064x}" for one in range(MOST_SECRETS + 1))}, ("secret_digests",), "good at once"),
    (KEYED, {"jwks": None}, ("jwks",), "needs the client's public keys"),
    (KEYED, {"jwks_uri": "https://web.example/jwks"}, ("jwks_uri",), "RFC 7591 2"),
    (KEYED, {"jwks": {"keys": [EC | {"d": "x"}]}}, ("jwks",), "private key"),
    (WEB, {"jwks": {"keys": []}}, ("jwks",), "no keys"),
    (FETCHED, {"jwks_uri": "http://web.example/jwks"}, ("jwks_uri",), "plain http"),
    (FETCHED, {"jwks_uri": "https://web.example/jwks#x"}, ("jwks_uri",), "no fragment"),
    (FETCHED, {"jwks_uri": "https://web.example/" + "x" * 500}, ("jwks_uri",), "longer than 512"),
    (FETCHED, {"jwks_uri": "https://a@web.example/jwks"}, ("jwks_uri",), "user name"),
    (KEYED, {"request_uris": ("http://localhost/r",)}, ("request_uris", 0), "RFC 9101 5.2"),
    (KEYED, {"request_uris": ("urn:x:y",)}, ("request_uris", 0), "RFC 9101 5.2"),
    (WEB, {"backchannel_logout_uri": "https://web.example/bye#x"}, ("backchannel_logout_uri",), "no fragment"),
    (WEB, {"backchannel_logout_uri": "http://web.example/bye"}, ("backchannel_logout_uri",), "plain http"),
    (WEB, {"frontchannel_logout_uri": "https://evil.example/bye"}, ("frontchannel_logout_uri",), "Front-Channel Logout 2"),
    (WEB, {"frontchannel_logout_uri": "https://web.example:8443/bye"}, ("frontchannel_logout_uri",), "origin"),
    (WEB, {"initiate_login_uri": "http://web.example/"}, ("initiate_login_uri",), "plain http"),
    (WEB, {"redirect_uris": ("https://web.example/cb", "http://web.example/")}, ("redirect_uris", 1), "plain http"),
    (WEB, {"redirect_uris": ("com.example.app:/cb",)}, ("redirect_uris", 0), "keep no secret"),
    (APP, {"redirect_uris": ("app:/cb",)}, ("redirect_uris", 0), "reversed domain"),
    (WEB, {"post_logout_redirect_uris": ("https://*.example/",)}, ("post_logout_redirect_uris", 0), "no wildcard"),
    (EXCHANGER, {"grant_types": (ITSELF,)}, ("exchanges",), "may not use the grant"),
    (EXCHANGER, {"exchanges": {}}, ("exchanges",), "RFC 8693 2.1"),
    (EXCHANGER, {"introspects": ()}, ("exchanges",), "RFC 8693 5"),
    (EXCHANGER, {"exchanges": {"https://x.example": ()}}, ("exchanges", "https://x.example"), "is not a resource"),
    (EXCHANGER, {"exchanges": {SERVICE: ("billing:read",)}}, ("exchanges", SERVICE), "nothing at this resource"),
    (WEB, {"sector": "https://web.example"}, ("sector",), "Connect Core 8.1"),
    (WEB, {"sector": "Web.example"}, ("sector",), "Connect Core 8.1"),
    (WEB, {"resources": ("https://x.example",)}, ("resources", 0), "is not a resource"),
    (ROBOT, {"introspects": ("https://x.example",)}, ("introspects", 0), "is not a resource"),
    (WEB, {"scope": ("openid", "billing:read")}, ("scope",), "none of the client's resources"),
    (WEB, {"scope": ("ssf.manage",)}, ("scope",), "none of the client's resources"),
    (WEB, {"scope": ("openid", "openid")}, ("scope",), "listed twice"),
    (FAPI, {"dpop": False}, ("dpop",), "FAPI 2.0 5.3.2.1"),
    (FAPI, {"require_par": False}, ("require_par",), "FAPI 2.0 5.3.2.2"),
    (FAPI, {"auth_method": "client_secret_basic", "secret_digests": (DIGEST,)}, ("auth_method",), "FAPI 2.0 5.3.2.1"),
    (FAPI, {"require_pkce": False}, ("require_pkce",), "FAPI 2.0 5.3.2.2"),
    (FAPI, {"grant_types": (CODE, DEVICE)}, ("grant_types",), "FAPI 2.0 5.3.2.2"),
    (FAPI, {"id_token_alg": "RS256"}, ("id_token_alg",), "FAPI 2.0 5.4.1"),
    (WEB, {"id_token_alg": "none"}, ("id_token_alg",), "not signed so"),
    (FAPI, {"jwks": {"keys": [RSA | {"alg": "RS256"}]}}, ("jwks",), "ES256 or PS256"),
    (FAPI, {"redirect_uris": ("http://localhost/cb",)}, ("redirect_uris", 0), "FAPI 2.0 5.3.2.2"),
]  # fmt: skip


@pytest.mark.parametrize("client", SOUND.values(), ids=SOUND)
def test_a_client_that_may_be(client: Client) -> None:
    assert faults(client, RESOURCES) == []


@pytest.mark.parametrize(("client", "changes", "path", "what"), CASES, ids=range(len(CASES)))
def test_a_client_that_may_not_be(client: Client, changes: dict[str, Any], path: tuple[str | int, ...], what: str) -> None:
    found = faults(replace(client, **changes), RESOURCES)
    (fault,) = [one for one in found if what in one.what] or found
    assert (fault.path, what in fault.what) == (path, True)
    assert fault.remedy.endswith((".", "?", "-"))


def test_every_rule_has_its_case() -> None:
    said = {fault.what for client, changes, _, _ in CASES for fault in faults(replace(client, **changes), RESOURCES)}
    assert [rule.what for rule in RULES if not any(one.startswith(rule.what) for one in said)] == []


def test_what_is_said_of_unread_resources_is_not_judged() -> None:
    assert faults(replace(WEB, resources=("https://x.example",), scope=("x",)), None) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://web.example;sandbox/cb",
        "https://web.example,evil.example/cb",
        "https://web%2eexample/cb",
        "https://'unsafe-inline'/cb",
        "https://web.example:/cb",
        "http://[::1].evil.example/cb",
        "http://[::1%25eth0]/cb",
        "https://<web.example>/cb",
        "https://-web.example/cb",
    ],
)
def test_an_address_whose_host_is_none(address: str) -> None:
    """A browser may read it as another, and a page's policy (CSP) as more than one."""
    assert [fault.path for fault in faults(replace(APP, redirect_uris=(address,)), RESOURCES)] == [("redirect_uris", 0)]


@pytest.mark.parametrize("address", ["https://web-1.example:8443/cb", "https://[2001:db8::1]:8443/cb", "http://[::1]/cb"])
def test_an_address_whose_host_is_one(address: str) -> None:
    assert faults(replace(APP, redirect_uris=(address,)), RESOURCES) == []


@pytest.mark.parametrize(
    ("addresses", "sector"),
    [
        (("https://a.example/1", "https://a.example:8443/2"), "a.example"),
        (("https://a.example/", "https://b.example/"), None),
        (("com.example.app:/cb",), None),
        ((), None),
    ],
)
def test_the_sector_is_the_one_host(addresses: tuple[str, ...], sector: str | None) -> None:
    assert sector_of(addresses) == sector


@pytest.mark.parametrize(
    ("jwk", "algorithms", "of_fapi"),
    [
        (EC, ("ES256",), ("ES256",)),
        (RSA, ("PS256", "RS256"), ("PS256",)),
        (RSA | {"alg": "RS256"}, ("RS256",), ()),
        (EC | {"alg": "RS256"}, (), ()),
        (EC | {"crv": "P-384"}, (), ()),
        ({"kty": "OKP", "crv": "Ed25519", "x": "x"}, (), ()),
        (EC | {"use": "enc"}, (), ()),
        (EC | {"alg": []}, (), ()),
        (EC | {"kty": []}, (), ()),
        (EC | {"crv": {}}, (), ()),
    ],
)
def test_a_key_verifies_its_own_algorithms(jwk: dict[str, str], algorithms: tuple[str, ...], of_fapi: tuple[str, ...]) -> None:
    assert (algorithms_of(jwk), algorithms_of(jwk, fapi=True)) == (algorithms, of_fapi)
    assert (refused_keys({"keys": [jwk]}) is None) == bool(algorithms)


@pytest.mark.parametrize(
    "jwks", [None, [], {"keys": {}}, {"keys": [EC] * 21}, {"keys": [None]}, {"keys": [{"kty": "oct", "k": "x"}]}]
)
def test_what_is_no_key_set(jwks: object) -> None:
    assert refused_keys(jwks) is not None


def of_bits(bits: int) -> str:
    """A modulus of so many bits, with zeros before them."""
    return base64.urlsafe_b64encode(((1 << bits) - 1).to_bytes(300, "big")).decode().rstrip("=")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"n": of_bits(2047)}, "shorter than 2048"),
        ({"n": "_" * 340}, "shorter than 2048"),
        ({"n": "!" * 400}, "lacks"),
        ({"e": "AQ"}, "exponent"),
        ({"e": "AAAC"}, "exponent"),
    ],
)
def test_a_weak_key_is_refused_though_it_is_written_long(changes: dict[str, str], what: str) -> None:
    refusal = refused_keys({"keys": [RSA | changes]})
    assert refusal is not None
    assert what in refusal[0]
