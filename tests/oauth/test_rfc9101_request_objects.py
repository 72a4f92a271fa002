"""RFC 9101 and OpenID Connect Core 6: requests as objects that their client signed, by value and by reference."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from idp.model import Factor
from idp.post import Outbound
from idp.vault import digest
from tests.oauth.clients import ASSERTING, BILLING, CALLBACK, SERVICE
from tests.oauth.provider import ISSUER, Provider, answer_of, page_of
from tests.oauth.requests import FORM_OF_NAMES, pushed, signed
from tests.oauth.stand import Stand, standing

RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa-1"}, private=True)
STRANGER = ECKey.generate_key("P-256", parameters={"kid": "robot-1"}, private=True)


def asked(provider: Provider, token: str, client: str = "signer", **beside: Any) -> Any:
    return provider.http.get("/authorize", query_string={"client_id": client, "request": token, **beside})


def told(response: Any) -> str:
    """The error, wherever it is told."""
    return page_of(response) if response.status_code == 400 else answer_of(response)["error"]


def changed(provider: Provider, **changes: Any) -> None:
    client, held = replace(provider.world.clients["signer"], **changes), provider.door.held
    provider.start(clients={**provider.world.clients, "signer": client})
    provider.door.held = held
    if held is None:
        provider.door.sign_in()


def test_what_is_signed_is_the_whole_request(provider: Provider):
    provider.door.sign_in()
    beside = {"scope": "openid service:read", "state": "outside", "redirect_uri": "https://evil.example/", "prompt": "login"}
    response = asked(provider, signed(provider, state="inside"), **beside)
    assert response.headers["Location"].startswith(CALLBACK)
    answered = answer_of(response)
    assert (answered["state"], answered["iss"]) == ("inside", ISSUER)
    # The code is of what was signed.
    with provider.store.read() as tx:
        found = tx.grants.find_code(digest(answered["code"]))
    assert found is not None
    assert found[1].scope == ("openid", "billing:read")


def test_through_the_sign_in_and_back_where_it_has_expired_meanwhile(provider: Provider):
    assert asked(provider, signed(provider)).headers["Location"] == "/sign-in/tx0"
    provider.clock.advance(minutes=8)
    provider.door.answer("tx0", Factor.PASSWORD, Factor.PIN)
    assert "code" in answer_of(provider.http.get("/authorize/tx0"))


def test_numbers_objects_and_lists_are_what_they_stand_for(provider: Provider):
    provider.door.sign_in()
    wish = {"id_token": {"email": None}}
    token = signed(provider, max_age=600, claims=wish, resource=[BILLING, SERVICE], nonce=None)
    assert "code" in answer_of(asked(provider, token))
    provider.clock.advance(minutes=11)
    assert asked(provider, signed(provider, max_age=600)).headers["Location"] == "/sign-in/tx0"
    parameters = dict(provider.door.sign_ins["tx0"].ask.parameters)
    assert parameters["max_age"] == "600"
    asked(provider, signed(provider, max_age=600, claims=wish))
    assert json.loads(dict(provider.door.sign_ins["tx1"].ask.parameters)["claims"]) == wish


HOUR = 3600


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "portal"},
        {"iss": None},
        {"aud": "https://evil.example"},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": []},
        {"aud": None},
        {"client_id": "portal"},
        {"client_id": None},
        {"sub": "signer"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": -1},
        {"nbf": "x"},
        {"iat": []},
        {"request": "x"},
        {"request_uri": FORM_OF_NAMES + "x"},
        {"state": "a\0b"},
        {"state": "\ud800"},
        {"state": ["a", "b"]},
        {"state": True},
        {"max_age": 1.5},
        {"resource": [BILLING, None]},
        {"resource": [[BILLING]]},
    ],
)
def test_objects_that_are_not_good_here(provider: Provider, changes: dict[str, Any]):
    provider.door.sign_in()
    response = asked(provider, signed(provider, **changes), redirect_uri=CALLBACK, state="st")
    answered = answer_of(response)
    assert (answered["error"], answered["state"]) == ("invalid_request_object", "st")
    # Where to tell it is not settled: a page.
    assert page_of(asked(provider, signed(provider, **changes))) == "invalid_request_object"


def test_it_is_good_for_an_hour_at_most_and_in_its_time(provider: Provider):
    provider.door.sign_in()
    now = int(provider.clock().timestamp())
    for good, changes in (
        (False, {"exp": now - 61}),
        (True, {"exp": now - 59, "nbf": now - 120}),
        (False, {"exp": now + HOUR + 61, "nbf": None}),
        (True, {"exp": now + HOUR, "nbf": None}),
        (False, {"nbf": now + 61}),
        (False, {"nbf": now - HOUR - 61}),
        (False, {"nbf": now - 10, "exp": now + HOUR}),
    ):
        assert ("code" in answer_of(asked(provider, signed(provider, **changes), redirect_uri=CALLBACK))) is good, changes


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "client-authentication+jwt", "dpop+jwt", ""])
def test_a_token_of_another_kind_is_no_request(provider: Provider, typ: Any):
    provider.door.sign_in()
    assert told(asked(provider, signed(provider, header={"typ": typ}))) == "invalid_request_object"


def forged(provider: Provider) -> Iterator[str]:
    good = signed(provider)
    head, body, signature = good.split(".")

    def header(**marks: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps({"typ": "JWT", **marks}).encode()).rstrip(b"=").decode()

    public = json.dumps(ASSERTING.as_dict(private=False)).encode()
    yield f"{header(alg='none')}.{body}."
    yield f"{header(alg='None')}.{body}."
    yield f"{header(alg='ES256', crit=['x'])}.{body}.{signature}"
    yield f"{header(alg='ES256', jku='https://evil.example/jwks')}.{body}.{signature}"
    yield f"{head}.{body}."
    yield f"{head}.{body}.{base64.urlsafe_b64encode(bytes(64)).rstrip(b'=').decode()}"
    yield f"{head}.{body}.{signature}.x.y"
    yield signed(provider, key=STRANGER)
    yield signed(provider, key=OctKey.import_key(public), header={"alg": "HS256"})
    yield from ("", ".", "..", "x" * 20_000, "\u00e9.\u00e9.\u00e9", good + "A")


def test_what_the_client_did_not_sign(provider: Provider):
    provider.door.sign_in()
    for token in forged(provider):
        # An empty parameter counts as omitted, and leaves nothing to go by.
        expected = "invalid_request_object" if token else "invalid_request"
        assert told(asked(provider, token)) == expected, token


def test_a_client_without_keys_signs_nothing(provider: Provider):
    provider.door.sign_in()
    assert told(asked(provider, signed(provider, "portal"), "portal")) == "invalid_request_object"
    assert told(asked(provider, signed(provider), "portal")) == "invalid_request_object"


def test_one_of_the_two_and_never_both(provider: Provider):
    provider.door.sign_in()
    both = asked(provider, signed(provider), request_uri="https://signer.example/request.jwt", redirect_uri=CALLBACK)
    assert answer_of(both)["error"] == "invalid_request"
    assert page_of(asked(provider, signed(provider), request_uri=pushed(provider))) == "invalid_request"


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_with_rsa(provider: Provider, alg: str):
    keys = {"keys": [RSA.as_dict(private=False), ASSERTING.as_dict(private=False)]}
    changed(provider, jwks=keys)
    assert "code" in answer_of(asked(provider, signed(provider, key=RSA, header={"alg": alg, "kid": "rsa-1"})))


def test_whoever_must_sign_may_not_ask_otherwise(provider: Provider):
    changed(provider, require_signed_request=True)
    answered = answer_of(provider.authorize(client_id="signer"))
    assert (answered["error"], answered["state"]) == ("invalid_request", "st")
    assert "code" in answer_of(asked(provider, signed(provider)))
    assert page_of(provider.authorize(client_id="signer", redirect_uri="https://evil.example/")) == "invalid_redirect_uri"


def test_whoever_must_push_may_not_sign_instead(provider: Provider):
    changed(provider, require_par=True)
    assert page_of(asked(provider, signed(provider))) == "invalid_request"


def test_a_request_object_comes_posted_too(provider: Provider):
    provider.door.sign_in()
    data = {"client_id": "signer", "request": signed(provider)}
    assert "code" in answer_of(provider.http.post("/authorize", data=data))
    provider.door.held = None
    again = provider.http.post("/authorize", data=data)
    assert again.headers["Location"].startswith("/authorize?client_id=signer&request=")


# By reference


@contextmanager
def reachable(provider: Provider) -> Iterator[tuple[Stand, str]]:
    """A server of the client's on this machine, at an address it registered; the operator lets the service go there."""
    with standing() as stand:
        address = f"{stand.url}/request.jwt"
        provider.start(outbound=Outbound(["127.0.0.1/32"], timeout=0.3))
        changed(provider, request_uris=(address, f"{stand.url}/elsewhere"))
        yield stand, address


