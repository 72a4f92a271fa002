"""The authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1): read as a table of checks, from the top.

A check that fails gives the error its RFC names. Until the client and its redirect address are known to be good, the
error is a page; afterwards it goes to the client. What is pushed (RFC 9126) walks the same table, and hears of every error.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from idp.flows import grant
from idp.flows.world import World
from idp.model import Client
from idp.oauth import request_object
from idp.oauth.claims import ClaimsAsked, read
from idp.oauth.clients import Clients, Registered
from idp.oauth.request_object import Pairs
from idp.policies import tokens
from idp.vault.signing import KeyRing

_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_SCOPE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,8192}", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_AGE = re.compile(r"[0-9]{1,9}", re.ASCII)
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_LONGEST_STATE, _LONGEST_NONCE, _LONGEST_HINT = 4096, 1024, 256


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; ``page`` where it must not be told to the address it names."""

    error: str
    detail: str
    page: bool = False


class Via(Enum):
    """How a request comes: with a browser, pushed by its client, or with whoever comes back from signing in."""

    BROWSER = auto()
    PUSHED = auto()
    RETURN = auto()


@dataclass(slots=True)
class Asking:
    """A request under examination: what it says, and what the checks have made of it so far."""

    world: World
    clients: Clients
    keys: KeyRing
    pairs: Pairs
    via: Via = Via.BROWSER
    signed: bool = False
    values: dict[str, str] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    registered: Registered | None = None
    client: Client = field(default_factory=lambda: Client("", ""))
    redirect_uri: str = ""
    response_mode: str = "query"
    scope: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    claims: ClaimsAsked = field(default_factory=ClaimsAsked)
    subject: str | None = None
    acr: tuple[str, ...] = ()
    acr_essential: bool = False

    @property
    def state(self) -> str | None:
        """Echoed letter by letter."""
        return self.values.get("state")

    @property
    def pushed(self) -> str | None:
        """The name under which the request was pushed, if it was."""
        return self.values.get("request_uri")

    @property
    def login_hint(self) -> str:
        """The name to begin with, for display: printable and not too long."""
        hint = self.values.get("login_hint", "")[:_LONGEST_HINT]
        return hint if hint.isprintable() else ""

    @property
    def locale(self) -> str | None:
        """The first language asked for that the pages speak (OpenID Connect Core 3.1.2.1)."""
        wished = (tag.split("-")[0].lower() for tag in self.values.get("ui_locales", "").split(" "))
        return next((tag for tag in wished if tag in self.world.languages), None)


def examine(asking: Asking) -> Refusal | None:
    """Walk the table; the first check that fails speaks."""
    for check in TABLE:
        refusal = check(asking)
        if refusal is not None:
            return refusal
    return None


def _single(asking: Asking) -> Refusal | None:
    """Nothing comes twice, in the address and the body together (RFC 6749 3.1); only resources may (RFC 8707 2)."""
    names = [name for name, _ in asking.pairs if name != "resource"]
    if len(names) != len(set(names)):
        return Refusal("invalid_request", "A parameter is included more than once.", page=True)
    asking.values = {name: value for name, value in asking.pairs if name != "resource"}
    asking.named = tuple(dict.fromkeys(value for name, value in asking.pairs if name == "resource"))
    return None


def _client(asking: Asking) -> Refusal | None:
    found = asking.clients.find(asking.values.get("client_id"))
    if found is None:
        return Refusal("invalid_client", "The application is not known here.", page=True)
    asking.registered, asking.client = found, found.client
    return None


def _whole(asking: Asking) -> Refusal | None:
    """What was pushed, or signed, is the whole request: of what stands beside it only the client counts (RFC 9101 6.3)."""
    if asking.via is Via.RETURN:
        return None
    refusal = _pushed(asking) if (asking.pushed or "").startswith(grant.PUSHED) else _signed(asking)
    if refusal is None and asking.client.require_signed_request and not asking.signed:
        refusal = Refusal("invalid_request", "The client must sign its requests.")
    if refusal is None or "redirect_uri" not in asking.values:
        return refusal and replace(refusal, page=True)
    beside = (check(asking) for check in (_redirect_uri, _state, _response_mode))
    return next((found for found in beside if found is not None), refusal)


