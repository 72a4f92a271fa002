"""How each thing that the metadata may advertise is tried in one exchange: a table from its name to a trial.

A trial is asked about one value and says whether the provider does it. ``others`` are values that registries know: those
that are not advertised must not work. A value that nobody knows how to try fails its trial loudly.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from idp.model import Client, Credential, Factor
from idp.policies import client_rules
from idp.policies.tokens import PEOPLE_SCOPES
from tests.oauth import test_rfc8628_device as device
from tests.oauth import test_rfc8693_exchange as exchange
from tests.oauth.clients import BILLING, CALLBACK, DEVICE_CODE, SECRET, SERVICE, TOKEN_EXCHANGE
from tests.oauth.proofs import App, rsa_key
from tests.oauth.provider import ISSUER, MARIA, NOW, Provider, answer_of, basic

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "ES384", "ES512", "Ed25519", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "HS256", "none")
Tried = Callable[[Provider, str], bool]
_numbers = count()


@dataclass(frozen=True)
class Trial:
    """How to try a value, and what else is known to be tried."""

    works: Tried
    others: tuple[str, ...] = ()


def known(ways: Mapping[str, Any], value: str) -> Any:
    """The way to try a value."""
    if value not in ways:
        pytest.fail(f"nobody knows how to try {value!r}")
    return ways[value]


# Clients made for a trial, and what they sign


def registered(provider: Provider, like: str, **changes: Any) -> Client:
    """A client of its own for a trial, in the place of the one it is like."""
    client = replace(provider.world.clients[like], **changes)
    started(provider, clients={**provider.world.clients, like: client})
    return client


def started(provider: Provider, **changes: Any) -> None:
    """The provider started again, nobody signed in; sessions go on being numbered."""
    numbered = provider.door.sessions
    provider.start(**changes)
    provider.door.sessions = numbered


@cache
def key_for(algorithm: str) -> Key:
    """A key that signs by an algorithm; "none" has one for show."""
    named = {"parameters": {"kid": f"key-{algorithm}"}, "private": True}
    curves = {"ES384": "P-384", "ES512": "P-521"}
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", **named)
    if algorithm[:2] in {"RS", "PS"}:
        return RSAKey.import_key(rsa_key().as_dict(private=True) | named["parameters"])
    return ECKey.generate_key(curves.get(algorithm, "P-256"), **named)


def keys_for(algorithm: str) -> dict[str, Any]:
    """What a client registers that signs so."""
    return {"keys": [key_for(algorithm).as_dict(private=False)]}


def signed(algorithm: str, claims: Mapping[str, Any], kind: str = "JWT", jwk: Mapping[str, Any] | None = None) -> str:
    """A JWT signed by an algorithm, with the key for it; by HMAC with the client's secret; by "none" not at all."""
    header = {"typ": kind, "alg": algorithm, "kid": f"key-{algorithm}", **({"jwk": dict(jwk)} if jwk else {})}
    if algorithm == "none":
        parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
        return b".".join((*parts, b"")).decode()
    key = OctKey.import_key(SECRET) if algorithm.startswith("HS") else key_for(algorithm)
    return jwt.encode(header, dict(claims), key, algorithms=[algorithm])


def about(provider: Provider, client: str, **more: Any) -> dict[str, Any]:
    """Claims of a client about itself, for us."""
    now = int(provider.clock().timestamp())
    return {"iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": f"trial-{next(_numbers)}", **more}


def assertion(provider: Provider, client: str, algorithm: str) -> dict[str, str]:
    return {
        "client_id": client,
        "client_assertion_type": ASSERTION,
        "client_assertion": signed(algorithm, about(provider, client)),
    }


# How clients prove who they are

# Where clients prove it, by the name that the endpoint has in the metadata.
PROVED = {"token": "/token", "revocation": "/revoke", "introspection": "/introspect"}
FORMS: Mapping[str, dict[str, str]] = {
    "/token": {"grant_type": "refresh_token", "refresh_token": "unknown"},
    "/revoke": {"token": "unknown"},
    "/introspect": {"token": "unknown"},
}


def proved_at(path: str) -> Tried:
    """Whether a client that registered a method is known by it at an endpoint."""

    def works(provider: Provider, method: str) -> bool:
        registered(provider, "robot", auth_method="private_key_jwt", jwks=keys_for("ES256"))
        proofs: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
            "none": ({}, {"client_id": "app"}),
            "client_secret_basic": (basic("billing", SECRET), {}),
            "client_secret_post": ({}, {"client_id": "poster", "client_secret": SECRET}),
            "private_key_jwt": ({}, assertion(provider, "robot", "ES256")),
            "client_secret_jwt": ({}, assertion(provider, "billing", "HS256")),
            "tls_client_auth": ({}, {"client_id": "billing"}),
            "self_signed_tls_client_auth": ({}, {"client_id": "robot"}),
        }
        headers, form = known(proofs, method)
        response = provider.http.post(path, data=FORMS[path] | form, headers=headers)
        assert response.status_code < 500
        return response.status_code != 401

    return works


