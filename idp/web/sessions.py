"""Where someone is signed in, and for how long: the list in My Profile, and what the pages ask to warn before the end."""

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import depart
from idp.flows.resident import Resident, resident
from idp.language import format_instant
from idp.model import Account, Session
from idp.policies.sessions import ending
from idp.web import forms
from idp.web.house import House, left

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/sessions"
_TOKEN: Final = "X-Form-Token"  # noqa: S105 - the name of a header
_NEWS: Final = {"one": "session_ended", "others": "others_ended"}


class Sessions:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._one = forms.OneSession()

    # The list in My Profile

    def overview(self) -> Response:
        """GET /profile/sessions: every place."""
        held = self.house.session()
        return self._away() if held is None else self._page(held)

    def end_one(self) -> Response:
        """POST /profile/sessions/end: one of them, by the id that the list shows; anybody else's is not found."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        values, faults = forms.read(self._one, request.form)
        if faults or not depart.end(self.world, self._who(held), values["id"]):
            return self.house.error(404, "not_found", retry_href=HOME)
        return self.house.away(f"{HOME}?done=one")

    def end_others(self) -> Response:
        """POST /profile/sessions/others: all but this browser."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        depart.end_others(self.world, self._who(held))
        return self.house.away(f"{HOME}?done=others")

    def end_every(self) -> Response:
        """POST /profile/sessions/all: everything, here too."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        depart.end_every(self.world, self._who(held))
        answer = self.house.page("signed_out.html", why="everywhere", here="", watch=None, sign_in_href="/sign-in")
        return self.house.part(answer)

    # What the pages ask, to warn before the end

    def ask(self) -> Response:
        """GET /session: how long it lasts, in JSON. The question itself is no activity."""
        return self._told(self.house.glance())

    def stay(self) -> Response:
        """POST /session: someone is still there; the end moves as by any other page."""
        held = self.house.glance()
        if not self.house.genuine(held[0].public_id if held else "", request.headers.getlist(_TOKEN)):
            return self.house.data({"error": "csrf"}, 403)
        return self._told(self.house.session())

    def over(self) -> Response:
        """GET /session/over: where the pages go at the end."""
        if self.house.glance() is not None:
            return self.house.away("/")
        back = self.house.brand.home or None
        return self.house.page("signed_out.html", why="over", back_href=back, sign_in_href="/sign-in", watch=None)

    def _told(self, held: Held | None) -> Response:
        if held is None:
            return self.house.data({"signed_in": False}, 200)
        end = ending(held[0], self.world.policy.session)
        return self.house.data({"signed_in": True, **left(end, self.world.clock())}, 200)

    def _page(self, held: Held, code: int = 200, **shown: Any) -> Response:
        told = _NEWS.get(request.args.get("done", ""), "")
        return self.house.page(
            "sessions.html",
            code,
            told="" if shown else told,
            csrf=self.house.token(held[0].public_id),
            places=[self._shown(held, one) for one in depart.places(self.world, self._who(held))],
            **shown,
        )

    def _shown(self, held: Held, one: Session) -> dict[str, Any]:
        return {
            "id": one.public_id,
            "agent": one.agent,
            "here": one.id == held[0].id,
            "began": self._moment(held[1], one.created_at),
            "used": self._moment(held[1], one.last_seen_at),
        }

    def _moment(self, account: Account, moment: Any) -> str:
        return format_instant(moment, self.house.locale(), account.zone, self.world.clock())

    def _who(self, held: Held) -> Resident:
        return resident(self.world, *held, self.house.source())

    def _away(self) -> Response:
        return self.house.away("/sign-in")


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views into the blueprint; ``limited`` throttles what ends something by source address."""
    views = Sessions(house)
    blueprint.add_url_rule(HOME, "sessions", views.overview, methods=["GET"])
    for name, view in (("end", views.end_one), ("others", views.end_others), ("all", views.end_every)):
        blueprint.add_url_rule(f"{HOME}/{name}", f"sessions_{name}", limited(view), methods=["POST"])
    blueprint.add_url_rule("/session", "session", views.ask, methods=["GET"])
    blueprint.add_url_rule("/session", "session_stay", views.stay, methods=["POST"])
    blueprint.add_url_rule("/session/over", "session_over", views.over, methods=["GET"])
