"""The page for devices without a browser (RFC 8628): the code that a device shows, who asks for what, and the answer.

Whoever comes with the code in the address sees it filled in, and goes on by pressing a button: no link decides anything.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from flask import Blueprint, Response, request

from idp.flows import grant, sign_in
from idp.flows.facts import Looked, look
from idp.model import Account, Session
from idp.policies import device
from idp.policies.steps import Done
from idp.web import forms
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/device"
_ENDS: Final = frozenset({"allowed", "denied"})
# What is shown again of a code that was typed; an honest one has eight letters and a dash.
_LONGEST: Final = 32


class Devices:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._code, self._decision = forms.DeviceCode(), forms.Decision()

    def ask(self) -> Response:
        """GET /device: the field for the code, or what became of the device."""
        done = request.args.get("done", "")
        if done in _ENDS:
            return self.house.page("device_done.html", done=done, here=f"{HOME}?done={done}", back_href="/")
        return self._field(typed=request.args.get("user_code", ""))

    def take(self) -> Response:
        """POST /device: the code; then the sign-in that the device's client asks for."""
        typed = request.form.get("user_code", "")
        if not self.house.genuine():
            return self._field(403, typed, errors=("csrf",))
        values, faults = forms.read(self._code, request.form)
        if faults:
            return self._field(422, typed, fields=faults)
        waiting = grant.waiting_for(self.world, values["user_code"])
        if waiting is None:
            return self._field(422, typed, fields={"user_code": ("device_code",)})
        # Looked at as its client wants it: one that rested for too long is not woken by this question.
        held = self.house.session(self.world.clients[waiting.client_id].session_idle)
        ask = grant.ask_for_device(self.world, waiting, held[0] if held is not None else None)
        return self.house.away(f"/sign-in/{sign_in.begin(self.world, ask, self.house.browser_secret(), held)}")

    def show(self, transaction: str) -> Response:
        """GET /device/<transaction>: signed in; who asks for what, and whether that is allowed."""
        found = self._found(transaction)
        return found if isinstance(found, Response) else self._question(*found)

    def decide(self, transaction: str) -> Response:
        """POST /device/<transaction>: the answer."""
        found = self._found(transaction)
        if isinstance(found, Response):
            return found
        looked, held, waiting = found
        if not self.house.genuine(held[0].public_id):
            return self._question(looked, held, waiting, 403, errors=("csrf",))
        values, faults = forms.read(self._decision, request.form)
        if faults:
            return self._question(looked, held, waiting, 422, errors=("choose_one",))
        allow = values["decision"] == "allow"
        if not grant.decide(self.world, looked, held[0], allow=allow):
            return self._over()
        return self.house.away(f"{HOME}?done={'allowed' if allow else 'denied'}")

    def _found(self, transaction: str) -> tuple[Looked, Held, device.Waiting] | Response:
        """The sign-in that led here, finished, with its session and the device; or where to go instead."""
        looked = look(self.world, self.house.visit(transaction))
        if looked is None or not looked.sign_in.ask.user_code:
            return self._over()
        if not isinstance(looked.step, Done) or not looked.sign_in.finished:
            return self.house.away(f"/sign-in/{quote(transaction)}")
        held, waiting = self.house.session(), grant.waiting_for(self.world, looked.sign_in.ask.user_code)
        if held is None or waiting is None or held[1].id != looked.sign_in.account_id:
            return self._over()
        return looked, held, waiting

    def _field(self, code: int = 200, typed: str = "", **shown: Any) -> Response:
        return self.house.page("device.html", code, action=HOME, values={"user_code": typed[:_LONGEST]}, **shown)

    def _question(self, looked: Looked, held: Held, waiting: device.Waiting, code: int = 200, **shown: Any) -> Response:
        address = f"{HOME}/{quote(looked.visit.transaction)}"
        return self.house.page(
            "device_allow.html",
            code,
            action=address,
            here=address,
            csrf=self.house.token(held[0].public_id),
            client_name=self.world.clients[waiting.client_id].name,
            scope=waiting.scope,
            user_code=device.shown(waiting.user_code),
            username=held[1].username,
            **shown,
        )

    def _over(self) -> Response:
        return self.house.error(404, "expired", retry_href=HOME)


def add_to(blueprint: Blueprint, house: House, codes: Limit) -> None:
    """Put the views into the blueprint; ``codes`` throttles the codes tried (RFC 8628 5.1)."""
    views = Devices(house)
    blueprint.add_url_rule(HOME, "device", views.ask, methods=["GET"])
    blueprint.add_url_rule(HOME, "device_take", codes(views.take), methods=["POST"])
    blueprint.add_url_rule(f"{HOME}/<transaction>", "device_show", views.show, methods=["GET"])
    blueprint.add_url_rule(f"{HOME}/<transaction>", "device_decide", views.decide, methods=["POST"])
