"""The house's own page for someone signed in: where to go from here, and the way out."""

from urllib.parse import urlencode

from flask import Blueprint, Response

from idp.web.house import House


def add_to(blueprint: Blueprint, house: House) -> None:
    """Put the signed-in page into the blueprint."""

    def portals() -> list[tuple[str, str]]:
        return [
            (client.name, f"{client.initiate_login_uri}?{urlencode({'iss': house.world.issuer})}")
            for client in house.world.clients.values()
            if client.initiate_login_uri and not client.disabled
        ]

    def home() -> Response:
        held = house.session()
        if held is None:
            return house.away("/sign-in")
        csrf = house.token(held[0].public_id)
        return house.page("home.html", name=held[1].full_name, portals=portals(), action="/logout/confirm", csrf=csrf)

    blueprint.add_url_rule("/", "home", home, methods=["GET"])
