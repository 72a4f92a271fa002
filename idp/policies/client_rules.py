"""The law of registrations: which clients may not be, wherever they come from, and how each is put right."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from idp.model import Client, Resource
from idp.policies.addresses import Refusal, host_of, origin_of, refused_called, refused_redirect, refused_web
from idp.policies.client_keys import FAPI_ALGORITHMS, refused_keys
from idp.policies.finding import closest, quoted
from idp.policies.tokens import PEOPLE_SCOPES, SERVICE_SCOPES

CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
ITSELF: Final = "client_credentials"
DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS: Final = (CODE, REFRESH, ITSELF, DEVICE, EXCHANGE)
SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
AUTH_METHODS: Final = ("none", *SECRET_METHODS, "private_key_jwt")
ID_TOKEN_ALGORITHMS: Final = ("RS256", "ES256")
MOST_SECRETS: Final = 4
_LONGEST_NAME = 100
_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
# Subjects begin with it: a client can never be taken for a person.
_SUBJECT_PREFIX = "acc_"
# An app is handed its answer on its own machine (RFC 8252 7.3).
_LOOPBACK = ("127.0.0.1", "::1")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a client is refused: the field of the model that is at fault, what it is and how to put it right."""

    path: Path
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What no client may be, said in one sentence, with where it is written."""

    key: str
    broken: Callable[[Client], bool]
    what: str
    remedy: str
    source: str = ""


def _has_code(client: Client) -> bool:
    return CODE in client.grant_types


def _for_people(client: Client) -> bool:
    return _has_code(client) or DEVICE in client.grant_types


def _keyed(client: Client) -> bool:
    return client.jwks is not None or client.jwks_uri is not None


def _nobody(key: str) -> Rule:
    return Rule(
        key,
        lambda client: getattr(client, key) is not None and not _for_people(client),
        "nobody signs in at this client",
        'Remove it, or add "authorization_code".',
    )


def _without_code(key: str) -> Rule:
    return Rule(
        key,
        lambda client: bool(getattr(client, key)) and not _has_code(client),
        "the client asks for no authorization",
        'Remove it, or add "authorization_code".',
    )


def _without_secret(grant: str, source: str) -> Rule:
    name = grant.rpartition(":")[2]
    return Rule(
        "grant_types",
        lambda client: client.public and grant in client.grant_types,
        f"{name} needs a client that keeps a secret",
        "Remove it, or choose another auth_method.",
        source,
    )


def _of_fapi(key: str, broken: Callable[[Client], bool], what: str, remedy: str, section: str) -> Rule:
    return Rule(key, lambda client: client.fapi and broken(client), f"a FAPI client {what}", remedy, f"FAPI 2.0 {section}")


RULES: Final = (
    Rule("name", lambda client: not client.name.strip(), "the name is empty", "Write the name that people are shown."),
    Rule(
        "name",
        lambda client: len(client.name) > _LONGEST_NAME or not client.name.isprintable(),
        f"the name is longer than {_LONGEST_NAME} characters, or does not fit on a line",
        "Write the name that people are shown.",
    ),
    Rule(
        "name",
        lambda client: len(_alphabets(client.name)) > 1,
        "the name mixes alphabets whose letters look alike",
        "Write it in one of them.",
        "UTS 39 5.2",
    ),
    Rule(
        "grant_types",
        lambda client: not client.grant_types,
        "the client may use no grant",
        'List at least "authorization_code".',
    ),
    Rule(
        "grant_types",
        lambda client: REFRESH in client.grant_types and not _for_people(client),
        "no other grant gives the client a refresh token",
        'Add "authorization_code".',
    ),
    _without_secret(ITSELF, "RFC 6749 4.4"),
    _without_secret(EXCHANGE, "RFC 8693 2.1"),
    Rule(
        "introspects",
        lambda client: client.public and bool(client.introspects),
        "introspection needs a client that keeps a secret",
        "Choose another auth_method.",
        "RFC 7662 2.1",
    ),
    Rule(
        "require_pkce",
        lambda client: client.public and not client.require_pkce,
        "a public client must use PKCE",
        "Remove the line, or set it to true.",
        "RFC 9700 2.1.1",
    ),
    Rule(
        "redirect_uris",
        lambda client: _has_code(client) and not client.redirect_uris,
        "authorization_code has nowhere to send its answer",
        "List at least one address.",
    ),
    Rule("response_modes", lambda client: not client.response_modes, "the client accepts no answer", 'List at least "query".'),
    _nobody("default_max_age"),
    _nobody("session_idle"),
    _nobody("backchannel_logout_uri"),
    _nobody("frontchannel_logout_uri"),
    _without_code("request_uris"),
    _without_code("require_par"),
    _without_code("require_signed_request"),
    Rule(
        "require_signed_request",
        lambda client: client.require_signed_request and not _keyed(client),
        "a request that is signed needs the client's public keys",
        "Write them as jwks, or say where they are with jwks_uri.",
        "RFC 9101 10.5",
    ),
    Rule(
        "secret_digests",
        lambda client: bool(client.secret_digests) and client.auth_method not in SECRET_METHODS,
        "a client that proves itself otherwise uses no secret",
        "Remove it, or change auth_method.",
    ),
    Rule(
        "secret_digests",
        lambda client: not client.secret_digests and client.auth_method in SECRET_METHODS,
        "missing",
        'Say where the secret is: ["env:NAME"], ["file:PATH"] or ["sha256:HEX"].',
    ),
    Rule(
        "secret_digests",
        lambda client: len(client.secret_digests) > MOST_SECRETS,
        f"more than {MOST_SECRETS} secrets are good at once",
        "Keep the newest, and the one that it replaces.",
    ),
    Rule(
        "jwks",
        lambda client: client.auth_method == "private_key_jwt" and not _keyed(client),
        "private_key_jwt needs the client's public keys",
        "Write them as jwks, name a file with jwks_file, or say where they are with jwks_uri.",
    ),
    Rule(
        "jwks_uri",
        lambda client: client.jwks is not None and client.jwks_uri is not None,
        "the keys are given twice",
        "Keep jwks or jwks_uri.",
        "RFC 7591 2",
    ),
    Rule(
        "exchanges",
        lambda client: bool(client.exchanges) and EXCHANGE not in client.grant_types,
        "the client may not use the grant that exchanges tokens",
        f'Add "{EXCHANGE}" to grant_types.',
    ),
    Rule(
        "exchanges",
        lambda client: EXCHANGE in client.grant_types and not client.exchanges,
        "it is not said for which resources the client may exchange a token",
        "Write them as exchanges, each with its scopes.",
        "RFC 8693 2.1",
    ),
    Rule(
        "exchanges",
        lambda client: bool(client.exchanges) and not client.introspects,
        "no token is made for this client that it could exchange",
        "Say with introspects which resource it serves.",
        "RFC 8693 5",
    ),
    Rule(
        "sector",
        lambda client: bool(client.sector) and _HOST.fullmatch(client.sector) is None,
        "the sector is not a host",
        "Write a host in lower case, without scheme and port.",
        "OpenID Connect Core 8.1",
    ),
    # A code that is typed elsewhere binds nobody to the browser that they allow it in. Tokens may be exchanged: nobody is sent
    # anywhere for that, the client proves itself by its key, and what it gets is bound to one.
    _of_fapi(
        "grant_types",
        lambda client: DEVICE in client.grant_types,
        "has its people sent to it by authorization codes",
        "Remove device_code.",
        "5.3.2.2",
    ),
    _of_fapi("dpop", lambda client: not client.dpop, "uses DPoP", "Remove the line.", "5.3.2.1"),
    _of_fapi(
        "require_par",
        lambda client: _has_code(client) and not client.require_par,
        "pushes its requests",
        "Remove the line.",
        "5.3.2.2",
    ),
    _of_fapi(
        "auth_method",
        lambda client: client.auth_method != "private_key_jwt",
        "proves itself by a key",
        'Set auth_method to "private_key_jwt".',
        "5.3.2.1",
    ),
    Rule(
        "id_token_alg",
        lambda client: client.id_token_alg not in ID_TOKEN_ALGORITHMS,
        "ID tokens are not signed so",
        'Write "RS256" or "ES256".',
    ),
    _of_fapi(
        "require_pkce", lambda client: not client.require_pkce, "uses PKCE", "Remove the line, or set it to true.", "5.3.2.2"
    ),
    _of_fapi(
        "id_token_alg",
        lambda client: client.id_token_alg not in FAPI_ALGORITHMS,
        "is sent no RS256",
        'Remove the line, or write "ES256".',
        "5.4.1",
    ),
)


def faults(client: Client, resources: Mapping[str, Resource] | None) -> list[Fault]:
    """Why this client may not be; none where it may. ``resources`` is None where what it says of them is not to be judged."""
    broken = [Fault((rule.key,), _said(rule), rule.remedy) for rule in RULES if rule.broken(client)]
    shares = [] if resources is None else [*_shares(client, resources)]
    return [*_id(client), *broken, *_addresses(client), *_keys(client), *shares]


def sector_of(redirect_uris: tuple[str, ...]) -> str | None:
    """The one host that answers are sent to; None where there are several, or none (OpenID Connect Core 8.1)."""
    hosts = {host_of(address) for address in redirect_uris}
    return hosts.pop() or None if len(hosts) == 1 else None


def likeness(name: str) -> str:
    """What people see of a name: its letters and digits, whatever their case, width and distance (UTS 39 4)."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def _alphabets(name: str) -> frozenset[str]:
    return _ALIKE & {unicodedata.name(letter, "").partition(" ")[0] for letter in name}


