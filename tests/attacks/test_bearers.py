"""Attacks with tokens and as clients: forged, foreign, revoked; introspection, revocation, userinfo (cases T)."""

import base64
import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from examples.bearer import Bearer, Refusal
from idp.flows import assist
from tests.harness import House
from tests.people import BILLING, SERVICE, Person


def b64(data: bytes | dict[str, Any]) -> str:
    raw = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    signature = token.rpartition(".")[2]
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False}), signature


def forgeries(house: House, token: str) -> dict[str, str]:
    """Tokens that say what a good one says, signed in every way but the right one."""
    header, claims, signature = parts_of(token)
    key = jwt.PyJWKSet.from_dict(house.get("/jwks.json").json())[header["kid"]].key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = next(one for one in house.get("/jwks.json").json()["keys"] if one["kid"] == header["kid"])
    own = ec.generate_private_key(ec.SECP256R1())
    other = ec.generate_private_key(ec.SECP384R1())
    own_jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)

    def signed(more: dict[str, Any], by: Any = private, alg: str = "ES256", body: dict[str, Any] | None = None) -> str:
        return jwt.encode(body or claims, by, alg, headers={**header, "alg": alg, **more})

    def keyed(secret: bytes) -> str:
        message = f"{b64({**header, 'alg': 'HS256'})}.{b64(claims)}"
        return f"{message}.{b64(hmac.sign(message.encode(), secret))}"

    raw = base64.urlsafe_b64decode(signature + "==")
    unsigned = token.rpartition(".")[0]
    return {
        "none": f"{b64({**header, 'alg': 'none'})}.{b64(claims)}.",
        "None": f"{b64({**header, 'alg': 'None'})}.{b64(claims)}.{signature}",
        "no signature": f"{unsigned}.",
        "HS256 of the PEM": keyed(pem),
        "HS256 of the JWK": keyed(json.dumps(jwk).encode()),
        "own key": signed({}),
        "own key in jwk": signed({"jwk": own_jwk}),
        "own key by jku": signed({"jku": f"{house.url}/jwks.json"}),
        "own key by x5u": signed({"x5u": "https://evil.example/x"}),
        "kid of a file": signed({"kid": "../../dev/null"}),
        "kid of SQL": signed({"kid": "' UNION SELECT 'x"}),
        "kid of an address": signed({"kid": "https://evil.example/key"}),
        "kid of a number": f"{b64({**header, 'kid': 7})}.{b64(claims)}.{signature}",
        "another curve": signed({"alg": "ES384"}, other, "ES384"),
        "psychic": f"{unsigned}.{b64(bytes(64))}",
        "r and s swapped": f"{unsigned}.{b64(raw[32:] + raw[:32])}",
        "a longer signature": f"{unsigned}.{b64(raw + b'x')}",
        "crit": f"{b64({**header, 'crit': ['x'], 'x': 1})}.{b64(claims)}.{signature}",
        "another subject": f"{b64(header)}.{b64({**claims, 'sub': 'acc_admin'})}.{signature}",
        "typ JWT": f"{b64({**header, 'typ': 'JWT'})}.{b64(claims)}.{signature}",
        "no typ": f"{b64({name: value for name, value in header.items() if name != 'typ'})}.{b64(claims)}.{signature}",
        "not JSON": f"{b64(b'[1]')}.{b64(b'null')}.{signature}",
        "deep": f"{b64(b'[' * 5000)}.{b64(b'[' * 5000)}.{signature}",
        "a dot": ".",
        "dots": "..",
        "huge": "x" * 20_000,
        "not ASCII": "é.é.é",
    }


