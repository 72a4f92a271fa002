"""What every view needs at hand, and how each of them answers: pages, redirects, and the cookies that go with them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Request, Response, g, request

from idp.flows.facts import Visit
from idp.flows.sign_in import usable_session
from idp.flows.world import World
from idp.language import Words, format_instant
from idp.model import Account, Brand, Session, Source
from idp.policies.sessions import Ending, ending
from idp.web.browser import Cookies, agent_of
from idp.web.rendering import Pages

# What every page tells the browser. A page of ours loads nothing from elsewhere, is framed nowhere and kept by no cache.
_HEADERS = {
    "Cache-Control": "no-store",
    # Not "no-referrer": under it browsers send "Origin: null" with a form, and forms are held against their origin.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
# Scripts of ours may ask this house and nobody else, on every page: a form may be sent to it from any page as well.
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
)
# The purpose of the token with which a page asks how strong a password is.
METER = "password strength"
_CLEARED = '"cache", "storage"'
DEVICE_AGE = 400 * 24 * 3600
_HERE_MAX = 512


@dataclass(frozen=True, slots=True)
class House:
    """The World and what belongs to its pages. ``bucket`` tells a request's source address bucket, ``request_id`` its id."""

    world: World
    pages: Pages
    words: Words
    brand: Brand
    cookies: Cookies
    bucket: Callable[[Request], str]
    request_id: Callable[[Request], str]
    tested: Mapping[str, int] = field(default_factory=dict)

    def locale(self, wanted: str | None = None) -> str:
        """The language of this answer: asked for in the address, chosen before, the client's wish, or the browser's own."""
        asked = " ".join(filter(None, (request.args.get("ui_locales"), self.cookies_language(), wanted)))
        return self.words.negotiate(asked, None, request.headers.get("Accept-Language"))

    def cookies_language(self) -> str | None:
        """The language chosen before."""
        return request.cookies.get(self.cookies.name("language"))

    def source(self) -> Source:
        """Where this request comes from."""
        return self.cookies.source(request, self.bucket(request))

    def visit(self, transaction: str) -> Visit:
        """This browser at the door of a sign-in; a browser that carries no cookie of ours opens none."""
        return Visit(transaction, self.browser_secret(), self.source())

    def browser_secret(self) -> str:
        """The browser's identifier, given now where it has none; ``page`` and ``away`` see to its cookie."""
        if "browser" not in g:
            known = self.cookies.signed(request, "browser")
            g.browser, g.browser_new = known or self.world.vault.token(), known is None
        return str(g.browser)

    def session(self, within: timedelta | None = None) -> tuple[Session, Account] | None:
        """The session of this browser and its account, where both still count; read once a request.

        Asking is activity, unless the session rested for longer than ``within``.
        """
        if "session" not in g:
            cookie = self.cookies.read(request, "session")
            g.session = usable_session(self.world, cookie, within=within) if cookie else None
        held: tuple[Session, Account] | None = g.session
        return held

    def glance(self) -> tuple[Session, Account] | None:
        """The session of this browser, looked at without being active: its end stays where it is."""
        cookie = self.cookies.read(request, "session")
        return usable_session(self.world, cookie, active=False) if cookie else None

    def token(self, purpose: str = "") -> str:
        """The token of this browser's forms."""
        return self.cookies.form_token(self.browser_secret(), purpose)

    def genuine(self, purpose: str = "", sent: Sequence[str] | None = None) -> bool:
        """Whether a form carries the token that was given to this browser, and came from a page of ours.

        ``sent`` are the tokens of a request that is no form.
        """
        sent = request.form.getlist("csrf") if sent is None else sent
        known = self.cookies.signed(request, "browser") is not None
        return (
            known
            and self.cookies.same_origin(request)
            and len(sent) == 1
            and self.world.vault.same(sent[0], self.token(purpose))
        )

    def page(
        self,
        template: str,
        code: int = 200,
        *,
        locale: str | None = None,
        targets: Iterable[str] = (),
        frames: Sequence[str] = (),
        **context: Any,
    ) -> Response:
        """A page, in the language of this answer, with what every page has.

        ``targets`` are addresses to which its form leads in the end: browsers hold redirects against form-action too.
        ``frames`` are addresses of others that it opens within itself.
        """
        spoken = self.locale(locale)
        context.setdefault("here", self.here())
        context.setdefault("csrf", self.token())
        context.setdefault("meter", self.token(METER))
        context.setdefault("watch", self._watch(spoken))
        family, version = agent_of(request.headers.get("User-Agent", ""))
        untested = version < self.tested.get(family, 1 << 20) if self.tested else False
        context |= {"browser_untested": untested, "request_id": self.request_id(request), "frames": frames}
        body = self.pages.render(template, spoken, **context)
        response = Response(body, code, headers=_HEADERS, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = _policy(targets, frames)
        if self.cookies.secure:
            response.headers["Strict-Transport-Security"] = "max-age=63072000"
        return self._dress(response, spoken)

    def data(self, values: Mapping[str, Any], code: int) -> Response:
        """An answer to a script of ours."""
        response = Response(json.dumps(values), code, headers=_HEADERS, content_type="application/json")
        return self._dress(response, None)

    def download(self, document: bytes, name: str) -> Response:
        """JSON to be kept as a file of that name."""
        response = Response(document, 200, headers=_HEADERS, content_type="application/json")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return self._dress(response, None)

    def away(self, address: str) -> Response:
        """See other: a form is never sent on (303, RFC 9700 4.12)."""
        headers = {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
        return self._dress(Response(status=303, headers=headers), None)

    def moved(self, address: str) -> Response:
        """An old address leads to a new one for good; browsers may remember it for a day."""
        headers = {"Location": address, "Cache-Control": "public, max-age=86400", "Referrer-Policy": "no-referrer"}
        return Response(status=301, headers=headers)

    def part(self, response: Response) -> Response:
        """Take the session's cookie back, and what the browser may have kept of its pages."""
        self.cookies.forget(response, "session")
        response.headers["Clear-Site-Data"] = _CLEARED
        return response

    def error(self, status: int, name: str, detail: str = "", *, retry_href: str | None = None) -> Response:
        """An error as a page for people, with the way on and the contacts."""
        return self.page(
            "error.html",
            status,
            name=name,
            detail=detail,
            status=status,
            retry_href=retry_href,
            back_href=self.brand.home or None,
            here="" if request.method != "GET" else self.here(),
        )

    def here(self) -> str:
        """This page's own address, for the language links."""
        kept = {name: value for name, value in request.args.items() if name != "ui_locales"}
        address = quote(request.path) + (f"?{urlencode(kept)}" if kept else "")
        return address if len(address) <= _HERE_MAX else quote(request.path[:_HERE_MAX])

    def _watch(self, spoken: str) -> dict[str, Any] | None:
        """What a page for someone signed in tells of the session's end; nothing on a page that asked for no session."""
        held: tuple[Session, Account] | None = g.get("session")
        if held is None:
            return None
        now, end = self.world.clock(), ending(held[0], self.world.policy.session)
        moment = format_instant(end.at, spoken, held[1].zone, now)
        return {**left(end, now), "moment": moment, "token": self.token(held[0].public_id)}

    def _dress(self, response: Response, spoken: str | None) -> Response:
        if g.get("browser_new"):
            self.cookies.give_signed(response, "browser", g.browser)
            g.browser_new = False
        if spoken and "ui_locales" in request.args and spoken != self.cookies_language():
            self.cookies.give_language(response, spoken)
        return response


def left(end: Ending, now: datetime) -> dict[str, Any]:
    """The whole seconds that are left of a session, and until its person is warned."""
    seconds = [max(0, int((moment - now).total_seconds())) for moment in (end.at, end.warned_from)]
    return {"ends_in": seconds[0], "warn_in": seconds[1], "absolute": end.absolute}


def _policy(targets: Iterable[str], frames: Iterable[str]) -> str:
    """A page's content security policy: its forms lead to ``targets``, and it holds ``frames``, if any."""
    framed = " ".join(dict.fromkeys(_origins(frames)))
    policy = _CSP.format(targets=" ".join(("'self'", *_origins(targets))))
    return f"{policy}; frame-src {framed}" if framed else policy


def _origins(targets: Iterable[str]) -> Iterable[str]:
    """The targets as sources of a content security policy: origins, or the scheme alone where there is no host."""
    for target in targets:
        parts = urlsplit(target)
        web = parts.scheme in ("http", "https")
        yield f"{parts.scheme}://{parts.netloc}" if web else f"{parts.scheme}:"
