"""Resource servers, from ``config/resources.toml``: who they are, what they offer and what they ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from idp.model import Resource
from idp.policies.addresses import refused_identifier
from idp.policies.policy import Level
from idp.policies.rule import HOURS, MINUTES
from idp.policies.tokens import SERVICE_SCOPES
from idp.settings.document import quoted
from idp.settings.reader import Reader, plain

PEOPLE_SCOPES = ("openid", "profile", "email", "phone", "offline_access")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}", re.ASCII)
_ENTITLEMENT = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}|", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResourceTable:
    """One ``[resources.<name>]`` as it is written; ``scopes`` maps each to the entitlement it needs, or to "".

    Where ``token_lifetime`` is not stated it is the policy's, as far as the ceiling.
    """

    identifier: str
    scopes: Mapping[str, str] = field(default_factory=dict)
    token_lifetime: timedelta = field(default=1 * HOURS, metadata={"floor": 1 * MINUTES, "ceiling": 1 * HOURS})
    acr: Level = "pwd"
    account_number: bool = False


@dataclass(frozen=True, slots=True)
class ResourcesFile:
    """``config/resources.toml`` as it is written."""

    resources: Mapping[str, ResourceTable] = field(default_factory=dict)


def read_resources(reader: Reader, longest: timedelta | None) -> dict[str, Resource]:
    """The resources of the reader's document, keyed by identifier; problems are left with the reader.

    ``longest`` is the policy's life of an access token, or None where the policy could not be read.
    """
    file = reader.read(ResourcesFile, reader.document.table)
    resources: dict[str, Resource] = {}
    scopes: dict[str, str] = {}
    for name, table in file.resources.items() if file else ():
        _judge(reader, name, table, longest)
        _judge_scopes(reader, name, table, scopes)
        if table.identifier in resources:
            what = f"the identifier is that of {resources[table.identifier].name} already"
            reader.refuse(("resources", name, "identifier"), what, "Give each resource its own.")
        lifetime = min(table.token_lifetime, longest or table.token_lifetime)
        resources[table.identifier] = Resource(
            name, table.identifier, dict(table.scopes), lifetime, table.acr, table.account_number
        )
    return resources


def _judge(reader: Reader, name: str, table: ResourceTable, longest: timedelta | None) -> None:
    here = ("resources", name)
    if not _NAME.fullmatch(name):
        reader.refuse(here, f"{quoted(name)} is not a name", 'Write lower-case words joined by "-".')
    refusal = refused_identifier(table.identifier)
    if refusal is not None:
        reader.refuse((*here, "identifier"), *refusal)
    where = (*here, "token_lifetime")
    stated = where in reader.document.lines and where not in reader.broken
    if stated and longest is not None and table.token_lifetime > longest:
        what = f"{plain(table.token_lifetime)} is longer than the {plain(longest)} the policy gives access tokens"
        reader.refuse(where, what, "Lower it, or raise tokens.access_token in the policy.")


def _judge_scopes(reader: Reader, name: str, table: ResourceTable, seen: dict[str, str]) -> None:
    for scope, entitlement in table.scopes.items():
        here = ("resources", name, "scopes", scope)
        if not _SCOPE.fullmatch(scope):
            reader.refuse(here, "not a scope (RFC 6749 3.3)", "Use ASCII letters, digits and punctuation, no spaces or quotes.")
        elif scope in PEOPLE_SCOPES or scope in SERVICE_SCOPES:
            reader.refuse(
                here,
                f"the scope belongs to {'OpenID Connect' if scope in PEOPLE_SCOPES else 'this service'}",
                f'Name it after the resource: "{name}:{scope}".',
            )
        elif scope in seen:
            reader.refuse(here, f"the scope is offered by {seen[scope]} already", "Give each scope one resource.")
        if not _ENTITLEMENT.fullmatch(entitlement):
            reader.refuse(
                here, f"{quoted(entitlement)} is not an entitlement", 'Write one lower-case word, or "" for everyone.'
            )
        seen.setdefault(scope, name)
