"""A whole registration as a browser does it: the form, the code that waits in the outbox, and the account that may come in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

from sqlalchemy import select

from benchmarks.client import Client
from idp.app.composition import make_world
from idp.model import Customer
from idp.settings import load
from idp.store.tables import outbox

PROFILE = "customer-code"
_HIDDEN = re.compile(rb'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_PASSWORD = "correct horse battery staple"
_CUSTOMERS = 20_000


class Joining:
    """People who register one after the other, each as a customer of the operator. Four requests."""

    def __init__(self, port: int, environ: Mapping[str, str]) -> None:
        self._world = make_world(load(Path(environ["IDP_CONFIG"]), environ))
        self._port, self._number = port, 0
        now = datetime.now(UTC)
        with self._world.store.begin() as tx:
            generation = tx.customers.begin(now)
            every = (Customer("", f"K{number}", "neri", family_name="Neri") for number in range(_CUSTOMERS))
            tx.customers.load(generation, enumerate(every))
            tx.customers.put_in_use(generation, now)

    def __call__(self) -> object:
        """One more."""
        client, name = Client(self._port), f"anna{self._number}"
        typed = {"customer_code": f"k-{self._number}", "given_name": "Anna", "family_name": "NERI", "username": name}
        typed |= {"email": f"{name}@example.com", "password": _PASSWORD, "password_again": _PASSWORD}
        self._number += 1
        page = _answered(client, "/register", typed)
        return _answered(client, page, {"code": self._code(typed["email"])})

    def _code(self, email: str) -> str:
        """What the letter brings."""
        with self._world.store.engine.connect() as connection:
            body = connection.execute(select(outbox.c.body).where(outbox.c.recipient == email)).scalar_one()
        return str(self._world.vault.open_json(body)["code"])


def _answered(client: Client, page: str, fields: Mapping[str, str]) -> str:
    shown = client.get(page)
    hidden = {unescape(name.decode()): unescape(value.decode()) for name, value in _HIDDEN.findall(shown.body)}
    answer = client.post(page, {**hidden, **fields})
    assert answer.status == 303, answer
    return answer.location
