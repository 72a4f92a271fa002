"""How requests are read and answers written: forms parsed once and strictly, nothing twice, JSON never cached."""

import json
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request
from flask import Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from idp.oauth.errors import Header, InvalidError, NoSuchMethodError, NotAFormError, StoreUnavailableError, TooLargeError
from idp.store import StoreDown

MAX_BODY = 65_536
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200
# The only parameter that may come more than once (RFC 8707 2).
_MULTIPLE = "resource"
JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Pairs = list[tuple[str, str]]


class Payload(OAuth2Payload):
    """A form's single values, as Authlib reads them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    @property
    def data(self) -> Mapping[str, str]:
        """The values by name."""
        return self.values

    @property
    def datalist(self) -> Any:
        """The values as lists of one."""
        return {name: [value] for name, value in self.values.items()}


class TokenRequest(OAuth2Request):
    """A request to a machine endpoint, read whole: Authlib's, without its second look at the transport and the form.

    The issuer's scheme is judged when the service starts; behind a proxy the request's own would tell nothing.
    """

    def __init__(
        self,
        values: Mapping[str, str],
        resources: tuple[str, ...],
        authorization: str | None,
        proof: str | None = None,
    ) -> None:
        self.method = "POST"
        self.payload: Any = Payload(values)
        self.values = values
        self.resources = resources
        self.authorization = authorization
        self.proof = proof
        self.client: Any = None

    @property
    def form(self) -> Mapping[str, str]:
        """The posted values."""
        return self.values


def parse(raw: bytes) -> Pairs:
    """The pairs of a form or query in UTF-8; parameters without a value count as omitted (RFC 6749 3.1)."""
    try:
        pairs = parse_qsl(raw.decode(), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise InvalidError("The parameters are not a form in UTF-8.") from error
    if b"%00" in raw or b"\0" in raw:
        raise InvalidError("The parameters contain a null character.")
    return pairs


def single(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Values by name, and the resources; a parameter that comes twice is refused (RFC 6749 3.1 and 3.2)."""
    values: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs:
        if name == _MULTIPLE:
            resources.append(value)
        elif name in values:
            raise InvalidError("A parameter is included more than once.")
        else:
            values[name] = value
    return values, tuple(resources)


def body_of(incoming: Request) -> bytes:
    """The form a request carries, within bounds."""
    kind, _, parameters = incoming.environ.get("CONTENT_TYPE", "").partition(";")
    if kind.strip().lower() != _FORM:
        raise NotAFormError("The body must be application/x-www-form-urlencoded.")
    if parameters and parameters.strip().lower().replace('"', "") != "charset=utf-8":
        raise NotAFormError("The body must be in UTF-8.")
    incoming.max_content_length = MAX_BODY
    try:
        return incoming.get_data(cache=False, parse_form_data=False)
    except RequestEntityTooLarge as error:
        raise TooLargeError("The body is too large.") from error


def token_request() -> TokenRequest:
    """The machine request at hand. Credentials in the address would end in logs: they are never read from there."""
    values, resources = single(parse(body_of(request)))
    environ = request.environ
    return TokenRequest(values, resources, environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_DPOP"))


def answer(status: int, body: Any, headers: list[Header]) -> Response:
    """A response of JSON, or of nothing."""
    text = json.dumps(body) if isinstance(body, dict) else body
    return Response(text, status=status, headers=headers)


def failure(error: OAuth2Error) -> Response:
    """An error as its RFC wants it."""
    return answer(*error())


def endpoint(view: Callable[[], Response], methods: tuple[str, ...], origins: Container[str]) -> Callable[[], Response]:
    """A view for machines: other methods refused, errors in JSON, browser apps of ``origins`` let in (CORS)."""
    allowed = ", ".join((*methods, "OPTIONS"))

    def called() -> Response:
        environ = request.environ
        method = environ["REQUEST_METHOD"]
        try:
            if method in methods:
                response = view()
            elif method == "OPTIONS":
                response = Response(status=204, headers=[("Allow", allowed)])
            else:
                raise NoSuchMethodError(allowed)
        except OAuth2Error as error:
            response = failure(error)
        except StoreDown:
            response = failure(StoreUnavailableError())
        origin = environ.get("HTTP_ORIGIN")
        return response if origin is None else _shared(response, origin if origin in origins else None, allowed)

    return called


def _shared(response: Response, origin: str | None, allowed: str) -> Response:
    """Let a registered browser app read the answer; never with cookies, which this door's machines do not look at."""
    response.headers["Vary"] = "Origin"
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = allowed
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
        response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, DPoP-Nonce"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
