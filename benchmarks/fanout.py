"""The end of a session that twenty clients are to be told of, beside one of which none is, in this process."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from benchmarks.people import account
from idp.app.composition import make_world
from idp.flows import closing
from idp.model import AuthorizationCode, Client, Grant, Session
from idp.settings import load

CLIENTS = 20
SESSIONS = 300
_DAY = timedelta(days=1)


class Here:
    """This process, as what is measured."""

    def cpu(self) -> float:
        """CPU seconds used so far."""
        return time.process_time()


class Departures:
    """Sessions that end one after the other, each with a grant of every client; ``told`` says whether clients are."""

    def __init__(self, environ: Mapping[str, str], *, told: bool) -> None:
        world = make_world(load(Path(environ["IDP_CONFIG"]), environ))
        where = "https://client.example/logout" if told else None
        clients = (Client(f"c{number}", "One of many", backchannel_logout_uri=where) for number in range(CLIENTS))
        self._world = replace(world, clients=MappingProxyType({client.id: client for client in clients}))
        self._sessions = self._made("told" if told else "untold")

    def _made(self, name: str) -> Iterator[Session]:
        now, sessions = datetime.now(UTC), []
        with self._world.store.begin() as tx:
            for number in range(SESSIONS):
                sid = f"{name}{number}"
                tx.accounts.add(account(f"acc_{sid}", sid, now), sid)
                for client in self._world.clients:
                    grant = Grant(f"{sid}{client}", f"acc_{sid}", client, (), (), (), now, now + _DAY, session=sid, sid=sid)
                    code = AuthorizationCode(grant.id, grant.id, "https://client.example/", True, None, None, now, now)
                    tx.grants.open(grant, code)
                sessions.append(Session(sid, sid, f"acc_{sid}", (), now, now, now + _DAY))
        return iter(sessions)

    def __call__(self) -> object:
        """The next one ends."""
        session = next(self._sessions)
        return closing.close(self._world, self._world.clock(), [session])
