"""RFC 9449, a section at a time: proofs, bound tokens and codes, and the service's own resource."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from werkzeug.datastructures import Headers

from tests.oauth.clients import BILLING, SECRET
from tests.oauth.proofs import App, Prover, rsa_key
from tests.oauth.provider import ISSUER, Provider, basic
from tests.oauth.requests import asserted
from tests.policies.values import policy

NATIVE = {"client_id": "app", "redirect_uri": "com.telco.app:/cb"}
OTHER_CURVE = ECKey.generate_key("P-384", private=True)


@pytest.fixture
def plain(provider: Provider) -> Provider:
    """Without nonces, which have a file of their own."""
    provider.start(policy=policy(tokens={"dpop_nonce": False}))
    return provider


@pytest.fixture
def app(plain: Provider) -> App:
    """The native app, with a key."""
    return App(plain)


def signed_in(app: App, **changes: Any) -> dict[str, Any]:
    answer = app.redeem(app.provider.code(**NATIVE, scope="openid offline_access", resource=None, **changes), **NATIVE)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def acted(app: App, proof: str | None = None, **changes: Any) -> tuple[int, str]:
    """What became of the simplest token request."""
    proof = proof or app.proof(**changes)
    answer = app.provider.token("keyed", headers={"DPoP": proof}, grant_type="client_credentials", resource=BILLING)
    return answer.status_code, answer.json.get("error") or answer.json["token_type"]


REFUSED = (400, "invalid_dpop_proof")
GOOD = (200, "DPoP")


# 4.3: what a proof must be


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"crit": ["exp"]}},
        {"header": {"jwk": None}},
        {"header": {"jwk": "https://evil.example/key"}},
        {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
        {"header": {"jwk": OTHER_CURVE.as_dict(private=False)}},
        {"header": {"jwk": Prover().jwk}},
        {"header": {"jwk": Prover().jwk, "jku": "https://evil.example/keys", "kid": "../../dev/null"}},
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": None},
        {"htu": 7},
        {"htu": ISSUER},
        {"htu": f"{ISSUER}/userinfo"},
        {"htu": f"{ISSUER}/token/"},
        {"htu": "https://id.example:8443/token"},
        {"htu": "http://id.example/token"},
        {"htu": "https://user@id.example/token"},
        {"htu": "https://[id.example/token"},
        {"iat": None},
        {"iat": "1772366400"},
        {"iat": True},
        {"iat": 1e400},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 257},
    ],
)
def test_a_proof_that_is_none(app: App, changes: dict[str, Any]):
    assert acted(app, **changes) == REFUSED


@pytest.mark.parametrize(("seconds", "outcome"), [(-61, REFUSED), (-60, GOOD), (60, GOOD), (61, REFUSED)])
def test_a_proof_is_good_for_a_minute(app: App, seconds: int, outcome: tuple[int, str]):
    assert acted(app, iat=int(app.provider.clock().timestamp()) + seconds) == outcome


@pytest.mark.parametrize(
    "htu", [f"{ISSUER}/token?a=b#c", "HTTPS://ID.example/token", "https://id.example:443/token", f"{ISSUER}/token"]
)
def test_addresses_are_compared_by_what_they_mean(app: App, htu: str):
    assert acted(app, htu=htu) == GOOD


def test_no_header_of_the_request_moves_the_address(app: App):
    """Whoever sends through a proxy of its own gets no proof for it accepted, and a good one is good whatever Host says."""
    for htu, outcome in (("https://evil.example/token", 400), (f"{ISSUER}/token", 200)):
        headers = basic("keyed", SECRET) | {
            "DPoP": app.proof(htu=htu),
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
        }
        form = {"grant_type": "client_credentials", "resource": BILLING}
        assert app.provider.http.post("/token", data=form, headers=headers).status_code == outcome


def test_a_private_key_is_shown_to_nobody(app: App):
    for shown in (app.prover.key.as_dict(private=True), app.prover.jwk | {"k": "c2VjcmV0"}):
        assert acted(app, header={"jwk": shown}) == REFUSED


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "EdDSA", "RS512", 7, None])
def test_algorithms_that_prove_nothing(app: App, alg: object):
    header, payload, signature = app.proof().split(".")
    told = json.loads(base64.urlsafe_b64decode(header + "==")) | {"alg": alg}
    renamed = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    for kept in (signature, ""):
        assert acted(app, f"{renamed}.{payload}.{kept}") == REFUSED


def test_keys_of_another_algorithm(app: App):
    strong = Prover(rsa_key(), "PS256")
    assert acted(app, header={"jwk": strong.jwk}) == REFUSED
    assert acted(App(app.provider, prover=strong), header={"jwk": app.prover.jwk}) == REFUSED
    assert acted(app, header={"jwk": app.prover.jwk | {"alg": "RS256"}}) == REFUSED


@pytest.mark.parametrize("alg", ["PS256", "RS256"])
def test_rsa_keys(app: App, alg: str):
    proving = App(app.provider, prover=Prover(rsa_key(), alg))
    assert acted(proving) == GOOD
    jwk = proving.prover.jwk
    for bad in ({"e": "AQ"}, {"e": "AAAAAAAAAAE"}, {"n": jwk["n"][:100]}, {"n": "AAAA" + jwk["n"]}, {"n": jwk["n"] * 3}):
        assert acted(proving, header={"jwk": jwk | bad}) == REFUSED


def signature_changed(proof: str, change: Any) -> str:
    message, _, signature = proof.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    return f"{message}.{base64.urlsafe_b64encode(change(raw)).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "change",
    [
        lambda _raw: bytes(64),
        lambda raw: raw[32:] + raw[:32],
        lambda raw: raw[:63] + bytes([raw[63] ^ 1]),
        lambda raw: raw[:32] + bytes(32),
        lambda raw: raw + b"\0",
        lambda _raw: b"",
    ],
)
def test_signatures_of_nothing(app: App, change: Any):
    assert acted(app, signature_changed(app.proof(), change)) == REFUSED


def test_a_point_off_the_curve_is_no_key(app: App):
    assert acted(app, header={"jwk": app.prover.jwk | {"y": app.prover.jwk["x"]}}) == REFUSED


@pytest.mark.parametrize("proof", ["", ".", "..", "a.b", "a.b.c", "ü.ü.ü", "e30.e30.e30", "W10.W10.W10", "x" * 9000])
def test_what_is_no_proof_at_all(app: App, proof: str):
    headers = basic("keyed", SECRET) | {"DPoP": proof.encode().decode("latin-1")}
    answer = app.provider.http.post("/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == REFUSED


def test_a_respelt_proof_is_none(app: App):
    proof = app.proof()
    for respelt in (proof + "=", "." + proof, proof + ".", proof.replace(".", "..", 1)):
        assert acted(app, respelt) == REFUSED
    assert acted(app, proof) == GOOD


def test_one_proof_in_the_header_and_not_two(app: App):
    headers = Headers([*basic("keyed", SECRET).items(), ("DPoP", app.proof()), ("DPoP", app.proof())])
    form = {"grant_type": "client_credentials", "resource": BILLING}
    answer = app.provider.http.post("/token", data=form, headers=headers)
    assert (answer.status_code, answer.json["error"]) == REFUSED


def test_a_proof_is_used_once(app: App):
    proof = app.proof(jti="once")
    assert (acted(app, proof), acted(app, proof)) == (GOOD, REFUSED)
    assert acted(app, jti="once") == REFUSED
    assert acted(App(app.provider), jti="once") == GOOD
    app.provider.clock.advance(seconds=59)
    assert acted(app, proof) == REFUSED


# 5: who gets a bound token


def test_a_token_is_bound_to_the_key_that_was_proved(app: App):
    body = signed_in(app)
    assert body["token_type"] == "DPoP"
    assert app.provider.read(body["access_token"], ISSUER)["cnf"] == {"jkt": app.prover.jkt}
    assert "cnf" not in app.provider.read(body["id_token"], "app")


def test_introspection_tells_the_key(app: App):
    code = app.provider.code(**NATIVE)
    token = app.redeem(code, **NATIVE, resource=BILLING).json["access_token"]
    told = app.provider.active(token)
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": app.prover.jkt})


def test_without_a_proof_a_token_is_a_bearer_s(plain: Provider):
    body = plain.tokens()
    assert body["token_type"] == "Bearer"
    assert "cnf" not in plain.active(body["access_token"])


def test_some_clients_get_no_bearer_s_token(plain: Provider):
    wishes = (
        {"grant_type": "client_credentials", "resource": BILLING},
        {"grant_type": "authorization_code", "code": plain.code(client_id="keyed")},
        {"grant_type": "refresh_token", "refresh_token": "a.b"},
    )
    for form in wishes:
        answer = plain.token("keyed", **form)
        assert (answer.status_code, answer.json["error"]) == REFUSED


def test_the_bearer_s_tokens_that_a_client_had_are_worth_nothing_any_more(plain: Provider):
    token = plain.tokens(scope="openid", resource=None)["access_token"]
    assert plain.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    clients = dict(plain.world.clients)
    plain.start(clients=clients | {"portal": replace(clients["portal"], dpop=True)})
    assert plain.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert plain.active(token, "portal") == {"active": False}


def test_a_bad_proof_spends_nothing(app: App):
    code = app.provider.code(**NATIVE, scope="openid offline_access", resource=None)
    assert app.redeem(code, app.proof(htm="GET"), **NATIVE).status_code == 400
    body = app.redeem(code, **NATIVE).json
    assert app.refresh(body["refresh_token"], app.proof(htm="GET"), **NATIVE).status_code == 400
    assert app.refresh(body["refresh_token"], **NATIVE).status_code == 200


def test_the_client_proves_who_it_is_first(plain: Provider):
    answer = plain.token(None, client_id="keyed", grant_type="client_credentials", headers={"DPoP": "x"})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


# 5: refresh tokens of public clients


def test_a_public_client_s_refresh_token_is_worth_nothing_without_the_key(app: App):
    body = signed_in(app)
    thief, refresh = App(app.provider), body["refresh_token"]
    for answer in (
        thief.refresh(refresh, **NATIVE),
        app.provider.refresh(refresh, None, **NATIVE),
    ):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    renewed = app.refresh(refresh, **NATIVE)
    assert (renewed.status_code, renewed.json["token_type"]) == (200, "DPoP")
    assert app.refresh(renewed.json["refresh_token"], **NATIVE).status_code == 200


def test_an_old_refresh_token_ends_its_family_with_the_key_or_without(app: App):
    old = signed_in(app)["refresh_token"]
    live = app.refresh(old, **NATIVE).json["refresh_token"]
    app.provider.clock.advance(seconds=11)
    assert App(app.provider).refresh(old, **NATIVE).status_code == 400
    assert app.refresh(live, **NATIVE).json["error"] == "invalid_grant"
    assert "token_reuse" in app.provider.letters()


def test_the_retry_for_a_lost_answer_needs_the_key_too(app: App):
    old = signed_in(app)["refresh_token"]
    live = app.refresh(old, **NATIVE).json["refresh_token"]
    assert App(app.provider).refresh(old, **NATIVE).status_code == 400
    again = app.refresh(old, **NATIVE)
    assert again.status_code == 200
    assert live != again.json["refresh_token"]


def test_a_family_that_began_without_a_key_is_bound_by_the_first_that_is_proved(app: App):
    bare = app.provider.redeem(app.provider.code(**NATIVE, scope="openid offline_access", resource=None), None, **NATIVE).json
    assert bare["token_type"] == "Bearer"
    bound = app.refresh(bare["refresh_token"], **NATIVE).json
    assert bound["token_type"] == "DPoP"
    assert app.provider.refresh(bound["refresh_token"], None, **NATIVE).json["error"] == "invalid_grant"
    assert App(app.provider).refresh(bound["refresh_token"], **NATIVE).json["error"] == "invalid_grant"
    assert app.refresh(bound["refresh_token"], **NATIVE).status_code == 200


def test_a_client_with_a_secret_may_change_its_key(plain: Provider):
    app = App(plain, "keyed")
    code = plain.code(client_id="keyed", scope="openid offline_access", resource=None)
    body = app.redeem(code, redirect_uri=plain.parameters()["redirect_uri"]).json
    other = App(plain, "keyed")
    renewed = other.refresh(body["refresh_token"])
    assert plain.read(renewed.json["access_token"], ISSUER)["cnf"] == {"jkt": other.prover.jkt}


# 10: codes


def test_a_code_is_bound_to_the_key_that_was_announced(app: App):
    code = app.provider.code(**NATIVE, scope="openid offline_access", resource=None, dpop_jkt=app.prover.jkt)
    for answer in (App(app.provider).redeem(code, **NATIVE), app.provider.redeem(code, None, **NATIVE)):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    body = app.redeem(code, **NATIVE).json
    assert body["token_type"] == "DPoP"
    # Who cannot show the key does not end what the code gave, by showing it again.
    assert App(app.provider).redeem(code, **NATIVE).status_code == 400
    assert app.refresh(body["refresh_token"], **NATIVE).status_code == 200


# 7: the service's own resource


def test_userinfo_for_who_has_token_and_key(app: App):
    token = signed_in(app)["access_token"]
    for method in ("GET", "POST"):
        told = app.userinfo(token, method=method)
        assert (told.status_code, told.json) == (200, {"sub": "acc_maria"})
    assert app.userinfo(token, scheme="dpop").status_code == 200


def test_a_bound_token_is_no_bearer_s(app: App):
    token = signed_in(app)["access_token"]
    form = app.provider.http.post("/userinfo", data={"access_token": token}, headers={"DPoP": app.proof(path="/userinfo")})
    for answer in (app.userinfo(token, scheme="Bearer"), app.userinfo(token, "", scheme="Bearer"), form):
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_a_bearer_s_token_is_not_taken_with_a_proof(app: App):
    token = app.provider.tokens(scope="openid", resource=None)["access_token"]
    answer = app.userinfo(token)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
    # Nor does a proof that nobody asked for do harm.
    assert app.userinfo(token, scheme="Bearer").status_code == 200


def test_userinfo_refuses_proofs_that_are_not_this_request_s(app: App):
    token = signed_in(app)["access_token"]
    used = app.proof("GET", "/userinfo", token)
    assert app.userinfo(token, used).status_code == 200
    proofs = {
        "": "invalid_dpop_proof",
        used: "invalid_dpop_proof",
        app.proof("GET", "/userinfo"): "invalid_dpop_proof",
        app.proof("GET", "/userinfo", "another token"): "invalid_dpop_proof",
        app.proof("POST", "/userinfo", token): "invalid_dpop_proof",
        app.proof("GET", "/token", token): "invalid_dpop_proof",
        App(app.provider).proof("GET", "/userinfo", token): "invalid_token",
    }
    for proof, error in proofs.items():
        answer = app.userinfo(token, proof)
        assert (answer.status_code, answer.json["error"]) == (401, error)
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith(f'DPoP error="{error}"')
        assert challenge.endswith('algs="ES256 PS256 RS256"')


# FAPI 2.0, browsers, and what is published


def test_fapi_clients_prove_with_two_algorithms(plain: Provider):
    """They need a nonce whatever the policy says: that is in the file on nonces."""
    outcomes = {}
    for number, (key, alg) in enumerate(((None, "ES256"), (rsa_key(), "PS256"), (rsa_key(), "RS256"))):
        app = App(plain, None, Prover(key, alg))
        wish = {"grant_type": "client_credentials", **asserted(plain, "bank", f"{number}a")}
        app.token(app.proof(), **wish)
        wish |= asserted(plain, "bank", f"{number}b")
        outcomes[alg] = app.token(app.proof(), **wish).status_code
    assert outcomes == {"ES256": 200, "PS256": 200, "RS256": 400}


def test_browser_apps_may_send_proofs_and_read_nonces(plain: Provider):
    for path in ("/token", "/userinfo"):
        headers = plain.http.options(path, headers={"Origin": "https://spa.example"}).headers
        assert "DPoP" in headers["Access-Control-Allow-Headers"].split(", ")
        assert "DPoP-Nonce" in headers["Access-Control-Expose-Headers"].split(", ")


def test_the_algorithms_are_published(plain: Provider):
    told = plain.http.get("/.well-known/openid-configuration").json
    assert told["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]