def _said(rule: Rule) -> str:
    return f"{rule.what} ({rule.source})" if rule.source else rule.what


def _id(client: Client) -> Iterator[Fault]:
    if not _ID.fullmatch(client.id):
        yield Fault((), f"{quoted(client.id)} is not a client id", "Use at most 64 letters, digits and . _ ~ -")
    elif client.id.startswith(_SUBJECT_PREFIX):
        yield Fault((), f'a client id never begins with "{_SUBJECT_PREFIX}", as people\'s do', "Give it another id.")


def _addresses(client: Client) -> Iterator[Fault]:
    for key in ("redirect_uris", "post_logout_redirect_uris"):
        for number, address in enumerate(getattr(client, key)):
            yield from _fault((key, number), _refused_redirect(client, address))
    for number, address in enumerate(client.request_uris):
        yield from _fault(("request_uris", number), _refused_request_uri(address))
    judges: Mapping[str, Callable[[str], Refusal | None]] = {
        "initiate_login_uri": refused_web,
        "jwks_uri": refused_called,
        "backchannel_logout_uri": refused_called,
        "frontchannel_logout_uri": lambda address: _refused_frame(client, address),
    }
    for key, judge in judges.items():
        address = getattr(client, key)
        if address is not None:
            yield from _fault((key,), judge(address))