def test_t20_t22_t23_t25_no_forged_token_is_taken_anywhere(new_house: Callable[..., House]) -> None:
    house = new_house()
    person = house.customer()
    token = person.redeem(person.authorize(scope="openid profile")).json()["access_token"]
    billing = person.tokens()["access_token"]
    assert house.userinfo(token).status_code == 200
    for name, forged in forgeries(house, token).items():
        header = {"Authorization": f"Bearer {forged}".encode()}
        answer = house.get("/userinfo", headers=header)
        assert answer.status_code in (400, 401, 431), name
        if answer.status_code == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert house.introspect(forged, "billing") == {"active": False}, name
    backend = Bearer(house.url, BILLING)
    assert backend.claims(billing)["sub"] == person.account.id
    for name, forged in forgeries(house, billing).items():
        with pytest.raises(Refusal) as refused:
            backend.claims(forged)
        assert refused.value.status == 401, name


def test_t19_no_other_kind_of_token_passes_for_an_access_token(house: House) -> None:
    issued = house.customer().tokens()
    for kind in ("id_token", "refresh_token"):
        assert house.userinfo(issued[kind]).status_code == 401
        assert house.introspect(issued[kind], "billing") == {"active": False}


def test_t26_a_token_of_a_resource_is_its_own_alone(house: House) -> None:
    person = house.customer()
    token = person.tokens(resource=SERVICE)["access_token"]
    assert parts_of(token)[1]["aud"] == SERVICE
    assert house.introspect(token, "billing") == {"active": False}
    assert house.introspect(token, "service")["active"] is True


def answers_of(house: House, headers: dict[str, str] | None = None, **data: str) -> httpx.Response:
    return house.post("/token", {"grant_type": "client_credentials", **data}, headers=headers or {})


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def test_t17_a_client_that_does_not_prove_itself_exactly_as_registered_is_refused(house: House) -> None:
    secret = house.secret("billing") or ""
    tries = [
        answers_of(house, client_id="billing"),
        answers_of(house, client_id="billing", client_secret="x"),
        answers_of(house, client_id="billing", client_secret=secret),
        answers_of(house, basic("billing", "wrong")),
        answers_of(house, basic("nobody", secret)),
        answers_of(house, basic("billing", "")),
        answers_of(house, basic("off", "")),
        answers_of(house, basic("billing", secret), client_id="billing", client_secret=secret),
        answers_of(house, basic("billing", secret), client_id="service"),
        answers_of(house, {"Authorization": "Basic !!!"}),
        answers_of(house, {"Authorization": "Basic " + base64.b64encode(b"billing").decode()}),
        answers_of(house, {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()}),
        answers_of(house, {"Authorization": f"Bearer {secret}"}),
        answers_of(house, {"Authorization": "Basic"}),
        answers_of(house),
        house.post(f"/token?client_id=billing&client_secret={secret}", {"grant_type": "client_credentials"}),
    ]
    for number, answer in enumerate(tries):
        assert answer.status_code == 401, (number, answer.text)
        assert answer.json()["error"] == "invalid_client"
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.headers["Cache-Control"] == "no-store"
    assert len({answer.text for answer in tries}) == 1
    assert answers_of(house, basic("billing", secret)).status_code == 200
    assert {entry.outcome for entry in house.audit("client.authentication")} == {"refused"}


def test_t17_two_hundred_wrong_secrets_are_throttled_and_the_clients_own_still_works(new_house: Callable[..., House]) -> None:
    house = new_house()
    with httpx.Client(base_url=house.url) as attacker:
        statuses = [
            attacker.post("/token", data={"grant_type": "client_credentials"}, headers=basic("billing", f"x{n}")).status_code
            for n in range(80)
        ]
    assert statuses[:50] == [401] * 50
    assert statuses[-1] == 429
    assert answers_of(house, basic("billing", house.secret("billing") or "")).status_code == 200


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "postgresql+redis"])
def test_t17_a_client_name_of_any_size_is_just_unknown(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind)
    chance = secrets.token_urlsafe(40_000)
    for name in (chance, "é" * 9000, "a\x1fb", "' OR 1=1 --", "x:y/z%"):
        answer = answers_of(house, client_id=name, client_secret="x")
        assert answer.status_code == 401, (name[:20], answer.text)
        page = house.person().get("/authorize", params={"client_id": name[:3000]})
        assert page.status_code == 400


