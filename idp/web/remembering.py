"""What a device knows of whoever signed in there last, on the sign-in page: the welcome, the name filled in, the box."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from idp.flows import remembered
from idp.flows.facts import Looked
from idp.policies.credentials import canonical_username
from idp.web.house import House

COOKIE = "remember"


def shown(house: House, looked: Looked, context: Mapping[str, Any]) -> dict[str, Any]:
    """What the sign-in page has besides its ``context``.

    Where somebody is named already, by the client or by what was typed, the name stays, and nobody is welcomed by another.
    """
    policy, named = house.world.policy, context["values"]["username"]
    recalled = remembered.look(house.world, looked.visit.source, house.cookies.signed(request, COOKIE), looked.now)
    typed = "username" in request.form
    filled_in = named or ("" if typed else recalled.username)
    theirs = bool(recalled.username) and canonical_username(filled_in) == canonical_username(recalled.username)
    more: dict[str, Any] = {
        "values": {"username": filled_in},
        "welcome": "" if typed or named else recalled.given_name,
    }
    if policy.session.remember_me != "off":
        more["remember"] = bool(request.form.get(COOKIE)) if typed else theirs
    return more


def give(house: House, answer: Response, secret: str | None) -> None:
    """Let the browser carry what was ticked for as long as its device stays known, or take it back."""
    if secret:
        age = house.world.policy.lockout.known_device_lifetime
        house.cookies.give_signed(answer, COOKIE, secret, int(age.total_seconds()))
    elif secret is not None and house.cookies.carried(request, COOKIE):
        house.cookies.forget(answer, COOKIE)
