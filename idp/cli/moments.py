"""Moments as people type them."""

from datetime import UTC, datetime

import click


def read_moment(typed: str) -> datetime:
    """A date or moment in ISO 8601, UTC where it names no zone; another is refused as a bad ``--at``."""
    try:
        read = datetime.fromisoformat(typed)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            "Write a date or a moment, as in 2027-03-01 or 2027-03-01T12:00:00+01:00.", param_hint="--at"
        ) from None