def _pushed(asking: Asking) -> Refusal | None:
    """RFC 9126 4: it is known, it is the client's own, and all of it is judged again."""
    if asking.via is Via.PUSHED or "request" in asking.values:
        return Refusal("invalid_request", "The parameter request_uri cannot be used here.")
    found = grant.pushed(asking.world, asking.values["request_uri"])
    if found is None or found.client_id != asking.client.id:
        return Refusal("invalid_request_uri", "The request is not known here, or no longer.")
    asking.signed = found.signed
    return _instead(asking, (*found.pairs, ("request_uri", asking.values["request_uri"])))


def _signed(asking: Asking) -> Refusal | None:
    """RFC 9101 6 and OpenID Connect Core 6: by value, or at an address that the client registered."""
    token, address = asking.values.get("request"), asking.values.get("request_uri")
    if address is not None and (token is not None or asking.via is Via.PUSHED):
        return Refusal("invalid_request", "The parameter request_uri cannot be used here.")
    if asking.client.require_par and asking.via is Via.BROWSER:
        return Refusal("invalid_request", "The client must push its requests.")
    if address is not None:
        token = request_object.fetch(asking.world, asking.client, address)
        if token is None:
            return Refusal("invalid_request_uri", "There is no request object at an address registered for it.")
    if token is None or asking.registered is None:
        return None
    pairs = request_object.read(token, asking.registered, asking.world.issuer, asking.world.clock())
    if pairs is None:
        return Refusal("invalid_request_object", "The request object is not one of this client's that is good here and now.")
    asking.signed = True
    return _instead(asking, pairs)


def _instead(asking: Asking, pairs: Pairs) -> Refusal | None:
    asking.pairs = pairs
    return _single(asking)


def _redirect_uri(asking: Asking) -> Refusal | None:
    """Letter by letter as registered (RFC 9700 2.1); plain OAuth may leave out the only one (RFC 6749 3.1.2.3)."""
    given, registered = asking.values.get("redirect_uri"), asking.client.redirect_uris
    if given is None:
        needed = asking.client.fapi or "openid" in asking.values.get("scope", "").split(" ")
        if len(registered) != 1 or needed:
            return Refusal("invalid_request", "The address to return to is missing.", page=True)
        asking.redirect_uri = registered[0]
        return None
    if asking.registered is None or not asking.registered.redirects_to(given):
        return Refusal("invalid_redirect_uri", "The address to return to is not registered.", page=True)
    asking.redirect_uri = given
    return None


def _response_mode(asking: Asking) -> Refusal | None:
    """An answer is sent only as the client expects it; the default for a code is the query."""
    mode = asking.values.get("response_mode", "query")
    if mode not in asking.client.response_modes or mode not in {"query", "form_post"}:
        return Refusal("invalid_request", "The response mode is not supported.", page=True)
    asking.response_mode = mode
    return None


def _state(asking: Asking) -> Refusal | None:
    """Echoed exactly or refused, never cut off."""
    if len(asking.values.get("state", "")) > _LONGEST_STATE:
        return Refusal("invalid_request", "The state is too long.", page=True)
    return None


def _unsupported(asking: Asking) -> Refusal | None:
    """Never ignored: what such a parameter says could contradict the rest (OpenID Connect Core 3.1.2.6)."""
    if "registration" in asking.values:
        return Refusal("registration_not_supported", "The parameter registration is not supported.")
    return None


def _response_type(asking: Asking) -> Refusal | None:
    kind = asking.values.get("response_type")
    if kind is None:
        return Refusal("invalid_request", "The parameter response_type is missing.")
    if kind != "code":
        return Refusal("unsupported_response_type", "Only the response type code is supported.")
    if "authorization_code" not in asking.client.grant_types:
        return Refusal("unauthorized_client", "The client may not use this grant.")
    return None


