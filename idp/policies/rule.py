"""How a rule of the policy is stated: its default, what it does, its limits and its source."""

from dataclasses import field
from datetime import timedelta
from typing import Any

MINUTES = timedelta(minutes=1)
HOURS = timedelta(hours=1)
DAYS = timedelta(days=1)


def rule(default: Any, doc: str, *, floor: Any = None, ceiling: Any = None, source: str = "") -> Any:
    """A field of the policy: its default, what it does, the values the product refuses beyond, and where they come from."""
    return field(default=default, metadata={"doc": doc, "floor": floor, "ceiling": ceiling, "source": source})
