"""Policy profiles: from a TOML file to a ``Policy`` with its digest, judged against its floors and against itself."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from idp.policies.finding import Finding
from idp.policies.judgement import contradictions
from idp.policies.policy import Policy
from idp.settings.document import Document, read_document
from idp.settings.problems import ConfigurationError, Problem
from idp.settings.reader import Reader, plain
from idp.settings.scanner import Path


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy as it was read: ``stated`` holds the dotted keys that the file sets, all others are defaults."""

    policy: Policy
    stated: frozenset[str]


def load_policy(path: FilePath) -> Policy:
    """The policy at ``path``; raises ``ConfigurationError`` with all of its problems."""
    return read_policy(path).policy


def read_policy(path: FilePath) -> PolicyFile:
    """The policy at ``path`` and which of its keys the file states; raises ``ConfigurationError``."""
    document, problems = read_document(path)
    if document is None:
        raise ConfigurationError(problems)
    if not document.table:
        problem = Problem(document.file, 1, "", "the file states nothing", "Write the policy, at least its name.")
        raise ConfigurationError([problem])
    policy, problems = _judged(document)
    if problems:
        raise ConfigurationError(problems)
    stated = frozenset(".".join(path) for path in _leaves(document.table))
    return PolicyFile(replace(policy, digest=hashlib.sha256(canonical(policy).encode()).hexdigest()), stated)


def effective(policy: Policy) -> dict[str, Any]:
    """Every key of ``policy`` with its value as TOML writes it, nested as the file is; the digest is not among them."""
    shown: dict[str, Any] = plain(policy)
    return shown


def canonical(policy: Policy) -> str:
    """The text that the digest is taken of: the effective policy as JSON, keys sorted, no spaces."""
    return json.dumps(effective(policy), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _judged(document: Document) -> tuple[Policy, list[Problem]]:
    """The policy and its problems. A contradiction with a key that could not be read is not judged."""
    reader = Reader(document)
    policy = reader.read(Policy, document.table) or Policy()
    if "name" not in document.table:
        reader.refuse(("name",), "missing", "Give the policy a name: audit records carry it.")
    for finding in contradictions(policy):
        if not any(_touches(_path(key), broken) for key in finding.keys for broken in reader.broken):
            place = _place(finding, document)
            reader.problems.append(Problem(document.file, document.line(place), finding.key, finding.what, finding.remedy))
    return policy, sorted(reader.problems, key=lambda problem: problem.line)


def _place(finding: Finding, document: Document) -> Path:
    """The first of the keys a contradiction is between that the file states, else the nearest of the key itself."""
    return next((_path(key) for key in finding.keys if _path(key) in document.lines), _path(finding.key))


def _touches(key: Path, broken: Path) -> bool:
    return key[: len(broken)] == broken or broken[: len(key)] == key


def _path(key: str) -> Path:
    return tuple(key.split("."))


def _leaves(table: dict[str, Any] | Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)
