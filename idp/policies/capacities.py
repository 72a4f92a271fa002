"""In which capacity a person acts."""

from idp.model import Account, Capacity


def settled(account: Account, chosen: str) -> bool:
    """Whether it is clear in which capacity the person acts: there is no choice, or it was made."""
    return len(account.capacities) < 2 or acting(account, chosen) is not None  # noqa: PLR2004 - of two on there is a choice


def acting(account: Account, chosen: str) -> Capacity | None:
    """The capacity in which the person acts: the one chosen, or the only one. None: the account has none, or not that one."""
    if not chosen and len(account.capacities) == 1:
        return account.capacities[0]
    return next((one for one in account.capacities if one.id == chosen), None)
