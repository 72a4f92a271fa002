"""What a browser carries: opaque cookies, the token that guards its forms, its language and where it comes from."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response

from idp.model import Source
from idp.vault import Vault

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_AGENTS: Final = (("edg", "edge"), ("firefox", "firefox"), ("chrome", "chrome"), ("safari", "safari"))
_VERSIONS: Final = {
    "edge": re.compile(r"Edg/(\d+)"),
    "firefox": re.compile(r"Firefox/(\d+)"),
    "chrome": re.compile(r"Chrome/(\d+)"),
    "safari": re.compile(r"Version/(\d+)"),
}


def agent_of(user_agent: str) -> tuple[str, int]:
    """The browser's family and major version as it says; ("other", 0) where it says nothing known."""
    folded = user_agent[:512].casefold()
    family = next((name for mark, name in _AGENTS if mark in folded), "other")
    found = _VERSIONS[family].search(user_agent[:512]) if family in _VERSIONS else None
    return family, int(found[1][:6]) if found else 0


def origin_of(address: str) -> str:
    """Scheme, host and port of an address (RFC 6454)."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies of the house. Over https they are ``__Host-``: secure, of this host alone, for every path."""

    vault: Vault
    issuer: str

    @property
    def secure(self) -> bool:
        """Whether browsers reach the house over https; only a development issuer on localhost is not."""
        return self.issuer.startswith("https://")

    def name(self, what: str) -> str:
        """The full name of one of the cookies."""
        return f"__Host-idp_{what}" if self.secure else f"idp_{what}"

    def read(self, request: Request, what: str) -> str | None:
        """The value of a cookie where it can be one of ours; two cookies of one name are none."""
        values = request.cookies.getlist(self.name(what))
        return values[0] if len(values) == 1 and _TOKEN.fullmatch(values[0]) else None

    def signed(self, request: Request, what: str) -> str | None:
        """An identifier that this house gave, as its mark shows; a value made elsewhere is not adopted."""
        values = request.cookies.getlist(self.name(what))
        secret, _, mark = values[0].partition(".") if len(values) == 1 else ("", "", "")
        return secret if secret and self.vault.same(mark, self._mark(what, secret)) else None

    def give_signed(self, response: Response, what: str, secret: str, max_age: int | None = None) -> None:
        """Let the browser carry an identifier with the mark of this house, for ``max_age`` seconds or until it closes."""
        self._set(response, what, f"{secret}.{self._mark(what, secret)}", max_age)

    def give(self, response: Response, what: str, value: str, max_age: int | None = None) -> None:
        """Set one of the cookies, for ``max_age`` seconds or until the browser closes."""
        self._set(response, what, value, max_age)

    def give_language(self, response: Response, locale: str) -> None:
        """Remember the language chosen until the browser closes: then a client's wish and the browser's own count again."""
        self._set(response, "language", locale, None)

    def carried(self, request: Request, what: str) -> bool:
        """Whether the browser sends a cookie of this name, whatever it says."""
        return self.name(what) in request.cookies

    def forget(self, response: Response, what: str) -> None:
        """Take a cookie back."""
        response.delete_cookie(self.name(what), path="/", secure=self.secure, httponly=True, samesite="Lax")

    def form_token(self, *bound_to: str) -> str:
        """The token of a form, bound to the cookies given (OWASP: HMAC-based token pattern)."""
        return self.vault.keyed("form", "|".join(bound_to))

    def _mark(self, what: str, secret: str) -> str:
        return self.vault.keyed(f"cookie {what}", secret)[:32]

    def _set(self, response: Response, what: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            self.name(what), value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def source(self, request: Request, bucket: str) -> Source:
        """Where the request comes from, as far as policy may know."""
        return Source(bucket, self.signed(request, "device"), agent_of(request.headers.get("User-Agent", ""))[0])

    def same_origin(self, request: Request) -> bool:
        """Whether a form was sent from a page of this house, as far as the browser says (Origin, Sec-Fetch-Site)."""
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        return (origin is None or origin == origin_of(self.issuer)) and site in ("same-origin", "none")