def _refused_redirect(client: Client, address: str) -> Refusal | None:
    refusal = refused_redirect(address, native=client.public)
    if refusal is None and client.fapi and address.startswith("http:") and host_of(address) not in _LOOPBACK:
        return "answers to a FAPI client are not sent in the clear (FAPI 2.0 5.3.2.2)", "Use https."
    return refusal


def _refused_request_uri(address: str) -> Refusal | None:
    if not address.startswith("https:"):
        return "a request object is fetched by https alone (RFC 9101 5.2)", "Use https."
    # A fragment is the digest of what lies there (OpenID Connect Core 6.2).
    return refused_called(address.partition("#")[0])


def _refused_frame(client: Client, address: str) -> Refusal | None:
    """A page that is shown within ours, so that it forgets the person: one of the client's own, by its origin."""
    refusal = refused_called(address)
    if refusal is None and origin_of(address) not in {origin_of(one) for one in client.redirect_uris}:
        what = "the address is not at the origin of a redirect address (OpenID Connect Front-Channel Logout 2)"
        return what, "Use the scheme, host and port of one of redirect_uris."
    return refusal


def _keys(client: Client) -> Iterator[Fault]:
    if client.jwks is not None:
        yield from _fault(("jwks",), refused_keys(client.jwks, fapi=client.fapi))


def _shares(client: Client, resources: Mapping[str, Resource]) -> Iterator[Fault]:
    """What the client may have of the resources there are."""
    known = {resource.name: identifier for identifier, resource in resources.items()}
    for key in ("resources", "introspects", "exchanges"):
        for number, identifier in enumerate(getattr(client, key)):
            if identifier not in resources:
                place: Path = (key, identifier) if key == "exchanges" else (key, number)
                yield Fault(place, f"{quoted(identifier)} is not a resource", closest(identifier, list(known)))
    offered = [*PEOPLE_SCOPES, *(scope for name in client.resources if name in resources for scope in resources[name].scopes)]
    if ITSELF in client.grant_types:
        offered += SERVICE_SCOPES
    yield from _scopes(("scope",), client.scope, offered, "none of the client's resources")
    for identifier, scopes in client.exchanges.items():
        if identifier in resources:
            yield from _scopes(
                ("exchanges", identifier), scopes, list(resources[identifier].scopes), "nothing at this resource"
            )


def _scopes(path: Path, scopes: tuple[str, ...], offered: list[str], whom: str) -> Iterator[Fault]:
    for scope in scopes:
        if scope not in offered:
            yield Fault(path, f"{quoted(scope)} is offered by {whom}", closest(scope, offered))
    if len(set(scopes)) < len(scopes):
        yield Fault(path, "a scope is listed twice", "Keep one of the two.")


def _fault(path: Path, refusal: Refusal | None) -> Iterator[Fault]:
    if refusal is not None:
        yield Fault(path, *refusal)
