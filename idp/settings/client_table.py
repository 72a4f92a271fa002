"""One client as clients.toml would have it, outside of that file: for commands that register clients while the service runs."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path as FilePath
from typing import Any, Final, get_origin, get_type_hints

from idp.model import Client, Resource
from idp.settings.client_keys import Place
from idp.settings.clients import ClientTable, implied_alg, read_clients
from idp.settings.document import Document
from idp.settings.problems import ConfigurationError
from idp.settings.reader import Reader, plain

_HINTS: Final = get_type_hints(ClientTable)
_PLACE: Final = "client"


def here() -> Place:
    """Where files and secrets that a command names are looked for: the working directory, and the environment."""
    return Place(FilePath(), os.environ)


def table_of(client: Client, resources: Mapping[str, Resource]) -> dict[str, Any]:
    """The client as its table: what has its default is left out, secrets are their digests."""
    names = {identifier: resource.name for identifier, resource in resources.items()}
    written: dict[str, Any] = {}
    for one in fields(ClientTable):
        value = _written(client, one.name, names)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if value is not None and value != default:
            written[one.name] = plain(value)
    return written


def read_client(client_id: str, table: Mapping[str, Any], resources: Mapping[str, Resource], place: Place) -> Client:
    """The client of a table, judged as one of the file; raises ``ConfigurationError`` with every problem."""
    reader = Reader(Document(_PLACE, {"clients": {client_id: dict(table)}}, {}, {}))
    clients = read_clients(reader, resources, place)
    if reader.problems:
        problems = (
            replace(one, line=0, key=one.key.removeprefix(f"clients.{client_id}").lstrip(".")) for one in reader.problems
        )
        raise ConfigurationError(list(problems))
    return clients[client_id]


def with_words(table: Mapping[str, Any], words: Iterable[str]) -> dict[str, Any]:
    """The table with each ``key=value`` set: a value as TOML writes it, or bare text; lists may be bare, with commas between.

    Nothing behind the "=" takes the key out, and with it whatever was said. Raises ``ValueError`` for what is no such word.
    """
    changed = dict(table)
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(word)
        if text:
            changed[key] = _value(key, text)
        else:
            changed.pop(key, None)
    return changed


def _value(key: str, text: str) -> Any:
    """What a word says: TOML where it reads as the kind of value that the key has, else the text itself."""
    listed = get_origin(_HINTS.get(key)) is tuple
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if listed and not isinstance(value, list):
        return [one.strip() for one in text.split(",") if one.strip()]
    return value if listed or not _is_text(key) or isinstance(value, str) else text


def _is_text(key: str) -> bool:
    return _HINTS.get(key) in {str, str | None}


def _written(client: Client, key: str, names: Mapping[str, str]) -> Any:
    if key in {"resources", "introspects"}:
        return tuple(names.get(identifier, identifier) for identifier in getattr(client, key))
    if key == "exchanges":
        return {names.get(identifier, identifier): scopes for identifier, scopes in client.exchanges.items()}
    return _TRANSLATED[key](client) if key in _TRANSLATED else getattr(client, key)


_TRANSLATED: Final[Mapping[str, Callable[[Client], Any]]] = {
    "secret_from": lambda client: tuple(f"sha256:{one}" for one in client.secret_digests),
    "scope": lambda client: " ".join(client.scope),
    "jwks_file": lambda _: None,
    "subject_type": lambda client: "pairwise" if client.sector else "public",
    "sector": lambda client: client.sector or None,
    # Where they are what the others imply they are not said.
    "id_token_alg": lambda client: None if client.id_token_alg == implied_alg(fapi=client.fapi) else client.id_token_alg,
    "require_par": lambda client: client.require_par or None,
    "dpop": lambda client: client.dpop or None,
}
