"""The door of an invitation: a link or a typed code. Reading the page consumes nothing, so mail scanners do no harm."""

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, request

from idp.flows import invite
from idp.web import forms
from idp.web.house import House

_CODE_MAX = 64


def add_to(blueprint: Blueprint, house: House, limited: Callable[[Callable[..., Response]], Callable[..., Response]]) -> None:
    """Put the views of an invitation into the blueprint; ``limited`` throttles the codes tried by source address."""
    schema = forms.Code()

    def portals() -> list[str]:
        return [client.initiate_login_uri for client in house.world.clients.values() if client.initiate_login_uri]

    def page(status: int = 200, errors: tuple[str, ...] = (), code: str = "") -> Response:
        sign_in = request.values.get("sign_in", "")[:_CODE_MAX]
        return house.page(
            "invitation.html",
            status,
            action="/invitation",
            here="/invitation",
            values={"code": code[:_CODE_MAX]},
            hidden={"sign_in": sign_in} if sign_in else {},
            errors=errors,
            targets=portals(),
            sign_in_href=f"/sign-in/{quote(sign_in)}" if sign_in else "/sign-in",
        )

    def show() -> Response:
        return page(code=request.args.get("code", ""))

    def take() -> Response:
        if not house.genuine():
            return page(403, ("csrf",), request.form.get("code", ""))
        values, faults = forms.read(schema, request.form)
        if faults:
            return page(422, ("invitation",))
        visit = house.visit(request.form.get("sign_in", ""))
        looked = invite.accept(house.world, visit, values["code"])
        if looked is None:
            return page(401, ("invitation",), values["code"])
        return house.away(f"/sign-in/{looked.visit.transaction}")

    blueprint.add_url_rule("/invitation", "invitation", show, methods=["GET"])
    blueprint.add_url_rule("/invitation", "accept_invitation", limited(take), methods=["POST"])
