"""What the room says when it cannot do its work: the store is down, or a name is taken."""

from sqlalchemy import exc

# What an engine raises when the database is absent, too slow, full or locked; a broken statement is none of these.
DOWN = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.DisconnectionError)


class StoreDown(Exception):  # noqa: N818 - a state of the world, named as the doors name it
    """The database or Redis cannot answer: nothing was decided, nobody gets in, the door says 503."""


class Taken(Exception):  # noqa: N818 - as above
    """The username is another account's; nothing was written and the transaction still stands."""


def reason(error: BaseException) -> str:
    """The driver's own words, without the statement and its parameters (which may hold personal data)."""
    return str(getattr(error, "orig", None) or error).strip()
