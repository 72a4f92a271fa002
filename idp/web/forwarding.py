"""Where an old address leads: by its path alone, and only to what the configuration names."""

from collections.abc import Mapping


def destination(table: Mapping[str, str], path: str) -> str | None:
    """The new address of an old path, its own entry before that of a folder above it; None where there is none.

    Older servers told no capitals from small letters. The query leads nowhere: nothing of a request is passed on.
    """
    asked = path.lower()
    found = table.get(asked)
    while found is None and asked:
        asked = asked.rpartition("/")[0]
        found = table.get(f"{asked}/*")
    return found
