"""A person connects a device in a real browser, in both languages, with and without JavaScript."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.browser.guest import Guest

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(90)]
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ({"language": "en", "size": "desktop", "javascript": True}, "Connect the device"),
        ({"language": "it", "size": "phone", "javascript": False, "scheme": "dark"}, "Do not connect it"),
    ],
)
def test_t38_a_device_is_connected_or_not(guest: Callable[..., Guest], how: dict[str, Any], answer: str) -> None:
    someone = guest(**how)
    asked = {"client_id": "settop", "scope": "openid profile service:read"}
    codes = httpx.post(f"{someone.demo.identity}/device_authorization", data=asked).json()
    someone.page.goto(f"{codes['verification_uri']}")
    someone.stands(someone.says("Connect a device"), focus="user_code")
    someone.sends(someone.says("Continue"), user_code="BBBB-BBBB")
    someone.stands(someone.says("Connect a device"), focus="user_code", wrong=True)
    someone.page.goto(codes["verification_uri_complete"])
    someone.stands(someone.says("Connect a device"))
    someone.press(someone.says("Continue"))
    someone.password("maria")
    someone.pin()
    someone.stands(someone.says("Connect %(client)s?", client="Norda TV box"), "32-device-allow")
    someone.press(someone.says(answer))
    allowed = answer == "Connect the device"
    heading = "Your device is connected" if allowed else "The device is not connected"
    someone.stands(someone.says(heading))
    form = {"grant_type": GRANT_TYPE, "device_code": codes["device_code"], "client_id": "settop"}
    body = httpx.post(f"{someone.demo.identity}/token", data=form).json()
    assert ("access_token" in body) is allowed, body
