"""The page that compares the shipped profiles, made from their files: what each is for, and every key in which they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Final

from idp.policies.policy import Policy
from idp.settings.policy_file import load_policy
from idp.settings.policy_reference import Entry, sections
from idp.settings.shapes import DEFAULT_PROFILE

_INTRODUCTION: Final = """# The profiles

This page is generated from `config/policies` by `idp policy profiles`; change it there.

A profile is one portal's law: a file in `config/policies`, named by `profile` in `config/settings.toml`. Changing from one to
another, or writing one of your own, is a change of TOML and of nothing else. `make demo PROFILE=self-serve` shows one at work;
[policy.md](policy.md) explains every key, and the files say why each value is what it is.
"""
_COMPARISON: Final = """## Side by side

Every key in which they differ. A dash stands where a key counts for nothing, because what it speaks of is off or not asked.
"""
_TITLES: Final = {
    "password": "Passwords",
    "pin": "PIN",
    "security_question": "Security question",
    "lockout": "Lockout",
    "temporary_password": "Temporary passwords",
    "inactivity": "Access that nobody uses",
    "session": "Sessions",
    "sign_in": "Signing in",
    "recovery": "Forgotten things",
    "recovery.username": "Forgotten username",
    "recovery.password": "Forgotten password",
    "recovery.username_and_password": "Both forgotten",
    "recovery.pin": "Forgotten PIN",
    "registration": "Coming in",
    "change": "Changes in My Profile",
    "second_factor": "Second factors",
    "step_up": "Extra proof",
    "consent": "Agreeing",
    "leaving": "Cancelling",
    "retention": "What is kept, and for how long",
    "rate_limits": "Limits by source address",
    "tokens": "Tokens",
}
# The sentence with which each file's head turns from what the profile is for to how the file is to be read.
_TURN: Final = "Every rule in force is"
_WITH_REGISTRATION: Final = ("fields", "optional", "match_customer", "confirm_by", "guesses", "per_customer")
_COLUMNS: Final = 120
_OFF: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Profile:
    """One of the files: its policy, and what its head says it is for."""

    policy: Policy
    purpose: str


def profiles(folder: Path) -> tuple[Profile, ...]:
    """The profiles of a folder, the one that is in force where none is named first; raises ``ConfigurationError``."""
    paths = sorted(folder.glob("*.toml"), key=lambda path: (path.stem != DEFAULT_PROFILE, path.stem))
    return tuple(Profile(load_policy(path), _purpose(path)) for path in paths)


def comparison(known: Sequence[Profile]) -> str:
    """The whole page, as Markdown."""
    written = [_INTRODUCTION, "## What each is for\n"]
    written += [_wrapped(f"**`{one.policy.name}`**: {one.purpose or one.policy.about}") for one in known]
    written += [_COMPARISON, "".join(_table([one.policy for one in known]))]
    return "\n".join(written)


def _wrapped(text: str) -> str:
    return f"{fill(text, _COLUMNS, break_on_hyphens=False)}\n"


def _purpose(path: Path) -> str:
    head = [line.removeprefix("#").strip() for line in path.read_text("utf-8").partition("\n\n")[0].splitlines()]
    said = " ".join(head).partition(_TURN)[0].strip()
    # It begins with its name in quotes, which the page has written already.
    return said.partition(": ")[2][:1].upper() + said.partition(": ")[2][1:]


def _table(policies: Sequence[Policy]) -> Iterator[str]:
    yield "| | " + " | ".join(f"`{policy.name}`" for policy in policies) + " |\n"
    yield "|---" * (len(policies) + 1) + "|\n"
    by_profile = [{section.name: section for section in sections(policy)} for policy in policies]
    for name, title in _TITLES.items():
        rows = list(_rows(list(zip(*(known[name].entries for known in by_profile), strict=True)), policies))
        if rows:
            yield f"| **{title}** |" + " |" * len(policies) + "\n"
            yield from rows


def _rows(entries: Iterable[tuple[Entry, ...]], policies: Sequence[Policy]) -> Iterator[str]:
    for row in entries:
        shown = [
            _shown(entry.value) if _counts(entry.key, policy) else _OFF for entry, policy in zip(row, policies, strict=True)
        ]
        if len(set(shown) - {_OFF}) > 1:
            doc = row[0].doc.partition(";")[0].partition(":")[0].rstrip(".")
            yield f"| `{row[0].key}`<br>{doc} | " + " | ".join(shown) + " |\n"


def _counts(key: str, policy: Policy) -> bool:
    """Whether a key means anything in a policy: what it speaks of is switched on."""
    section, _, name = key.rpartition(".")
    inner: Any = policy
    for part in section.split(".") if section else ():
        inner = getattr(inner, part)
    if name != "enabled" and not getattr(inner, "enabled", True):
        return False
    off = {
        "recovery.pin": not policy.pin.enabled,
        "inactivity": policy.inactivity.suspend_after is None and name in {"suspend_reminders", "reactivate_by"},
        "registration": not policy.registration.open and name in _WITH_REGISTRATION,
        "consent": policy.consent.terms == "off" and name == "terms_version",
    }
    return not off.get(section, False)


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Mapping() | list():
            return ", ".join(str(one) for one in value) or "none"
        case _:
            return str(value).replace("|", "\\|") or "none"
