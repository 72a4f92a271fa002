"""My Profile, the second step: what is set up, and the guided change of each part under the present password."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from marshmallow import Schema

from idp.flows import strengthen
from idp.flows.resident import Resident, resident
from idp.flows.strengthen import AppBegun, Done, NotDone, PasskeyBegun
from idp.language import format_instant
from idp.model import Account, Passkey, Session
from idp.policies import proving
from idp.web import forms
from idp.web.house import House
from idp.web.second_factor import app_of

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
Values = dict[str, Any]
Outcome = Done | AppBegun | PasskeyBegun | NotDone
HOME: Final = "/profile/second-factor"


@dataclass(frozen=True, slots=True)
class _Act:
    """One change under the present password; ``done`` names the good news at its end."""

    schema: Schema
    run: Callable[[House, Resident, Values], Outcome]
    done: str = ""


def _app(house: House, who: Resident, values: Values) -> Outcome:
    return strengthen.begin_app(house.world, who, values["current"])


def _remove_app(house: House, who: Resident, values: Values) -> Outcome:
    return strengthen.remove_app(house.world, who, values["current"])


def _passkey(house: House, who: Resident, values: Values) -> Outcome:
    return strengthen.begin_passkey(house.world, who, values["current"], values["name"], house.brand.name)


def _remove_passkey(house: House, who: Resident, values: Values) -> Outcome:
    return strengthen.remove_passkey(house.world, who, values["current"], values["id"])


def _codes(house: House, who: Resident, values: Values) -> Outcome:
    return strengthen.renew_codes(house.world, who, values["current"])


ACTS: Final[Mapping[str, _Act]] = MappingProxyType(
    {
        "app": _Act(forms.Current(), _app, "app_added"),
        "remove-app": _Act(forms.Current(), _remove_app, "app_removed"),
        "passkey": _Act(forms.NewPasskey(), _passkey, "passkey_added"),
        "remove-passkey": _Act(forms.OnePasskey(), _remove_passkey, "passkey_removed"),
        "codes": _Act(forms.Current(), _codes, "codes_made"),
    }
)
# What is not here is over: it began anew, elsewhere, or never.
_REFUSED: Final[Mapping[NotDone, tuple[int, dict[str, Any]]]] = MappingProxyType(
    {
        NotDone.WRONG_PASSWORD: (401, {"fields": {"current": ("wrong_current",)}}),
        NotDone.WRONG_PASSKEY: (401, {"errors": ("wrong_passkey",)}),
        NotDone.LAST: (403, {"errors": ("last_second_factor",)}),
        NotDone.TOO_MANY: (403, {"errors": ("too_many_passkeys",)}),
    }
)


class Strengthening:
    """The views of the second step in My Profile, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._confirm_app, self._confirm_passkey = forms.ConfirmApp(), forms.Passkey()

    def overview(self) -> Response:
        """GET /profile/second-factor: what is set up."""
        session = self.house.session()
        if session is None:
            return self._away()
        account = session[1]
        held, told = strengthen.held(self.world, account), ACTS.get(request.args.get("done", ""))
        number = len(held.passkeys) + (held.app_set_at is not None)
        return self.house.page(
            "second_factors.html",
            told=told.done if told is not None else "",
            app={"set": self._moment(account, held.app_set_at), "used": self._moment(account, held.app_used_at)},
            passkeys=[self._shown(account, one) for one in held.passkeys],
            codes_left=held.codes_left,
            number=number,
            removable=number > 1 or not self.world.policy.second_factor.required,
            offered=proving.offered_second_factors(self.world.policy),
        )

    def show(self, act: str) -> Response:
        """GET /profile/second-factor/<act>: what it is about, and the field for the password."""
        session = self.house.session()
        return self._page(act, session) if session is not None else self._away()

    def take(self, act: str) -> Response:
        """POST /profile/second-factor/<act>: the password, and what goes with it."""
        session = self.house.session()
        if session is None:
            return self._away()
        if not self.house.genuine(session[0].public_id):
            return self._page(act, session, 403, errors=("csrf",))
        values, faults = forms.read(ACTS[act].schema, request.form)
        if faults:
            return self._page(act, session, 422, fields=faults)
        return self._told(act, session, ACTS[act].run(self.house, self._who(session), values))

    def confirm_app(self) -> Response:
        """POST /profile/second-factor/app/confirm: the first code of the app."""
        session = self.house.session()
        if session is None:
            return self._away()
        if not self.house.genuine(session[0].public_id):
            return self._page("app", session, 403, errors=("csrf",))
        values, faults = forms.read(self._confirm_app, request.form)
        handle, who = request.form.get("handle", ""), self._who(session)
        outcome = NotDone.WRONG_CODE if faults else strengthen.confirm_app(self.world, who, handle, values["code"])
        if outcome is not NotDone.WRONG_CODE:
            return self._told("app", session, outcome)
        key = strengthen.key_shown(self.world, who, handle)
        if key is None:
            return self._page("app", session, 401, errors=("app_over",))
        return self._app_page(session, AppBegun(key, handle), 401, errors=() if faults else ("wrong_app_code",), fields=faults)

    def confirm_passkey(self) -> Response:
        """POST /profile/second-factor/passkey/confirm: what the browser made."""
        session = self.house.session()
        if session is None:
            return self._away()
        if not self.house.genuine(session[0].public_id):
            return self._page("passkey", session, 403, errors=("csrf",))
        values, faults = forms.read(self._confirm_passkey, request.form)
        if faults:
            return self._page("passkey", session, 422, errors=("wrong_passkey",))
        return self._told("passkey", session, strengthen.add_passkey(self.world, self._who(session), values["passkey"]))

    def _told(self, act: str, session: Held, outcome: Outcome) -> Response:
        match outcome:
            case Done(cookie, codes):
                onward = f"{HOME}?{urlencode({'done': act})}"
                page = self.house.page("recovery_codes.html", codes=codes, continue_href=onward, here="") if codes else None
                answer = page or self.house.away(onward)
                self.house.cookies.give(answer, "session", cookie)
                return answer
            case AppBegun():
                return self._app_page(session, outcome)
            case PasskeyBegun(options):
                csrf, options_text = self.house.token(session[0].public_id), json.dumps(options)
                action = f"{HOME}/passkey/confirm"
                return self.house.page("second_factor_passkey.html", action=action, csrf=csrf, passkey=options_text, here="")
            case _:
                status, shown = _REFUSED.get(outcome, (303, {}))
                return self._page(act, session, status, **shown) if shown else self.house.away(HOME)

    def _app_page(self, session: Held, begun: AppBegun, code: int = 200, **shown: Any) -> Response:
        """The key, shown to this page alone: it is no answer to a GET."""
        return self.house.page(
            "second_factor_app.html",
            code,
            action=f"{HOME}/app/confirm",
            csrf=self.house.token(session[0].public_id),
            hidden={"handle": begun.handle},
            here="",
            **app_of(self.house, session[1].username, begun.key),
            **shown,
        )

    def _page(self, act: str, session: Held, code: int = 200, **shown: Any) -> Response:
        which = request.form.get("id") or request.args.get("id", "")
        held = strengthen.held(self.world, session[1])
        named = next((one for one in held.passkeys if one.id == which), None)
        if act == "remove-passkey" and named is None:
            return self.house.away(HOME)
        return self.house.page(
            "second_factor_change.html",
            code,
            act=act,
            username=session[1].username,
            action=f"{HOME}/{act}",
            csrf=self.house.token(session[0].public_id),
            hidden={"id": which} if named is not None else {},
            what=named.name if named is not None else "",
            first=not proving.second_factors(session[1]),
            values={"name": request.form.get("name", "")[: forms.LONGEST]},
            **shown,
        )

    def _shown(self, account: Account, passkey: Passkey) -> dict[str, str]:
        return {
            "name": passkey.name,
            "set": self._moment(account, passkey.created_at),
            "used": self._moment(account, passkey.last_used_at),
            "href": f"{HOME}/remove-passkey?{urlencode({'id': passkey.id})}",
        }

    def _moment(self, account: Account, moment: Any) -> str:
        """A moment on the person's clock; "" where there is none."""
        return format_instant(moment, self.house.locale(), account.zone, self.world.clock()) if moment is not None else ""

    def _who(self, session: Held) -> Resident:
        return resident(self.world, *session, self.house.source())

    def _away(self) -> Response:
        return self.house.away("/sign-in?to=second-factor")


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views of the second step into the blueprint; ``limited`` throttles the changes tried by source address."""
    views = Strengthening(house)
    take = limited(views.take)
    blueprint.add_url_rule(HOME, "second_factors", views.overview, methods=["GET"])
    for act in ACTS:
        named: dict[str, Any] = {"defaults": {"act": act}}
        blueprint.add_url_rule(f"{HOME}/{act}", f"strengthen_show_{act}", views.show, methods=["GET"], **named)
        blueprint.add_url_rule(f"{HOME}/{act}", f"strengthen_take_{act}", take, methods=["POST"], **named)
    blueprint.add_url_rule(f"{HOME}/app/confirm", "confirm_app", limited(views.confirm_app), methods=["POST"])
    blueprint.add_url_rule(f"{HOME}/passkey/confirm", "confirm_passkey", limited(views.confirm_passkey), methods=["POST"])
