"""The environment's say: ``IDP_<SECTION>_<KEY>`` replaces one key of settings.toml and is judged like it."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, get_args, get_origin, get_type_hints

from idp.settings.document import ENVIRONMENT, Document
from idp.settings.problems import Problem

PREFIX = "IDP_"
# Read elsewhere: the directory, the master key, and what the demonstration and the tests keep for themselves.
_OTHERS = ("IDP_CONFIG", "IDP_MASTER_KEY", "IDP_MASTER_KEY_FILE")
_FREE = ("IDP_DEMO_", "IDP_TEST_")
_WHOLE = re.compile(r"-?[0-9]{1,12}", re.ASCII)


def overridden(document: Document, shape: Any, environ: Mapping[str, str]) -> tuple[Document, list[Problem]]:
    """``document`` with the environment's values in it, and a problem for each variable that means nothing."""
    known = dict(_variables(shape))
    table: dict[str, Any] = copy.deepcopy(dict(document.table))
    variables: dict[tuple[str | int, ...], str] = {}
    problems = []
    for name in sorted(environ):
        if name in known:
            path, hint = known[name]
            if _place(table, path, _written(environ[name], hint)):
                variables[path] = name
                variables.update({(*path, number): name for number in range(environ[name].count(",") + 1)})
        elif name.startswith(PREFIX) and name not in _OTHERS and not name.startswith(_FREE):
            near = get_close_matches(name, [*known, *_OTHERS], n=1)
            remedy = f"Did you mean {near[0]}?" if near else "Unset it."
            problems.append(Problem(ENVIRONMENT, 0, name, "unknown variable", remedy))
    return replace(document, table=table, variables=variables), problems


def _variables(shape: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[tuple[str, ...], Any]]]:
    """Each variable's name with the key it replaces and that key's annotation; tables of tables have none."""
    hints = get_type_hints(shape)
    for field in fields(shape):
        here, hint = (*path, field.name), hints[field.name]
        if is_dataclass(hint):
            yield from _variables(hint, here)
        elif here[0] != "secrets" and not _holds_tables(hint):
            yield PREFIX + "_".join(here).upper(), (here, hint)


def _holds_tables(hint: Any) -> bool:
    return get_origin(hint) is Mapping or any(is_dataclass(argument) for argument in get_args(hint))


def _written(text: str, hint: Any) -> Any:
    """``text`` as TOML would have held it; what does not fit stays text, for the reader to refuse."""
    kinds = {hint, *get_args(hint)}
    if get_origin(hint) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    return int(text) if int in kinds and _WHOLE.fullmatch(text) else text


def _place(table: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """Put ``value`` at ``path``; False where the file has something else than a table on the way."""
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        table = inner
    table[path[-1]] = value
    return True
