"""Requests that clients push, sign, or both."""

import json
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from tests.oauth.clients import ASSERTING, CALLBACK
from tests.oauth.provider import ISSUER, Provider

FORM_OF_NAMES = "urn:ietf:params:oauth:request_uri:"


def push(provider: Provider, client: str | None = "portal", **changes: Any) -> TestResponse:
    """A request pushed with the client's secret, or with none."""
    named = changes.pop("client_id", client)
    return provider.post("/par", client, **provider.parameters(client_id=named, **changes))


def pushed(provider: Provider, client: str = "portal", **changes: Any) -> str:
    """The name of a request pushed well."""
    response = push(provider, client, **changes)
    assert response.status_code == 201, response.text
    return str(response.json["request_uri"])


def arrive(provider: Provider, address: str, client: str = "portal", **more: str) -> TestResponse:
    """A browser sent with the name of a request."""
    return provider.http.get("/authorize", query_string={"client_id": client, "request_uri": address, **more})


def signed(
    provider: Provider,
    client: str = "signer",
    key: ECKey | OctKey | RSAKey = ASSERTING,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A request object of the client's; None leaves a claim out."""
    now = int(provider.clock().timestamp())
    claims = provider.parameters(client_id=client) | {"iss": client, "aud": ISSUER, "iat": now, "nbf": now, "exp": now + 300}
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    marks = {"alg": "ES256", "typ": "oauth-authz-req+jwt", **(header or {})}
    algorithms = ["ES256", "RS256", "PS256", "HS256"]
    return jws.serialize_compact(marks, json.dumps(claims), key, algorithms=algorithms)


def asserted(provider: Provider, client: str, number: str = "1", audience: str = ISSUER) -> dict[str, str]:
    """What proves who a client with a key is (RFC 7523)."""
    now = int(provider.clock().timestamp())
    claims = {"iss": client, "sub": client, "aud": audience, "exp": now + 60, "iat": now, "jti": f"{client}-{number}"}
    proof = jwt.encode({"alg": "ES256"}, claims, ASSERTING)
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": proof,
        "client_id": client,
    }


def essential(**claims: Any) -> str:
    """A ``claims`` parameter that insists."""
    return json.dumps({"id_token": {name: {"essential": True, **wish} for name, wish in claims.items()}})


__all__ = ["CALLBACK", "FORM_OF_NAMES", "arrive", "asserted", "essential", "push", "pushed", "signed"]
