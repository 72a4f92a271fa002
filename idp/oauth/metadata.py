"""What the service publishes of itself: RFC 8414 and OpenID Connect Discovery in one document, made once, and its keys."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from idp.flows.world import World
from idp.oauth import registration, request_object
from idp.oauth.device import DeviceGrant
from idp.oauth.exchange import ExchangeGrant
from idp.oauth.introspect import SIGNED_BY
from idp.oauth.token import GRANTS
from idp.policies import dpop
from idp.policies.client_rules import ID_TOKEN_ALGORITHMS
from idp.policies.proving import LEVELS
from idp.policies.tokens import PEOPLE_SCOPES, SCOPE_OF_CLAIM, SERVICE_SCOPES
from idp.vault import client_keys
from idp.vault.signing import KeyRing

__all__ = ["PATHS", "WELL_KNOWN", "answer_document", "answer_keys", "document"]

# Where each endpoint is, by its name in the metadata.
PATHS: Mapping[str, str] = {
    "authorization_endpoint": "/authorize",
    "pushed_authorization_request_endpoint": "/par",
    "device_authorization_endpoint": "/device_authorization",
    "token_endpoint": "/token",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "userinfo_endpoint": "/userinfo",
    "end_session_endpoint": "/logout",
    "jwks_uri": "/jwks.json",
}
WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
_PUBLIC = [("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300"), ("Access-Control-Allow-Origin", "*")]
# Shorter than the time a key is published before it signs, and than the life of a retired one.
_KEYS = [*_PUBLIC[:1], ("Cache-Control", "public, max-age=300"), *_PUBLIC[2:]]


def document(world: World) -> bytes:
    """The metadata. All of it comes from configuration: no header of a request can move an endpoint.

    What stands here works, and nothing else does: ``tests/oauth/test_metadata_is_true.py`` tries each value.
    """
    parts = (_endpoints(world), _clients(), _authorization(world), _tokens(world), _people(), _endings())
    return json.dumps({name: value for part in parts for name, value in part.items()}).encode()


def _endpoints(world: World) -> dict[str, Any]:
    base = world.issuer.rstrip("/")
    paths = {**PATHS, **({"registration_endpoint": registration.PATH} if world.registrar.tokens else {})}
    return {"issuer": world.issuer, **{name: base + path for name, path in paths.items()}}


def _clients() -> dict[str, Any]:
    """How a client proves who it is, by endpoint."""
    methods = {
        "token_endpoint": ("none", *_METHODS),
        "revocation_endpoint": ("none", *_METHODS),
        "introspection_endpoint": _METHODS,
    }
    algorithms = list(client_keys.ALGORITHMS)
    told: dict[str, Any] = {f"{endpoint}_auth_methods_supported": list(names) for endpoint, names in methods.items()}
    return told | {f"{endpoint}_auth_signing_alg_values_supported": algorithms for endpoint in methods}


def _authorization(world: World) -> dict[str, Any]:
    """What may be asked at the authorization endpoint."""
    return {
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "acr_values_supported": list(LEVELS),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "require_pushed_authorization_requests": False,
        "request_object_signing_alg_values_supported": list(request_object.ALGORITHMS),
        "display_values_supported": ["page", "touch"],
        "ui_locales_supported": list(world.languages),
    }


def _tokens(world: World) -> dict[str, Any]:
    """What may be asked for, and how what is issued is signed."""
    scopes = [scope for resource in world.resources.values() for scope in resource.scopes]
    return {
        "grant_types_supported": [one.GRANT_TYPE for one in (*GRANTS, DeviceGrant, ExchangeGrant)],
        "scopes_supported": [*PEOPLE_SCOPES, *scopes, *SERVICE_SCOPES],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "introspection_signing_alg_values_supported": [SIGNED_BY],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
    }


def _people() -> dict[str, Any]:
    """What is told of a person."""
    return {
        "subject_types_supported": ["public", "pairwise"],
        "claim_types_supported": ["normal"],
        "claims_supported": ["sub", "acr", "amr", "auth_time", "sid", "capacity", "organisation", *SCOPE_OF_CLAIM],
    }


def _endings() -> dict[str, Any]:
    """How a client is told that a session is over (OpenID Connect Back-Channel and Front-Channel Logout 1.0, 2.1 and 3)."""
    ways = ("backchannel_logout", "frontchannel_logout")
    return {f"{way}_{what}": True for way in ways for what in ("supported", "session_supported")}


def answer_document(made: bytes) -> Response:
    """``GET /.well-known/openid-configuration`` and ``GET /.well-known/oauth-authorization-server``."""
    return Response(made, headers=_PUBLIC)


def answer_keys(keys: KeyRing) -> Response:
    """``GET /jwks.json`` (RFC 7517 5)."""
    return Response(keys.jwks(), headers=_KEYS)
