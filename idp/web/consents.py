"""What people agree to: the texts of the steps that ask for it, and the page of My Profile where answers are changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import agree
from idp.flows.facts import Looked
from idp.flows.resident import resident
from idp.language import format_instant
from idp.model import Account, Agreement, Session, Text
from idp.policies.agreeing import TERMS, in_force
from idp.policies.policy import Policy
from idp.policies.steps import AcceptTerms, AnswerPurposes
from idp.web import forms
from idp.web.house import House

Limit = Callable[[Callable[..., Response]], Callable[..., Response]]
Held = tuple[Session, Account]
HOME: Final = "/profile/consents"
# How many answers of before the page shows; what is held about the person has all.
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Told:
    """A text as a page shows it: its heading, its paragraphs, and where there is more to read."""

    name: str
    version: str
    heading: str
    paragraphs: tuple[str, ...]
    href: str = ""


def told(text: Text, locale: str) -> Told:
    """The text in this language, or in one that it has: an old version may not know every language of today."""
    spoken = locale if locale in text.words else next(iter(text.words))
    heading, *paragraphs = text.words[spoken].split("\n\n")
    return Told(text.name, text.version, heading, tuple(paragraphs), text.href.get(spoken, ""))


def offered(policy: Policy) -> bool:
    """Whether anybody is asked to agree to anything."""
    return bool(in_force(policy))


def shown(house: House, looked: Looked) -> dict[str, Any]:
    """What the page of a step shows that asks to agree: its texts, the mark of what it shows, and what was answered already."""
    match looked.step:
        case AcceptTerms():
            names: tuple[str, ...] = (TERMS,)
        case AnswerPurposes(purposes):
            names = purposes
        case _:
            return {}
    locale, texts = house.locale(looked.sign_in.ask.locale), agree.texts(house.world, names)
    context = {"texts": [told(one, locale) for one in texts], "seen": agree.mark(texts, locale)}
    return context | ({"values": _answered(names)} if request.method == "POST" else {})


def unanswered(purposes: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The fields of purposes that have no answer."""
    return {f"{forms.PURPOSE}{name}": ("unanswered",) for name in purposes}


def _answered(names: tuple[str, ...]) -> dict[str, str]:
    said = {name: request.form.get(f"{forms.PURPOSE}{name}", "") for name in names}
    return {name: value for name, value in said.items() if value in ("yes", "no")}


class Consents:
    """The views of My Profile, over the House."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self._form = forms.Purposes()

    def overview(self) -> Response:
        """GET /profile/consents: each purpose with its words and the present answer, the terms, and every answer so far."""
        held = self.house.session()
        if held is None:
            return self._away()
        return self._page(held) if offered(self.world.policy) else self._nothing()

    def save(self) -> Response:
        """POST /profile/consents: the answers as they are to be."""
        held = self.house.session()
        if held is None:
            return self._away()
        if not offered(self.world.policy):
            return self._nothing()
        if not self.house.genuine(held[0].public_id):
            return self._page(held, 403, errors=("csrf",))
        values, _ = forms.read(self._form, request.form)
        who = resident(self.world, *held, self.house.source())
        changed = agree.change(self.world, who, values["seen"], values["answers"])
        if changed is None:
            return self._away()
        return self.house.away(f"{HOME}?done=yes") if changed else self._page(held, 409, errors=("text_changed",))

    def _page(self, held: Held, code: int = 200, **more: Any) -> Response:
        account, locale = held[1], self.house.locale()
        rows = agree.ledger(self.world, account)
        last = {one.to: one for one in rows}
        texts = agree.texts(self.world, self.world.policy.consent.purposes)
        terms = agree.texts(self.world, (TERMS,))
        return self.house.page(
            "consents.html",
            code,
            told="answers_saved" if "done" in request.args and not more else "",
            csrf=self.house.token(held[0].public_id),
            action=HOME,
            seen=agree.mark(texts, locale),
            purposes=[(told(one, locale), self._row(last.get(one.name), account, locale)) for one in texts],
            terms=[(told(one, locale), self._row(last.get(one.name), account, locale)) for one in terms],
            history=[self._row(one, account, locale) for one in rows[: -_SHOWN - 1 : -1]],
            most=_SHOWN,
            **more,
        )

    def _row(self, one: Agreement | None, account: Account, locale: str) -> dict[str, Any] | None:
        """One answer as it is told; None where there is none."""
        if one is None:
            return None
        text = self.world.texts.get((one.to, one.version))
        return {
            "text": told(text, locale).heading if text is not None else one.to,
            "terms": one.to == TERMS,
            "version": one.version,
            "given": one.given,
            "at": self._moment(one.at, account, locale),
        }

    def _moment(self, moment: datetime, account: Account, locale: str) -> str:
        return format_instant(moment, locale, account.zone, self.world.clock())

    def _nothing(self) -> Response:
        return self.house.error(404, "not_found", retry_href="/profile")

    def _away(self) -> Response:
        return self.house.away("/sign-in?to=profile")


def add_to(blueprint: Blueprint, house: House, limited: Limit) -> None:
    """Put the views into the blueprint; ``limited`` throttles the answers by source address."""
    views = Consents(house)
    blueprint.add_url_rule(HOME, "consents", views.overview, methods=["GET"])
    blueprint.add_url_rule(HOME, "consents_save", limited(views.save), methods=["POST"])
