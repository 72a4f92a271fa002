"""RFC 7523 3: assertions by keys that a client registered or keeps at an address: for us, soon over, used once."""

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.model import Client
from idp.post import Outbound
from idp.vault.client_keys import LIFE, PAUSE, ClientKeys
from idp.vault.jose import b64
from tests.oauth.clients import ASSERTING, CLIENTS, SECRET
from tests.oauth.provider import ISSUER, NOW, Provider, basic
from tests.oauth.stand import Stand, standing

GRANT = {"grant_type": "client_credentials"}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OTHER = ECKey.generate_key("P-256", parameters={"kid": "robot-2"}, private=True)
LARGE = RSAKey.generate_key(2048, parameters={"kid": "large"}, private=True)
ROBOT = next(client for client in CLIENTS if client.id == "robot")
FAPI = replace(
    ROBOT, id="bank", fapi=True, dpop=False, jwks={"keys": [key.as_dict(private=False) for key in (ASSERTING, LARGE)]}
)


def refused(response: Any) -> bool:
    return (response.status_code, response.json.get("error")) == (401, "invalid_client")


def claims(client: str = "robot", **changes: Any) -> dict[str, Any]:
    usual = {"iss": client, "sub": client, "aud": ISSUER, "exp": NOW + timedelta(minutes=4), "jti": "one"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(said: dict[str, Any], key: Any = ASSERTING, alg: str = "ES256", **header: Any) -> str:
    signer = key if isinstance(key, str) else key.private_key
    headers = {"typ": "JWT", **({} if isinstance(key, str) else {"kid": key.kid}), **header}
    return jwt.encode(
        said, signer, algorithm=alg, headers={name: value for name, value in headers.items() if value is not None}
    )


def confused(secret: bytes) -> str:
    """An assertion under the public key as if it were a secret (RFC 8725 2.1)."""
    _, payload, _ = signed(claims()).split(".")
    header = b64(json.dumps({"alg": "HS256", "kid": ASSERTING.kid, "typ": "JWT"}).encode()).decode()
    signature = hmac.digest(secret, f"{header}.{payload}".encode(), "sha256")
    return f"{header}.{payload}.{b64(signature).decode()}"


def send(provider: Provider, assertion: str, **form: str) -> Any:
    return provider.http.post("/token", data=GRANT | {"client_assertion_type": TYPE, "client_assertion": assertion} | form)


def with_clients(provider: Provider, *clients: Client, **changes: Any) -> Provider:
    provider.start(clients={**provider.world.clients, **{client.id: client for client in clients}}, **changes)
    return provider


def test_an_assertion_is_good_once(provider: Provider) -> None:
    assertion = signed(claims())
    assert send(provider, assertion).status_code == 200
    assert refused(send(provider, assertion))
    assert refused(send(provider, signed(claims(exp=NOW + timedelta(minutes=3)))))
    assert send(provider, signed(claims(jti="two", aud=f"{ISSUER}/token")), client_id="robot").status_code == 200


K08: list[dict[str, Any]] = [
    {"aud": "https://evil.example"},
    {"aud": [ISSUER, "https://evil.example"]},
    {"aud": []},
    {"aud": None},
    {"aud": {"a": ISSUER}},
    {"exp": NOW - timedelta(seconds=61)},
    {"exp": None},
    {"exp": NOW + timedelta(days=365)},
    {"exp": 10**40},
    {"exp": "soon"},
    {"nbf": NOW + timedelta(seconds=70)},
    {"iat": NOW + timedelta(seconds=70)},
    {"jti": None},
    {"jti": "\ud800"},
    {"jti": ""},
    {"jti": "x" * 300},
    {"jti": 7},
    {"iss": "portal"},
    {"sub": "portal"},
    {"iss": None},
    {"iss": "portal", "sub": "portal"},
    {"iss": "unknown", "sub": "unknown"},
]


@pytest.mark.parametrize("changes", K08, ids=range(len(K08)))
def test_k08_assertions_that_are_not(provider: Provider, changes: dict[str, Any]) -> None:
    assert refused(send(provider, signed(claims(**changes))))


def test_k08_signed_by_nobody_or_somebody_else(provider: Provider) -> None:
    assert refused(send(provider, signed(claims(), key="x" * 40, alg="HS256")))
    public = ASSERTING.as_dict(private=False)
    for secret in (json.dumps(public).encode(), ASSERTING.as_pem(private=False), public["x"].encode()):
        assert refused(send(provider, confused(secret)))
    assert refused(send(provider, jwt.encode(claims(), None, algorithm="none")))
    assert refused(
        send(provider, signed(claims(), key=ECKey.generate_key("P-256", parameters={"kid": "robot-1"}, private=True)))
    )
    assert refused(send(provider, signed(claims(), typ="at+jwt")))
    assert refused(send(provider, signed(claims(), crit=["exp"])))
    own = {"jwk": OTHER.as_dict(private=False), "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u"}
    assert refused(send(provider, signed(claims(), key=OTHER, **own)))
    for assertion in ("x", "a.b.c", "", "." * 20_000, "é.é.é", signed(claims()) + "="):
        assert refused(send(provider, assertion))
    assert send(provider, signed(claims(), kid=None)).status_code == 200


def test_k08_one_value_has_one_spelling(provider: Provider) -> None:
    header, payload, signature = signed(claims()).split(".")
    spelt = [
        f"{header}.{payload}.{signature[:-1]}{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter != signature[-1]
    ]
    assert all(refused(send(provider, one)) for one in spelt)
    assert refused(send(provider, f"{header}.{payload}.{'A' * 86}"))


def test_k10_the_assertion_of_one_client_is_not_anothers(provider: Provider) -> None:
    twin = replace(ROBOT, id="twin")
    with_clients(provider, twin)
    assert refused(send(provider, signed(claims()), client_id="twin"))
    assert refused(send(provider, signed(claims()), client_id="portal"))
    assert refused(send(provider, signed(claims("twin")), client_id="robot"))
    # What was refused has used nothing up; each client has its own names for its assertions.
    assert send(provider, signed(claims())).status_code == 200
    assert send(provider, signed(claims("twin"))).status_code == 200


def test_no_other_method_will_do(provider: Provider) -> None:
    keyed = replace(provider.world.clients["billing"], jwks=ROBOT.jwks)
    with_clients(provider, keyed)
    # Keys of a client with a secret are for its requests: they prove nothing here.
    assert refused(send(provider, signed(claims("billing"))))
    assert provider.token("billing", **GRANT).status_code == 200
    assert refused(provider.http.post("/token", data=GRANT, headers=basic("robot", SECRET)))
    assert refused(provider.http.post("/token", data=GRANT | {"client_id": "robot"}))


def test_our_own_tokens_are_no_assertions(provider: Provider) -> None:
    token = provider.token("billing", **GRANT).json["access_token"]
    assert refused(send(provider, token, client_id="robot"))
    assert refused(send(provider, token, client_id="billing"))


def test_k08_fapi_knows_one_audience_and_two_algorithms(provider: Provider) -> None:
    with_clients(provider, FAPI)
    for aud in ([ISSUER], f"{ISSUER}/token", f"{ISSUER}/par", [ISSUER, ISSUER]):
        assert refused(send(provider, signed(claims("bank", aud=aud))))
    assert refused(send(provider, signed(claims("bank"), key=LARGE, alg="RS256")))
    # It is told that a proof is missing: who it is was believed.
    for number, (key, alg) in enumerate(((ASSERTING, "ES256"), (LARGE, "PS256"))):
        assert not refused(send(provider, signed(claims("bank", jti=f"j{number}"), key=key, alg=alg)))


def test_a_key_serves_its_own_algorithm_alone() -> None:
    told = ClientKeys(
        {"keys": [LARGE.as_dict(private=False, alg="PS256"), OKPKey.generate_key("Ed25519").as_dict(private=False)]}
    )
    assert told.verify(signed(claims(), key=LARGE, alg="PS256")) is not None
    assert told.verify(signed(claims(), key=LARGE, alg="RS256")) is None
    small = {"kty": "RSA", "kid": "large", "e": "AQAB", "n": LARGE.as_dict(private=False)["n"][:170]}
    off = ASSERTING.as_dict(private=False) | {"x": OTHER.as_dict(private=False)["x"]}
    for jwks in ({"keys": [small]}, {"keys": [off, None, 7, {}]}, {}, {"keys": "x"}):
        assert ClientKeys(jwks).verify(signed(claims(), key=LARGE, alg="PS256")) is None
        assert ClientKeys(jwks).verify(signed(claims())) is None


def test_what_names_a_key_may_be_anything() -> None:
    named = ASSERTING.as_dict(private=False)
    for kid in ([], {}, 7, "", True):
        header = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": kid}).encode()).decode().rstrip("=")
        assert ClientKeys({"keys": [named]}).verify(f"{header}.e30.{'A' * 86}") is None
        assert ClientKeys({"keys": [named | {"kid": kid}, named]}).verify(signed(claims())) is not None
    for odd in ({"kty": []}, {"alg": {}}, {"use": []}, {"crv": []}, {"d": "its private part, published"}):
        assert ClientKeys({"keys": [named | odd]}).verify(signed(claims())) is None


# K-11: keys at an address of the client's


@dataclass
class Kept:
    """A provider, and a client whose keys lie at a stand."""

    provider: Provider
    stand: Stand
    sent: int = 0

    def keep(self, *keys: Any) -> None:
        self.stand.body = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    def accepted(self, key: Any = ASSERTING, **header: Any) -> bool:
        self.sent += 1
        now = self.provider.clock()
        said = claims("keeper", jti=f"j{self.sent}", exp=now + timedelta(minutes=4))
        return bool(send(self.provider, signed(said, key=key, **header)).status_code == 200)


@pytest.fixture
def kept(provider: Provider) -> Iterator[Kept]:
    with standing() as stand:
        keeper = replace(ROBOT, id="keeper", jwks=None, jwks_uri=f"{stand.url}/jwks.json")
        with_clients(provider, keeper, outbound=Outbound(("127.0.0.0/8",), timeout=0.2))
        made = Kept(provider, stand)
        made.keep(ASSERTING)
        yield made


def test_k11_fetched_keys_are_kept(kept: Kept) -> None:
    assert kept.accepted()
    assert kept.accepted()
    assert kept.stand.asked == ["/jwks.json"]


def test_k11_a_key_that_is_new_is_found_at_once_but_for_a_pause(kept: Kept) -> None:
    assert kept.accepted()
    kept.keep(ASSERTING, OTHER)
    assert not kept.accepted(OTHER)
    kept.provider.clock.advance(seconds=PAUSE)
    assert kept.accepted(OTHER)
    assert len(kept.stand.asked) == 2
    # Whoever invents names of keys makes us ask no more often.
    assert not any(kept.accepted(OTHER, kid=f"invented-{number}") for number in range(5))
    assert len(kept.stand.asked) == 2


def test_k11_a_key_that_was_removed_is_good_no_longer_than_a_cache_lives(kept: Kept) -> None:
    kept.keep(ASSERTING, OTHER)
    assert kept.accepted(OTHER)
    kept.keep(ASSERTING)
    assert kept.accepted(OTHER)
    kept.provider.clock.advance(seconds=LIFE)
    assert not kept.accepted(OTHER)
    assert kept.accepted()


@pytest.mark.parametrize("fault", ["large", "redirect", "missing", "silent"])
def test_k11_what_cannot_be_fetched_proves_nothing(kept: Kept, fault: str) -> None:
    kept.stand.fault = fault
    assert not kept.accepted()
    assert not kept.accepted()
    assert kept.stand.asked == ["/jwks.json"]
    kept.stand.fault = ""
    kept.provider.clock.advance(seconds=PAUSE)
    assert kept.accepted()
    # Nor do keys outlive their time because new ones cannot be had.
    kept.stand.fault = fault
    kept.provider.clock.advance(seconds=LIFE)
    assert not kept.accepted()


def test_k11_a_crowd_elsewhere_is_no_answer_to_remember(kept: Kept) -> None:
    """Whoever lets us wait at addresses of theirs shuts nobody out for longer than that."""
    outbound = kept.provider.world.outbound
    with outbound._seat("https://a.example/"), outbound._seat("https://a.example/"):
        assert kept.accepted()
        kept.provider.clock.advance(seconds=LIFE)
        with outbound._seat("https://b.example/"), outbound._seat("https://b.example/"):
            assert not kept.accepted()
        assert kept.accepted()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff", b"[" * 60_000, b'{"keys": [{"kty": "EC"}]}'])
def test_k11_what_is_no_key_set_proves_nothing(kept: Kept, body: bytes) -> None:
    kept.stand.body = body
    assert not kept.accepted()


def test_k11_nobody_is_asked_for_a_client_that_proves_itself_otherwise(kept: Kept) -> None:
    keeper = replace(kept.provider.world.clients["billing"], jwks_uri=f"{kept.stand.url}/jwks.json")
    with_clients(kept.provider, keeper)
    assert refused(send(kept.provider, signed(claims("billing"))))
    assert refused(send(kept.provider, "not a token", client_id="keeper"))
    assert kept.stand.asked == []


def test_k11_no_address_of_this_network_is_gone_to(kept: Kept) -> None:
    kept.provider.start(outbound=Outbound())
    assert not kept.accepted()
    assert kept.stand.asked == []
