"""Registered clients, from ``config/clients.toml``: who they are, where answers go and what they may ask for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from idp.model import Client, Resource
from idp.policies.rule import MINUTES
from idp.settings.addresses import Refusal, refused_redirect, refused_web
from idp.settings.client_keys import Place, read_keys, read_secret
from idp.settings.document import quoted
from idp.settings.reader import Broken, Reader, closest
from idp.settings.resources import PEOPLE_SCOPES

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
_REFRESHABLE = {"authorization_code", "urn:ietf:params:oauth:grant-type:device_code"}
_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)
# Subjects begin with it: a client can never be taken for a person.
_SUBJECT_PREFIX = "acc_"
_SECRETS = {"client_secret_basic", "client_secret_post"}


@dataclass(frozen=True, slots=True)
class ClientTable:
    """One ``[clients.<id>]`` as it is written; ``resources`` and ``introspects`` are names from resources.toml."""

    name: str
    grant_types: tuple[GrantType, ...] = ("authorization_code",)
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    auth_method: AuthMethod = "client_secret_basic"
    secret_from: tuple[str, ...] = field(default=(), repr=False)
    jwks: Mapping[str, Any] | None = None
    jwks_file: str | None = None
    scope: str = ""
    resources: tuple[str, ...] = ()
    introspects: tuple[str, ...] = ()
    response_modes: tuple[Literal["query", "form_post"], ...] = ("query", "form_post")
    require_pkce: bool = True
    id_token_alg: Literal["RS256", "ES256"] = "RS256"  # noqa: S105 - the name of an algorithm
    consent: bool = False
    disabled: bool = False
    default_max_age: timedelta | None = field(
        default=None, metadata={"floor": 1 * MINUTES, "source": "OpenID Connect Dynamic Registration 2"}
    )
    session_idle: timedelta | None = field(default=None, metadata={"floor": 5 * MINUTES})


@dataclass(frozen=True, slots=True)
class ClientsFile:
    """``config/clients.toml`` as it is written."""

    clients: Mapping[str, ClientTable] = field(default_factory=dict)


def read_clients(reader: Reader, resources: Mapping[str, Resource] | None, place: Place) -> dict[str, Client]:
    """The clients of the reader's document, keyed by id; problems are left with the reader.

    ``resources`` is None where they could not be read: what clients say of them is then not judged.
    """
    file = reader.read(ClientsFile, reader.document.table)
    tables = file.clients if file else {}
    return {name: _Judge(reader, name, table, resources, place).client() for name, table in tables.items()}


@dataclass(frozen=True)
class _Judge:
    """One client under judgement: every rule that fails leaves a problem with the reader."""

    reader: Reader
    id: str
    table: ClientTable
    resources: Mapping[str, Resource] | None
    place: Place

    def client(self) -> Client:
        """The client, as the model has it: names of resources become their identifiers, secrets their digests."""
        self._names()
        self._grants()
        self._addresses()
        self._scopes()
        table = self.table
        return Client(
            id=self.id,
            name=table.name,
            grant_types=table.grant_types,
            redirect_uris=table.redirect_uris,
            post_logout_redirect_uris=table.post_logout_redirect_uris,
            initiate_login_uri=table.initiate_login_uri,
            auth_method=table.auth_method,
            secret_digests=self._secrets(),
            jwks=self._keys(),
            scope=tuple(table.scope.split()),
            resources=self._identifiers("resources"),
            response_modes=table.response_modes,
            require_pkce=table.require_pkce,
            id_token_alg=table.id_token_alg,
            consent=table.consent,
            disabled=table.disabled,
            introspects=self._identifiers("introspects"),
            default_max_age=table.default_max_age,
            session_idle=table.session_idle,
        )

    def _refuse(self, key: str | tuple[str | int, ...], what: str, remedy: str) -> Broken:
        path = (key,) if isinstance(key, str) else key
        return self.reader.refuse(("clients", self.id, *path), what, remedy)

    def _names(self) -> None:
        if not _ID.fullmatch(self.id):
            self._refuse((), f"{quoted(self.id)} is not a client id", "Use at most 64 letters, digits and . _ ~ -")
        elif self.id.startswith(_SUBJECT_PREFIX):
            self._refuse((), f'a client id never begins with "{_SUBJECT_PREFIX}", as people\'s do', "Give it another id.")
        if not self.table.name.strip():
            self._refuse("name", "the name is empty", "Write the name that people are shown.")

    def _grants(self) -> None:
        table, public = self.table, self.table.auth_method == "none"
        if public and not table.require_pkce:
            self._refuse(
                "require_pkce", "a public client must use PKCE (RFC 9700 2.1.1)", "Remove the line, or set it to true."
            )
        if public and "client_credentials" in table.grant_types:
            what = "client_credentials needs a client that keeps a secret"
            self._refuse("grant_types", what, "Remove it, or choose another auth_method (RFC 6749 4.4).")
        if public and table.introspects:
            self._refuse("introspects", "introspection needs a client that keeps a secret", "Choose another auth_method.")
        if not table.grant_types:
            self._refuse("grant_types", "the client may use no grant", 'List at least "authorization_code".')
        if "authorization_code" in table.grant_types and not table.redirect_uris:
            self._refuse("redirect_uris", "authorization_code has nowhere to send its answer", "List at least one address.")
        if not table.response_modes:
            self._refuse("response_modes", "the client accepts no answer", 'List at least "query".')
        for key in ("default_max_age", "session_idle"):
            if getattr(table, key) is not None and "authorization_code" not in table.grant_types:
                self._refuse(key, "nobody signs in at this client", 'Remove it, or add "authorization_code".')
        if "refresh_token" in table.grant_types and not _REFRESHABLE & set(table.grant_types):
            self._refuse("grant_types", "no other grant gives the client a refresh token", 'Add "authorization_code".')

    def _addresses(self) -> None:
        native = self.table.auth_method == "none"

        def redirect(address: str) -> Refusal | None:
            return refused_redirect(address, native=native)

        self._each("redirect_uris", redirect)
        self._each("post_logout_redirect_uris", redirect)
        initiate = self.table.initiate_login_uri
        refusal = refused_web(initiate) if initiate is not None else None
        if refusal is not None:
            self._refuse("initiate_login_uri", *refusal)

    def _each(self, key: str, judge: Callable[[str], Refusal | None]) -> None:
        for number, address in enumerate(getattr(self.table, key)):
            refusal = judge(address)
            if refusal is not None:
                self._refuse((key, number), *refusal)

    def _scopes(self) -> None:
        if self.resources is None:
            return
        asked = self.table.scope.split()
        own = [resource for resource in self.resources.values() if resource.name in self.table.resources]
        offered = [*PEOPLE_SCOPES, *(scope for resource in own for scope in resource.scopes)]
        for scope in asked:
            if scope not in offered:
                self._refuse("scope", f"{quoted(scope)} is offered by none of the client's resources", closest(scope, offered))
        if len(set(asked)) < len(asked):
            self._refuse("scope", "a scope is listed twice", "Keep one of the two.")

    def _identifiers(self, key: str) -> tuple[str, ...]:
        if self.resources is None:
            return ()
        known = {resource.name: identifier for identifier, resource in self.resources.items()}
        for number, name in enumerate(getattr(self.table, key)):
            if name not in known:
                self._refuse((key, number), f"{quoted(name)} is not a resource", closest(name, list(known)))
        return tuple(known[name] for name in getattr(self.table, key) if name in known)

    def _secrets(self) -> tuple[str, ...]:
        """The digests of the client's secrets: several while one replaces another."""
        table = self.table
        if table.auth_method not in _SECRETS:
            if table.secret_from:
                self._refuse("secret_from", f"{table.auth_method} uses no secret", "Remove it, or change auth_method.")
            return ()
        if not table.secret_from:
            self._refuse("secret_from", "missing", 'Say where the secret is: ["env:NAME"], ["file:PATH"] or ["sha256:HEX"].')
        digests = []
        for number, source in enumerate(table.secret_from):
            digest = read_secret(source, self.place)
            if isinstance(digest, str):
                digests.append(digest)
            else:
                self._refuse(("secret_from", number), *digest)
        return tuple(digests)

    def _keys(self) -> Mapping[str, Any] | None:
        table = self.table
        given = [key for key in ("jwks", "jwks_file") if getattr(table, key) is not None]
        if table.auth_method != "private_key_jwt":
            if given:
                self._refuse(
                    given[0], f"{table.auth_method} uses no keys", 'Remove it, or set auth_method to "private_key_jwt".'
                )
            return None
        if len(given) != 1:
            what = "private_key_jwt needs the client's public keys" if not given else "the keys are given twice"
            self._refuse(given[-1] if given else "jwks", what, "Write them as jwks, or name a file with jwks_file.")
            return None
        keys = read_keys(table.jwks if table.jwks is not None else str(table.jwks_file), self.place)
        if isinstance(keys, tuple):
            self._refuse(given[0], *keys)
            return None
        return keys
