"""Calls to the operator's backends, each with the access token made for it."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from werkzeug.datastructures import WWWAuthenticate

_http = httpx.Client(timeout=5, follow_redirects=False)


@dataclass(frozen=True)
class Answer:
    """A backend's answer: its data, or why there is none (`refused`, `stronger`, `down`)."""

    outcome: str
    status: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    # What a backend wants of the sign-in, as parameters of the authorization endpoint (RFC 9470, section 4).
    wanted: dict[str, str] = field(default_factory=dict)


def fetch(url: str, token: str, order: dict[str, str] | None = None) -> Answer:
    """GET, or POST of an order, with a bearer token (RFC 6750): a refusal, a step-up challenge and a failure are told apart."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    try:
        response = _http.get(url, headers=headers) if order is None else _http.post(url, headers=headers, json=order)
        if response.is_success:
            return Answer("ok", response.status_code, response.json())
    except (httpx.HTTPError, ValueError):
        return Answer("down")
    if response.status_code not in (401, 403):
        return Answer("down", response.status_code)
    challenge = WWWAuthenticate.from_header(response.headers.get("WWW-Authenticate"))
    error = (challenge and challenge.get("error")) or "no_error_code"
    if challenge and error == "insufficient_user_authentication":
        wanted = {name: str(challenge.get(name)) for name in ("acr_values", "max_age") if challenge.get(name)}
        return Answer("stronger", response.status_code, error=error, wanted=wanted)
    return Answer("refused", response.status_code, error=error)


def look_inside(token: str) -> dict[str, Any]:
    """The claims written in a JWT, unverified: for the developers' panel only. To a client a token is opaque."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
