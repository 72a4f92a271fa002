"""Registered clients, from ``config/clients.toml``: who they are, where answers go and what they may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from idp.model import Client, Resource
from idp.policies.client_rules import CODE, Fault, faults, sector_of
from idp.policies.rule import MINUTES
from idp.settings.client_keys import Place, read_key_file, read_secret
from idp.settings.reader import Reader
from idp.settings.scanner import Path

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
# Fields of the model that this file writes under another name.
_KEYS: Final = {"secret_digests": "secret_from"}
# Fields that this file writes as the model has them.
_SAME: Final = (
    "name",
    "grant_types",
    "redirect_uris",
    "post_logout_redirect_uris",
    "initiate_login_uri",
    "auth_method",
    "jwks_uri",
    "response_modes",
    "require_pkce",
    "consent",
    "disabled",
    "default_max_age",
    "session_idle",
    "request_uris",
    "require_signed_request",
    "fapi",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
)


@dataclass(frozen=True, slots=True)
class ClientTable:
    """One ``[clients.<id>]`` as it is written; ``resources``, ``introspects`` and ``exchanges`` name those of resources.toml.

    ``fapi`` implies ``require_par``, ``dpop`` and ES256. The ``sector`` of pairwise subjects is the one host of the redirect
    addresses where it is not stated.
    """

    name: str
    grant_types: tuple[GrantType, ...] = ("authorization_code",)
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    auth_method: AuthMethod = "client_secret_basic"
    secret_from: tuple[str, ...] = field(default=(), repr=False)
    jwks: Mapping[str, Any] | None = None
    jwks_file: str | None = None
    jwks_uri: str | None = None
    scope: str = ""
    resources: tuple[str, ...] = ()
    introspects: tuple[str, ...] = ()
    response_modes: tuple[Literal["query", "form_post"], ...] = ("query", "form_post")
    require_pkce: bool = True
    id_token_alg: Literal["RS256", "ES256"] | None = None
    consent: bool = False
    disabled: bool = False
    default_max_age: timedelta | None = field(
        default=None, metadata={"floor": 1 * MINUTES, "source": "OpenID Connect Dynamic Registration 2"}
    )
    session_idle: timedelta | None = field(default=None, metadata={"floor": 5 * MINUTES})
    request_uris: tuple[str, ...] = ()
    require_signed_request: bool = False
    require_par: bool | None = None
    dpop: bool | None = None
    fapi: bool = False
    subject_type: Literal["public", "pairwise"] = "public"
    sector: str | None = None
    backchannel_logout_uri: str | None = None
    frontchannel_logout_uri: str | None = None
    exchanges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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


def implied_alg(*, fapi: bool) -> str:
    """What ID tokens are signed with where nothing is said of it."""
    return "ES256" if fapi else "RS256"


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
        table, before = self.table, frozenset(self.reader.broken)
        same = {name: getattr(table, name) for name in _SAME}
        client = Client(
            id=self.id,
            secret_digests=self._secrets(),
            jwks=self._keys(),
            scope=tuple(table.scope.split()),
            resources=self._identifiers("resources"),
            introspects=self._identifiers("introspects"),
            exchanges={self._identifier(name): scopes for name, scopes in table.exchanges.items()},
            id_token_alg=table.id_token_alg or implied_alg(fapi=table.fapi),
            require_par=(table.fapi and CODE in table.grant_types) if table.require_par is None else table.require_par,
            dpop=table.fapi if table.dpop is None else table.dpop,
            sector=self._sector(),
            **same,
        )
        self._tell(faults(client, self.resources), self.reader.broken - before)
        return client

    def _tell(self, found: list[Fault], broken: set[Path]) -> None:
        for fault in found:
            path = self._written(fault.path)
            here = ("clients", self.id, *path)
            # What could not be read is told already: that it is missing now is no second problem.
            if not path or not any(one[: len(here)] == here for one in broken):
                self._refuse(path, fault.what, fault.remedy)

    def _written(self, path: Path) -> Path:
        """The place of a field as this file has it."""
        if path[:1] == ("exchanges",) and len(path) > 1:
            return "exchanges", self._name_of(str(path[1]))
        if path[:1] == ("jwks",) and self.table.jwks is None and self.table.jwks_file is not None:
            return ("jwks_file",)
        return (_KEYS.get(str(path[0]), path[0]), *path[1:]) if path else path

    def _name_of(self, identifier: str) -> str:
        resource = (self.resources or {}).get(identifier)
        return identifier if resource is None else resource.name

    def _refuse(self, path: Path, what: str, remedy: str) -> None:
        self.reader.refuse(("clients", self.id, *path), what, remedy)

    def _identifiers(self, key: str) -> tuple[str, ...]:
        return tuple(self._identifier(name) for name in getattr(self.table, key))

    def _identifier(self, name: str) -> str:
        """The identifier of a resource by its name; a name that is nobody's is left for the rules to tell."""
        known = (identifier for identifier, resource in (self.resources or {}).items() if resource.name == name)
        return next(known, name)

    def _sector(self) -> str:
        table = self.table
        if table.subject_type == "public":
            if table.sector is not None:
                self._refuse(("sector",), "the client sees public subjects", 'Remove it, or set subject_type to "pairwise".')
            return ""
        if table.sector is not None:
            return table.sector
        sector = sector_of(table.redirect_uris)
        if sector is None:
            what = "the redirect addresses do not have one host (OpenID Connect Core 8.1)"
            self._refuse(("subject_type",), what, "Say with sector to which host the client's pairwise subjects belong.")
        return sector or ""

    def _secrets(self) -> tuple[str, ...]:
        """The digests of the client's secrets: several while one replaces another."""
        digests = []
        for number, source in enumerate(self.table.secret_from):
            digest = read_secret(source, self.place)
            if isinstance(digest, str):
                digests.append(digest)
            else:
                self._refuse(("secret_from", number), *digest)
        return tuple(digests)

    def _keys(self) -> Mapping[str, Any] | None:
        table = self.table
        if table.jwks is not None and table.jwks_file is not None:
            self._refuse(("jwks_file",), "the keys are given twice", "Keep jwks or jwks_file.")
        if table.jwks is not None or table.jwks_file is None:
            return table.jwks
        keys = read_key_file(table.jwks_file, self.place)
        if isinstance(keys, tuple):
            self._refuse(("jwks_file",), *keys)
            return None
        return keys
