"""Writing that takes no effect where there is no such account.

A stranger who asks for a letter must not be able to tell by the time it takes whether there is anyone to send it to. So
the same statements run for nobody as for somebody: each inserts one row for each account of the id, which is one or none.
"""

from typing import TypeVar

from sqlalchemy import Insert, bindparam, select

from idp.store.tables import accounts

Into = TypeVar("Into", bound=Insert)


def of_someone(into: Into, *names: str) -> Into:
    """The INSERT of one row of values by ``names`` (all columns, where none is named), if its account exists."""
    columns = into.table.c
    chosen = names or tuple(column.name for column in columns)
    values = (accounts.c.id if name == "account_id" else bindparam(name, type_=columns[name].type) for name in chosen)
    return into.from_select(list(chosen), select(*values).where(accounts.c.id == bindparam("account_id")))
