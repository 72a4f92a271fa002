"""The pages of ours that a sign-in may lead to, by names, so that no address is ever taken from a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Onward:
    """One of the pages; ``extra``: it wants a proof beyond the sign-in, given not long ago."""

    path: str
    extra: bool = False


HOME: Final = Onward("/")
ONWARD: Final[Mapping[str, Onward]] = MappingProxyType(
    {
        "profile": Onward("/profile"),
        "sessions": Onward("/profile/sessions"),
        "second-factor": Onward("/profile/second-factor"),
        "capacities": Onward("/profile/capacities"),
        "details": Onward("/profile/details"),
        "data": Onward("/profile/data", extra=True),
    }
)
