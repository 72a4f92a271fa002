"""The reference of the policy, made from the policy itself: every key with what it does, its default and its limits."""

import inspect
import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from idp.model import Kept
from idp.policies import retention
from idp.policies.policy import Policy
from idp.settings.reader import plain

_INTRODUCTION = """# The policy, key by key

This page is generated from `idp/policies/policy.py` and `terms.py` by `idp policy docs`; change it there.

A policy is one file in `config/policies`, and `profile` in `config/settings.toml` names the one in force. A key that the
file does not state has its default. A duration is one number and one unit: `"90s"`, `"30m"`, `"12h"` or `"120d"`; where a
rule may be switched off, `"never"` does it. Values beyond a floor or a ceiling, keys that are not listed here and rules
that contradict each other stop the start, with file, line, key and remedy.

- `idp policy check FILE` judges a file without starting anything and prints the digest that names it in audit records.
- `idp policy show FILE` prints what is in force, and which of it are defaults.
"""
_HEADER = "| key | default | limits | what it does | source |\n|---|---|---|---|---|\n"
_KEPT = """### What goes when

The worker deletes what has been kept for its period, and `idp upkeep --dry-run` foresees it. Of several keys in a row the
longest period counts, but for sessions, which end with the shorter. The defaults are in brackets.

| data | kept for | counted from |
|---|---|---|
"""
# What each kind is called there, and from when its period counts.
_KINDS_OF_DATA: Mapping[Kept, tuple[str, str]] = {
    Kept.AUDIT: ("Audit records", "the latest entry under the same seal"),
    Kept.LETTERS: ("Letters", "when they were sent or given up"),
    Kept.SIGNALS: ("What relying parties were to be told and did not take", "when it happened"),
    Kept.COUNTERS: ("Counters of failed attempts in which nothing counts any more", "the last attempt"),
    Kept.ISSUANCES: ("When codes and letters were asked for", "that moment"),
    Kept.FORMER_CREDENTIALS: ("Hashes of former passwords and PINs", "when they were replaced"),
    Kept.CLOSED_ACCOUNTS: ("Closed accounts, with all personal data", "when they were closed"),
    Kept.CANCELLED_ACCOUNTS: ("Accounts that their person cancelled, with all personal data", "the cancellation"),
    Kept.EXPIRED_ACCOUNTS: ("Expired accounts, with all personal data", "the expiry"),
    Kept.UNCONFIRMED_ACCOUNTS: ("Accounts that nobody ever came to or confirmed", "when they were made"),
    Kept.GRANTS: ("What clients were granted", "when it expired or was revoked"),
    Kept.INVITATIONS: ("Invitations", "the end of the link"),
    Kept.ONE_TIME_CODES: ("Mailed and texted codes", "the end of the code"),
    Kept.ALARMS: ("Links “this wasn't me”, with the address before", "the end of the link"),
    Kept.TEMPORARY_PASSWORDS: ("Temporary passwords", "their end"),
    Kept.DEVICES: ("Known devices", "when they were last seen"),
    Kept.CLIENT_CONSENTS: ("Consents given to clients", "when they were given"),
    Kept.SIGN_INS: ("Sign-ins under way", "their beginning"),
    Kept.SESSIONS: ("Sessions", "the last activity, and the sign-in"),
    Kept.USED: ("Identifiers that work once", "what they came with"),
    Kept.DENIED: ("Access tokens revoked one by one", "when they were issued"),
    Kept.THROTTLES: ("Counts of the rate limits", "the beginning of their window"),
}
_KINDS: Mapping[Any, str] = {bool: "true or false", int: "a number", str: "text", timedelta: "a duration"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a policy: its value, and what policy.py says of it."""

    key: str
    value: Any
    default: Any
    doc: str
    source: str
    limits: str


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a policy, with its own keys."""

    name: str
    doc: str
    entries: tuple[Entry, ...]


def sections(policy: Policy) -> Iterator[Section]:
    """The tables of ``policy`` in the order of policy.py; the first, without a name, is that of the keys above them all."""
    yield from _sections(policy, Policy(), "", inspect.getdoc(Policy) or "")


def reference() -> str:
    """The whole page, as Markdown."""
    written = [_INTRODUCTION]
    for section in sections(Policy()):
        title = f"## `[{section.name}]`\n\n{section.doc}\n" if section.name else "## Before the first section\n"
        rows = "".join(_row(entry) for entry in section.entries)
        written.append(f"{title}\n{_HEADER}{rows}" if rows else title)
        if section.name == "retention":
            written.append(_kept())
    return "\n".join(written)


def _kept() -> str:
    """How long each kind of data is kept under the defaults, and by which keys."""
    rows = []
    for kind, rule in retention.RULES.items():
        what, since = _KINDS_OF_DATA[kind]
        periods = ", ".join(f"`{key}` ({plain(attrgetter(key)(Policy()))})" for key in rule.keys)
        rows.append(f"| {what} | {periods or 'its own end'} | {since} |\n")
    return _KEPT + "".join(rows)


def _sections(value: Any, default: Any, name: str, doc: str) -> Iterator[Section]:
    hints = get_type_hints(type(value))
    shown = [field for field in fields(value) if not field.metadata.get("derived")]
    own, inner = [], []
    for field in shown:
        here = f"{name}.{field.name}" if name else field.name
        held, usual = getattr(value, field.name), getattr(default, field.name)
        if is_dataclass(held):
            about = field.metadata.get("doc") or inspect.getdoc(type(held)) or ""
            inner.append((held, usual, here, about))
        else:
            metadata = field.metadata
            limits = _limits(hints[field.name], metadata)
            own.append(Entry(here, plain(held), plain(usual), metadata["doc"], metadata.get("source", ""), limits))
    yield Section(name, doc, tuple(own))
    for below in inner:
        yield from _sections(*below)


def _limits(hint: Any, metadata: Mapping[str, Any]) -> str:
    """What a key takes: its kind, or its choices, and between which values."""
    floor, ceiling = metadata.get("floor"), metadata.get("ceiling")
    bounds = f", {plain(floor)} or more" if floor is not None else ""
    if ceiling is not None:
        bounds = f", {plain(floor)} to {plain(ceiling)}" if floor is not None else f", {plain(ceiling)} or less"
    return _kind(hint) + bounds


def _kind(hint: Any) -> str:
    arguments = get_args(hint)
    if get_origin(hint) in {Union, types.UnionType}:
        return f'{_kind(arguments[0])} or "never"'
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in arguments)
    if get_origin(hint) is tuple:
        inner = arguments[0]
        of = _kind(inner) if get_origin(inner) is Literal else {timedelta: "durations"}.get(inner, "texts")
        return f"a list of {of.removeprefix('one of ')}"
    return _KINDS.get(hint) or "a table of texts by key"


def _row(entry: Entry) -> str:
    key = entry.key.rpartition(".")[2]
    cells = (f"`{key}`", f"`{json.dumps(entry.default, ensure_ascii=False)}`", entry.limits, entry.doc, entry.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