def asserted_at(path: str) -> Tried:
    """Whether an assertion signed so proves a client."""

    def works(provider: Provider, algorithm: str) -> bool:
        registered(provider, "robot", jwks=keys_for(algorithm if algorithm not in {"HS256", "none"} else "ES256"))
        response = provider.http.post(path, data=FORMS[path] | assertion(provider, "robot", algorithm))
        assert response.status_code < 500
        return response.status_code != 401

    return works


METHODS = (*client_rules.AUTH_METHODS, "client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth")


# What is asked at the authorization endpoint


def sent(response: TestResponse) -> dict[str, str]:
    """What the client is told, by whichever way; nothing where a page tells the person instead."""
    if response.status_code == 303 and response.headers["Location"].startswith(CALLBACK):
        return answer_of(response)
    told = json.loads(response.text) if response.status_code == 200 else {}
    return dict(told.get("fields", {}))


def asking(parameter: str) -> Tried:
    """Whether a request with this value of a parameter brings a code."""

    def works(provider: Provider, value: str) -> bool:
        provider.door.sign_in()
        return "code" in sent(provider.authorize(**{parameter: value}))

    return works


def challenged(provider: Provider, method: str) -> bool:
    provider.door.sign_in()
    from_plain = {"code_challenge": "a-verifier-of-more-than-forty-three-characters-0123456789"} if method == "plain" else {}
    answered = sent(provider.authorize(code_challenge_method=method, **from_plain))
    return "code" in answered and provider.redeem(answered["code"]).status_code == 200


def prompted(provider: Provider, prompt: str) -> bool:
    """``none`` brings a code without a page; the others bring a page where there would be none."""
    provider.door.sign_in()
    provider.clock.advance(minutes=1)
    response = provider.authorize(prompt=prompt)
    return "code" in sent(response) if prompt == "none" else response.headers["Location"].startswith("/sign-in/")


def reached(provider: Provider, level: str) -> bool:
    """Whether a client that insists on a level gets it, from a person who can prove everything."""
    if level == "mfa":
        with provider.store.begin() as tx:
            tx.accounts.set_credential(MARIA.id, Credential(Factor.TOTP, "sealed", NOW))
    something = (Factor.TOTP,) if provider.door.account().credential(Factor.TOTP) else ()
    provider.door.sign_in(Factor.PASSWORD, Factor.PIN, Factor.ANSWER, *something)
    claims = json.dumps({"id_token": {"acr": {"essential": True, "values": [level]}}})
    answered = sent(provider.authorize(claims=claims, scope="openid", resource=None))
    return "code" in answered and "acr" in provider.read(provider.redeem(answered["code"]).json["id_token"], "portal")


def spoken(provider: Provider, language: str) -> bool:
    provider.authorize(ui_locales=language)
    (sign_in,) = provider.door.sign_ins.values()
    return sign_in.ask.locale == language


def requested(provider: Provider, algorithm: str) -> bool:
    """Whether a request object signed so is taken."""
    registered(provider, "robot", jwks=keys_for(algorithm if algorithm not in {"HS256", "none"} else "ES256"))
    changes = {"grant_types": ("authorization_code",), "redirect_uris": (CALLBACK,), "scope": ("openid",), "resources": ()}
    registered(provider, "robot", **changes)
    provider.door.sign_in()
    wish = provider.parameters(client_id="robot", scope="openid", resource=None)
    claims = {name: value for name, value in about(provider, "robot").items() if name != "sub"}
    token = signed(algorithm, claims | wish, "oauth-authz-req+jwt")
    return "code" in sent(provider.http.get("/authorize", query_string={"client_id": "robot", "request": token}))


# What is issued


def granted(provider: Provider, kind: str) -> bool:
    """Whether a token is issued for a grant type, by a client of which everything is as it should be."""
    response = known(GRANTS, kind)(provider, kind)
    assert response.status_code < 500
    return response.status_code == 200 and "access_token" in response.json


def _by_code(provider: Provider, _kind: str) -> TestResponse:
    return provider.redeem(provider.code())


def _by_refreshing(provider: Provider, _kind: str) -> TestResponse:
    return provider.refresh(provider.tokens(scope="openid offline_access billing:read")["refresh_token"])


def _by_itself(provider: Provider, kind: str) -> TestResponse:
    return provider.token("billing", grant_type=kind)


def _with_everything(provider: Provider, kind: str) -> TestResponse:
    """A grant that is not there: the client is even registered for it."""
    registered(provider, "portal", grant_types=("authorization_code", "refresh_token", kind))
    return provider.token(
        "portal",
        grant_type=kind,
        username="maria.rossi",
        password="correct horse battery staple",
        assertion=signed("ES256", about(provider, "portal")),
        auth_req_id="x",
        scope="openid",
    )


