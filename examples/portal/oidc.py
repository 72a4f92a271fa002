"""The OpenID Connect provider as a relying party sees it: code flow with PKCE, refresh, sign-out.

Plain httpx and joserfc, so that each message can be read here beside its RFC. (Authlib's httpx client folds the request
body into a dictionary, and so can't repeat the `resource` parameter of RFC 8707.)
"""

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ID_TOKEN_ALGORITHMS = ["ES256", "RS256"]
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Refused(Exception):  # noqa: N818 - the provider's answer, by its OAuth error code
    """The provider said no, or answered something that can't be trusted; `code` is an OAuth error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Tokens:
    """One answer of the token endpoint (RFC 6749, section 5.1)."""

    access_token: str
    expires_at: float
    refresh_token: str
    id_token: str


@dataclass(frozen=True)
class Attempt:
    """One authorization request on its way, remembered until its answer returns; `silent` where nothing is asked.

    `wanted` is what a backend wants of the sign-in.
    """

    state: str
    nonce: str
    verifier: str
    then: str = "/"
    wanted: dict[str, str] = field(default_factory=dict)
    silent: bool = False


class Provider:
    """Talks to one issuer as one confidential client (`client_secret_basic`)."""

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self.issuer, self.client_id = issuer, client_id
        # RFC 6749, section 2.3.1: both are form-encoded before they go into the Basic header.
        self._auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        self._http = httpx.Client(timeout=5, follow_redirects=False)
        self._metadata: dict[str, Any] = {}
        self._metadata_until = 0.0

    def metadata(self) -> dict[str, Any]:
        """The provider's published metadata (OpenID Connect Discovery), kept for ten minutes."""
        if time.monotonic() > self._metadata_until:
            found = self._json("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise Refused("issuer_mismatch")
            self._metadata, self._metadata_until = found, time.monotonic() + 600
        return self._metadata

    def authorization_url(self, attempt: Attempt, redirect_uri: str, scope: str, resources: Sequence[str], **more: str) -> str:
        """Where to send the browser (RFC 6749, section 4.1.1; PKCE of RFC 7636; resources of RFC 8707)."""
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "resource": list(resources),
            **more,
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(query, doseq=True)}"

    def exchange(self, code: str, verifier: str, redirect_uri: str, resource: str) -> Tokens:
        """The code for tokens, the access token for one of the resources asked for."""
        return self._tokens(
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            resource=resource,
        )

    def refresh(self, refresh_token: str, resource: str) -> Tokens:
        """A new access token for a resource. The answer's refresh token replaces the one spent (RFC 9700, 4.14.2)."""
        return self._tokens(grant_type="refresh_token", refresh_token=refresh_token, resource=resource)

    def revoke(self, refresh_token: str) -> None:
        """Withdraw the grant (RFC 7009), where the provider can."""
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        self._http.post(self._endpoint("revocation_endpoint"), data=form, auth=self._auth)

    def identity(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that passes OpenID Connect Core, section 3.1.3.7; else `Refused`."""
        published: Any = self._json("GET", self._endpoint("jwks_uri"))  # fetched at each sign-in: always the newest
        rules = jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(id_token, KeySet.import_key_set(published), algorithms=ID_TOKEN_ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Refused("invalid_id_token") from error
        if claims["aud"] not in (self.client_id, [self.client_id]):
            raise Refused("invalid_id_token")
        return claims

    def signed_out(self, logout_token: str) -> tuple[str, str]:
        """Which session is over, and whose, "" for what isn't said: of a token that passes Back-Channel Logout, section 2.6."""
        published: Any = self._json("GET", self._endpoint("jwks_uri"))
        rules = jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": self.issuer},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        try:
            token = jwt.decode(logout_token, KeySet.import_key_set(published), algorithms=ID_TOKEN_ALGORITHMS)
            claims = token.claims
            rules.validate(claims)
            sid, subject = str(claims.get("sid") or ""), str(claims.get("sub") or "")
            good = (
                token.header.get("typ") == "logout+jwt"  # no other token of the provider ends a session
                and claims.get("aud") in (self.client_id, [self.client_id])
                and claims["events"].get(LOGOUT) == {}
                and "nonce" not in claims
                and bool(sid or subject)
            )
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Refused("invalid_request") from error
        if not good:
            raise Refused("invalid_request")
        return sid, subject

    def sign_out_url(self, id_token: str, back_to: str, state: str) -> str:
        """Where to send the browser to end the provider's session too (RP-Initiated Logout, section 2)."""
        query = {
            "id_token_hint": id_token,
            "client_id": self.client_id,
            "post_logout_redirect_uri": back_to,
            "state": state,
        }
        return f"{self._endpoint('end_session_endpoint')}?{urlencode(query)}"

    def origin(self) -> str:
        """The issuer's scheme and host, for the portal's content security policy."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def _endpoint(self, name: str) -> str:
        address = self.metadata().get(name)
        if not isinstance(address, str):
            raise Refused("unsupported_by_provider")
        return address

    def _tokens(self, **form: str) -> Tokens:
        answer = self._json("POST", self._endpoint("token_endpoint"), data=form, auth=self._auth)
        if str(answer.get("token_type", "")).lower() != "bearer" or not answer.get("access_token"):
            raise Refused("invalid_token_response")
        return Tokens(
            access_token=str(answer["access_token"]),
            expires_at=time.time() + float(answer.get("expires_in") or 60),
            refresh_token=str(answer.get("refresh_token") or form.get("refresh_token") or ""),
            id_token=str(answer.get("id_token") or ""),
        )

    def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, headers={"Accept": "application/json"}, **options)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused("temporarily_unavailable") from error
        if answer.is_success and isinstance(body, dict):
            return body
        code = body.get("error") if isinstance(body, dict) and answer.is_client_error else None
        raise Refused(code if isinstance(code, str) else "temporarily_unavailable")
