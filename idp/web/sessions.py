"""Where someone is signed in, and on which devices they are known: the page in My Profile, and what ends there."""

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import depart
from idp.flows.resident import Resident, resident
from idp.language import format_instant
from idp.model import Account, Device, Session
from idp.web import forms
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/sessions"
DEVICES: Final = "/profile/devices"
_NEWS: Final = {
    "one": "session_ended",
    "others": "others_ended",
    "device": "device_forgotten",
    "devices": "devices_forgotten",
}


class Sessions:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._one = forms.OnePlace()

    def overview(self) -> Response:
        """GET /profile/sessions: every place, and every device."""
        held = self.house.session()
        return self._away() if held is None else self._page(held)

    def end_one(self) -> Response:
        """POST /profile/sessions/end: one of them, by the id that the list shows; anybody else's is not found."""
        return self._one_of(depart.end, "one")

    def end_others(self) -> Response:
        """POST /profile/sessions/others: all but this browser."""
        return self._all_of(depart.end_others, "others")

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

    def forget_one(self) -> Response:
        """POST /profile/devices/forget: one device, by the id that the list shows; anybody else's is not found."""
        return self._one_of(depart.forget, "device")

    def forget_others(self) -> Response:
        """POST /profile/devices/others: all but this browser."""
        return self._all_of(depart.forget_others, "devices")

    def _one_of(self, act: Callable[[Any, Resident, str], bool], done: str) -> Response:
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        values, faults = forms.read(self._one, request.form)
        if faults or not act(self.world, self._who(held), values["id"]):
            return self.house.error(404, "not_found", retry_href=HOME)
        return self.house.away(f"{HOME}?done={done}")

    def _all_of(self, act: Callable[[Any, Resident], None], done: str) -> Response:
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        act(self.world, self._who(held))
        return self.house.away(f"{HOME}?done={done}")

    def _page(self, held: Held, code: int = 200, **shown: Any) -> Response:
        told, who = _NEWS.get(request.args.get("done", ""), ""), self._who(held)
        devices, here = depart.devices(self.world, who)
        return self.house.page(
            "sessions.html",
            code,
            told="" if shown else told,
            csrf=self.house.token(held[0].public_id),
            places=[self._place(held, one) for one in depart.places(self.world, who)],
            devices=[self._device(held, one, here) for one in devices],
            **shown,
        )

    def _place(self, held: Held, one: Session) -> dict[str, Any]:
        return {
            "id": one.public_id,
            "agent": one.agent,
            "here": one.id == held[0].id,
            "began": self._moment(held[1], one.created_at),
            "used": self._moment(held[1], one.last_seen_at),
        }

    def _device(self, held: Held, one: Device, here: str) -> dict[str, Any]:
        return {
            "id": one.id,
            "agent": one.agent,
            "here": one.id == here,
            "first": self._moment(held[1], one.first_seen_at),
            "last": self._moment(held[1], one.last_seen_at),
            "remembered": one.remembered is not None and self.world.policy.session.remember_me != "off",
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
    for name, view in (("forget", views.forget_one), ("others", views.forget_others)):
        blueprint.add_url_rule(f"{DEVICES}/{name}", f"devices_{name}", limited(view), methods=["POST"])
