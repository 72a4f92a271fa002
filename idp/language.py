"""The words of the house in each language: catalogues, the choice of language, and how a moment is told.

English is the source: its words stand in the templates. Every other language is one ``messages.po``, read and compiled in
memory at start, so that no built file can be stale. ``python -m idp.language`` refreshes the catalogues from the sources.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.support import NullTranslations, Translations

SOURCE: Final = "en"
HERE: Final = Path(__file__).parent
TRANSLATIONS: Final = HERE / "translations"

# A language tag as far as it is looked at (RFC 5646 2.1), and how much of a hostile list is read.
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,5}")
_WEIGHT: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_MOST_CHARACTERS: Final = 400
_MOST_TAGS: Final = 16
_REGIONS: Final = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)


class Words:
    """The catalogues of ``languages``, of which the first is the default. A missing or broken one stops the start."""

    def __init__(self, path: Path = TRANSLATIONS, languages: Sequence[str] = (SOURCE, "it")) -> None:
        self.languages: Final = tuple(languages)
        self.default: Final = self.languages[0]
        self.names: Final = tuple((code, _own_name(code)) for code in self.languages)
        self._catalogues: Final = {code: _load(path, code) for code in self.languages}

    def gettext(self, locale: str) -> Callable[[str], str]:
        """The function that translates a message into ``locale``."""
        return self._catalogues[locale].ugettext

    def ngettext(self, locale: str) -> Callable[[str, str, int], str]:
        """The function that translates a message with a number into ``locale``."""
        return self._catalogues[locale].ungettext

    def bind(self, environment: Any, locale: str) -> None:
        """Bind a Jinja environment that has the i18n extension to ``locale``, its message blocks trimmed as extracted."""
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(self.gettext(locale), self.ngettext(locale), newstyle=True)

    def negotiate(self, ui_locales: str | None = None, cookie: str | None = None, accept_language: str | None = None) -> str:
        """The language to speak: what was asked for here, then what was chosen before, then what the browser prefers.

        Any input is safe: what is no language tag, or too long, is passed over (OpenID Connect Core 3.1.2.1: unknown
        ``ui_locales`` are no error).
        """
        asked = (ui_locales or "")[:_MOST_CHARACTERS].split()[:_MOST_TAGS]
        for tag in (*asked, cookie or "", *_accepted(accept_language or "")):
            found = self._lookup(tag)
            if found:
                return found
        return self.default

    def _lookup(self, tag: str) -> str | None:
        """The language that serves ``tag``, cut from the end until one does (RFC 4647 3.4)."""
        if not _TAG.fullmatch(tag):
            return None
        parts = tag.lower().split("-")
        ranges = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((code for wanted in ranges for code in self.languages if code.lower() == wanted), None)


def format_instant(moment: datetime, locale: str, zone: str, now: datetime | None = None) -> str:
    """``moment`` on the clock of ``zone``: "14:35" on the day of ``now``, else "22 November, 14:35".

    The year is told when it is not that of ``now``; an unknown zone counts as UTC, and UTC is always named.
    """
    clock = _zone(zone)
    local = moment.astimezone(clock)
    today = now.astimezone(clock) if now else None
    pattern = "d MMMM, HH:mm"
    if today and local.date() == today.date():
        pattern = "HH:mm"
    elif today and local.year != today.year:
        pattern = "d MMMM y, HH:mm"
    if clock is UTC:
        pattern += " 'UTC'"
    return format_datetime(local.replace(tzinfo=None), pattern, locale=locale)


def format_day(moment: datetime, locale: str, zone: str) -> str:
    """The day of ``moment`` on the clock of ``zone``: "Sunday 22 November 2026". A weekday needs no article anywhere."""
    return format_datetime(moment.astimezone(_zone(zone)).replace(tzinfo=None), "EEEE d MMMM y", locale=locale)


@cache
def zones() -> tuple[str, ...]:
    """The time zones that people choose from: places ("Europe/Rome"), and UTC."""
    return (*sorted(name for name in available_timezones() if name.partition("/")[0] in _REGIONS), "UTC")


def messages() -> Catalog:
    """Every message of the templates and of the code, as a catalogue without translations."""
    catalogue = Catalog(project="idp", charset="utf-8", fuzzy=False)
    options = {"templates/**": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
    methods = [("templates/**", "jinja2.ext:babel_extract"), ("**.py", "python")]
    for file, _, text, comments, context in extract_from_dir(
        HERE, methods, options, comment_tags=("Translators:",), strip_comment_tags=True
    ):
        catalogue.add(text, locations=[(f"idp/{file}", 0)], auto_comments=comments, context=context)
    return catalogue


def refresh(path: Path = TRANSLATIONS) -> Iterator[tuple[str, int]]:
    """Bring each catalogue up to the sources and yield its language with the number of messages still to translate."""
    template = messages()
    for file in sorted(path.glob("*/LC_MESSAGES/messages.po")):
        language = file.parent.parent.name
        catalogue = read(path, language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        held = BytesIO()
        write_po(held, catalogue, width=120, sort_output=True, include_lineno=False, omit_header=True)
        file.write_bytes(_HEADER.format(language=language, plural=catalogue.plural_forms).encode() + held.getvalue())
        yield language, sum(1 for message in catalogue if message.id and not all(_texts(message.string)))


def read(path: Path, language: str) -> Catalog:
    """The catalogue of ``language`` as it stands in its file; a broken file is refused with its line."""
    with (path / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


_HEADER: Final = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""


def _texts(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """The forms of a message or a translation, plural or not."""
    return tuple(text) if isinstance(text, list | tuple) else (str(text or ""),)


def _load(path: Path, language: str) -> NullTranslations:
    """The translations into ``language``; English is the source and needs none."""
    if language == SOURCE:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read(path, language))
    compiled.seek(0)
    return Translations(compiled)


def _own_name(code: str) -> str:
    """What a language calls itself, with a capital: "Italiano"."""
    name = Locale.parse(code, sep="-").get_display_name(code) or code
    return name[:1].upper() + name[1:]


def _zone(name: str) -> tzinfo:
    """The zone of that name; a page must not fail on one that is unknown."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC


def _accepted(header: str) -> tuple[str, ...]:
    """The tags of an Accept-Language header, best first (RFC 9110 12.5.4); what weighs nothing is left out."""
    weighed = []
    for item in header[:_MOST_CHARACTERS].split(",")[:_MOST_TAGS]:
        tag, _, parameter = (part.strip() for part in item.partition(";"))
        weight = _WEIGHT.fullmatch(parameter.replace(" ", "").lower()) if parameter else None
        if not parameter or weight:
            weighed.append((float(weight[1]) if weight else 1.0, tag))
    ordered = sorted(weighed, key=lambda pair: -pair[0])
    return tuple(tag for weight, tag in ordered if weight > 0)


if __name__ == "__main__":
    for refreshed, missing in refresh():
        sys.stdout.write(f"{refreshed}: {missing} to translate\n")
