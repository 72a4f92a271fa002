"""Customer records asked for one by one, over HTTP, where the operator would rather not hand over a file of them all."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import IO, Final
from urllib.parse import urlsplit

from idp.post.failures import RecordsDown
from idp.post.no_redirect import NoRedirect

# No customer has a record as long as this; what is longer is none.
_MOST_BYTES: Final = 65_536
_PIECE: Final = 8192
# Whoever registers waits for the answer and holds a thread meanwhile: of a server that has hung, only so many do.
_AT_ONCE: Final = 4
_TEXTS: Final = ("account_number", "customer_code", "family_name", "given_name", "organisation")


class CustomerGateway:
    """A server that takes ``POST {"account_number": …}`` or ``{"customer_code": …}`` and answers with that record, or 404.

    A record is ``{"account_number", "customer_code", "family_name", "given_name", "numbers": […], "organisation"}``; what a
    customer has not is left out, null or empty. Everything else, and silence, is no answer: "nobody" is only ever said by
    a 404. The reference travels in the body, since addresses are written down on the way.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 5.0) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("the address of the customer records must begin with http:// or https://")
        self._url = url
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._places = BoundedSemaphore(_AT_ONCE)
        trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        self._opener = urllib.request.build_opener(NoRedirect, trusting)

    def ask(self, reference: str, key: str) -> Mapping[str, str] | None:
        """The fields of the record whose ``reference`` has that key, as a file of records would have them; None: nobody's.

        Raises ``RecordsDown``.
        """
        request = urllib.request.Request(  # noqa: S310 - the scheme was judged above
            self._url, json.dumps({reference: key}).encode(), self._headers, method="POST"
        )
        with self._place():
            body = self._answer(request)
        return None if body is None else _fields(body)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise RecordsDown(f"{_AT_ONCE} questions wait for an answer already")
        try:
            yield
        finally:
            self._places.release()

    def _answer(self, request: urllib.request.Request) -> bytes | None:
        ends = time.monotonic() + self._timeout
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                if answer.status != http.HTTPStatus.OK:
                    raise RecordsDown(f"the answer was {answer.status}")
                return _read(answer, ends)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise RecordsDown(f"the answer was {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise RecordsDown(f"no answer: {type(error).__name__}") from error


def _read(answer: IO[bytes], ends: float) -> bytes:
    """The whole body, if it is no longer than a record and comes in time: a socket's timeout begins anew with each byte."""
    body = b""
    while piece := answer.read1(_PIECE):  # type: ignore[attr-defined]
        body += piece
        if len(body) > _MOST_BYTES:
            raise RecordsDown("the answer is too long")
        if time.monotonic() > ends:
            raise RecordsDown("the answer came too slowly")
    return body


def _fields(body: bytes) -> Mapping[str, str]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RecordsDown("the answer is not JSON") from error
    if not isinstance(told, dict):
        raise RecordsDown("the answer is not a record")
    numbers = told.get("numbers") or []
    fields = {name: told.get(name) or "" for name in _TEXTS}
    texts = [*fields.values(), *numbers] if isinstance(numbers, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise RecordsDown("a field of the record is not what it should be")
    return {**fields, "numbers": ";".join(numbers)}
