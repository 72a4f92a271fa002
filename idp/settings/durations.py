"""Durations as people write them: one number and one unit, "90s", "30m", "12h" or "120d"."""

import re
from datetime import timedelta

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_WRITTEN = re.compile(r"([0-9]{1,10})([smhd])", re.ASCII)
LONGEST = timedelta(days=36500)


def parse_duration(text: str) -> timedelta | None:
    """The duration that ``text`` says, or None where it says none, or one beyond a hundred years."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    number, unit = int(written[1]), _UNITS[written[2]]
    return number * unit if number <= LONGEST // unit else None


def format_duration(span: timedelta) -> str:
    """``span`` in the largest unit that expresses it exactly."""
    if not span:
        return "0s"
    unit = next(name for name, size in _UNITS.items() if not span % size)
    return f"{span // _UNITS[unit]}{unit}"