def test_t29_userinfo_tells_only_the_person_of_a_live_token_with_openid(house: House) -> None:
    person = house.customer()
    issued = person.redeem(person.authorize(scope="openid email")).json()
    told = house.userinfo(issued["access_token"]).json()
    assert told == {"sub": person.account.id, "email": person.account.email, "email_verified": True}
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer ."}, {"Authorization": "Basic eDp5"}):
        answer = house.get("/userinfo", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    in_address = house.get("/userinfo", params={"access_token": issued["access_token"]})
    assert in_address.status_code == 401
    assist.change_state(house.world, person.username, assist.Act.BLOCK, "test")
    assert house.userinfo(issued["access_token"]).status_code == 401


def test_t31_introspection_is_for_those_who_prove_themselves_and_tells_nothing_of_foreign_tokens(house: House) -> None:
    token = house.customer().tokens()["access_token"]
    assert house.post("/introspect", {"token": token}).status_code == 401
    assert house.post("/introspect", {"token": token, "client_id": "app"}).status_code == 401
    assert house.get("/introspect", params={"token": token}).status_code == 405
    assert house.post("/introspect", {}, "billing").status_code == 400
    for hint in ("refresh_token", "access_token", "bogus", "é"):
        assert house.post("/introspect", {"token": token, "token_type_hint": hint}, "billing").json()["active"] is True
    bodies = {
        house.post("/introspect", {"token": one}, "service").text for one in (token, "x", "a.b.c", "\u00e9", "x" * 10_000)
    }
    assert bodies == {'{"active": false}'}


def test_t32_revocation_by_another_client_does_nothing_and_ones_own_kills_everything(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    for token in (issued["access_token"], issued["refresh_token"]):
        assert house.post("/revoke", {"token": token}, "billing").status_code == 200
        assert house.post("/revoke", {"token": token}, "app").status_code == 200
    assert house.introspect(issued["access_token"])["active"] is True
    assert house.post("/revoke", {"token": "x"}, "portal").status_code == 200
    assert (
        house.post("/revoke", {"token": issued["refresh_token"], "token_type_hint": "access_token"}, "portal").status_code
        == 200
    )
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert house.refresh(issued["refresh_token"]).status_code == 400
    assert len(house.audit("grant.revoked", person.account)) == 1


def test_t32_an_access_token_revoked_alone_leaves_the_grant(house: House) -> None:
    issued = house.customer().tokens()
    assert house.post("/revoke", {"token": issued["access_token"]}, "portal").status_code == 200
    assert house.introspect(issued["access_token"]) == {"active": False}
    assert house.refresh(issued["refresh_token"]).status_code == 200


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_t37_a_body_that_is_no_form_is_refused(house: House, path: str) -> None:
    auth = basic("billing", house.secret("billing") or "")
    form = "application/x-www-form-urlencoded"
    bodies: list[tuple[bytes, str]] = [
        (b'{"grant_type":"client_credentials"}', "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"grant_type=client_credentials&token=x", f"{form}; charset=utf-7"),
        (b"grant_type=client_credentials&token=%ff", form),
        (b"grant_type=client_credentials%00&token=%00", form),
        (b"grant_type=client_credentials&token=x", ""),
        (b"", form),
        (b"x=" + b"y" * 70_000, form),
        (b"&".join(b"a%d=1" % number for number in range(5000)), form),
    ]
    with httpx.Client(base_url=house.url) as client:
        for body, kind in bodies:
            answer = client.post(path, content=body, headers={**auth, "Content-Type": kind})
            assert answer.status_code in (400, 413, 415), (body[:50], kind, answer.status_code)
            assert answer.json()["error"]
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = client.request(method, path, headers=auth)
            assert answer.status_code == 405
            assert "POST" in answer.headers["Allow"]


def test_t37_method_override_is_not_heard(house: House) -> None:
    person: Person = house.customer()
    issued = person.tokens()
    answer = house.get("/token", params={"_method": "POST"}, headers={"X-HTTP-Method-Override": "POST"})
    assert answer.status_code == 405
    assert house.introspect(issued["access_token"])["active"] is True
