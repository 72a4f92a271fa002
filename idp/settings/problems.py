"""What is wrong with a configuration: every problem says where it is, what it is and how to put it right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stops the start. ``line`` is 0 where the place has no lines (the environment)."""

    file: str
    line: int
    key: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """The problem on one line, in the form editors and terminals recognise as a place."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.key}: " if self.key else ""
        return f"{place}: {subject}{self.what}. {self.remedy}"


class ConfigurationError(Exception):
    """The configuration can't be used; ``problems`` holds every reason, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
