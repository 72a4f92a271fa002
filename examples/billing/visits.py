"""When an engineer comes, asked of service for whoever asks billing: their token is exchanged for one of billing's (RFC 8693).

The token that came is good at billing alone, and stays here. The one that goes to service says whom it is about (`sub`) and who
asks (`act`), is good there alone, and ends when the other does.
"""

from typing import Any

import httpx

from examples.bearer import Refusal

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind


class Visits:
    """Asks service, as billing, in a person's name. `service` is the audience of its tokens, and where it is, or `url`."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, service: str, url: str = "") -> None:
        self.issuer, self.service, self.url = issuer, service, url or service
        self._auth = httpx.BasicAuth(client_id, client_secret)
        self._http = httpx.Client(timeout=3, follow_redirects=False)

    def next(self, token: str) -> dict[str, Any]:
        """The next visit to whom `token` is about; `Refusal` where service does not tell."""
        try:
            answer = self._http.get(f"{self.url}/faults/open", headers={"Authorization": f"Bearer {self._exchanged(token)}"})
            fault = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refusal(503, "temporarily_unavailable", "service does not answer") from error
        return {name: fault[name] for name in ("visit", "stage", "asked_by")}

    def _exchanged(self, token: str) -> str:
        found = self._http.get(f"{self.issuer}/.well-known/oauth-authorization-server").raise_for_status().json()
        form = {
            "grant_type": GRANT_TYPE,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "resource": self.service,
            "scope": "service:read",
        }
        answer = self._http.post(found["token_endpoint"], data=form, auth=self._auth)
        body = answer.json()
        if answer.status_code == httpx.codes.BAD_REQUEST and body.get("error") == "invalid_scope":
            raise Refusal(403, "insufficient_scope", "the person may not see service's data", scope="service:read")
        answer.raise_for_status()
        return str(body["access_token"])
