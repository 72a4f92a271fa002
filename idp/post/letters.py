"""The wording of letters: a template, a language and a context become a subject, a text and, for mail, a page.

Templates are ``templates/letters/<name>.subject.txt``, ``.txt`` and ``.html`` for mail, ``.sms.txt`` for text messages.
Instants stand in the context as ISO 8601 text (it travels as JSON) and are told with the ``when`` filter, or ``day`` where
the hour is of no interest, on the clock of the context's ``zone``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.exceptions import TemplateNotFound

from idp.language import Words, format_day, format_instant
from idp.model import Brand

TEMPLATES: Final = Path(__file__).parent.parent / "templates" / "letters"

CHANNELS: Final = ("mail", "sms")
_KINDS: Final = {"mail": ("subject.txt", "txt", "html"), "sms": ("sms.txt",)}

# What each letter must be told; ``zone`` (of the person's clock) may be added to any.
NEEDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "invitation": frozenset({"name", "username", "link", "code", "expires"}),
        # ``factor`` is password, pin, answer, totp (any second factor) or passkey (alone); ``until`` is None where only a
        # reset opens it again.
        "locked": frozenset({"name", "factor", "until"}),
        # ``client`` is the name of the app as people know it.
        "token_reuse": frozenset({"name", "client"}),
        "enrolled": frozenset({"name", "username"}),
        "username_reminder": frozenset({"name", "username", "link"}),
        # ``username`` is None where it was not asked for.
        "temporary_password": frozenset({"name", "username", "password", "expires", "link"}),
        # ``expires`` is None where the PIN stays.
        "new_pin": frozenset({"name", "pin", "must_change", "expires"}),
        "recovery_code": frozenset({"name", "code", "expires"}),
        # To the address or number itself.
        "confirm_address": frozenset({"name", "code", "expires"}),
        # ``changed`` is password, pin, answer, email, mobile or second_factor; ``link`` says "this wasn't me".
        "changed": frozenset({"name", "changed", "at", "link", "expires"}),
        # Somebody said "this wasn't me"; ``link`` is the way back.
        "frozen": frozenset({"name", "at", "link"}),
        # ``ends`` is None where it is open when it comes to that; ``last_used`` is the day from which time counts.
        "suspension_reminder": frozenset({"name", "username", "ends", "last_used", "link"}),
        "expiry_reminder": frozenset({"name", "username", "ends", "last_used", "link"}),
        "reactivation_code": frozenset({"name", "code", "expires"}),
        "extra_code": frozenset({"name", "code", "expires"}),
        # Everything held about the person was shown to them or downloaded.
        "exported": frozenset({"name", "at", "link"}),
        # ``by`` is person or staff.
        "reactivated": frozenset({"name", "by", "at", "link"}),
        # To whoever gave an address or number at registration; ``link`` is where the code is entered elsewhere.
        "registration_code": frozenset({"code", "expires", "link"}),
        # Somebody tried to register with what is the reader's: ``taken`` is email or customer; ``recover`` None: not offered.
        "already_registered": frozenset({"name", "username", "taken", "link", "recover"}),
        # ``goes`` is when the data goes; ``link`` takes it back until then.
        "cancelled": frozenset({"name", "username", "at", "goes", "link"}),
        # ``by`` is person or staff.
        "kept": frozenset({"name", "by", "at", "link"}),
        # ``service`` is the name of an entitlement.
        "service_cancelled": frozenset({"name", "service", "at", "link"}),
    }
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as it is read. A text message has no subject and no page."""

    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False, default=None)


class Letters:
    """The templates of every letter, in every language of ``words``."""

    def __init__(self, words: Words, path: Path = TEMPLATES) -> None:
        self._words = words
        self._path = path
        self._desks = {locale: self._desk(path, locale) for locale in words.languages}

    def render(self, template: str, locale: str, context: Mapping[str, Any], brand: Brand, channel: str = "mail") -> Rendered:
        """The letter ``template`` in ``locale`` (or the default language, where it is not spoken).

        Raises ``LookupError`` where there is no such letter for the channel or the context lacks something it needs.
        """
        missing = NEEDS[template] - context.keys()
        if missing:
            raise LookupError(f"the letter {template} needs {', '.join(sorted(missing))}")
        spoken = locale if locale in self._desks else self._words.default
        desk = self._desks[spoken]
        told = {name: _printable(value) for name, value in context.items()}
        given = {"zone": "UTC", **told, "brand": brand, "links": _links(brand, spoken)}
        try:
            if channel == "sms":
                return Rendered("", _line(desk.get_template(f"{template}.sms.txt").render(given)))
            subject, text, html = (
                desk.get_template(f"{template}.{kind}").render(given) for kind in ("subject.txt", "txt", "html")
            )
        except TemplateNotFound as error:
            raise LookupError(f"no letter {template} for {channel}") from error
        return Rendered(_line(subject), text.strip() + "\n", html)

    def has(self, template: str, channel: str) -> bool:
        """Whether there is such a letter for the channel."""
        return all((self._path / f"{template}.{kind}").is_file() for kind in _KINDS[channel])

    def _desk(self, path: Path, locale: str) -> Environment:
        desk = Environment(
            loader=FileSystemLoader(path),
            autoescape=select_autoescape(["html"], default=False),
            extensions=["jinja2.ext.i18n"],
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._words.bind(desk, locale)
        desk.globals["locale"] = locale
        desk.filters["when"] = lambda moment, zone: format_instant(datetime.fromisoformat(moment), locale, zone)
        desk.filters["day"] = lambda moment, zone: format_day(datetime.fromisoformat(moment), locale, zone)
        return desk


def _links(brand: Brand, locale: str) -> tuple[tuple[str, str], ...]:
    """The brand's contacts that are addresses a letter can name: label and target."""
    return tuple(
        (link.label.get(locale) or next(iter(link.label.values()), ""), link.href)
        for link in brand.links
        if link.href.startswith(("https://", "http://", "mailto:"))
    )


def _printable(value: Any) -> Any:
    """Text without control characters, so that a name cannot add lines to a letter."""
    if not isinstance(value, str):
        return value
    return "".join(mark if mark.isprintable() else " " for mark in value)


def _line(text: str) -> str:
    return " ".join(text.split())
