"""The table of what programs may call: each path and method with what it takes and answers.

The routes take their methods from here, and the OpenAPI document is made of it: what is not described cannot be called.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.policies.client_rules import GRANTS

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
OBJECT: Schema = {"type": "object"}
_LIST: Schema = {"type": "array", "items": TEXT}
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes of a call that went well. ``also`` is another type in which the caller may have it."""

    schema: str | None = None
    status: int = 200
    also: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path. ``by`` is how callers prove who they are: "client", "token", or nothing.

    ``takes`` are the members of the body, in the type ``kind``; ``needs`` those that must be there; ``query`` what may stand in
    the address, with whether it must. ``faults`` are statuses beside those of every call that proves itself so.
    """

    summary: str
    by: str = ""
    takes: Mapping[str, Schema] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    answer: Answer = Answer()
    kind: str = FORM
    query: Mapping[str, bool] = field(default_factory=dict)
    proof: bool = False
    faults: tuple[int, ...] = ()


_TOKEN: Mapping[str, Schema] = {"token": TEXT, "token_type_hint": TEXT}
_STREAM: Mapping[str, Schema] = {
    "delivery": {"$ref": "#/components/schemas/Delivery"},
    "events_requested": _LIST,
    "description": TEXT,
}
_NAMED: Mapping[str, Schema] = {"stream_id": TEXT}
_GRANTS: Mapping[str, Schema] = {
    "grant_type": {"type": "string", "enum": list(GRANTS)},
    "code": TEXT,
    "redirect_uri": ADDRESS,
    "code_verifier": TEXT,
    "refresh_token": TEXT,
    "device_code": TEXT,
    "subject_token": TEXT,
    "subject_token_type": TEXT,
    "requested_token_type": TEXT,
    "audience": TEXT,
    "scope": TEXT,
    "resource": ADDRESS,
}
_AUTHORIZATION: Mapping[str, Schema] = {
    **dict.fromkeys(("response_type", "response_mode", "scope", "state", "nonce", "prompt", "display", "ui_locales"), TEXT),
    **dict.fromkeys(("code_challenge", "code_challenge_method", "dpop_jkt", "login_hint", "id_token_hint"), TEXT),
    **dict.fromkeys(("acr_values", "claims", "request"), TEXT),
    "max_age": NUMBER,
    "redirect_uri": ADDRESS,
    "resource": {"type": "array", "items": ADDRESS},
}
_CLIENT: Mapping[str, Schema] = {
    **dict.fromkeys(
        ("client_name", "scope", "token_endpoint_auth_method", "id_token_signed_response_alg", "subject_type"), TEXT
    ),
    **dict.fromkeys(("redirect_uris", "post_logout_redirect_uris", "request_uris", "grant_types", "response_types"), _LIST),
    "jwks": OBJECT,
    "jwks_uri": ADDRESS,
}
_PUBLISHED = Operation("What the service publishes of itself (RFC 8414, OpenID Connect Discovery)", answer=Answer("Metadata"))
_STREAM_SET = Operation(
    "Set a stream up anew (Shared Signals 1.0, 8.1.1)",
    "token",
    {**_STREAM, **_NAMED},
    ("stream_id",),
    Answer("Stream"),
    JSON,
    faults=(404,),
)

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "/token": {
        "POST": Operation("Tokens for a grant", "client", _GRANTS, ("grant_type",), Answer("Tokens"), proof=True),
    },
    "/par": {
        "POST": Operation(
            "Push an authorization request (RFC 9126)", "client", _AUTHORIZATION, (), Answer("Pushed", 201), proof=True
        ),
    },
    "/device_authorization": {
        "POST": Operation(
            "Codes for a device without a browser (RFC 8628)",
            "client",
            {"scope": TEXT, "resource": {"type": "array", "items": ADDRESS}},
            (),
            Answer("DeviceCodes"),
        ),
    },
    "/introspect": {
        "POST": Operation(
            "What a token is worth (RFC 7662, RFC 9701)",
            "client",
            _TOKEN,
            ("token",),
            Answer("Introspection", also="application/token-introspection+jwt"),
        ),
    },
    "/revoke": {"POST": Operation("End a token and its family (RFC 7009)", "client", _TOKEN, ("token",), Answer("Nothing"))},
    "/userinfo": {
        "GET": Operation("What a person let a client know", "token", answer=Answer("Person"), proof=True, faults=(403,)),
        "POST": Operation(
            "As GET, for those who send the token in a form (RFC 6750 2.2)",
            "token",
            {"access_token": TEXT},
            (),
            Answer("Person"),
            proof=True,
            faults=(403,),
        ),
    },
    "/jwks.json": {"GET": Operation("The keys that signatures are verified with (RFC 7517)", answer=Answer("Keys"))},
    "/.well-known/openid-configuration": {"GET": _PUBLISHED},
    "/.well-known/oauth-authorization-server": {"GET": _PUBLISHED},
    "/.well-known/ssf-configuration": {
        "GET": Operation("What is published of event streams (Shared Signals 1.0, 7)", answer=Answer("Metadata")),
    },
    "/openapi.json": {"GET": Operation("This document", answer=Answer("Metadata"))},
    "/register-client": {
        "POST": Operation("Register a client (RFC 7591)", "token", _CLIENT, (), Answer("Client", 201), JSON, faults=(429,)),
    },
    "/register-client/{client_id}": {
        "GET": Operation("A client's registration (RFC 7592)", "token", answer=Answer("Client"), faults=(404, 429)),
        "PUT": Operation(
            "Change the whole registration",
            "token",
            {**_CLIENT, "client_id": TEXT, "client_secret": TEXT},
            ("client_id",),
            Answer("Client"),
            JSON,
            faults=(404, 429),
        ),
        "DELETE": Operation("End the registration", "token", answer=Answer(status=204), faults=(404, 429)),
    },
    "/ssf/stream": {
        "GET": Operation("The caller's stream", "token", answer=Answer("Streams"), query={"stream_id": False}, faults=(404,)),
        "POST": Operation(
            "Begin a stream (Shared Signals 1.0, 8.1.1)", "token", _STREAM, (), Answer("Stream", 201), JSON, faults=(409,)
        ),
        "PATCH": _STREAM_SET,
        "PUT": _STREAM_SET,
        "DELETE": Operation("End a stream", "token", answer=Answer(status=204), query={"stream_id": False}, faults=(404,)),
    },
    "/ssf/status": {
        "GET": Operation("Whether a stream flows", "token", answer=Answer("Status"), query={"stream_id": False}, faults=(404,)),
        "POST": Operation(
            "Pause a stream, or let it flow",
            "token",
            {**_NAMED, "status": {"enum": ["enabled", "paused", "disabled"]}, "reason": TEXT},
            ("stream_id", "status"),
            Answer("Status"),
            JSON,
            faults=(404,),
        ),
    },
    "/ssf/verify": {
        "POST": Operation(
            "Ask for an event that proves the stream",
            "token",
            {**_NAMED, "state": TEXT},
            ("stream_id",),
            Answer(status=204),
            JSON,
            faults=(404, 429),
        ),
    },
    "/ssf/poll": {
        "POST": Operation(
            "Fetch events and acknowledge them (RFC 8936)",
            "token",
            {"maxEvents": NUMBER, "returnImmediately": {"type": "boolean"}, "ack": _LIST, "setErrs": OBJECT},
            (),
            Answer("Events"),
            JSON,
            faults=(404,),
        ),
    },
}


def methods(path: str) -> tuple[str, ...]:
    """The methods that are served at a path; whatever may be got may be asked for without its body (RFC 9110 9.3.2)."""
    known = tuple(OPERATIONS[path])
    public = known == ("GET",) and not OPERATIONS[path]["GET"].by
    return (*known, "HEAD") if public else known
