"""The doors of recovery: what was forgotten, and who asks. All that follows is a step of a sign-in, at its own address.

Nothing that is typed here is judged beyond its shape: whoever matches or not is led on in the same way.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request
from marshmallow import Schema

from idp.flows import recover
from idp.flows.facts import Looked, look
from idp.model import Lost
from idp.policies import recovery
from idp.policies.recovery import Named
from idp.web import forms
from idp.web.house import House

_TRANSACTION_MAX = 64
_SHOWN_MAX = 320


class Recovery:
    """The views that begin and end a recovery, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self.offered = {lost.value: lost for lost in recovery.offered(house.world.policy)}
        self.schemas: Mapping[Lost, Schema] = {lost: self._schema(lost) for lost in self.offered.values()}

    def choose(self) -> Response:
        """GET /recover: what was forgotten; where policy offers one way only, that one."""
        if len(self.offered) == 1:
            return self.house.away(self._address(next(iter(self.offered.values()))))
        if not self.offered:
            return self.house.error(404, "not_found")
        ways = [(lost.value, self._address(lost)) for lost in self.offered.values()]
        return self._page("recover.html", ways=ways)

    def ask(self, lost: str) -> Response:
        """GET /recover/<lost>: the form by which someone is found."""
        known = self.offered.get(lost)
        return self._form(known) if known is not None else self.house.error(404, "not_found")

    def take(self, lost: str) -> Response:
        """POST /recover/<lost>: who asks; the next step is shown within a sign-in."""
        known = self.offered.get(lost)
        if known is None:
            return self.house.error(404, "not_found")
        if not self.house.genuine():
            return self._form(known, 403, errors=("csrf",))
        values, faults = forms.read(self.schemas[known], request.form)
        if faults:
            return self._form(known, 422, fields=dict(_told(faults)))
        if values.pop("no_password", ""):
            values["password"] = ""
        looked = recover.begin(self.world, self.house.visit(self._transaction()), known, Named(**values))
        return self._on(looked)

    def pin(self) -> Response:
        """POST /recover/pin: the PIN is forgotten; only behind a correct password does anything come of it."""
        return self._within(recover.begin_pin)

    def cancel(self) -> Response:
        """POST /recover/cancel: back to where the recovery began."""
        return self._within(recover.abandon)

    def _within(self, run: Callable[..., Looked | None]) -> Response:
        transaction = self._transaction()
        looked = look(self.world, self.house.visit(transaction))
        if looked is None:
            return self._on(None)
        if not self.house.genuine():
            return self.house.error(403, "csrf", retry_href=f"/sign-in/{quote(transaction)}")
        return self._on(run(self.world, looked))

    def _on(self, looked: Looked | None) -> Response:
        if looked is None:
            return self.house.error(404, "expired", retry_href=self.house.brand.home or "/sign-in")
        return self.house.away(f"/sign-in/{looked.visit.transaction}")

    def _form(self, lost: Lost, status: int = 200, **shown: Any) -> Response:
        asked = recovery.method(lost, self.world.policy).identify_by
        typed = {name: request.form.get(name, "")[:_SHOWN_MAX] for name in (*asked, "no_password")}
        others = [(other.value, self._address(other)) for other in self.offered.values() if other is not lost]
        context = {"lost": lost.value, "asked": asked, "values": typed, "others": others, **shown}
        return self._page("recover_form.html", status, action=f"/recover/{lost}", here=self._address(lost), **context)

    def _page(self, template: str, status: int = 200, **shown: Any) -> Response:
        """A page in the language of the sign-in that it belongs to, with the way back to it."""
        transaction = self._transaction()
        looked = look(self.world, self.house.visit(transaction)) if transaction else None
        back = {"sign_in_href": f"/sign-in/{quote(transaction)}" if transaction else "/sign-in"}
        hidden = {"sign_in": transaction} if transaction else {}
        locale = looked.sign_in.ask.locale if looked is not None else None
        return self.house.page(template, status, locale=locale, hidden=hidden, **back, **shown)

    def _address(self, lost: Lost) -> str:
        transaction = self._transaction()
        return f"/recover/{lost}" + (f"?{urlencode({'sign_in': transaction})}" if transaction else "")

    def _schema(self, lost: Lost) -> Schema:
        asked = recovery.method(lost, self.world.policy).identify_by
        if lost is Lost.USERNAME:
            return forms.NamedWithPassword(only=(*asked, "password", "no_password"))
        return forms.Named(only=asked)

    @staticmethod
    def _transaction() -> str:
        """The sign-in that the recovery belongs to, if it began at one."""
        return request.values.get("sign_in", "")[:_TRANSACTION_MAX]


def add_to(blueprint: Blueprint, house: House, limited: Callable[[Callable[..., Response]], Callable[..., Response]]) -> None:
    """Put the views of recovery into the blueprint; ``limited`` throttles its beginnings by source address."""
    views = Recovery(house)
    blueprint.add_url_rule("/recover", "recover", views.choose, methods=["GET"])
    blueprint.add_url_rule("/recover/<lost>", "recover_ask", views.ask, methods=["GET"])
    blueprint.add_url_rule("/recover/<lost>", "recover_take", limited(views.take), methods=["POST"])
    blueprint.add_url_rule("/recover/pin", "recover_pin", limited(views.pin), methods=["POST"])
    blueprint.add_url_rule("/recover/cancel", "recover_cancel", views.cancel, methods=["POST"])


def _told(faults: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Faults by field; of a password that is missing the words name the box that stands for it."""
    for name, found in faults.items():
        yield name, ("password_or_box",) if name == "password" and found == ("required",) else found
