"""The portal's pages. Each is short: find the session, ask the provider or a backend, show what came."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
from babel.dates import format_date, format_time
from babel.numbers import format_currency
from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answered

from examples.portal.backends import Answer, fetch, look_inside
from examples.portal.oidc import Provider, Refused
from examples.portal.sessions import Session, Sessions, SignedIn
from examples.portal.texts import LANGUAGES, text

SCOPE = "openid profile email billing:read billing:write service:read"
COOKIE = "portal_session"
NAME = '{"id_token":{"name":null,"given_name":null}}'

pages = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Portal:
    """What the pages need."""

    provider: Provider
    sessions: Sessions
    url: str
    billing: str
    service: str


def install(app: Flask) -> None:
    """Put the pages, their words and their headers on an application."""
    app.register_blueprint(pages)
    app.register_error_handler(Refused, lambda refused: error_page(refused.code))
    app.register_error_handler(HTTPException, lambda error: error_page("request", error.code or 500))
    app.before_request(_remember)
    app.after_request(_headers)
    app.jinja_env.filters.update(
        money=lambda cents, currency: format_currency(cents / 100, currency, locale=g.language),
        day=lambda iso: format_date(date.fromisoformat(iso), "d MMMM", locale=g.language),
        clock=lambda seconds: format_time(datetime.fromtimestamp(seconds, UTC).astimezone(), "HH:mm:ss", locale=g.language),
    )
    app.context_processor(
        lambda: {
            "t": lambda key, **values: text(g.language, key, **values),
            "languages": LANGUAGES,
            "provider": _portal().provider.origin(),
        }
    )


def _portal() -> Portal:
    portal: Portal = current_app.extensions["portal"]
    return portal


def _remember() -> None:
    g.session = _portal().sessions.find(request.cookies.get(COOKIE, ""))
    asked = request.args.get("lang") or request.cookies.get("portal_language")
    g.language = asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "en"


def _headers(response: Response) -> Response:
    secure = _portal().url.startswith("https:")
    session: Session | None = g.get("session")
    if session is not None and request.cookies.get(COOKIE) != session.id:
        response.set_cookie(COOKIE, session.id, httponly=True, samesite="Lax", secure=secure)
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie("portal_language", g.language, max_age=31_536_000, samesite="Lax", secure=secure)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    # Signing out is a form whose answer leads to the provider: browsers hold redirects to form-action too. The provider's
    # script warns before the session ends, and asks the provider when that is.
    provider = _portal().provider.origin()
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {provider}; script-src {provider}; connect-src {provider}"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@pages.get("/")
def home() -> str | Answered:
    """The landing page; for someone signed in, their bill and their fault."""
    portal, session = _portal(), g.session
    if session is None or session.person is None:
        return render_template("landing.html")
    person: SignedIn = session.person
    try:
        bill = _ask(person, portal.billing, "/bills/latest")
        fault = _ask(person, portal.service, "/faults/open")
    except Refused as refused:
        if refused.code != "invalid_grant":
            raise
        g.session = portal.sessions.new(replacing=session)  # the grant is dead: signed out elsewhere, or suspended
        return error_page("session_over")
    trial, session.trial = session.trial, None
    return render_template("home.html", person=person, bill=bill, fault=fault, tokens=_tokens(person), trial=trial)


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Answered:
    """Start signing in; also when a third party asks (OpenID Connect Core, section 4): then `iss` must be ours."""
    if request.values.get("iss", _portal().provider.issuer) != _portal().provider.issuer:
        raise Refused("issuer_mismatch")
    hint = request.values.get("login_hint", "")[:200]
    return _authorize(login_hint=hint) if hint else _authorize()


@pages.get("/callback")
def callback() -> Answered:
    """The provider's answer: match it to our request, redeem the code, start a session under a new id."""
    portal, session = _portal(), g.session
    attempt = session.attempts.pop(request.args.get("state", ""), None) if session else None
    if attempt is None and request.args.get("error") == "login_required":
        return redirect(url_for("pages.still_there"), 303)  # another tab was told the same a moment ago
    if attempt is None:
        raise Refused("stale_sign_in")
    if request.args.get("iss") != portal.provider.issuer:  # RFC 9207, section 2.4: before anything else is believed
        raise Refused("issuer_mismatch")
    if "error" in request.args and attempt.silent:
        g.session = portal.sessions.new(replacing=session)
        return redirect(url_for("pages.still_there"), 303)
    if "error" in request.args:
        raise Refused(request.args["error"])
    tokens = portal.provider.exchange(request.args.get("code", ""), attempt.verifier, f"{portal.url}/callback", portal.billing)
    claims = portal.provider.identity(tokens.id_token, attempt.nonce)
    g.session = portal.sessions.new(replacing=session)
    g.session.person = SignedIn(
        subject=claims["sub"],
        sid=str(claims.get("sid") or ""),
        name=str(claims.get("given_name") or claims.get("name") or ""),
        id_token=tokens.id_token,
        refresh_token=tokens.refresh_token,
        access={portal.billing: tokens},
        wanted=attempt.wanted,
    )
    return redirect(attempt.then, 303)


@pages.get("/still-there")
def still_there() -> Answered:
    """Ask the provider whether the person is still signed in there, showing nothing; if not, they are signed out here too."""
    if g.session is None or g.session.person is None:
        return Response(render_template("signed_out.html", why="over"))
    return _authorize(prompt="none")


