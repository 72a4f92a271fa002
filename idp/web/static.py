"""Static files: bytes read once at start, each under an address that changes with its content.

What portals load has an address besides that stays.
"""

from typing import Final

from flask import Blueprint, Response

from idp.web.house import House

_SHARED: Final = ("session.js",)


def add_to(blueprint: Blueprint, house: House) -> None:
    """Put the static files into the blueprint."""
    files = house.pages.static_files()

    def static(name: str) -> Response:
        found = files.get(f"/static/{name}")
        if found is None:
            return house.error(404, "not_found")
        content, content_type = found
        response = Response(content, content_type=content_type)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    def shared(name: str) -> Response:
        content, content_type = files[house.pages.static(name)]
        response = Response(content, content_type=content_type)
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    for name in _SHARED:
        blueprint.add_url_rule(f"/static/{name}", f"shared_{name.partition('.')[0]}", shared, defaults={"name": name})
    blueprint.add_url_rule("/static/<name>", "static", static, methods=["GET"])
