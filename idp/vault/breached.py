"""Known breached passwords, offline. The list is that of @zxcvbn-ts/language-common (MIT, see ``data/LICENSE.breached.txt``).

An operator's own corpus may stand beside it: one password a line, UTF-8.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).parent / "data" / "breached.txt"


class Breached:
    """The lists, read at the first question; compared casefolded, as attackers do."""

    def __init__(self, lists: Iterable[Path] = (LIST,)) -> None:
        self._lists = tuple(lists)

    def __contains__(self, password: str) -> bool:
        return password.casefold() in self._known

    @cached_property
    def _known(self) -> frozenset[str]:
        lines = (line for path in self._lists for line in path.read_text("utf-8").splitlines())
        return frozenset(line.casefold() for line in lines)