@pages.get("/itemised")
def itemised() -> str | Answered:
    """The itemised bill, which wants more than the sign-in."""
    if g.session is None or g.session.person is None:
        return redirect(url_for("pages.home"), 303)
    answer = _ask(g.session.person, _portal().billing, "/bills/itemised")
    if answer.outcome == "ok":
        g.session.person.wanted = {}  # when the proof has grown old, it may be asked for again
        return render_template("itemised.html", bill=answer.data)
    return _otherwise(answer, then=url_for("pages.itemised"))


@pages.get("/order")
def offers() -> str | Answered:
    """What can be ordered; whoever comes back with the extra proof finds what they had chosen, to be confirmed."""
    if g.session is None or g.session.person is None:
        return redirect(url_for("pages.home"), 303)
    answer = _ask(g.session.person, _portal().billing, "/orders")
    if answer.outcome == "ok":
        return render_template("order.html", orders=answer.data, chosen=request.args.get("chosen", ""))
    return _otherwise(answer, then=url_for("pages.offers"))


@pages.post("/order")
def order() -> Answered:
    """Place an order, which wants the extra proof anew."""
    _check_form()
    if g.session.person is None:
        return redirect(url_for("pages.home"), 303)
    chosen = request.form.get("item", "")[:40]
    answer = _ask(g.session.person, _portal().billing, "/orders", {"item": chosen})
    if answer.outcome == "ok":
        g.session.person.wanted = {}
        return redirect(url_for("pages.offers"), 303)
    return _otherwise(answer, then=url_for("pages.offers", chosen=chosen))


@pages.post("/try-the-wrong-backend")
def try_the_wrong_backend() -> Answered:
    """Show a developer that service refuses the token made for billing."""
    _check_form()
    if g.session.person is None:
        return redirect(url_for("pages.home"), 303)
    portal = _portal()
    answer = fetch(f"{portal.service}/faults/open", g.session.person.token_for(portal.billing, portal.provider))
    g.session.trial = {"outcome": answer.outcome, "status": str(answer.status), "error": answer.error}
    return redirect(url_for("pages.home", _anchor="developers"), 303)


@pages.post("/sign-out")
def sign_out() -> Answered:
    """End our session, the grant, and the provider's session (RP-Initiated Logout)."""
    _check_form()
    portal, person = _portal(), g.session.person
    g.session = portal.sessions.new(replacing=g.session)
    if person is None:
        return redirect(url_for("pages.signed_out"), 303)
    state = g.session.sign_out_state = secrets.token_urlsafe(32)
    try:
        portal.provider.revoke(person.refresh_token)
        return redirect(portal.provider.sign_out_url(person.id_token, f"{portal.url}/signed-out", state), 303)
    except (Refused, httpx.HTTPError):  # the visitor is signed out here whatever the provider says
        return redirect(url_for("pages.signed_out"), 303)


@pages.post("/backchannel-logout")
def backchannel_logout() -> Answered:
    """The provider says that a session is over (Back-Channel Logout, section 2.5): ours ends with it."""
    portal = _portal()
    try:
        portal.sessions.end(*portal.provider.signed_out(request.form.get("logout_token", "")))
    except Refused as refused:
        down = refused.code == "temporarily_unavailable"
        return Response(f'{{"error": "{refused.code}"}}', 503 if down else 400, content_type="application/json")
    return Response(status=200)


@pages.get("/signed-out")
def signed_out() -> str | Answered:
    """Where the provider returns to; a foreign link here signs nobody out, so it claims nothing."""
    if g.session is not None and g.session.person is not None:
        return redirect(url_for("pages.home"), 303)
    expected = g.session.sign_out_state if g.session is not None else ""
    everywhere = bool(expected) and hmac.compare_digest(request.args.get("state", "").encode(), expected.encode())
    return render_template("signed_out.html", why="everywhere" if everywhere else "here")


@pages.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


def error_page(code: str, status: int = 0) -> Answered:
    """A page that says in plain words what happened and what to do next; unknown codes get the general words."""
    known = text(g.language, f"error.{code}", default="")
    page = render_template("error.html", message=known or text(g.language, "error.other"), code=code[:60])
    return Response(page, status or (503 if code == "temporarily_unavailable" else 400))


def _otherwise(answer: Answer, then: str) -> Answered:
    """Where a backend asks for a better sign-in, go and get it (RFC 9470, section 4), once; else say what is the matter."""
    person: SignedIn = g.session.person
    if answer.outcome == "stronger" and person.wanted != answer.wanted:
        return _authorize(then, answer.wanted, **answer.wanted)
    return error_page({"stronger": "extra_proof", "down": "temporarily_unavailable"}.get(answer.outcome, "token_refused"))


def _authorize(then: str = "/", wanted: dict[str, str] | None = None, **more: str) -> Answered:
    portal = _portal()
    g.session = g.session or portal.sessions.new()
    url = portal.provider.authorization_url(
        g.session.begin(then, wanted, silent=more.get("prompt") == "none"),
        f"{portal.url}/callback",
        SCOPE,
        [portal.billing, portal.service],
        claims=NAME,
        ui_locales=g.language,
        **more,
    )
    return redirect(url, 303)


def _ask(person: SignedIn, backend: str, path: str, order: dict[str, str] | None = None) -> Answer:
    return fetch(backend + path, person.token_for(backend, _portal().provider), order)


def _check_form() -> None:
    """Refuse a form that our own page didn't make."""
    if g.session is None or not hmac.compare_digest(request.form.get("csrf", "").encode(), g.session.csrf.encode()):
        raise Refused("stale_form")


def _tokens(person: SignedIn) -> list[dict[str, Any]]:
    return [{"expires_at": held.expires_at, **look_inside(held.access_token)} for held in person.access.values()]
