"""The texts that people agree to, from ``config/consents.toml``; there need be none where the policy asks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from idp.model import Text
from idp.policies.addresses import refused_link
from idp.policies.agreeing import in_force
from idp.policies.policy import Policy
from idp.settings.problems import Problem
from idp.settings.reader import Reader
from idp.settings.shapes import LANGUAGE

Texts = Mapping[tuple[str, str], Text]

NONE: Final[Texts] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TextTable:
    """One ``[texts.<name>.<version>]`` as it is written: words and, where there is more to read, where, by language."""

    words: Mapping[str, str]
    href: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsentsFile:
    """``config/consents.toml`` as it is written."""

    texts: Mapping[str, Mapping[str, TextTable]] = field(default_factory=dict)


def read_texts(reader: Reader, policy: Policy | None, languages: Sequence[str]) -> Texts:
    """Every version of every text by name and version; problems are left with the reader.

    What the policy has in force must have its words in each of ``languages``; ``policy`` is None where it could not be read.
    """
    file = reader.read(ConsentsFile, reader.document.table)
    texts: dict[tuple[str, str], Text] = {}
    for name, versions in file.texts.items() if file else ():
        for version, table in versions.items():
            _judge(reader, ("texts", name, version), table)
            words = {language: said.strip() for language, said in table.words.items()}
            texts[name, version] = Text(name, version, words, dict(table.href))
    if file is not None and policy is not None:
        for name, version in in_force(policy):
            _judge_in_force(reader, (name, version), texts.get((name, version)), languages)
    return texts


def missing(file: str, policy: Policy) -> Problem | None:
    """The problem that there is no file of texts; None where the policy asks nobody to agree to anything."""
    asked = in_force(policy)
    if not asked:
        return None
    named = ", ".join(f"{name} {version}" for name, version in asked)
    return Problem(file, 0, "", f"the policy asks people to agree to texts and there is no such file: {named}", "Write it.")


def _judge(reader: Reader, here: tuple[str, ...], table: TextTable) -> None:
    """What holds for every version, in force or not: the ledger of those who answered it shows it still."""
    if not table.words:
        reader.refuse((*here, "words"), "the text has no words", "Write them, one entry for each language.")
    for language, said in table.words.items():
        if not LANGUAGE.fullmatch(language):
            reader.refuse((*here, "words", language), "not a language", 'Write its code: "en", "it" or "pt-BR".')
        if not said.strip():
            reader.refuse((*here, "words", language), "the words are empty", "Write what people agree to.")
    for language, address in table.href.items():
        refusal = refused_link(address)
        if refusal is not None:
            reader.refuse((*here, "href", language), *refusal)
        elif language not in table.words:
            reader.refuse((*here, "href", language), "there are no words in it", "Write them, or remove the address.")


def _judge_in_force(reader: Reader, named: tuple[str, str], text: Text | None, languages: Sequence[str]) -> None:
    here = ("texts", *named)
    if text is None:
        what = "the policy asks people to agree to this version and there is no text of it"
        reader.refuse(here, what, "Write it, or let the policy name a version that is here ([consent]).")
        return
    for language in languages:
        if language not in text.words:
            reader.refuse((*here, "words"), f'no words in "{language}"', "Write them for each of languages.")
        elif text.href and language not in text.href:
            reader.refuse((*here, "href"), f'no address in "{language}"', "Write one for each of languages, or none.")
