"""Keys rotate and tokens are revoked while clients are at work at two nodes: no request of theirs fails."""

import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import jwt

from tests.harness import CONFIG, House
from tests.people import BILLING, browser
from tests.serving.test_serve import free_port

# Between what one client does and the next thing it does, and between two rotations: seconds.
_PAUSE, _REST = 0.01, 0.4


def environ(house: House, **more: str) -> dict[str, str]:
    return {**os.environ, **house.secrets, "IDP_CONFIG": str(CONFIG), **more}


def command(house: House, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "idp", *arguments], env=environ(house), check=True, capture_output=True)


@contextmanager
def another_node(house: House) -> Iterator[str]:
    """`idp serve` on the house's own database and issuer, at a port of its own; where it is."""
    port = free_port()
    said = environ(house, IDP_SERVER_PORT=str(port), IDP_SERVER_METRICS_PORT="0")
    process = subprocess.Popen([sys.executable, "-m", "idp", "serve"], env=said, stdout=subprocess.DEVNULL)
    url = f"http://localhost:{port}"
    try:
        with browser(url) as client:
            for _ in range(600):
                try:
                    client.get("/readyz")
                    break
                except httpx.ConnectError:
                    assert process.poll() is None
                    time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@dataclass
class Work:
    """What clients do over and over: a token of one node is asked about at the other, and a person is read at both."""

    house: House
    nodes: tuple[str, str]
    token: str
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    kids: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        here, there = self.nodes if number % 2 else self.nodes[::-1]
        with browser(here) as first, browser(there) as second:
            while not self.over.wait(_PAUSE):
                try:
                    self._once(first, second)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))

    def _once(self, first: httpx.Client, second: httpx.Client) -> None:
        asked = {"grant_type": "client_credentials", "scope": "billing:read", "resource": BILLING}
        issued = self._good("token", first.post("/token", data=asked, headers=self._as("service")))
        token = issued.json().get("access_token", "")
        if token:
            self.kids.add(jwt.get_unverified_header(token)["kid"])
        told = self._good("introspection", second.post("/introspect", data={"token": token}, headers=self._as("billing")))
        if not told.json().get("active"):
            self.failed.append(f"not active at {second.base_url}")
        self._good("userinfo", first.get("/userinfo", headers={"Authorization": f"Bearer {self.token}"}))

    def _good(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.done[what] += 1
        if answer.status_code != 200:
            self.failed.append(f"{what}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _as(self, client: str) -> dict[str, str]:
        return {"Authorization": "Basic " + b64encode(f"{client}:{self.house.secret(client)}".encode()).decode()}


@contextmanager
def at_work(work: Work, threads: int) -> Iterator[None]:
    running = [threading.Thread(target=work.run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        work.over.set()
        for thread in running:
            thread.join()


def test_no_request_fails_while_keys_rotate_and_tokens_are_revoked(new_house: Callable[..., House]) -> None:
    house = new_house("postgresql+redis")
    stays, leaves = house.customer(), house.customer()
    token = stays.tokens(resource=None)["access_token"]
    to_revoke = [leaves.tokens(resource=None) for _ in range(2)]
    with another_node(house) as there, browser(there) as other:
        work = Work(house, (house.url, there), token)
        with at_work(work, 3):
            for revoked in to_revoke:
                command(house, "keys", "rotate", "--now")
                # A node that starts anew signs with the new keys at once, and the other has not looked yet.
                house.restart(lambda policy: policy)
                time.sleep(_REST)
                assert house.post("/revoke", {"token": revoked["refresh_token"]}, "portal").status_code == 200
                shown = {"Authorization": f"Bearer {revoked['access_token']}"}
                assert [
                    house.get("/userinfo", headers=shown).status_code,
                    other.get("/userinfo", headers=shown).status_code,
                ] == [
                    401,
                    401,
                ]
            time.sleep(_REST)
        assert other.get("/jwks.json").json() == house.get("/jwks.json").json()
    assert work.failed == []
    assert len(work.kids) >= 3
    assert min(work.done[what] for what in ("token", "introspection", "userinfo")) > 20
