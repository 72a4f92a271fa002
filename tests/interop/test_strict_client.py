"""openid-client as FAPI 2.0 wants a client: pushed requests, a key instead of a secret, tokens bound to another key."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import House
from tests.interop.conftest import STRICT_CALLBACK, STRICT_KEY
from tests.people import BILLING

pytestmark = [pytest.mark.xdist_group("interop")]


def test_openid_client_keeps_to_fapi(run: Callable[..., dict[str, Any]], provider: House) -> None:
    told = run(
        "strict_party.js",
        "strict",
        key=STRICT_KEY.as_dict(private=True),
        redirectUri=STRICT_CALLBACK,
        scope="openid profile email offline_access billing:read",
        resource=BILLING,
    )
    assert told["asked"] == ["client_id", "request_uri"]
    assert told["answered"] == ["code", "iss", "state"]
    assert told["first"]["token_type"].lower() == told["second"]["token_type"].lower() == "dpop"
    assert told["userinfo"]["sub"] == told["claims"]["sub"]
    assert None not in (told["stolen"], told["asBearer"], told["unproven"])
    assert told["unpushed"] == "invalid_request"
    bound = provider.introspect(told["second"]["access_token"])
    assert bound["cnf"]["jkt"]
