"""Static files: bytes read once at start, each under an address that changes with its content."""

from flask import Blueprint, Response

from idp.web.house import House


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

    blueprint.add_url_rule("/static/<name>", "static", static, methods=["GET"])
