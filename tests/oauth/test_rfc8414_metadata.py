"""RFC 8414 and OpenID Connect Discovery agree, and no header of a request can move them."""

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from tests.oauth.provider import ISSUER, Provider


def test_both_documents_agree_and_are_valid(provider: Provider):
    one = provider.http.get("/.well-known/openid-configuration")
    two = provider.http.get("/.well-known/oauth-authorization-server", headers={"Host": "evil", "X-Forwarded-Host": "evil"})
    assert one.data == two.data
    for kind in (AuthorizationServerMetadata, OpenIDProviderMetadata):
        kind(one.json).validate()
    assert one.json["issuer"] == ISSUER
    assert all(value.startswith(f"{ISSUER}/") for name, value in one.json.items() if name.endswith(("_endpoint", "_uri")))
    assert one.headers["Access-Control-Allow-Origin"] == "*"
    assert one.headers["Content-Type"] == "application/json"


def test_every_endpoint_named_is_there(provider: Provider):
    told = provider.http.get("/.well-known/openid-configuration").json
    for name, value in told.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert provider.http.get(value.removeprefix(ISSUER)).status_code != 404


def test_keys_are_public_halves_only(provider: Provider):
    response = provider.http.get("/jwks.json")
    assert "max-age" in response.headers["Cache-Control"]
    assert sorted(key["alg"] for key in response.json["keys"]) == ["ES256", "ES256", "RS256", "RS256"]
    for key in response.json["keys"]:
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi"}
        assert key["use"] == "sig"
    assert provider.http.head("/jwks.json").status_code == 200
    assert provider.http.post("/jwks.json").status_code == 405


def test_every_address_for_programs_is_described_and_every_description_served(provider: Provider):
    described = {path: set(methods) for path, methods in provider.http.get("/openapi.json").json["paths"].items()}
    pages = ("/authorize", "/logout", "/static")
    served = {rule.rule for rule in provider.app.url_map.iter_rules() if not rule.rule.startswith(pages)}
    assert {path.replace("{", "<").replace("}", ">") for path in described} == served
    for path, methods in described.items():
        allowed = provider.http.options(path).headers["Allow"].lower().split(", ")
        assert set(allowed) - {"options", "head"} == methods
