"""Why a letter could not be handed over, worth another try or never; and that nobody answers for the customer records."""

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


class RecordsDown(Exception):  # noqa: N818 - a state of the world, as the store's is
    """Whoever keeps the customer records can't say whose they are: nothing was decided, the door says 503.

    Its words are ours, and hold nothing of what was asked or answered.
    """
