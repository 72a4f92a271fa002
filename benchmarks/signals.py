"""What it costs to tell clients that a session is over: CPU of the sign-out, CPU of the worker, and when the last has heard."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from idp.flows import grant
from idp.flows.courier import Courier, Fate
from idp.model import Session
from idp.post import Outbound
from idp.store import open_store
from tests.oauth.provider import CALLBACK, Provider
from tests.servers import fresh_urls

CLIENTS = 20
SIGN_OUTS = 25


@dataclass(frozen=True, slots=True)
class FanOut:
    """Milliseconds: CPU of a sign-out that nobody and that all are told of, CPU of one token sent, time of one by all."""

    alone: float
    told: float
    sent: float
    last: float


def fan_out(clients: int = CLIENTS, sign_outs: int = SIGN_OUTS, alg: str = "ES256") -> FanOut:
    """Sign out of sessions with a part of each client, on SQLite, and carry the logout tokens to a process of receivers."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name, _receivers() as address:
        store = open_store(fresh_urls("sqlite", Path(name))[0])
        provider = Provider(store)
        portal = replace(provider.world.clients["portal"], id_token_alg=alg)
        quiet = {f"c{number}": replace(portal, id=f"c{number}") for number in range(clients)}
        loud = {id_: replace(one, backchannel_logout_uri=f"{address}/{id_}") for id_, one in quiet.items()}
        alone = _signed_out(provider, quiet, sign_outs)
        told = _signed_out(provider, loud, sign_outs)
        courier = Courier(provider.world, provider.ring)
        cpu, began = time.process_time(), time.perf_counter()
        fates = [one.fate for one in courier.empty()]
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
        courier.close()
        if fates != [Fate.TAKEN] * (clients * sign_outs):
            raise RuntimeError(f"{len(fates)} of {clients * sign_outs} tokens arrived")
        store.close()
    return FanOut(alone, told, cpu / len(fates) * 1000, took / sign_outs * 1000)


def _signed_out(provider: Provider, clients: dict[str, object], sign_outs: int) -> float:
    """CPU milliseconds of one sign-out."""
    provider.start(clients=clients, outbound=Outbound(("127.0.0.0/8",)))
    sessions: list[Session] = []
    for _ in range(sign_outs):
        sessions.append(provider.door.sign_in(sid=f"{len(clients)}-{time.perf_counter_ns()}"))
        for id_ in clients:
            provider.code(client_id=id_, redirect_uri=CALLBACK)
    began = time.process_time()
    for session in sessions:
        grant.end_session(provider.world, session)
    return (time.process_time() - began) / sign_outs * 1000


class _Many(ThreadingHTTPServer):
    # Whoever comes meanwhile waits, and is not turned away.
    request_queue_size = 128


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Take whatever comes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _receivers() -> Iterator[str]:
    """A process of receivers, so that their CPU is not counted; its address."""
    command = [sys.executable, "-m", "benchmarks.signals", "receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    if sys.argv[1:] == ["receive"]:
        with _Many(("127.0.0.1", 0), _Taking) as server:
            print(f"http://127.0.0.1:{server.server_port}", flush=True)
            server.serve_forever()
    for chosen in ("ES256", "RS256"):
        print(chosen, fan_out(alg=chosen))