def test_from_an_address_that_was_registered(provider: Provider):
    with reachable(provider) as (stand, address):
        stand.body = signed(provider, state="inside").encode() + b"\n"
        response = provider.http.get("/authorize", query_string={"client_id": "signer", "request_uri": address})
        assert answer_of(response)["state"] == "inside"
        assert stand.asked == ["/request.jwt"]
        beside = {"client_id": "signer", "request_uri": address, "redirect_uri": CALLBACK, "state": "st"}
        for stand.body in (b"", b"x", b"\xff", signed(provider, client_id="portal").encode()):
            answered = answer_of(provider.http.get("/authorize", query_string=beside))
            assert (answered["error"], answered["state"]) in {
                ("invalid_request_object", "st"),
                ("invalid_request_uri", "st"),
            }


@pytest.mark.parametrize("fault", ["large", "redirect", "missing", "silent"])
def test_an_address_that_does_not_answer_as_it_should(provider: Provider, fault: str):
    with reachable(provider) as (stand, address):
        stand.body, stand.fault = signed(provider).encode(), fault
        response = provider.http.get("/authorize", query_string={"client_id": "signer", "request_uri": address})
        assert page_of(response) == "invalid_request_uri"
        assert stand.asked == ["/request.jwt"]


def test_a_digest_in_the_address_is_held_against_what_lies_there(provider: Provider):
    with reachable(provider) as (stand, address):
        stand.body = signed(provider).encode()
        right = base64.urlsafe_b64encode(hashlib.sha256(stand.body).digest()).rstrip(b"=").decode()
        changed(provider, request_uris=(f"{address}#{right}", f"{address}#wrong"))
        for fragment, good in ((right, True), ("wrong", False)):
            query = {"client_id": "signer", "request_uri": f"{address}#{fragment}", "redirect_uri": CALLBACK}
            assert ("code" in answer_of(provider.http.get("/authorize", query_string=query))) is good


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "http://127.0.0.1:6379/",
        "http://[::1]/",
        "https://signer.example/request.jwt?x=1",
        "https://SIGNER.example/request.jwt",
        "https://signer.example/../request.jwt",
        "https://signer.example/request.jwt#x",
        ISSUER + "/admin",
        "urn:ietf:params:oauth:request_uri",
        "\u00e9",
    ],
)
def test_nothing_is_fetched_from_elsewhere(provider: Provider, address: str):
    with reachable(provider) as (stand, _):
        query = {"client_id": "signer", "request_uri": address, "redirect_uri": CALLBACK}
        assert answer_of(provider.http.get("/authorize", query_string=query))["error"] == "invalid_request_uri"
        assert stand.asked == []


def test_not_even_a_registered_address_leads_inside(provider: Provider):
    with standing() as stand:
        changed(provider, request_uris=(f"{stand.url}/request.jwt", "file:///etc/passwd", "https://localhost/x"))
        for address in provider.world.clients["signer"].request_uris:
            response = provider.http.get("/authorize", query_string={"client_id": "signer", "request_uri": address})
            assert page_of(response) == "invalid_request_uri"
        assert stand.asked == []


def test_it_is_told_where_machines_look(provider: Provider):
    told_there = provider.http.get("/.well-known/openid-configuration").json
    assert told_there["request_parameter_supported"] is True
    assert told_there["request_uri_parameter_supported"] is True
    assert told_there["require_request_uri_registration"] is True
    assert told_there["request_object_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]
