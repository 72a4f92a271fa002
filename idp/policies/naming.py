"""What may be a name: whatever people are called, in any script, and nothing that cannot be seen."""

import unicodedata
from typing import Final

LONGEST: Final = 100
# Joiners, invisible by themselves, without which some names can't be written.
_JOINERS: Final = str.maketrans("", "", "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}")


def settled(typed: str) -> str:
    """A name in the form in which it is kept: composed, with one space wherever there was some, and none around it."""
    return unicodedata.normalize("NFC", " ".join(typed.split()))


def may_be(name: str) -> bool:
    """Whether a settled name may be kept: not too long, and all of it can be seen."""
    return len(name) <= LONGEST and name.translate(_JOINERS).isprintable()
