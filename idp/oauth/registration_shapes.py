"""What a registration says (RFC 7591 2, OpenID Connect Dynamic Registration 2), into the model of a client and back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from idp.model import Client, Registrar, Resource
from idp.oauth.errors import EndpointError
from idp.policies.client_rules import AUTH_METHODS, CODE, DEVICE, REFRESH, Fault

_LONGEST: Final = 2048
_MOST: Final = 20
_LONGEST_AGE: Final = 10 * 365 * 86_400
# A client acts for a person who agrees; what it may do for itself is not its own to say.
_GRANTS: Final = (CODE, REFRESH, DEVICE)
# Fields of the model by what a registration calls them.
_FIELDS: Final[Mapping[str, str]] = {
    "client_name": "name",
    "redirect_uris": "redirect_uris",
    "post_logout_redirect_uris": "post_logout_redirect_uris",
    "grant_types": "grant_types",
    "token_endpoint_auth_method": "auth_method",
    "jwks": "jwks",
    "jwks_uri": "jwks_uri",
    "request_uris": "request_uris",
    "id_token_signed_response_alg": "id_token_alg",
    "require_signed_request_object": "require_signed_request",
    "require_pushed_authorization_requests": "require_par",
    "dpop_bound_access_tokens": "dpop",
    "backchannel_logout_uri": "backchannel_logout_uri",
    "frontchannel_logout_uri": "frontchannel_logout_uri",
    "default_max_age": "default_max_age",
}
_NAMES: Final = {field: name for name, field in _FIELDS.items()}


def _addresses() -> "fields.List[str]":
    return fields.List(_text(), validate=validate.Length(max=_MOST))


def _text(longest: int = _LONGEST) -> fields.String:
    return fields.String(validate=validate.Length(min=1, max=longest))


class _Metadata(Schema):
    class Meta:
        """What is not known is passed over (RFC 7591 2), and not among what the answer says was registered."""

        unknown = EXCLUDE

    client_name = _text(100)
    redirect_uris = _addresses()
    post_logout_redirect_uris = _addresses()
    request_uris = _addresses()
    grant_types = fields.List(fields.String(validate=validate.OneOf(_GRANTS)), validate=validate.Length(min=1, max=_MOST))
    response_types = fields.List(fields.String(validate=validate.OneOf(("code",))), validate=validate.Length(max=1))
    token_endpoint_auth_method = fields.String(validate=validate.OneOf(AUTH_METHODS))
    scope = fields.String(validate=validate.Length(max=_LONGEST))
    jwks = fields.Dict(keys=fields.String())
    jwks_uri = _text()
    subject_type = fields.String(validate=validate.OneOf(("public", "pairwise")))
    sector_identifier_uri = _text()
    id_token_signed_response_alg = fields.String(validate=validate.OneOf(("RS256", "ES256")))
    require_signed_request_object = fields.Boolean(truthy={True}, falsy={False})
    require_pushed_authorization_requests = fields.Boolean(truthy={True}, falsy={False})
    dpop_bound_access_tokens = fields.Boolean(truthy={True}, falsy={False})
    backchannel_logout_uri = _text()
    frontchannel_logout_uri = _text()
    default_max_age = fields.Integer(strict=True, validate=validate.Range(60, _LONGEST_AGE))


class MetadataError(EndpointError):
    """The registration is refused, and why is told (RFC 7591 3.2.2)."""

    error = "invalid_client_metadata"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(_printable(f"{name}: {what}"), error="invalid_redirect_uri" if name == "redirect_uris" else None)


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata that is known here, in its shape. A member that is null counts as left out (RFC 7592 2.2)."""
    if body.get("software_statement") is not None:
        raise EndpointError("No software statement is accepted here.", error="unapproved_software_statement")
    try:
        return dict(_Metadata().load({name: value for name, value in body.items() if value is not None}))
    except ValidationError as error:
        raise MetadataError(str(next(iter(error.messages_dict))), "the value is not one of those accepted.") from error


def client_of(said: Mapping[str, Any], before: Client, registrar: Registrar, resources: Mapping[str, Resource]) -> Client:
    """What becomes of a client by what its registration says; what is not its own to say stays as it was."""
    blank = Client(before.id, before.id)
    values = {field: said.get(name, getattr(blank, field)) for name, field in _FIELDS.items()}
    values = {field: tuple(value) if isinstance(value, list) else value for field, value in values.items()}
    age = values["default_max_age"]
    values["default_max_age"] = None if age is None else timedelta(seconds=age)
    scope = tuple(dict.fromkeys(said["scope"].split())) if "scope" in said else registrar.scope
    if not set(scope) <= {*registrar.scope, *before.scope}:
        raise MetadataError("scope", "not all of it may be had by a client that registers itself.")
    served = tuple(name for name, resource in resources.items() if set(scope) & resource.scopes.keys())
    return replace(before, **values, scope=scope, resources=served)


def document_of(client: Client) -> dict[str, Any]:
    """What is registered of a client, by the names of RFC 7591."""
    blank = Client(client.id, "")
    document: dict[str, Any] = {"client_id": client.id, "scope": " ".join(client.scope)}
    always = {"client_name", "redirect_uris", "grant_types", "token_endpoint_auth_method", "id_token_signed_response_alg"}
    for name, field in _FIELDS.items():
        value = getattr(client, field)
        if name in always or value != getattr(blank, field):
            document[name] = list(value) if isinstance(value, tuple) else value
    if client.default_max_age is not None:
        document["default_max_age"] = int(client.default_max_age.total_seconds())
    document["response_types"] = ["code"] if CODE in client.grant_types else []
    return document | {"subject_type": "pairwise" if client.sector else "public"}


def told(fault: Fault) -> MetadataError:
    """A fault of the model as the endpoint tells it."""
    field = str(fault.path[0]) if fault.path else "client_id"
    return MetadataError(_NAMES.get(field, field), f"{fault.what}.")


def _printable(text: str) -> str:
    """As error_description may be (RFC 6749 5.2)."""
    quoted = text.replace('"', "'").replace("\\", "/")
    return "".join(letter if " " <= letter <= "~" else "?" for letter in quoted)
