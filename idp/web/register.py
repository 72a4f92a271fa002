"""The doors of registration: the form, and the page at which it is confirmed in another browser than the one that registered.

The code itself is a step of a sign-in, at its address. What is told here is about form alone, until everything has matched.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request

from idp.flows import register
from idp.flows.facts import Looked, look
from idp.flows.register import Faults, Form, Unmatched
from idp.web import forms
from idp.web.house import House

_TRANSACTION_MAX = 64
_SHOWN_MAX = 320
_REGISTER: Final = "/register"
_CONFIRM: Final = "/register/confirm"


class Registration:
    """The views of a registration, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self.rules = house.world.policy.registration
        self.schema = forms.Registration(only=(*self.rules.fields, "password", "password_again"))
        self.elsewhere = forms.Confirmation()

    def ask(self) -> Response:
        """GET /register: the form."""
        return self._form() if self.rules.open else self.house.error(404, "not_found")

    def take(self) -> Response:
        """POST /register: who registers; what comes next is shown within a sign-in."""
        if not self.rules.open:
            return self.house.error(404, "not_found")
        if not self.house.genuine():
            return self._form(403, errors=("csrf",))
        values, faults = forms.read(self.schema, request.form)
        if faults:
            return self._form(422, fields=faults)
        password, again = values.pop("password"), values.pop("password_again")
        form = Form(values, password, again, self.house.locale(self._wanted()))
        result = register.begin(self.world, self.house.visit(self._transaction()), form)
        match result:
            case Faults(by_field):
                return self._form(422, fields=by_field)
            case Unmatched():
                return self._form(422, errors=("unmatched",))
            case None | Looked():
                return self._on(result)

    def cancel(self) -> Response:
        """POST /register/cancel: back to the sign-in page."""
        transaction = self._transaction()
        looked = look(self.world, self.house.visit(transaction))
        if looked is not None and not self.house.genuine():
            return self.house.error(403, "csrf", retry_href=f"/sign-in/{quote(transaction)}")
        return self._on(register.abandon(self.world, looked) if looked is not None else None)

    def ask_elsewhere(self) -> Response:
        """GET /register/confirm: name, password and code together."""
        return self._confirmation() if self._confirms() else self.house.error(404, "not_found")

    def take_elsewhere(self) -> Response:
        """POST /register/confirm: confirm, or ask for a new code, which is answered the same for everybody."""
        if not self._confirms():
            return self.house.error(404, "not_found")
        if not self.house.genuine():
            return self._confirmation(403, errors=("csrf",))
        values, faults = forms.read(self.elsewhere, request.form)
        if faults:
            return self._confirmation(422, fields=faults)
        visit, who = self.house.visit(self._transaction()), (values["username"], values["password"])
        if values["send"]:
            register.send_elsewhere(self.world, visit, *who)
            return self._confirmation(told="code_asked")
        looked = register.elsewhere(self.world, visit, *who, values["code"])
        return self._confirmation(401, errors=("wrong_confirmation",)) if looked is None else self._on(looked)

    def _confirms(self) -> bool:
        return self.rules.open and bool(self.rules.confirm_by)

    def _on(self, looked: Looked | None) -> Response:
        if looked is None:
            return self.house.error(404, "expired", retry_href=self.house.brand.home or "/sign-in")
        return self.house.away(f"/sign-in/{looked.visit.transaction}")

    def _form(self, status: int = 200, **shown: Any) -> Response:
        rules, password = self.rules, self.world.policy.password
        context = {
            "asked": rules.fields,
            "optional": rules.optional,
            "matched": rules.match_customer,
            "min_length": password.min_length,
            "max_length": password.max_length,
            "letters_and_digits": password.require_letters_and_digits,
            "values": {name: request.form.get(name, "")[:_SHOWN_MAX] for name in rules.fields},
        }
        if rules.confirm_by:
            context["confirm_href"] = self._address(_CONFIRM)
        return self._page("register.html", _REGISTER, status, **context | shown)

    def _confirmation(self, status: int = 200, **shown: Any) -> Response:
        context = {
            "by_address": "username" not in self.rules.fields,
            "length": self.rules.code_length,
            "values": {"username": request.form.get("username", "")[:_SHOWN_MAX]},
            "register_href": self._address(_REGISTER),
        }
        return self._page("confirm_elsewhere.html", _CONFIRM, status, **context | shown)

    def _page(self, template: str, path: str, status: int, **shown: Any) -> Response:
        """A page in the language of the sign-in that it belongs to, with the way back to it."""
        transaction = self._transaction()
        context: dict[str, Any] = {
            "action": path,
            "here": self._address(path),
            "hidden": {"sign_in": transaction} if transaction else {},
            "sign_in_href": f"/sign-in/{quote(transaction)}" if transaction else "/sign-in",
            "targets": self._targets(),
        }
        return self.house.page(template, status, locale=self._wanted(), **context | shown)

    def _wanted(self) -> str | None:
        looked = self._looked()
        return looked.sign_in.ask.locale if looked is not None else None

    def _targets(self) -> list[str]:
        """Where the form leads in the end, if nothing more is asked: back to the client, or to a portal."""
        looked = self._looked()
        asked = [value for name, value in looked.sign_in.ask.parameters if name == "redirect_uri"] if looked is not None else []
        client = self.world.clients.get(looked.sign_in.ask.client_id or "") if looked is not None else None
        known = [] if client is None else [client.initiate_login_uri, *client.redirect_uris[:1]]
        return asked or [address for address in known if address]

    def _looked(self) -> Looked | None:
        transaction = self._transaction()
        return look(self.world, self.house.visit(transaction)) if transaction else None

    def _address(self, path: str) -> str:
        transaction = self._transaction()
        return path + (f"?{urlencode({'sign_in': transaction})}" if transaction else "")

    @staticmethod
    def _transaction() -> str:
        """The sign-in that the registration belongs to, if it began at one."""
        return request.values.get("sign_in", "")[:_TRANSACTION_MAX]


def add_to(blueprint: Blueprint, house: House, limited: Callable[[Callable[..., Response]], Callable[..., Response]]) -> None:
    """Put the views of registration into the blueprint; ``limited`` throttles its forms by source address."""
    views = Registration(house)
    blueprint.add_url_rule(_REGISTER, "register", views.ask, methods=["GET"])
    blueprint.add_url_rule(_REGISTER, "register_take", limited(views.take), methods=["POST"])
    blueprint.add_url_rule("/register/cancel", "register_cancel", views.cancel, methods=["POST"])
    blueprint.add_url_rule(_CONFIRM, "register_confirm", views.ask_elsewhere, methods=["GET"])
    blueprint.add_url_rule(_CONFIRM, "register_confirm_take", limited(views.take_elsewhere), methods=["POST"])
