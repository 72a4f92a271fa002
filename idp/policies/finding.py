"""What is wrong with a policy or a registration, and the words for it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

RATE: Final = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour|day)", re.ASCII)
_WINDOWS: Final = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Finding:
    """A contradiction at ``key``; ``also`` names the other keys it is between."""

    key: str
    what: str
    remedy: str
    also: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key the contradiction is between, its own first."""
        return (self.key, *self.also)


def key_list(key: str, names: Sequence[str]) -> Iterator[Finding]:
    """Lists of keys: each a lower-case word, none twice."""
    for name in names:
        if not _KEY.fullmatch(name):
            yield Finding(key, f"{quoted(name[:40])} is not a key", 'Write lower-case words joined by "_".')
    if len(set(names)) < len(names):
        yield Finding(key, "a key is listed twice", "Keep one of the two.")


def quoted(text: str) -> str:
    """A word of a file as a finding shows it."""
    return '"' + "".join(letter if letter.isprintable() else "?" for letter in text) + '"'


def closest(name: str, known: Sequence[str]) -> str:
    """The remedy for a name that is not among those ``known``."""
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {quoted(near[0])}?" if near else f"Remove it, or use one of: {', '.join(sorted(known))}."


def written(span: timedelta) -> str:
    """A duration in the unit it is written in."""
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1))):
        if span and not span % size:
            return f"{span // size}{unit}"
    return f"{span // timedelta(seconds=1)}s"


def rate(text: str) -> tuple[int, timedelta]:
    """How often, in which window, a rate such as "5/hour" allows; raises ``ValueError`` for what is none."""
    found = RATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return int(found[1]), _WINDOWS[found[2]]
