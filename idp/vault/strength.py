"""How hard a password would be to guess, by zxcvbn: an opinion with its reasons, offline. It advises; rules refuse.

The library is taken in parts: its own front door keeps what it is told of a person in a place that all threads share, and
tries every reading of a password's symbols as letters, which some passwords stretch to seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import prod
from types import MappingProxyType
from typing import Any, Final

# What is judged of a long password. What follows only makes it better, and every character more costs more than the last.
JUDGED: Final = 32
GENERAL: Final = "general"
_PERSONAL: Final = "personal"
_SHORTEST_NAME: Final = 3
_NAMED_BELOW: Final = 2
# Readings of symbols as letters, each tried once.
_READINGS: Final = (
    {"a": ["@"], "e": ["3"], "i": ["1"], "o": ["0"], "s": ["$"], "t": ["7"], "g": ["9"]},
    {"a": ["4"], "b": ["8"], "i": ["!"], "l": ["1"], "s": ["5"], "t": ["+"], "z": ["2"]},
)
# The library searches what is repeated in every reading there is; where there may be more than this it is not asked to.
_MOST_READINGS: Final = 16

# The library's English for our names of it. What a later version may say anew becomes ``GENERAL``.
NAMES: Final = MappingProxyType(
    {
        "Use a few words, avoid common phrases.": "few_words",
        "No need for symbols, digits, or uppercase letters.": "no_symbols_needed",
        "Add another word or two. Uncommon words are better.": "more_words",
        "Straight rows of keys are easy to guess.": "rows",
        "Short keyboard patterns are easy to guess.": "keyboard",
        "Use a longer keyboard pattern with more turns.": "longer_keyboard",
        'Repeats like "aaa" are easy to guess.': "repeats",
        'Repeats like "abcabcabc" are only slightly harder to guess than "abc".': "long_repeats",
        "Avoid repeated words and characters.": "no_repeats",
        'Sequences like "abc" or "6543" are easy to guess.': "sequences",
        "Avoid sequences.": "no_sequences",
        "Recent years are easy to guess.": "years",
        "Avoid recent years.": "no_years",
        "Avoid years that are associated with you.": "no_own_years",
        "Dates are often easy to guess.": "dates",
        "Avoid dates and years that are associated with you.": "no_own_dates",
        "This is a top-10 common password.": "top_10",
        "This is a top-100 common password.": "top_100",
        "This is a very common password.": "common",
        "This is similar to a commonly used password.": "like_common",
        "A word by itself is easy to guess.": "one_word",
        "Names and surnames by themselves are easy to guess.": "one_name",
        "Common names and surnames are easy to guess.": "names",
        "Capitalization doesn't help very much.": "capital",
        "All-uppercase is almost as easy to guess as all-lowercase.": "capitals",
        "Reversed words aren't much harder to guess.": "reversed",
        "Predictable substitutions like '@' instead of 'a' don't help very much.": "substitutions",
    }
)


@dataclass(frozen=True, slots=True)
class Strength:
    """A score from 0 (guessed at once) to 4, why it is no higher, and what would help: names that the pages have words for."""

    score: int
    warning: str = ""
    hints: tuple[str, ...] = ()


def judge(password: str, username: str = "") -> Strength:
    """What an attacker's order of guesses makes of a password; ``username`` is among the first that they try."""
    library, judged = _library(), password[:JUDGED]
    known = {**library.matching.RANKED_DICTIONARIES, _PERSONAL: _ranked(username)}
    found = library.scoring.most_guessable_match_sequence(judged, _matches(library.matching, judged, known))
    score = int(library.time_estimates.guesses_to_score(found["guesses"]))
    told = library.feedback.get_feedback(score, found["sequence"])
    warning = NAMES.get(told["warning"], GENERAL) if told["warning"] else ""
    if score <= _NAMED_BELOW and any(match.get("dictionary_name") == _PERSONAL for match in found["sequence"]):
        warning = _PERSONAL
    return Strength(score, warning, tuple(dict.fromkeys(NAMES.get(words, GENERAL) for words in told["suggestions"])))


def _matches(matching: Any, judged: str, known: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """What is known of parts of the password: words, names, rows of keys, dates, in each of a few readings."""
    plain = ("dictionary", "reverse_dictionary", "spatial", "sequence", "regex", "date")
    asked = (*plain, "repeat") if _readings(matching, judged) <= _MOST_READINGS else plain
    found = [match for name in asked for match in getattr(matching, f"{name}_match")(judged, _ranked_dictionaries=known)]
    for reading in _READINGS:
        table = matching.relevant_l33t_subtable(judged, reading)
        found += matching.l33t_match(judged, _ranked_dictionaries=known, _l33t_table=table)
    return sorted(found, key=lambda match: (match["i"], match["j"]))


def _readings(matching: Any, judged: str) -> int:
    """At most so many readings of its symbols as letters are there: one for each choice, two where one may be two letters."""
    letters = list(matching.relevant_l33t_subtable(judged, matching.L33T_TABLE).values())
    symbols = [symbol for choices in letters for symbol in choices]
    return prod(map(len, letters)) << len(symbols) - len(set(symbols))


def _ranked(username: str) -> dict[str, int]:
    """The username and its parts, the whole of it first."""
    folded = username[:JUDGED].lower()
    parts = [part for part in ("".join(char if char.isalnum() else " " for char in folded)).split() if part != folded]
    return {part: rank for rank, part in enumerate((folded, *parts), 1) if len(part) >= _SHORTEST_NAME}


@cache
def _library() -> Any:
    """The library, read at the first question: its lists are 14 MB that a process without one never needs."""
    return import_module("zxcvbn")
