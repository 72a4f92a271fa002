"""My Profile, for whom one acts: the list of capacities, a customer number that is added, one that is given up."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from idp.flows import acting
from idp.flows.acting import NotDone
from idp.flows.facts import Looked
from idp.flows.resident import Resident, resident
from idp.flows.world import World
from idp.model import Account, Capacity, Session
from idp.policies import capacities
from idp.policies.steps import ChooseCapacity
from idp.web import forms
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/capacities"
_NEWS: Final = {"add": "capacity_added", "remove": "capacity_removed"}
# What may be shown again after a fault: names. A number that was typed is shown to nobody.
_KEPT: Final = ("given_name", "family_name")
# What is not here is over: signed out meanwhile, or given up in another window.
_REFUSED: Final[Mapping[NotDone, tuple[int, dict[str, Any]]]] = MappingProxyType(
    {
        NotDone.WRONG_PASSWORD: (401, {"fields": {"current": ("wrong_current",)}}),
        NotDone.NO_MATCH: (422, {"errors": ("no_customer",)}),
        NotDone.HELD: (422, {"errors": ("capacity_held",)}),
        NotDone.TOO_MANY: (403, {"errors": ("too_many_capacities",)}),
        NotDone.TOO_MANY_GUESSES: (429, {"errors": ("too_many",)}),
    }
)


class Capacities:
    """The views over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self.asked = house.world.policy.registration.match_customer
        self._claim, self._one = forms.CustomerClaimed(only=("current", *self.asked)), forms.OneOfMine()

    def overview(self) -> Response:
        """GET /profile/capacities: for whom the person acts."""
        held = self.house.session()
        if held is None:
            return self._away()
        now = capacities.acting(held[1], held[0].capacity)
        return self.house.page(
            "capacities.html",
            told=_NEWS.get(request.args.get("done", ""), ""),
            capacities=_shown(self.world, held[1]),
            now=now.id if now is not None else "",
            offered=acting.offered(self.world),
        )

    def show_add(self) -> Response:
        """GET /profile/capacities/add: what the records are asked for."""
        held = self.house.session()
        if held is None:
            return self._away()
        return self._page("add", held) if acting.offered(self.world) else self._nothing()

    def take_add(self) -> Response:
        """POST /profile/capacities/add: the password, and what must match."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not acting.offered(self.world):
            return self._nothing()
        if not self.house.genuine(held[0].public_id):
            return self._page("add", held, 403, errors=("csrf",))
        values, faults = forms.read(self._claim, request.form)
        if faults:
            return self._page("add", held, 422, fields=faults)
        current = values.pop("current")
        return self._told("add", held, acting.add(self.world, self._who(held), current, values))

    def show_remove(self) -> Response:
        """GET /profile/capacities/remove: which one, and the field for the password."""
        held = self.house.session()
        return self._away() if held is None else self._page("remove", held)

    def take_remove(self) -> Response:
        """POST /profile/capacities/remove: the password, and which one."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self.house.error(403, "csrf", retry_href=HOME)
        values, faults = forms.read(self._one, request.form)
        if faults:
            return self._page("remove", held, 422, fields=faults)
        return self._told("remove", held, acting.give_up(self.world, self._who(held), values["current"], values["id"]))

    def _told(self, act: str, held: Held, outcome: Capacity | NotDone) -> Response:
        if isinstance(outcome, Capacity):
            return self.house.away(f"{HOME}?{urlencode({'done': act})}")
        status, shown = _REFUSED.get(outcome, (303, {}))
        return self._page(act, held, status, **shown) if shown else self.house.away(HOME)

    def _page(self, act: str, held: Held, code: int = 200, **shown: Any) -> Response:
        which = request.form.get("id") or request.args.get("id", "")
        named = [one for one in _shown(self.world, held[1]) if one["id"] == which]
        if act == "remove" and not named:
            return self.house.away(HOME)
        return self.house.page(
            "capacity_change.html",
            code,
            username=held[1].username,
            action=f"{HOME}/{act}",
            csrf=self.house.token(held[0].public_id),
            hidden={"id": which} if act == "remove" else {},
            what=named[0] if act == "remove" else None,
            asked=self.asked,
            values={name: request.form.get(name, "")[: forms.LONGEST] for name in _KEPT},
            **shown,
        )

    def _who(self, held: Held) -> Resident:
        return resident(self.world, *held, self.house.source())

    def _nothing(self) -> Response:
        return self.house.error(404, "not_found", retry_href=HOME)

    def _away(self) -> Response:
        return self.house.away("/sign-in?to=capacities")


def around(world: World, looked: Looked) -> dict[str, Any]:
    """What the page of a choice among capacities shows beside what every step does."""
    if not isinstance(looked.step, ChooseCapacity) or looked.account is None:
        return {}
    return {"capacities": _shown(world, looked.account)}


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views into the blueprint; ``limited`` throttles the changes tried by source address."""
    views = Capacities(house)
    blueprint.add_url_rule(HOME, "capacities", views.overview, methods=["GET"])
    blueprint.add_url_rule(f"{HOME}/add", "show_capacity_add", views.show_add, methods=["GET"])
    blueprint.add_url_rule(f"{HOME}/add", "take_capacity_add", limited(views.take_add), methods=["POST"])
    blueprint.add_url_rule(f"{HOME}/remove", "show_capacity_remove", views.show_remove, methods=["GET"])
    blueprint.add_url_rule(f"{HOME}/remove", "take_capacity_remove", limited(views.take_remove), methods=["POST"])


def _shown(world: World, account: Account) -> list[dict[str, str]]:
    """The capacities of an account as pages tell them apart; of a number only its last marks."""
    return [
        {"id": one.id, "role": one.role.value, "organisation": one.organisation, "ending": acting.shown(world, one)}
        for one in account.capacities
    ]
