"""openid-client without a keyboard: it shows a code, a person types it into a browser of theirs, it fetches the tokens."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.harness import House
from tests.interop.conftest import HERE, node, plan
from tests.people import SERVICE

pytestmark = [pytest.mark.xdist_group("interop")]


@pytest.fixture
def device() -> Iterator["subprocess.Popen[str]"]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([node(), "television.js"], cwd=HERE, text=True, bufsize=1, **pipes) as process:
        yield process
        process.kill()


def test_openid_client_connects_a_device(provider: House, device: "subprocess.Popen[str]") -> None:
    assert device.stdin is not None
    assert device.stdout is not None
    told = plan(provider, "tv", scope="openid profile offline_access service:read", resource=SERVICE)
    device.stdin.write(f"{json.dumps(told)}\n")
    shown = json.loads(device.stdout.readline())

    person = provider.customer()
    asked = person.walk(person.fill(person.open("/device"), user_code=shown["user_code"]))
    assert shown["user_code"] in asked.text
    connected = person.fill(asked, decision="allow")
    assert connected.heading == "Your device is connected"

    device.stdin.write("\n")
    found = json.loads(device.stdout.readline())
    assert found["first"]["scope"] == "service:read"
    assert found["sub"] == found["userinfo"]["sub"] == person.account.id
