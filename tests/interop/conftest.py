"""One provider for everybody else's software, with a client registered for each; whoever needs Node.js is run here."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp.model import Client
from idp.vault import digest
from tests.harness import House, open_house
from tests.interop.ports import Ports, held_ports
from tests.people import ANSWER, BILLING, CHROME, PARTNER_SECRET, PIN, SERVICE
from tests.prepare import PACKAGES, find_node

HERE = Path(__file__).parent
STRICT_KEY = ECKey.generate_key("P-256", parameters={"kid": "strict-1", "alg": "ES256"}, private=True)
ROBOT_KEY = ECKey.generate_key("P-256", parameters={"kid": "robot-1", "alg": "ES256"}, private=True)
STRICT_CALLBACK = "https://strict.example/cb"
SIGNS_IN = ("authorization_code", "refresh_token")
PEOPLE = ("openid", "profile", "email", "offline_access")


def clients(ports: Ports) -> tuple[Client, ...]:
    """The clients beside those of the real configuration."""
    secret = (digest(PARTNER_SECRET),)
    apache, spa = ports.site("apache"), ports.site("spa")
    return (
        Client(
            "django",
            "A Django site",
            SIGNS_IN,
            ("http://testserver/oidc/callback/",),
            ("http://testserver/bye",),
            auth_method="client_secret_post",
            secret_digests=secret,
            scope=PEOPLE,
        ),
        Client(
            "apache",
            "A site behind Apache",
            SIGNS_IN,
            (f"{apache}/callback",),
            (f"{apache}/bye",),
            secret_digests=secret,
            scope=PEOPLE,
            # Apache listens at that address of this machine alone.
            backchannel_logout_uri=f"{apache.replace('localhost', '127.0.0.1')}/callback?logout=backchannel",
        ),
        Client("spa", "An app in a browser", SIGNS_IN, (f"{spa}/",), (f"{spa}/bye",), auth_method="none", scope=PEOPLE),
        Client(
            "strict",
            "A payments partner",
            SIGNS_IN,
            (STRICT_CALLBACK,),
            auth_method="private_key_jwt",
            jwks={"keys": [STRICT_KEY.as_dict(private=False)]},
            scope=(*PEOPLE, "billing:read"),
            resources=(BILLING,),
            id_token_alg="ES256",
            require_par=True,
            dpop=True,
            fapi=True,
        ),
        Client(
            "robot",
            "A robot",
            ("client_credentials",),
            auth_method="private_key_jwt",
            jwks={"keys": [ROBOT_KEY.as_dict(private=False)]},
            scope=("service:read",),
            resources=(SERVICE,),
        ),
        Client(
            "tv",
            "A television",
            ("urn:ietf:params:oauth:grant-type:device_code", "refresh_token"),
            auth_method="none",
            scope=(*PEOPLE, "service:read"),
            resources=(SERVICE,),
        ),
    )


@pytest.fixture(scope="session")
def ports() -> Iterator[Ports]:
    with held_ports() as held:
        yield held


@pytest.fixture(scope="session")
def provider(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house("sqlite", tmp_path_factory.mktemp("interop"), clients=clients(ports)) as opened:
        yield opened


@pytest.fixture(scope="session")
def run(provider: House) -> Callable[..., dict[str, Any]]:
    """Run a relying party in Node.js for somebody new; what it saw."""

    def told(script: str, client: str, **more: Any) -> dict[str, Any]:
        done = subprocess.run(
            [node(), script],
            cwd=HERE,
            input=json.dumps(plan(provider, client, **more)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return told


def plan(provider: House, client: str, **more: Any) -> dict[str, Any]:
    """What a relying party in Node.js is told before it begins."""
    person = provider.customer()
    return {
        "issuer": provider.url,
        "clientId": client,
        "clientSecret": provider.secret(client),
        "person": {"username": person.username, "password": person.password, "pin": PIN, "answer": ANSWER},
        "userAgent": CHROME,
        **more,
    }


def node() -> str:
    """Node.js, with the packages of this folder."""
    found = find_node()
    if found is None:
        pytest.fail("Node.js 20 or later is needed. Install it, then run: python -m tests.prepare")
    for package in PACKAGES:
        if not (HERE / "node_modules" / package).is_dir():
            pytest.fail("The packages of tests/interop are not installed. Run: python -m tests.prepare")
    return found
