"""What people say of themselves in My Profile: names as they are kept, the language of letters, and the clock they live by."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from idp.model import Account
from idp.policies import naming
from idp.policies.joining import Field, Registration

NAMES: Final[tuple[Field, ...]] = ("given_name", "family_name")


def names_on_record(account: Account) -> bool:
    """Whether the names are those of the operator's customer records, which the person cannot change here."""
    return any(one.reference or one.customer for one in account.capacities)


def judge(
    account: Account, said: Mapping[str, str], rules: Registration, *, languages: Collection[str], zones: Collection[str]
) -> Account | tuple[str, ...]:
    """The account as it is to be, or the names of what is wrong. What stood there before is always right."""
    names: dict[str, str] = {} if names_on_record(account) else {name: naming.settled(said[name]) for name in NAMES}
    places = {"locale": (said["locale"], languages), "zone": (said["zone"], zones)}
    faults = [f"{name}_form" for name in NAMES if name in names and not _may_be(names[name], needed=_needed(name, rules))]
    faults += [
        f"{name}_unknown" for name, (value, known) in places.items() if value not in known and value != getattr(account, name)
    ]
    changes: dict[str, Any] = {**names, **{name: value for name, (value, _) in places.items()}}
    return tuple(faults) or replace(account, **changes)


def _may_be(name: str, *, needed: bool) -> bool:
    return naming.may_be(name) if name else not needed


def _needed(name: Field, rules: Registration) -> bool:
    """Whether everybody has such a name: account managers give one to whom they invite."""
    return not rules.open or (name in rules.fields and name not in rules.optional)
