"""Signing out at a client's wish (OpenID Connect RP-Initiated Logout 1.0): at once where it proves whom it means.

Other clients that the browser went to are told through it where they ask for that (Front-Channel Logout 1.0): the page at the
end opens their addresses, unseen, and leads on when they have answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from authlib.oauth2 import OAuth2Error
from flask import Request, Response

from idp.flows import grant
from idp.flows.world import World
from idp.model import Account, Client, Session
from idp.oauth.clients import Clients
from idp.oauth.door import Pages, SignInDoor
from idp.oauth.wire import body_of, parse, single
from idp.vault.signing import KeyRing

_LONGEST_STATE = 4096
_LONGEST_ADDRESS = 12_000
# What the confirmation page carries on, to be judged again.
_CARRIED = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request understood: who asks, where to go afterwards, and the sign-in it proves to mean, if it does.

    An expired hint proves it too (2): what it names may be long over, and to sign out is all that it does.
    """

    values: Mapping[str, str]
    client: Client | None
    address: str | None
    hint: Mapping[str, object] | None
    locale: str | None

    def means(self, session: Session, world: World) -> bool:
        """Whether the hint is of this very session, in the names under which its client knows it and the person."""
        if self.hint is None or self.client is None:
            return False
        named = (world.alias(self.client, session.public_id), world.subject(self.client, session.account_id))
        return (self.hint.get("sid"), self.hint["sub"]) == named

    def onward(self) -> str | None:
        """Where to go afterwards: the registered address with the state just as it came."""
        state = self.values.get("state")
        if self.address is None or state is None:
            return self.address
        return joined(self.address, {"state": state})


@dataclass(frozen=True, slots=True)
class Logout:
    """The endpoint with what it works on."""

    world: World
    clients: Clients
    keys: KeyRing
    door: SignInDoor
    pages: Pages

    def ask(self, request: Request) -> Response:
        """``GET`` and ``POST /logout``."""
        wish = self._read(request)
        if isinstance(wish, Response):
            return wish
        held = self.door.session(request)
        address = f"/logout?{urlencode(wish.values)}"
        if request.method == "POST" and held is None and len(address) <= _LONGEST_ADDRESS:
            # Another site's POST comes without cookies (SameSite); the same request as a GET brings them.
            return _see_other(address)
        if held is None:
            return self._after(request, wish if wish.hint is not None else None, wish.locale)
        if wish.means(held[0], self.world):
            return self._end(request, held, wish)
        # No proof: the person is asked, and nothing of a hint that contradicts is believed.
        contradicts = "id_token_hint" in wish.values
        carried = () if contradicts else _CARRIED
        fields = {name: wish.values[name] for name in carried if name in wish.values}
        return self.pages.sign_out(request, fields, wish.locale)

    def confirm(self, request: Request) -> Response:
        """``POST /logout/confirm``, from our own page."""
        if not self.pages.confirmed(request):
            return self.pages.error(403, "access_denied", "The form was not shown to this browser.")
        wish = self._understood({name: value for name, value in request.form.items() if name in _CARRIED})
        held = self.door.session(request)
        return self._after(request, wish, wish.locale) if held is None else self._end(request, held, wish)

    def _read(self, request: Request) -> _Wish | Response:
        try:
            pairs = parse(request.query_string) + (parse(body_of(request)) if request.method == "POST" else [])
            values, _ = single(pairs)
        except OAuth2Error as error:
            return self.pages.error(error.status_code, str(error.error), str(error.description))
        if len(values.get("state", "")) > _LONGEST_STATE:
            return self.pages.error(400, "invalid_request", "The state is too long.")
        return self._understood(values)

    def _understood(self, values: Mapping[str, str]) -> _Wish:
        """Who asks is named by the hint or ``client_id``, which must agree; the address is compared letter by letter."""
        hint = self.keys.verify(values["id_token_hint"], "JWT") if "id_token_hint" in values else None
        if hint is not None and hint.get("iss") != self.world.issuer:
            hint = None
        named = values.get("client_id")
        if hint is not None and named not in {None, hint["aud"]}:
            hint = named = None
        found = self.clients.find(str(hint["aud"]) if hint is not None else named)
        client = found.client if found is not None else None
        address = values.get("post_logout_redirect_uri")
        if address is not None and (client is None or address not in client.post_logout_redirect_uris):
            hint = address = None
        wished = (tag.split("-")[0].lower() for tag in values.get("ui_locales", "").split(" "))
        locale = next((tag for tag in wished if tag in self.world.languages), None)
        return _Wish(values, client, address, hint if client is not None else None, locale)

    def _end(self, request: Request, held: tuple[Session, Account], wish: _Wish) -> Response:
        gone_to = grant.end_session(self.world, held[0])
        frames = [self._frame(client, held[0]) for client in gone_to if client.frontchannel_logout_uri]
        return self.door.forget(self._after(request, wish, wish.locale, frames))

    def _frame(self, client: Client, session: Session) -> str:
        """The client's address with which session has ended (Front-Channel Logout 1.0, 2)."""
        told = {"iss": self.world.issuer, "sid": self.world.alias(client, session.public_id)}
        return joined(client.frontchannel_logout_uri or "", told)

    def _after(self, request: Request, wish: _Wish | None, locale: str | None, frames: Sequence[str] = ()) -> Response:
        onward = None if wish is None else wish.onward()
        if onward is None or frames:
            return self.pages.signed_out(request, wish.client if wish else None, locale, frames, onward)
        return _see_other(onward)


def joined(address: str, parameters: Mapping[str, str]) -> str:
    """An address with parameters after those it has."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters, quote_via=quote)}"


def _see_other(address: str) -> Response:
    return Response(status=303, headers=[("Location", address), ("Cache-Control", "no-store")])
