"""In which capacity a person acts."""

from typing import Final

from idp.model import Account, Capacity

# More than anybody needs, and few enough to be kept with the account and shown on one page.
MOST: Final = 20
_SHOWN: Final = 3


def settled(account: Account, chosen: str) -> bool:
    """Whether it is clear in which capacity the person acts: there is no choice, or it was made."""
    return len(account.capacities) < 2 or held(account, chosen) is not None  # noqa: PLR2004 - of two on there is a choice


def acting(account: Account, chosen: str) -> Capacity | None:
    """The capacity in which the person acts from now on: the one chosen, or the only one. None: there is none, or a choice."""
    only = account.capacities[0] if len(account.capacities) == 1 else None
    return held(account, chosen) or only


def held(account: Account, capacity_id: str) -> Capacity | None:
    """The capacity of that id, and no other in its place: what was granted in it ends with it."""
    return next((one for one in account.capacities if one.id == capacity_id), None)


def last_marks(account_number: str) -> str:
    """As much of an account number as its owner is shown to know it by: the last three marks, of one that has many more."""
    return account_number[-_SHOWN:] if len(account_number) > 2 * _SHOWN else ""
