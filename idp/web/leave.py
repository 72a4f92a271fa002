"""Cancelling: the page in My Profile where a person gives a service back, or everything, and the farewell."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import leave
from idp.flows.leave import Given, Left, NotDone
from idp.flows.resident import resident
from idp.language import format_instant
from idp.model import Account, Session
from idp.web import forms
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/leave"
_NEWS: Final = {"service": "service_cancelled"}
# No service has such a name (settings/resources.py).
_ALL: Final = "*"


class Leaving:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._form = forms.Leave()

    def show(self) -> Response:
        """GET /profile/leave: what can be cancelled, and what that means."""
        held = self.house.session()
        return self._away() if held is None else self._page(held)

    def take(self) -> Response:
        """POST /profile/leave: one service or everything, under the present password."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        values, faults = forms.read(self._form, request.form)
        if "what" in faults or (values and values["what"] not in (_ALL, *self._services(held[1]))):
            faults = {**faults, "what": ("choose_one",)}
        if faults:
            return self._page(held, 422, fields=faults)
        who = resident(self.world, *held, self.house.source())
        if values["what"] == _ALL:
            return self._told(held, leave.cancel_all(self.world, who, values["current"]))
        return self._told(held, leave.cancel_service(self.world, who, values["current"], values["what"]))

    def _told(self, held: Held, outcome: Given | Left | NotDone) -> Response:
        match outcome:
            case Given():
                return self.house.away(f"{HOME}?done=service")
            case Left(goes_at):
                goes, home = self._moment(held[1], goes_at), self.house.brand.home or None
                return self.house.part(self.house.page("left.html", goes=goes, back_href=home, here="", watch=None))
            case NotDone.WRONG_SECRET:
                return self._page(held, 401, fields={"current": ("wrong_current",)})
            case NotDone.SIGNED_OUT:
                return self._away()

    def _page(self, held: Held, status: int = 200, **shown: Any) -> Response:
        session, account = held
        grace = self.world.policy.leaving.grace
        context: dict[str, Any] = {
            "told": _NEWS.get(request.args.get("done", ""), ""),
            "values": {"what": request.form.get("what", "")[:64]},
            "services": self._services(account),
            "goes": self._moment(account, self.world.clock() + grace if grace else None),
        }
        return self.house.page(
            "leave.html",
            status,
            action=HOME,
            csrf=self.house.token(session.public_id),
            username=account.username,
            **(context | shown),
        )

    def _services(self, account: Account) -> tuple[str, ...]:
        return tuple(sorted(account.entitlements))

    def _moment(self, account: Account, moment: datetime | None) -> str | None:
        if moment is None:
            return None
        return format_instant(moment, self.house.locale(), account.zone, self.world.clock())

    def _away(self) -> Response:
        return self.house.away("/sign-in?to=profile")


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views into the blueprint, where policy lets people cancel; ``limited`` throttles what is tried by source."""
    if not house.world.policy.leaving.enabled:
        return
    views = Leaving(house)
    blueprint.add_url_rule(HOME, "leave", views.show, methods=["GET"])
    blueprint.add_url_rule(HOME, "cancel", limited(views.take), methods=["POST"])
