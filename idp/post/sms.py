"""Text messages, posted as JSON to the operator's gateway."""

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from idp.model import Letter
from idp.post.failures import Permanent, Temporary
from idp.post.letters import Rendered
from idp.post.no_redirect import NoRedirect

# E.164: at most fifteen digits, country code first.
_NUMBER: Final = re.compile(r"\+?[0-9]{4,15}", re.ASCII)
# Refusals of us, or for now, rather than of the message.
_LATER: Final = frozenset({401, 402, 403, 404, 407, 408, 425, 429})
# Somebody waits for the answer, and it is no reason to refuse a number that there is none.
_REACH_SECONDS: Final = 3.0
_REACH_MOST: Final = 4096


class SmsGateway:
    """A gateway that takes ``POST {"to", "text"}``, and ``"from"`` where a sender is set.

    Where it has a ``reach_url`` it takes ``POST {"to"}`` there and answers ``{"reachable": true}`` or false.
    """

    def __init__(
        self, url: str, sender: str = "", token: str | None = None, timeout: float = 10.0, *, reach_url: str | None = None
    ) -> None:
        if any(urlsplit(address).scheme not in {"http", "https"} for address in (url, reach_url or url)):
            raise ValueError("the address of the SMS gateway must begin with http:// or https://")
        self._url = url
        self._reach_url = reach_url
        self._sender = sender
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout = timeout
        self._opener = urllib.request.build_opener(NoRedirect)

    def deliver(self, letter: Letter, rendered: Rendered, now: datetime) -> None:
        """Hand one message over; the letter's id is the idempotency key. Raises ``Temporary`` or ``Permanent``."""
        del now
        if not _NUMBER.fullmatch(letter.to):
            raise Permanent("not a telephone number")
        body: Mapping[str, str] = {"to": letter.to, "text": rendered.text} | ({"from": self._sender} if self._sender else {})
        request = urllib.request.Request(  # noqa: S310 - the scheme was judged above
            self._url, json.dumps(body).encode(), {**self._headers, "Idempotency-Key": letter.id}, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            later = error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _LATER or error.code < 400  # noqa: PLR2004
            raise (Temporary if later else Permanent)(f"the gateway answered {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Temporary(f"the gateway cannot be reached: {type(error).__name__}") from error

    def reach(self, number: str) -> bool | None:
        """Whether a number can be sent messages now; None where the gateway does not say (or is not asked, or down)."""
        if self._reach_url is None:
            return None
        request = urllib.request.Request(  # noqa: S310 - the scheme was judged above
            self._reach_url, json.dumps({"to": number}).encode(), self._headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=min(self._timeout, _REACH_SECONDS)) as answer:
                told = json.loads(answer.read(_REACH_MOST))
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        reachable = told.get("reachable") if isinstance(told, dict) else None
        return reachable if isinstance(reachable, bool) else None

    def close(self) -> None:
        """Nothing is kept open."""
