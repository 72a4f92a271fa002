"""The choice of a language, the telling of a moment, and how catalogues are loaded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.pofile import PoFileError

from idp.language import Words, format_day, format_instant, read, refresh

WORDS = Words(languages=("en", "it"))
NOON = datetime(2026, 11, 22, 13, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ui_locales", "cookie", "accept", "spoken"),
    [
        (None, None, None, "en"),
        ("it", "en", "en", "it"),
        ("fr it", None, "en", "it"),
        ("it-CH", None, None, "it"),
        ("IT_it", None, None, "en"),
        ("IT", None, None, "it"),
        ("it-Latn-IT-x-private", None, None, "it"),
        ("fr de", "it", None, "it"),
        (None, "it", "en", "it"),
        (None, "xx", "it", "it"),
        (None, None, "fr, it;q=0.8, en;q=0.7", "it"),
        (None, None, "en;q=0.2, it;q=0.9", "it"),
        (None, None, "it;q=0, en", "en"),
        (None, None, "it; q=0.5", "it"),
        (None, None, "it;q=2", "en"),
        (None, None, "it;level=1", "en"),
        (None, None, "*", "en"),
        (None, None, "de-AT,de", "en"),
    ],
)
def test_the_language_is_chosen(ui_locales: str | None, cookie: str | None, accept: str | None, spoken: str) -> None:
    assert WORDS.negotiate(ui_locales, cookie, accept) == spoken


@pytest.mark.parametrize(
    "hostile",
    ["../../etc/passwd", "it\x00", "it\r\nSet-Cookie: x", "<it>", "i" * 100_000, "- - -", ",;,;q=", "it;q=NaN", "\ud800"],
)
def test_hostile_input_is_passed_over(hostile: str) -> None:
    assert WORDS.negotiate(hostile, None, None) in {"en", "it"}
    assert WORDS.negotiate(None, hostile, hostile) == "en"


def test_a_long_list_is_read_only_so_far() -> None:
    assert WORDS.negotiate(" ".join(["fr"] * 1000 + ["it"])) == "en"


@pytest.mark.parametrize(
    ("locale", "zone", "now", "told"),
    [
        ("en", "Europe/Rome", NOON, "14:35"),
        ("it", "Europe/Rome", NOON, "14:35"),
        ("en", "Europe/Rome", None, "22 November, 14:35"),
        ("it", "Europe/Rome", None, "22 novembre, 14:35"),
        ("en", "Europe/Rome", datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "22 November, 14:35"),
        ("en", "Europe/Rome", datetime(2027, 1, 2, tzinfo=UTC), "22 November 2026, 14:35"),
        ("en", "UTC", NOON, "13:35 UTC"),
        ("en", "Not/AZone", NOON, "13:35 UTC"),
        ("en", "../../etc/passwd", NOON, "13:35 UTC"),
    ],
)
def test_a_moment_is_told(locale: str, zone: str, now: datetime | None, told: str) -> None:
    assert format_instant(NOON, locale, zone, now) == told


@pytest.mark.parametrize(
    ("locale", "zone", "told"),
    [
        ("en", "UTC", "Sunday 22 November 2026"),
        ("it", "UTC", "domenica 22 novembre 2026"),
        ("en", "Pacific/Auckland", "Monday 23 November 2026"),
        ("en", "Not/AZone", "Sunday 22 November 2026"),
    ],
)
def test_a_day_is_told(locale: str, zone: str, told: str) -> None:
    assert format_day(NOON, locale, zone) == told


def test_languages_are_named_in_themselves() -> None:
    assert WORDS.names == (("en", "English"), ("it", "Italiano"))
    assert WORDS.default == "en"


def test_words_are_translated_and_counted() -> None:
    assert WORDS.gettext("it")("Continue") == "Continua"
    assert WORDS.gettext("en")("Continue") == "Continue"
    assert WORDS.ngettext("it")("%(num)s digit", "%(num)s digits", 6) == "%(num)s cifre"
    assert WORDS.ngettext("en")("%(num)s digit", "%(num)s digits", 1) == "%(num)s digit"


def test_a_language_without_a_catalogue_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"messages\.po"):
        Words(tmp_path, ("en", "it"))
    with pytest.raises(OSError, match=r"messages\.po"):
        Words(languages=("en", "fr"))


def test_a_broken_catalogue_stops_the_start(tmp_path: Path) -> None:
    _catalogue(tmp_path, 'nonsense "here\n')
    with pytest.raises(PoFileError, match="on 4"):
        Words(tmp_path, ("it",))


def test_an_unfinished_translation_is_not_spoken(tmp_path: Path) -> None:
    _catalogue(tmp_path, '#, fuzzy\nmsgid "Continue"\nmsgstr "Forse"\n')
    assert Words(tmp_path, ("it",)).gettext("it")("Continue") == "Continue"


def test_a_refreshed_catalogue_keeps_its_translations_and_loses_what_is_gone(tmp_path: Path) -> None:
    file = _catalogue(tmp_path, 'msgid "Continue"\nmsgstr "Continua"\n\nmsgid "Gone long ago"\nmsgstr "Andato"\n')
    ((language, missing),) = refresh(tmp_path)
    assert language == "it"
    assert missing > 100
    text = file.read_text(encoding="utf-8")
    assert "Gone long ago" not in text
    continued = read(tmp_path, "it").get("Continue")
    assert continued is not None
    assert continued.string == "Continua"
    assert list(refresh(tmp_path)) == [("it", missing)]
    assert file.read_text(encoding="utf-8") == text


def _catalogue(path: Path, entries: str) -> Path:
    file = path / "it" / "LC_MESSAGES" / "messages.po"
    file.parent.mkdir(parents=True)
    file.write_text('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n' + entries, encoding="utf-8")
    return file