def _by_device(provider: Provider, _kind: str) -> TestResponse:
    told = device.codes(provider)
    device.answer(provider, told["user_code"])
    provider.clock.advance(seconds=told["interval"])
    return device.poll(provider, told["device_code"])


def _by_exchange(provider: Provider, _kind: str) -> TestResponse:
    return exchange.exchanged(provider, provider.tokens()["access_token"])


GRANTS: Mapping[str, Callable[[Provider, str], TestResponse]] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refreshing,
    "client_credentials": _by_itself,
    DEVICE_CODE: _by_device,
    TOKEN_EXCHANGE: _by_exchange,
    "password": _with_everything,
    "implicit": _with_everything,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _with_everything,
    "urn:ietf:params:oauth:grant-type:saml2-bearer": _with_everything,
    "urn:openid:params:grant-type:ciba": _with_everything,
}


def scoped(provider: Provider, scope: str) -> bool:
    """Whether a client that is registered for a scope is granted it, by a person or for itself."""
    registered(provider, "portal", scope=("openid", scope))
    registered(provider, "billing", scope=(scope,), resources=())
    resource = next((one for one in (BILLING, SERVICE) if scope in provider.world.resources[one].scopes), None)
    provider.door.sign_in()
    answered = sent(provider.authorize(scope=f"openid {scope}", resource=resource))
    for_person = provider.redeem(answered["code"]).json if "code" in answered else {}
    for_itself = provider.token("billing", grant_type="client_credentials", scope=scope).json
    return any(scope in body.get("scope", "").split() for body in (for_person, for_itself))


def identified(provider: Provider, algorithm: str) -> bool:
    """Whether ID tokens are signed so for a client that registers it."""
    client = replace(provider.world.clients["portal"], id_token_alg=algorithm)
    if client_rules.faults(client, provider.world.resources):
        return False
    registered(provider, "portal", id_token_alg=algorithm)
    return bool(provider.read(provider.tokens(scope="openid")["id_token"], "portal")["alg"] == algorithm)


def bound(provider: Provider, algorithm: str) -> bool:
    """Whether a proof of possession signed so binds a token."""
    code, app = provider.code(), App(provider, "portal")
    jwk = key_for("ES256" if algorithm in {"HS256", "none"} else algorithm).as_dict(private=False)
    jwk.pop("kid", None)
    claims = {"htm": "POST", "htu": f"{ISSUER}/token", "iat": int(provider.clock().timestamp())}
    # The first is told the nonce that the second carries (RFC 9449 8).
    app.redeem(code, app.proof(), redirect_uri=CALLBACK)
    claims |= {"jti": f"proof-{next(_numbers)}", "nonce": app.nonce}
    response = app.redeem(code, signed(algorithm, claims, "dpop+jwt", jwk), redirect_uri=CALLBACK)
    assert response.status_code < 500
    return response.status_code == 200 and response.json["token_type"] == "DPoP"


def told_claim(provider: Provider, claim: str) -> bool:
    """Whether a claim is told of a person of whom everything is known, in the ID token or by userinfo."""
    registered(provider, "portal", scope=tuple(PEOPLE_SCOPES))
    wish = json.dumps({"id_token": {claim: None}, "userinfo": {claim: None}})
    tokens = provider.tokens(scope=" ".join(PEOPLE_SCOPES), resource=None, claims=wish)
    return claim in provider.read(tokens["id_token"], "portal") or claim in userinfo(provider, tokens["access_token"])


def userinfo(provider: Provider, token: str) -> dict[str, Any]:
    response = provider.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200, response.text
    return dict(response.json)


def subject(provider: Provider, kind: str) -> bool:
    """Whether a client sees such subjects: the same as every other, or its sector's own."""
    if kind not in {"public", "pairwise"}:
        return False
    registered(provider, "other", sector="a-sector.example" if kind == "pairwise" else "")
    seen = [
        provider.read(provider.redeem(provider.code(client_id=client), client).json["id_token"], client)["sub"]
        for client in ("portal", "other")
    ]
    return (seen[0] == seen[1]) == (kind == "public")


def of_type(provider: Provider, kind: str) -> bool:
    """Claims are told as they are; none is left with somebody else (OpenID Connect Core 5.6)."""
    told = userinfo(provider, provider.tokens(scope="openid email", resource=None)["access_token"])
    return known({"normal": "email", "aggregated": "_claim_names", "distributed": "_claim_sources"}, kind) in told


def introspected(provider: Provider, algorithm: str) -> bool:
    """What introspection tells, signed, where that is asked for (RFC 9701)."""
    form, headers = {"token": provider.tokens()["access_token"]}, basic("billing", SECRET)
    accept = {"Accept": "application/token-introspection+jwt"}
    token = provider.http.post("/introspect", data=form, headers=headers | accept).text
    told = provider.read(token, "billing")
    return bool(told["alg"] == algorithm and told["token_introspection"]["active"])
