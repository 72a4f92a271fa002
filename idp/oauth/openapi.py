"""The description of all that programs may call, in OpenAPI 3.1, made from the table of operations."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from idp.flows.world import World
from idp.oauth import assertion
from idp.oauth.operations import ADDRESS, JSON, NUMBER, OBJECT, OPERATIONS, TEXT, Answer, Operation, Schema

PATH: Final = "/openapi.json"
# There only where the operator has given out a token to register with.
_REGISTRATION: Final = "/register-client"
_SCHEMES: Final[Mapping[str, Schema]] = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A client's id and secret, form-encoded first (RFC 6749 2.3.1).",
    },
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
    "dpop": {"type": "http", "scheme": "DPoP", "description": "With a proof of possession in the header DPoP (RFC 9449)."},
}
# Clients that authenticate otherwise do so in the form (RFC 6749 2.3.1, RFC 7523 2.2); public ones say who they are.
_CLIENT: Final[Mapping[str, Schema]] = {
    "client_id": TEXT,
    "client_secret": TEXT,
    "client_assertion_type": {"type": "string", "enum": [assertion.TYPE]},
    "client_assertion": TEXT,
}
_SECURITY: Final[Mapping[str, list[dict[str, list[str]]]]] = {
    "": [],
    "client": [{"basic": []}, {}],
    "token": [{"bearer": []}, {"dpop": []}],
}
# What can go wrong with every call: of whoever proves nothing, of a client, of whoever brings a token.
_FAULTS: Final[Mapping[str, tuple[int, ...]]] = {
    "": (405,),
    "client": (400, 401, 405, 413, 415, 429, 503),
    "token": (400, 401, 403, 405, 413, 415, 503),
}


def _object(needs: tuple[str, ...], **members: Schema) -> Schema:
    return {"type": "object", "required": list(needs), "properties": members}


_SCHEMAS: Final[Mapping[str, Schema]] = {
    "Error": _object(("error",), error=TEXT, error_description=TEXT),
    "Tokens": _object(
        ("access_token", "token_type", "expires_in", "scope"),
        access_token=TEXT,
        token_type={"type": "string", "enum": ["Bearer", "DPoP"]},
        expires_in=NUMBER,
        scope=TEXT,
        refresh_token=TEXT,
        id_token=TEXT,
        issued_token_type=TEXT,
    ),
    "Pushed": _object(("request_uri", "expires_in"), request_uri=TEXT, expires_in=NUMBER),
    "DeviceCodes": _object(
        ("device_code", "user_code", "verification_uri", "expires_in"),
        device_code=TEXT,
        user_code=TEXT,
        verification_uri=ADDRESS,
        verification_uri_complete=ADDRESS,
        expires_in=NUMBER,
        interval=NUMBER,
    ),
    "Introspection": _object(("active",), active={"type": "boolean"}),
    "Nothing": {"type": "object", "maxProperties": 0},
    "Person": _object(("sub",), sub=TEXT),
    "Keys": _object(("keys",), keys={"type": "array", "items": OBJECT}),
    "Metadata": OBJECT,
    "Client": _object(("client_id", "redirect_uris"), client_id=TEXT, redirect_uris={"type": "array", "items": TEXT}),
    "Delivery": _object(("method",), method=TEXT, endpoint_url=TEXT, authorization_header={"type": ["string", "null"]}),
    "Stream": _object(("stream_id", "iss", "aud", "delivery"), stream_id=TEXT, iss=ADDRESS, delivery=OBJECT),
    "Streams": {"oneOf": [{"$ref": "#/components/schemas/Stream"}, {"type": "array"}]},
    "Status": _object(("stream_id", "status"), stream_id=TEXT, status=TEXT, reason=TEXT),
    "Events": _object(("sets",), sets={"type": "object", "additionalProperties": TEXT}, moreAvailable={"type": "boolean"}),
}


def document(world: World) -> bytes:
    """The document; its addresses are those of the configured issuer."""
    described = {
        "openapi": "3.1.0",
        "info": {"title": "Identity service", "version": "1"},
        "servers": [{"url": world.issuer.rstrip("/")}],
        "paths": {
            path: {method.lower(): _operation(path, method, one) for method, one in methods.items()}
            for path, methods in OPERATIONS.items()
            if world.registrar.tokens or not path.startswith(_REGISTRATION)
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": _SCHEMES},
    }
    return json.dumps(described).encode()


def _operation(path: str, method: str, operation: Operation) -> dict[str, Any]:
    name = "_".join([method.lower(), *re.findall("[a-z]+", path)])
    told: dict[str, Any] = {"operationId": name, "summary": operation.summary, "security": _SECURITY[operation.by]}
    parameters = [{"in": "query", "name": one, "required": must, "schema": TEXT} for one, must in operation.query.items()]
    parameters += [{"in": "path", "name": one, "required": True, "schema": TEXT} for one in re.findall(r"{(\w+)}", path)]
    if operation.proof:
        parameters.append({"in": "header", "name": "DPoP", "required": False, "schema": TEXT})
    if parameters:
        told["parameters"] = parameters
    members = {**operation.takes, **(_CLIENT if operation.by == "client" else {})}
    if members:
        schema = _object(operation.needs, **members)
        told["requestBody"] = {"required": bool(operation.needs), "content": {operation.kind: {"schema": schema}}}
    return told | {"responses": _responses(operation)}


def _responses(operation: Operation) -> dict[str, Any]:
    faults = sorted({*_FAULTS[operation.by], *operation.faults})
    error = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
    refused = {str(status): {"description": HTTPStatus(status).phrase, **error} for status in faults}
    return {str(operation.answer.status): _answered(operation.answer), **refused}


def _answered(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"description": HTTPStatus(answer.status).phrase}
    if answer.schema is not None:
        told["content"] = {JSON: {"schema": {"$ref": f"#/components/schemas/{answer.schema}"}}}
        told["content"] |= {answer.also: {"schema": TEXT}} if answer.also else {}
    return told
