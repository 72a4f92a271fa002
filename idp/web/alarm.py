"""The door of “this wasn't me”. Reading the page changes nothing, so mail scanners do no harm; the button freezes, once."""

from collections.abc import Callable

from flask import Blueprint, Response, request

from idp.flows import alarm
from idp.language import format_instant
from idp.model import Lost
from idp.policies import recovery
from idp.web import forms
from idp.web.house import House

_SHOWN_MAX = 64


def add_to(blueprint: Blueprint, house: House, limited: Callable[[Callable[..., Response]], Callable[..., Response]]) -> None:
    """Put the views of an alarm into the blueprint; ``limited`` throttles the links tried by source address."""
    schema = forms.Code()
    onward = "/recover/password" if Lost.PASSWORD in recovery.offered(house.world.policy) else "/recover"

    def page(code: str, status: int = 200, errors: tuple[str, ...] = ()) -> Response:
        raised = alarm.look(house.world, code)
        if raised is None:
            return unknown()
        locale = house.locale(raised.account.locale)
        return house.page(
            "not_me.html",
            status,
            locale=raised.account.locale,
            changed=raised.changed.value,
            at=format_instant(raised.at, locale, raised.account.zone, raised.now),
            action="/not-me",
            hidden={"code": code[:_SHOWN_MAX]},
            errors=errors,
        )

    def unknown() -> Response:
        """The same for a link that never was, was used, is too old, or whose account is no more."""
        return house.page("not_me.html", 404, changed=None, here="/not-me", continue_href=onward)

    def show() -> Response:
        return page(request.args.get("code", ""))

    def take() -> Response:
        code = request.form.get("code", "")
        if not house.genuine():
            return page(code, 403, ("csrf",))
        values, faults = forms.read(schema, request.form)
        frozen = None if faults else alarm.freeze(house.world, values["code"], house.source())
        if frozen is None:
            return unknown()
        return house.page("frozen.html", locale=frozen.locale, here="", continue_href=onward)

    blueprint.add_url_rule("/not-me", "not_me", show, methods=["GET"])
    blueprint.add_url_rule("/not-me", "freeze", limited(take), methods=["POST"])