def _challenge(asking: Asking) -> Refusal | None:
    """PKCE, S256 only (RFC 7636 4.4.1, RFC 9700 2.1.1)."""
    challenge, method = asking.values.get("code_challenge"), asking.values.get("code_challenge_method")
    if challenge is None:
        client = asking.client
        if method is not None or client.public or client.require_pkce or client.fapi:
            return Refusal("invalid_request", "The parameter code_challenge is missing.")
        return None
    if method != "S256":
        return Refusal("invalid_request", "Only the code challenge method S256 is supported.")
    if _CHALLENGE.fullmatch(challenge) is None:
        return Refusal("invalid_request", "The code challenge is malformed.")
    return None


def _key(asking: Asking) -> Refusal | None:
    """The key to which the code is bound is named by its thumbprint (RFC 9449 10)."""
    if _THUMBPRINT.fullmatch(asking.values.get("dpop_jkt", "x" * 43)) is None:
        return Refusal("invalid_request", "The parameter dpop_jkt is not a thumbprint of a key.")
    return None


def _scope(asking: Asking) -> Refusal | None:
    """What is asked, with the resources it is asked for (RFC 8707 2): left out where it goes too far, never widened."""
    text = asking.values.get("scope", "")
    if _SCOPE.fullmatch(text) is None:
        return Refusal("invalid_scope", "The scope is missing or malformed.")
    found = tokens.sought(text.split(), asking.named, asking.client, asking.world.resources)
    if found is None:
        return Refusal("invalid_target", "The resource is not one the client may use.")
    asking.resources, asking.scope = found
    return None if asking.scope else Refusal("invalid_scope", "The client may have nothing of this scope.")


def _prompt(asking: Asking) -> Refusal | None:
    asking.prompt = frozenset(asking.values.get("prompt", "").split())
    if not asking.prompt <= _PROMPTS or ("none" in asking.prompt and len(asking.prompt) > 1):
        return Refusal("invalid_request", "The prompt is not supported.")
    return None


def _max_age(asking: Asking) -> Refusal | None:
    text = asking.values.get("max_age")
    if text is None:
        return None
    if _AGE.fullmatch(text) is None:
        return Refusal("invalid_request", "The parameter max_age is not a number of seconds.")
    asking.max_age = int(text)
    return None


def _nonce(asking: Asking) -> Refusal | None:
    if len(asking.values.get("nonce", "")) > _LONGEST_NONCE:
        return Refusal("invalid_request", "The nonce is too long.")
    return None


def _claims(asking: Asking) -> Refusal | None:
    """OpenID Connect Core 5.5, and the levels asked by ``acr_values`` (3.1.2.1, RFC 9470 4)."""
    text = asking.values.get("claims")
    claims = ClaimsAsked() if text is None else read(text, asking.client)
    if claims is None:
        return Refusal("invalid_request", "The parameter claims is malformed.")
    asking.claims = claims
    asked = claims.acr or tuple(asking.values.get("acr_values", "").split())
    named = [asking.world.resources[name] for name in asking.resources]
    # A backend that wants a level takes no less (RFC 9470 5): a weaker token would only be refused again.
    essential = claims.acr_essential or (bool(named) and not claims.acr)
    asking.acr, asking.acr_essential = tokens.levels(asked, essential, named)
    return None


def _hint(asking: Asking) -> Refusal | None:
    """An ID token of ours for this client says who is meant; it may have expired (OpenID Connect Core 3.1.2.1)."""
    token = asking.values.get("id_token_hint")
    asking.subject = asking.claims.subject
    if token is None:
        return None
    claims = asking.keys.verify(token, "JWT")
    if claims is None or claims.get("iss") != asking.world.issuer or claims.get("aud") != asking.client.id:
        return Refusal("invalid_request", "The parameter id_token_hint is not an ID token of this client.")
    if asking.subject not in {None, claims["sub"]}:
        return Refusal("login_required", "The parameters ask for two different people.")
    asking.subject = claims["sub"]
    return None


TABLE: Iterable[Callable[[Asking], Refusal | None]] = (
    # Told by a page: where to send an answer is not settled.
    _single,
    _client,
    _whole,
    _redirect_uri,
    _state,
    _response_mode,
    # Told to the client.
    _unsupported,
    _response_type,
    _challenge,
    _key,
    _prompt,
    _scope,
    _max_age,
    _nonce,
    _claims,
    _hint,
)
