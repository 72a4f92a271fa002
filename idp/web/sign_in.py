"""The door of a sign-in: one address, one form at a time. Read the shape, call one use case, show where things stand."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request

from idp.flows import agree, extra, recover, requested, second_factor, sign_in
from idp.flows.choosing import Faulty
from idp.flows.facts import Looked, look
from idp.flows.second_factor import Enrolled
from idp.flows.sign_in import Gone
from idp.language import format_instant
from idp.model import Ask, Client
from idp.policies.steps import AcceptTerms, AskUsernameAndPassword, ChooseQuestion, Done, GiveConsent, KeepAccount, Refused
from idp.web import capacities, consents, forms, remembering
from idp.web.answers import ANSWERS, PASSKEY, Result, field_of
from idp.web.house import DEVICE_AGE, House
from idp.web.onward import HOME, ONWARD
from idp.web.pages import name_of, page_for, ways_back
from idp.web.second_factor import shown as around_second_factor

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]


class Door:
    """The views of a sign-in, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world

    def start(self) -> Response:
        """GET /sign-in: a sign-in that no client asked for, on the way to the page of ours that ``to`` names."""
        wanted = request.args.get("to", "")
        ask, held = Ask(onward=wanted if wanted in ONWARD else ""), self.house.session()
        if ONWARD.get(wanted, HOME).extra:
            ask = extra.asked(self.world, ask, held)
        transaction = sign_in.begin(self.world, ask, self.house.browser_secret(), held)
        return self.house.away(f"/sign-in/{transaction}")

    def show(self, transaction: str) -> Response:
        """GET /sign-in/<transaction>: the page of the present step."""
        looked = look(self.world, self.house.visit(transaction))
        if looked is None:
            return self._gone()
        return self._finish(looked) if isinstance(looked.step, Done) else self._page(looked)

    def take(self, transaction: str) -> Response:
        """POST /sign-in/<transaction>: one answer to the present step."""
        looked = look(self.world, self.house.visit(transaction))
        if looked is None:
            return self._gone()
        if not self.house.genuine():
            return self._page(looked, 403, errors=("csrf",))
        answer = PASSKEY if request.form.get("passkey") else ANSWERS.get(type(looked.step))
        if answer is None or request.form.get("step") != name_of(looked):
            return self._on(looked)
        values, faults = forms.read(answer.schema, request.form)
        if faults:
            return self._page(looked, 422, fields=faults)
        if isinstance(looked.step, GiveConsent) and values["decision"] == "deny":
            return self.house.away(f"/authorize/{transaction}")
        return self._show(answer.run(self.world, looked, values), answer.wrong)

    def _show(self, result: Result, wrong: str) -> Response:  # noqa: PLR0911 - a table
        match result:
            case None | Gone():
                return self._gone()
            case sign_in.Wrong(looked) | recover.Wrong(looked) | second_factor.Wrong(looked) | requested.Wrong(looked):
                return self._page(looked, 401, errors=(self._said(wrong),))
            case requested.TooMany(looked):
                return self._page(looked, 429, errors=("too_many_codes",))
            case Faulty(looked, faults):
                return self._page(looked, 422, fields={field_of(looked.step, fault): (fault,) for fault in reversed(faults)})
            case agree.Stale(looked):
                return self._page(looked, 409, errors=("text_changed",))
            case agree.Unanswered(looked, purposes):
                return self._page(looked, 422, fields=consents.unanswered(purposes))
            case Enrolled(looked, codes):
                onward = f"/sign-in/{looked.visit.transaction}"
                return self.house.page("recovery_codes.html", codes=codes, continue_href=onward, here="")
            case Looked():
                return self._on(result)

    def _said(self, wrong: str) -> str:
        """The error of a failed proof; at the sign-in page in the words of what is asked there."""
        named_by = set(self.world.policy.sign_in.identify_by)
        if wrong != "wrong" or named_by == {"username"}:
            return wrong
        return "wrong_by_email" if named_by == {"email"} else "wrong_by_either"

    def _on(self, looked: Looked) -> Response:
        """The way on after an answer: the next step's address, or the end."""
        if isinstance(looked.step, Done):
            return self._finish(looked)
        return self.house.away(f"/sign-in/{looked.visit.transaction}")

    def _page(self, looked: Looked, status: int = 200, **shown: Any) -> Response:
        template, context = page_for(looked, self.world.policy, self.world.clients)
        if isinstance(looked.step, Refused):
            status = 403
        if isinstance(looked.step, Refused | KeepAccount):
            context["until"] = self._told(looked.step, looked)
        if isinstance(looked.step, AskUsernameAndPassword):
            context["invitation_href"] = f"/invitation?{urlencode({'sign_in': looked.visit.transaction})}"
            if typed := request.form.get("username"):
                context["values"] = {"username": typed[:128]}
            context |= remembering.shown(self.house, looked, context)
        if isinstance(looked.step, ChooseQuestion) and request.method == "POST":
            context["values"] = {"question": request.form.get("question", "")[:64]}
        address = f"/sign-in/{quote(looked.visit.transaction)}"
        context |= {
            "action": address,
            "here": address,
            "hidden": {"step": name_of(looked)},
            "locale": looked.sign_in.ask.locale,
        }
        context |= (
            self._around(looked)
            | ways_back(looked, self.world.policy)
            | around_second_factor(self.house, looked)
            | capacities.around(self.world, looked)
            | consents.shown(self.house, looked)
            | shown
        )
        return self.house.page(template, status, **context)

    def _around(self, looked: Looked) -> dict[str, Any]:
        """The client's name, and the way back to it from a page that leads no further."""
        ask = looked.sign_in.ask
        client = self.world.clients.get(ask.client_id or "")
        targets = [value for name, value in ask.parameters if name == "redirect_uri"]
        if client and not ask.parameters and client.initiate_login_uri:
            targets = [client.initiate_login_uri]
        around: dict[str, Any] = {"client_name": client.name if client else "", "targets": targets or self._only_target(client)}
        if isinstance(looked.step, Refused | KeepAccount | AcceptTerms):
            home = client.initiate_login_uri if client else None
            around["back_href"] = (
                f"/authorize/{looked.visit.transaction}" if ask.parameters else home or self.house.brand.home or None
            )
        return around

    @staticmethod
    def _only_target(client: Client | None) -> list[str]:
        """Where the client is answered if it named no address: the one that it registered."""
        return list(client.redirect_uris[:1]) if client else []

    def _told(self, step: Refused | KeepAccount, looked: Looked) -> str | None:
        if step.until is None:
            return None
        zone = looked.account.zone if looked.account else "UTC"
        return format_instant(step.until, self.house.locale(looked.sign_in.ask.locale), zone, looked.now)

    def _finish(self, looked: Looked) -> Response:
        """Everything is proved: a session under a new identifier, and back to where the person was going."""
        held = self.house.session()
        opened = sign_in.finish(self.world, looked, held[0] if held else None)
        answer = self.house.away(self._onward(looked))
        if opened is not None:
            self.house.cookies.give(answer, "session", opened.session)
            self.house.cookies.give_signed(answer, "device", opened.device, DEVICE_AGE)
            remembering.give(self.house, answer, opened.remember)
        return answer

    def _onward(self, looked: Looked) -> str:
        """Back to the client that waits for an answer, or to the question about a device; else to a portal or our own page."""
        ask = looked.sign_in.ask
        if ask.parameters:
            return f"/authorize/{looked.visit.transaction}"
        if ask.user_code:
            return f"/device/{looked.visit.transaction}"
        if ask.onward:
            return ONWARD.get(ask.onward, HOME).path
        client = self.world.clients.get(ask.client_id or "")
        if client is None or client.initiate_login_uri is None:
            return "/"
        return f"{client.initiate_login_uri}?{urlencode({'iss': self.world.issuer})}"

    def _gone(self) -> Response:
        return self.house.error(404, "expired", retry_href=self.house.brand.home or "/sign-in")


def add_to(blueprint: Blueprint, house: House, answers: Limit, beginnings: Limit) -> None:
    """Put the views of a sign-in into the blueprint; answers and beginnings are throttled by source address."""
    door = Door(house)
    blueprint.add_url_rule("/sign-in", "start", beginnings(door.start), methods=["GET"])
    blueprint.add_url_rule("/sign-in/<transaction>", "show", door.show, methods=["GET"])
    blueprint.add_url_rule("/sign-in/<transaction>", "take", answers(door.take), methods=["POST"])
