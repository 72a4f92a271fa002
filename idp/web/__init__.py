"""Pages for people: sign-in, invitation, registration, recovery, My Profile. Thin views; every word is in a template."""

from collections.abc import Callable

from flask import Blueprint, Response

from idp.web import (
    alarm,
    capacities,
    consents,
    device,
    export,
    home,
    invitation,
    leave,
    profile,
    recovery,
    register,
    sessions,
    sign_in,
    static,
    strength,
    strengthen,
    watching,
)
from idp.web.house import House

__all__ = ["House", "Limits", "View", "create_blueprint"]

View = Callable[..., Response]
Limits = dict[str, Callable[[View], View]]


def create_blueprint(house: House, limits: Limits) -> Blueprint:
    """The blueprint of every page. ``limits`` maps the names of policy's rate limits to decorators that throttle by source."""
    blueprint = Blueprint("web", __name__)
    sign_in.add_to(blueprint, house, limits["sign_in"], limits["authorize"])
    invitation.add_to(blueprint, house, limits["invitation"])
    recovery.add_to(blueprint, house, limits["recovery"])
    register.add_to(blueprint, house, limits["registration"])
    alarm.add_to(blueprint, house, limits["alarm"])
    profile.add_to(blueprint, house, limits["change"])
    export.add_to(blueprint, house, limits["change"])
    strengthen.add_to(blueprint, house, limits["change"])
    consents.add_to(blueprint, house, limits["change"])
    capacities.add_to(blueprint, house, limits["change"])
    device.add_to(blueprint, house, limits["device"])
    sessions.add_to(blueprint, house, limits["change"])
    leave.add_to(blueprint, house, limits["change"])
    watching.add_to(blueprint, house)
    strength.add_to(blueprint, house, limits["strength"])
    home.add_to(blueprint, house)
    static.add_to(blueprint, house)
    return blueprint
