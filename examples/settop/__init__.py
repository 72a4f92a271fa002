"""A set-top box: a program without a browser, whose person says yes on a phone or computer (RFC 8628).

    box = Box("https://id.example", "settop", scope="openid service:read", resource="https://service.example")
    codes = box.begin()             # show codes["user_code"] and codes["verification_uri"], or the QR code of the complete one
    tokens = box.wait(codes)        # Refused where the person said no, or nothing in time

It is no more than the exchange itself: a real box keeps the refresh token where only it can read it, as `examples.app` does.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
# RFC 8628, sections 3.2 and 3.5: how long to wait between two questions, and how much longer when told that it was too short.
INTERVAL, SLOWER = 5, 5


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Why there are no tokens, in the provider's own word: `access_denied` or `expired_token`, for example."""


class Box:
    """A device at one provider. It can keep no secret, so its name is all that it says of itself."""

    def __init__(self, issuer: str, client_id: str, scope: str, resource: str) -> None:
        self.issuer, self.client_id, self.scope, self.resource = issuer, client_id, scope, resource
        self._http = httpx.Client(timeout=10, follow_redirects=False)

    def begin(self) -> dict[str, Any]:
        """Ask for the two codes: one for the person, one for the box itself, which it shows to nobody."""
        form = {"client_id": self.client_id, "scope": self.scope, "resource": self.resource}
        status, codes = self._post("device_authorization_endpoint", form)
        if status != httpx.codes.OK:
            raise Refused(str(codes.get("error", "temporarily_unavailable")))
        return codes

    def wait(self, codes: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
        """Ask for the tokens until there are some, or never will be."""
        interval = int(codes.get("interval", INTERVAL))
        form = {"grant_type": GRANT_TYPE, "device_code": codes["device_code"], "client_id": self.client_id}
        while True:
            sleep(interval)
            try:
                status, body = self._post("token_endpoint", form)
            except (httpx.HTTPError, ValueError):
                # Once more, and later (RFC 8628, section 3.5).
                interval *= 2
                continue
            if status == httpx.codes.OK:
                return body
            error = str(body.get("error", "temporarily_unavailable"))
            if error == "slow_down":
                interval += SLOWER
            elif error != "authorization_pending":
                raise Refused(error)

    def _post(self, endpoint: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        metadata = self._http.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json()
        if metadata.get("issuer") != self.issuer:
            raise Refused("invalid_metadata")
        answer = self._http.post(metadata[endpoint], data=form)
        if answer.is_server_error:
            answer.raise_for_status()
        body = answer.json()
        return answer.status_code, body if isinstance(body, dict) else {}
