"""Why a letter could not be handed over: worth another try, or never."""

_MOST_CHARACTERS = 200


class Undelivered(Exception):  # noqa: N818 - what became of the letter
    """The letter was not taken. ``reason`` is one printable line, without the letter's content."""

    def __init__(self, reason: str) -> None:
        self.reason = "".join(mark if mark.isprintable() else " " for mark in reason[:_MOST_CHARACTERS]).strip()
        super().__init__(self.reason)


class Temporary(Undelivered):
    """The other side, the network or our own configuration: it may be taken later."""


class Permanent(Undelivered):
    """This letter, to this address, will never be taken."""
