"""What we hold about you: a page to read and a file to keep, behind an extra proof given not long ago."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response

from idp.flows import export, extra
from idp.flows.resident import Resident, resident
from idp.language import format_instant
from idp.model import Account, Session
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/data"
# How many rows of a list the page shows; the file has all.
_SHOWN: Final = 50


class Export:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world

    def page(self) -> Response:
        """GET /profile/data: to be read."""
        who = self._opened("page")
        if isinstance(who, Response):
            return who
        locale, zone, now = self.house.locale(), who.account.zone, who.now

        def when(moment: datetime) -> str:
            return format_instant(moment, locale, zone, now)

        held = export.glance(self.world, who, _SHOWN)
        return self.house.page("data.html", held=held, most=_SHOWN, file=f"{HOME}.json", when=when)

    def file(self) -> Response:
        """GET /profile/data.json: to be kept, whole."""
        who = self._opened("file")
        if isinstance(who, Response):
            return who
        named = f"{who.account.id}-{who.now:%Y-%m-%d}.json"
        document = b"".join(piece.encode() for piece in _written(export.whole(self.world, who)))
        return self.house.download(document, named)

    def _opened(self, form: str) -> Resident | Response:
        """Whoever may see it, who is told that it was shown; or the way to the proof that is missing."""
        held = self.house.session()
        if held is None or not extra.lately(self.world, held):
            return self.house.away("/sign-in?to=data")
        who = resident(self.world, *held, self.house.source())
        return who if export.show(self.world, who, form) else self.house.away("/sign-in?to=data")


def _written(members: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """The document as JSON, a piece at a time; each row of a list on a line of its own."""
    joint = "{\n"
    for name, value in members:
        yield f"{joint}{json.dumps(name)}: "
        joint = ",\n"
        if not isinstance(value, Iterator):
            yield _json(value)
            continue
        between = "["
        for rows in value:
            yield between + ",\n".join(map(_json, rows))
            between = ",\n"
        yield "[]" if between == "[" else "]"
    yield "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> str | float:
    """Moments in ISO 8601, in UTC; spans in seconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(type(value).__name__)


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views into the blueprint; ``limited`` throttles them by source address."""
    views = Export(house)
    blueprint.add_url_rule(HOME, "data", limited(views.page), methods=["GET"])
    blueprint.add_url_rule(f"{HOME}.json", "data_file", limited(views.file), methods=["GET"])
