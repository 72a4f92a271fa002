"""How long someone stays signed in, as pages ask it to warn before the end: this house's own, and those of portals.

A portal's page stands at another origin. It may ask where its origin is that of an address to which this house answers its
client, and where the browser sends the session's cookie along, which it does between hosts of one site alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows.known_clients import all_of
from idp.flows.sign_in import used
from idp.model import Account, Client, Session
from idp.policies.sessions import ending
from idp.web.browser import origin_of
from idp.web.house import House, left

Held = tuple[Session, Account]
_TOKEN: Final = "X-Form-Token"  # noqa: S105 - the name of a header
_JSON: Final = "application/json"
# For how long a browser may keep the answer to a preflight, in seconds.
_KEPT: Final = "600"


def origins(clients: Iterable[Client]) -> frozenset[str]:
    """The origins whose pages may ask: those of the operator's own clients that sign people in, letter by letter.

    A client for which people are asked to agree is somebody else's: it is not told who is signed in here, nor when.
    """
    own = [one for one in clients if not one.disabled and not one.consent and "authorization_code" in one.grant_types]
    addresses = [address for one in own for address in one.redirect_uris]
    return frozenset(origin_of(address) for address in addresses if address.startswith(("https://", "http://")))


class Watching:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._seen: tuple[Mapping[str, Client], frozenset[str]] = ({}, frozenset())

    def ask(self) -> Response:
        """GET /session: how long it lasts, in JSON. The question itself is no activity."""
        if self._portal() and not self._reached():
            return self._answer({"error": "cross_site"}, 403)
        return self._told(self.house.glance())

    def stay(self) -> Response:
        """POST /session: someone is still there; the end moves as by any other page."""
        held = self.house.glance()
        if self._portal():
            # JSON, which no form sends: the browser has asked beforehand whether this origin may.
            genuine = self._reached() and request.mimetype == _JSON
        else:
            genuine = self.house.genuine(held[0].public_id if held else "", request.headers.getlist(_TOKEN))
        if not genuine:
            return self._answer({"error": "csrf"}, 403)
        return self._told(used(self.world, held) if held is not None else None)

    def may(self) -> Response:
        """OPTIONS /session: whether a page of another origin may ask (the preflight of Fetch 3.2.2)."""
        answer = Response(status=204)
        if self._portal():
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST"
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
            answer.headers["Access-Control-Max-Age"] = _KEPT
        return self._marked(answer)

    def over(self) -> Response:
        """GET /session/over: where the pages go at the end."""
        if self.house.glance() is not None:
            return self.house.away("/")
        back = self.house.brand.home or None
        return self.house.page("signed_out.html", why="over", back_href=back, sign_in_href="/sign-in", watch=None)

    def _portal(self) -> bool:
        """Whether the page that asks is a portal's."""
        return request.headers.get("Origin") in self._portals()

    def _portals(self) -> frozenset[str]:
        """The origins of portals, worked out anew when a client has changed."""
        present = all_of(self.world.clients)
        if self._seen[0] is not present:
            self._seen = (present, origins(present.values()) - {origin_of(self.world.issuer)})
        return self._seen[1]

    def _reached(self) -> bool:
        """Whether the browser says that the portal is of our site: only then has it sent the session's cookie along.

        Elsewhere "not signed in" would be told of everybody.
        """
        return request.headers.get("Sec-Fetch-Site") == "same-site"

    def _told(self, held: Held | None) -> Response:
        if held is None:
            return self._answer({"signed_in": False}, 200)
        end = ending(held[0], self.world.policy.session)
        return self._answer({"signed_in": True, **left(end, self.world.clock())}, 200)

    def _answer(self, values: dict[str, Any], code: int) -> Response:
        return self._marked(self.house.data(values, code))

    def _marked(self, answer: Response) -> Response:
        """The answer, readable by the portal that asked and by nobody else."""
        answer.headers["Vary"] = "Origin"
        if self._portal():
            answer.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            answer.headers["Access-Control-Allow-Credentials"] = "true"
        return answer


def add_to(blueprint: Blueprint, house: House) -> None:
    """Put the views into the blueprint."""
    views = Watching(house)
    for name, view, method in (("", views.ask, "GET"), ("_stay", views.stay, "POST"), ("_may", views.may, "OPTIONS")):
        blueprint.add_url_rule("/session", f"session{name}", view, methods=[method], provide_automatic_options=False)
    blueprint.add_url_rule("/session/over", "session_over", views.over, methods=["GET"])
