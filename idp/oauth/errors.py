"""Errors of the machine endpoints, on Authlib's tree; each knows its status, body and headers."""

from authlib.oauth2 import OAuth2Error

from idp.policies.dpop import ALGORITHMS
from idp.policies.tokens import Denied, Error

Header = tuple[str, str]


class EndpointError(OAuth2Error):
    """An error in JSON (RFC 6749 5.2), with headers of its own."""

    more: tuple[Header, ...] = ()

    def __init__(self, description: str = "", error: str | None = None) -> None:
        super().__init__(description, error=error)  # type: ignore[no-untyped-call]

    def get_headers(self) -> list[Header]:
        """Authlib's headers and those of this error."""
        return [*super().get_headers(), *self.more]  # type: ignore[no-untyped-call]


class InvalidError(EndpointError):
    """The request is malformed."""

    error = "invalid_request"


class TooLargeError(InvalidError):
    """The body is longer than any honest one (RFC 9110 15.5.14)."""

    status_code = 413


class NotAFormError(InvalidError):
    """The body is no ``application/x-www-form-urlencoded`` in UTF-8 (RFC 6749 appendix B)."""

    status_code = 415


class NoSuchMethodError(InvalidError):
    """The endpoint does not do that (RFC 9110 15.5.6)."""

    status_code = 405

    def __init__(self, allowed: str) -> None:
        super().__init__("The endpoint does not support this method.")
        self.more = (("Allow", allowed),)


class ClientRefusedError(EndpointError):
    """The client did not prove who it is (RFC 6749 5.2). Why is not told."""

    error = "invalid_client"
    status_code = 401
    more = (("WWW-Authenticate", 'Basic realm="token", charset="UTF-8"'),)

    def __init__(self) -> None:
        super().__init__("Client authentication failed.")


class TooManyFailuresError(EndpointError):
    """Too many failed authentications, or requests of clients that cannot authenticate (RFC 6585 4)."""

    error = "temporarily_unavailable"
    status_code = 429
    more = (("Retry-After", "60"),)

    def __init__(self, description: str = "Too many failed attempts. Try again later.") -> None:
        super().__init__(description)


class StoreUnavailableError(EndpointError):
    """Nothing was decided: the store cannot answer."""

    error = "temporarily_unavailable"
    status_code = 503
    more = (("Retry-After", "5"),)

    def __init__(self) -> None:
        super().__init__("The service cannot answer now. Try again later.")


class ProofRefusedError(EndpointError):
    """The proof of possession is not good here (RFC 9449 5), or must carry the nonce that comes with this (8)."""

    error = "invalid_dpop_proof"

    def __init__(self, description: str, error: str | None = None, more: tuple[Header, ...] = ()) -> None:
        super().__init__(description, error=error)
        self.more = more


class UnauthorizedError(EndpointError):
    """The resource endpoint refuses the token (RFC 6750 3, RFC 9449 7.1), in the scheme in which it came, or wants one."""

    _algs = f'algs="{" ".join(ALGORITHMS)}"'

    def __init__(
        self,
        error: str | None,
        description: str = "",
        scope: str = "openid",
        *,
        bound: bool = False,
        more: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(description, error=error or "invalid_request")
        self.status_code = 403 if error == "insufficient_scope" else 401
        told = f'error="{error}", error_description="{description}"'
        if error == "insufficient_scope":
            told += f', scope="{scope}"'
        challenge = f"DPoP {told}, {self._algs}" if bound else f"Bearer {told}"
        self.more = (("WWW-Authenticate", challenge if error else f"Bearer, DPoP {self._algs}"), *more)


class TokenRefusedError(EndpointError):
    """No token. An invalid grant is not explained: the reason could help only a thief."""

    def __init__(self, denied: Denied) -> None:
        description = "The grant is not valid here." if denied.error is Error.GRANT else denied.why
        super().__init__(description, error=str(denied.error))
