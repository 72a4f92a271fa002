"""My Profile: what is on file, and the guided change of each secret and address.

Whoever is not signed in (any more) is sent to the sign-in page; nothing that was typed is kept.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import acting, change
from idp.flows.change import Done, Faulty, NotDone, Outcome, Sent
from idp.flows.resident import Resident, resident
from idp.language import format_instant
from idp.model import Account, Factor, Purpose, Session
from idp.policies import proving
from idp.web import consents, forms
from idp.web.dialogs import DIALOGS, Dialog, Values, field_of
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
_PURPOSES: Final = {"email": Purpose.EMAIL, "mobile": Purpose.MOBILE}
_SECRETS: Final = (Factor.PASSWORD, Factor.PIN, Factor.ANSWER)


class Profile:
    """The views of My Profile, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._code = forms.Code()

    def overview(self) -> Response:
        """GET /profile: what is on file."""
        held = self.house.session()
        if held is None:
            return self._away()
        account, done = held[1], DIALOGS.get(request.args.get("done", ""))
        return self.house.page(
            "profile.html",
            account=account,
            leaving=self.world.policy.leaving.enabled,
            told=done.done if done is not None else "",
            open=tuple(name for name, dialog in DIALOGS.items() if dialog.offered(self.world, account)),
            since=self._since(account),
            with_pin=self.world.policy.pin.enabled,
            with_question=self.world.policy.security_question.enabled,
            offered=proving.offered_second_factors(self.world.policy),
            strong=proving.second_factors(account),
            with_consents=consents.offered(self.world.policy),
            may_act_for_more=acting.offered(self.world),
        )

    def show(self, name: str) -> Response:
        """GET /profile/<name>: the page of one change."""
        held, dialog = self.house.session(), DIALOGS[name]
        if held is None:
            return self._away()
        if not dialog.offered(self.world, held[1]):
            return self.house.error(404, "not_found", retry_href="/profile")
        return self._page(name, held)

    def take(self, name: str) -> Response:
        """POST /profile/<name>: the present secret and what is to come."""
        held, dialog = self.house.session(), DIALOGS[name]
        if held is None:
            return self._away()
        if not dialog.offered(self.world, held[1]):
            return self.house.error(404, "not_found", retry_href="/profile")
        if not self.house.genuine(held[0].public_id):
            return self._page(name, held, 403, errors=("csrf",))
        values, faults = forms.read(dialog.schema, request.form)
        if faults:
            return self._page(name, held, 422, fields=faults)
        return self._told(name, held, dialog.run(self.world, self._who(held), values))

    def ask_code(self, name: str) -> Response:
        """GET /profile/<name>/confirm: the page for the code that was sent to the new address."""
        held = self.house.session()
        return self._away() if held is None else self._code_page(name, held)

    def take_code(self, name: str) -> Response:
        """POST /profile/<name>/confirm: the code."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not self.house.genuine(held[0].public_id):
            return self._code_page(name, held, 403, errors=("csrf",))
        values, faults = forms.read(self._code, request.form)
        if faults:
            return self._code_page(name, held, 422, fields=faults)
        outcome = change.confirm(self.world, self._who(held), _PURPOSES[name], values["code"])
        if outcome is NotDone.WRONG_CODE:
            return self._code_page(name, held, 401, fields={"code": ("wrong_code",)})
        return self._told(name, held, outcome)

    def _told(self, name: str, held: Held, outcome: Outcome) -> Response:
        dialog = DIALOGS[name]
        match outcome:
            case Done(session):
                answer = self.house.away(f"/profile?done={name}")
                if session is not None:
                    self.house.cookies.give(answer, "session", session)
                return answer
            case Sent():
                return self.house.away(f"/profile/{name}/confirm")
            case Faulty(faults):
                fields = {field_of(dialog, fault): (fault,) for fault in reversed(faults)}
                return self._page(name, held, 422, fields=fields)
            case NotDone.WRONG_SECRET:
                return self._page(name, held, 401, fields={"current": (dialog.wrong,)})
            case NotDone.TOO_MANY_CODES:
                return self._page(name, held, 429, errors=("too_many_codes",))
            case _:
                return self._away()

    def _page(
        self,
        name: str,
        held: Held,
        status: int = 200,
        *,
        fields: Mapping[str, tuple[str, ...]] | None = None,
        errors: tuple[str, ...] = (),
    ) -> Response:
        session, account = held
        dialog = DIALOGS[name]
        return self.house.page(
            dialog.template,
            status,
            action=f"/profile/{name}",
            csrf=self.house.token(session.public_id),
            username=account.username,
            choose=self.world.policy.change.end_others == "choose",
            fields=fields or {},
            errors=errors,
            values=_typed(dialog),
            **dialog.about(self.world, account),
        )

    def _code_page(
        self,
        name: str,
        held: Held,
        status: int = 200,
        *,
        fields: Mapping[str, tuple[str, ...]] | None = None,
        errors: tuple[str, ...] = (),
    ) -> Response:
        """The page for a code, or the beginning of the change where none is waited for."""
        new = change.pending(self.world, self._who(held), _PURPOSES[name])
        if new is None and errors:
            return self.house.error(status, errors[0], retry_href=f"/profile/{name}")
        if new is None:
            return self.house.away(f"/profile/{name}")
        rules = self.world.policy.recovery
        return self.house.page(
            "confirm_code.html",
            status,
            action=f"/profile/{name}/confirm",
            csrf=self.house.token(held[0].public_id),
            what=name,
            new=new,
            length=rules.code_length,
            minutes=int(rules.code_lifetime.total_seconds()) // 60,
            again_href=f"/profile/{name}",
            fields=fields or {},
            errors=errors,
        )

    def _since(self, account: Account) -> dict[str, str]:
        """When each secret was set, as it is told; nothing where it has not been chosen."""
        now, locale = self.world.clock(), self.house.locale()
        chosen = {factor: account.credential(factor) for factor in _SECRETS}
        return {
            str(factor): format_instant(held.set_at, locale, account.zone, now)
            for factor, held in chosen.items()
            if held is not None
        }

    def _who(self, held: Held) -> Resident:
        return resident(self.world, *held, self.house.source())

    def _away(self) -> Response:
        return self.house.away("/sign-in?to=profile")


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views of My Profile into the blueprint; ``limited`` throttles the changes tried by source address."""
    profile = Profile(house)
    take, take_code = limited(profile.take), limited(profile.take_code)
    blueprint.add_url_rule("/profile", "profile", profile.overview, methods=["GET"])
    for name in DIALOGS:
        named: dict[str, Any] = {"defaults": {"name": name}}
        blueprint.add_url_rule(f"/profile/{name}", f"show_{name}", profile.show, methods=["GET"], **named)
        blueprint.add_url_rule(f"/profile/{name}", f"take_{name}", take, methods=["POST"], **named)
    for name in _PURPOSES:
        named = {"defaults": {"name": name}}
        blueprint.add_url_rule(f"/profile/{name}/confirm", f"ask_code_{name}", profile.ask_code, methods=["GET"], **named)
        blueprint.add_url_rule(f"/profile/{name}/confirm", f"take_code_{name}", take_code, methods=["POST"], **named)


def _typed(dialog: Dialog) -> Values:
    """What was typed and is no secret, to be shown again; a tick is set until somebody takes it away."""
    if request.method != "POST":
        return {"end_others": "yes"}
    return {name: request.form.get(name, "")[: forms.LONGEST] for name in dialog.kept}
