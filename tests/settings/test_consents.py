"""The texts that people agree to: whole in every language for what is in force, judged with file, line and remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idp.settings import load
from tests.settings.conftest import ROOT

Refusals = Callable[[dict[str, str]], list[str]]
Spoil = Callable[[str, str, str], int]
FILE = "config/consents.toml"
PROFILES = sorted(path.stem for path in (ROOT / "config" / "policies").glob("*.toml"))


@pytest.fixture
def consumer(environ: dict[str, str]) -> dict[str, str]:
    """Under a profile that asks for the terms and two purposes."""
    return environ | {"IDP_PROFILE": "consumer"}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_has_its_texts_in_every_language(config: Path, environ: dict[str, str], profile: str) -> None:
    settings = load(config, environ | {"IDP_PROFILE": profile})
    rules = settings.policy.consent
    asked = {*rules.purposes.items(), *({("terms", rules.terms_version)} if rules.terms != "off" else ())}
    assert asked <= set(settings.texts)
    for named in asked:
        text = settings.texts[named]
        assert (text.name, text.version) == named
        for language in settings.languages:
            heading, *paragraphs = text.words[language].split("\n\n")
            assert heading == heading.strip()
            assert "\n" not in heading
            assert paragraphs


def test_words_begin_and_end_with_words(config: Path, consumer: dict[str, str]) -> None:
    for text in load(config, consumer).texts.values():
        for words in text.words.values():
            assert words == words.strip()


def test_a_missing_file_is_fine_where_the_policy_asks_nothing(config: Path, environ: dict[str, str]) -> None:
    (config / "consents.toml").unlink()
    assert load(config, environ | {"IDP_PROFILE": "hardened"}).texts == {}


def test_a_missing_file_stops_the_start_where_the_policy_asks(
    config: Path, consumer: dict[str, str], refusals: Refusals
) -> None:
    (config / "consents.toml").unlink()
    (problem,) = refusals(consumer)
    assert problem.startswith(
        f"{FILE}: the policy asks people to agree to texts and there is no such file: terms 2026-11, news"
    )
    assert problem.endswith("Write it.")


def test_a_version_that_has_no_text_stops_the_start(consumer: dict[str, str], spoil: Spoil, refusals: Refusals) -> None:
    spoil("policies/consumer.toml", 'news = "2026-11"', 'news = "2027-01"')
    (problem,) = refusals(consumer)
    assert problem.startswith(FILE)
    assert "texts.news.2027-01: the policy asks people to agree to this version and there is no text of it" in problem


def test_a_language_that_is_missing_is_named(consumer: dict[str, str], spoil: Spoil, refusals: Refusals) -> None:
    spoil("consents.toml", "Possiamo inviarLe novità", "X")
    line = spoil("consents.toml", 'words.it = """\nX', 'words.de = """\nX')
    (problem,) = refusals(consumer)
    assert problem.startswith(FILE)
    assert 'texts.news.2026-11.words: no words in "it". Write them for each of languages.' in problem
    assert line > 1


def test_an_address_in_one_language_only_is_named(consumer: dict[str, str], spoil: Spoil, refusals: Refusals) -> None:
    spoil("consents.toml", 'href.it = "https://www.norda.example/it/condizioni"\n', "")
    (problem,) = refusals(consumer)
    assert 'texts.terms.2026-11.href: no address in "it"' in problem


def test_a_new_language_needs_the_words_of_all_that_is_asked(consumer: dict[str, str], refusals: Refusals) -> None:
    problems = refusals(consumer | {"IDP_LANGUAGES": "en,it,de"})
    assert [one for one in problems if 'texts.terms.2026-11.words: no words in "de"' in one]
    assert not [one for one in problems if "profiling" in one]


def test_an_older_version_need_not_know_every_language(config: Path, consumer: dict[str, str]) -> None:
    with (config / "consents.toml").open("a", encoding="utf-8") as file:
        file.write('\n[texts.news."2019-04"]\nwords.it = "Vuole le nostre novità?"\n')
    assert load(config, consumer).texts["news", "2019-04"].words == {"it": "Vuole le nostre novità?"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[texts.x."1"]\nwords.en = ""', "texts.x.1.words.en: the words are empty. Write what people agree to."),
        ('[texts.x."1"]\nwords.en = " \\n\\t"', "texts.x.1.words.en: the words are empty"),
        ('[texts.x."1"]\nwords = {}', "texts.x.1.words: the text has no words"),
        ('[texts.x."1"]\nhref.en = "/x"', "texts.x.1.words: missing"),
        ('[texts.x."1"]\nwords.english = "x"', "texts.x.1.words.english: not a language"),
        ('[texts.x."1"]\nwords.en = 7', "7 is not text"),
        ('[texts.x."1"]\nwords.en = "x"\ntitle = "x"', "texts.x.1.title: unknown key"),
        ('[texts.x."1"]\nwords.en = "x"\nhref.en = "javascript:alert(1)"', "runs or opens things in the browser"),
        ('[texts.x."1"]\nwords.en = "x"\nhref.en = "//evil.example"', "texts.x.1.href.en"),
        ('[texts.x."1"]\nwords.en = "x"\nhref.en = "http://plain.example/"', "can be read and changed on its way"),
        ('[texts.x."1"]\nwords.en = "x"\nhref.it = "/x"', "texts.x.1.href.it: there are no words in it"),
        ('[texts.x]\nwords = "x"', "texts.x.words"),
        ("[more]", "more: unknown key"),
    ],
)
def test_whatever_else_is_wrong_stops_the_start_with_its_line(
    config: Path, environ: dict[str, str], refusals: Refusals, table: str, said: str
) -> None:
    path = config / "consents.toml"
    before = path.read_text("utf-8").count("\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{table}\n")
    (problem,) = refusals(environ)
    place, _, told = problem.partition(": ")
    assert said in told
    file, _, line = place.partition(":")
    assert file == FILE
    assert before < int(line) <= before + table.count("\n") + 1


def test_a_broken_file_is_told_at_its_line(environ: dict[str, str], spoil: Spoil, refusals: Refusals) -> None:
    line = spoil("consents.toml", '[texts.news."2026-11"]', '[texts.news."2026-11"')
    (problem,) = refusals(environ)
    assert problem.startswith(f"{FILE}:{line}: ")
