"""The build fails where a page, a letter or a text message has no finished translation, or a translation has no use."""

import re
from collections.abc import Sequence

import pytest
from babel.messages.catalog import Catalog, Message

from idp.language import TRANSLATIONS, messages, read

LANGUAGES = sorted(path.name for path in TRANSLATIONS.iterdir() if path.is_dir())
REMEDY = "run `python -m idp.language`, then translate what is empty"
PLACE = re.compile(r"%\(\w+\)s|%%")


@pytest.fixture(scope="module")
def wanted() -> Catalog:
    return messages()


@pytest.fixture(params=LANGUAGES)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return read(TRANSLATIONS, request.param)


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, list | tuple) else (str(text or ""),)


def keys(catalogue: Catalog) -> dict[tuple[str, ...], Message]:
    return {forms(message.id): message for message in catalogue if message.id}


def test_italian_is_spoken() -> None:
    assert "it" in LANGUAGES


def test_the_sources_hold_messages(wanted: Catalog) -> None:
    files = {file for message in wanted for file, _ in message.locations}
    assert "idp/templates/sign_in.html" in files
    assert any(file.startswith("idp/templates/letters/") for file in files)


def test_every_message_is_translated(wanted: Catalog, catalogue: Catalog) -> None:
    held = keys(catalogue)
    missing = [key[0] for key in keys(wanted) if key not in held or not all(forms(held[key].string))]
    assert not missing, REMEDY
    assert not [message.id for message in held.values() if message.fuzzy], "unfinished translations"


def test_no_translation_is_without_use(wanted: Catalog, catalogue: Catalog) -> None:
    assert not keys(catalogue).keys() - keys(wanted).keys(), REMEDY
    assert not catalogue.obsolete, REMEDY


def test_every_plural_has_all_its_forms(catalogue: Catalog) -> None:
    for message in keys(catalogue).values():
        if message.pluralizable:
            assert len(forms(message.string)) == catalogue.num_plurals, message.id


def test_placeholders_are_the_same_in_every_language(catalogue: Catalog) -> None:
    for source, message in keys(catalogue).items():
        places = {place for text in source for place in PLACE.findall(text)}
        for text in forms(message.string):
            found = PLACE.findall(text)
            # A singular may say "one" in words.
            assert set(found) == places or (message.pluralizable and set(found) < places), message.id
            assert "%" not in PLACE.sub("", text), message.id
            assert text.strip() == text, message.id


def test_no_words_stand_outside_a_message() -> None:
    """A text between two tags of a template that is no expression would be in one language only."""
    bare = re.compile(r">([^<>{}]*[A-Za-z]{2}[^<>{}]*)<")
    comments = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
    for file in sorted((TRANSLATIONS.parent / "templates").rglob("*.html")):
        assert not bare.findall(comments.sub("", file.read_text(encoding="utf-8"))), file.name
