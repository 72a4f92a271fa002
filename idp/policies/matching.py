"""Whether what a person typed is what the operator's records say: forgiving in form, strict in substance.

Two texts match where their keys are equal. Keys of customer records are computed when they are imported, so that a match
is a comparison and nothing else.
"""

import unicodedata
from typing import Final

LONGEST: Final = 128
# Letters that are one with another only by custom: they have no decomposition in Unicode.
_BY_CUSTOM: Final = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "ħ": "h",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ŋ": "n",
    }
)
_GROUPING: Final = frozenset(" .-/_")


def name_key(typed: str) -> str:
    """A name as it is compared: letters alone, without case and accents. Empty where there is none, or far too much."""
    if len(typed) > LONGEST:
        return ""
    if typed.isascii():
        return "".join(filter(str.isalpha, typed.lower()))
    parted = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", typed).casefold()).translate(_BY_CUSTOM)
    return "".join(char for char in parted if char.isalpha())


def reference_key(typed: str) -> str:
    """An account number or customer code as it is compared: without the marks that group it; each digit and zero counts."""
    if len(typed) > LONGEST:
        return ""
    shown = typed if typed.isascii() else unicodedata.normalize("NFKC", typed)
    kept = "".join(char for char in shown if char not in _GROUPING and not char.isspace()).upper()
    return kept if kept.isalnum() and kept.isascii() else ""
