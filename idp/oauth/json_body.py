"""Bodies in JSON: one object, in UTF-8, within bounds, and nothing in it twice."""

import json
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from idp.oauth.errors import EndpointError, InvalidError, TooLargeError
from idp.oauth.wire import MAX_BODY

_KIND = "application/json"


class NotJsonError(EndpointError):
    """The body does not say that it is ``application/json`` (RFC 9110 15.5.16)."""

    error = "invalid_request"
    status_code = 415


def object_of(incoming: Request) -> dict[str, Any]:
    """The JSON object a request carries; raises the error that its endpoint answers with."""
    if incoming.mimetype != _KIND:
        raise NotJsonError(f"The body must be {_KIND}.")
    incoming.max_content_length = MAX_BODY
    try:
        raw = incoming.get_data(cache=False, parse_form_data=False)
        read = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_never)
        # Half a pair of surrogates is no text, and a number beyond all is none that can be written again (RFC 7493 2).
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    except RequestEntityTooLarge as error:
        raise TooLargeError("The body is too large.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidError("The body is not JSON in UTF-8, or names something twice.") from error
    if not isinstance(read, dict):
        raise InvalidError("The body is not a JSON object.")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a doubled name may each take another (RFC 8259 4)."""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name comes twice")
    return read


def _never(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
