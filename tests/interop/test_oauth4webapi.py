"""oauth4webapi with the provider: each message by itself, each answer judged to the letter, tokens as a backend sees them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import House
from tests.people import APP_CALLBACK, BILLING, PORTAL_CALLBACK, SERVICE

pytestmark = [pytest.mark.xdist_group("interop")]
SCOPE = "openid profile email offline_access billing:read service:read"


@pytest.mark.parametrize(("client", "callback"), [("portal", PORTAL_CALLBACK), ("app", APP_CALLBACK)])
def test_oauth4webapi_accepts_every_answer(
    run: Callable[..., dict[str, Any]], provider: House, client: str, callback: str
) -> None:
    algorithm = provider.settings.clients[client].id_token_alg
    resources = [BILLING, SERVICE]
    told = run("bare_protocol.js", client, redirectUri=callback, scope=SCOPE, resources=resources, idTokenAlg=algorithm)
    assert told["claims"]["acr"] == "pwd+pin"
    assert told["userinfo"]["sub"] == told["claims"]["sub"]
    assert told["second"]["refresh_token"] != told["first"]["refresh_token"]
    assert told["accepted"]["aud"] == BILLING
    assert told["accepted"]["client_id"] == client
    assert told["elsewhere"] == "refused"
    assert told["late"] == "invalid_grant"
