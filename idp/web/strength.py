"""How hard a new password would be to guess, told to its page while it is typed. Nothing is stored, counted or logged of it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from idp.vault import strength
from idp.web.forms import LONGEST
from idp.web.house import METER, House

_LARGEST = 8192
_TOKEN = "X-Form-Token"  # noqa: S105 - the name of a header


class _Typed(Schema):
    """A password as it is being typed, and for whom."""

    class Meta:
        """Unknown fields are passed over."""

        unknown = EXCLUDE

    password = fields.String(required=True, validate=validate.Length(min=1, max=LONGEST))
    username = fields.String(load_default="", validate=validate.Length(max=LONGEST))


def add_to(blueprint: Blueprint, house: House, limited: Callable[[Callable[..., Response]], Callable[..., Response]]) -> None:
    """Put the view into the blueprint; ``limited`` throttles it by source address."""
    schema = _Typed()

    def tell() -> Response:
        if (request.content_length or 0) > _LARGEST:
            return house.data({"error": "too_large"}, 413)
        sent = request.headers.getlist(_TOKEN)
        if not house.genuine(METER, sent):
            return house.data({"error": "csrf"}, 403)
        try:
            typed: dict[str, Any] = schema.load(_object())
        except ValidationError:
            return house.data({"error": "bad_request"}, 400)
        found = strength.judge(typed["password"], typed["username"])
        words = house.pages.render("strength.html", house.locale(), **asdict(found))
        return house.data({"score": found.score, "words": " ".join(words.split())}, 200)

    blueprint.add_url_rule("/password-strength", "password_strength", limited(tell), methods=["POST"])


def _object() -> Any:
    """The body, if it is a JSON object that says to be one; else an empty one, which lacks what is asked."""
    try:
        found = request.get_json(silent=True)
    except RecursionError:  # brackets within brackets
        return {}
    return found if isinstance(found, dict) else {}
