"""What a run of upkeep did, or would do: counted by the rule that says so, as a table for people and JSON for machines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from idp.flows.retaining import Forgotten
from idp.flows.upkeep import Done, Stretch
from idp.model import Ending, Kept
from idp.policies import retention
from idp.policies.inactivity import Act
from idp.policies.policy import Policy
from idp.settings.reader import plain

# Columns where the output is no terminal: nothing is cut off.
_PIPED: Final = 160


class Kind(NamedTuple):
    """One kind of act: what it is called, and the key of the policy that says when."""

    act: Act
    of: str
    what: str
    key: str


KINDS: Final = (
    Kind(Act.REMIND, Ending.SUSPENSION, "reminders of suspension", "inactivity.suspend_reminders"),
    Kind(Act.REMIND, Ending.EXPIRY, "reminders of expiry", "inactivity.expire_reminders"),
    Kind(Act.SUSPEND, "", "suspensions", "inactivity.suspend_after"),
    Kind(Act.EXPIRE, "", "expirations", "inactivity.expire_after"),
    Kind(Act.PURGE, "expired", "purges: expired", "inactivity.purge_after"),
    Kind(Act.PURGE, "closed", "purges: closed", "retention.closed_accounts"),
    Kind(Act.PURGE, "cancelled", "purges: cancelled", "leaving.grace"),
    Kind(Act.PURGE, "never_confirmed", "purges: never confirmed", "registration.purge_unconfirmed_after"),
    Kind(Act.PURGE, "never_came", "purges: invited, never came", "registration.purge_unconfirmed_after"),
)
_BY_ACT: Final = {(kind.act, kind.of): kind for kind in KINDS}


@dataclass(slots=True)
class Tally:
    """A run: at which moment, by which policy, and what came of it. ``listed`` is kept only where it is asked for."""

    at: datetime
    policy: Policy
    dry: bool
    listing: bool = False
    whole: bool = False
    looked: int = 0
    acts: Counter[Kind] = field(default_factory=Counter)
    kept: Counter[Kept] = field(default_factory=Counter)
    listed: list[Done] = field(default_factory=list)

    def add(self, stretch: Stretch) -> None:
        """A part of the round of accounts."""
        self.looked += stretch.looked
        self.whole = self.whole or stretch.whole
        self.acts.update(kind_of(one) for one in stretch.done)
        if self.listing:
            self.listed += stretch.done

    def forget(self, told: Forgotten) -> None:
        """A part of retention."""
        self.kept[told.kind] += told.rows


def kind_of(done: Done) -> Kind:
    """Which kind of act it is."""
    return _BY_ACT[done.due.act, done.of]


def document(tally: Tally) -> dict[str, Any]:
    """The run as JSON has it: moments in ISO 8601, spans as the policy file writes them."""
    policy = tally.policy
    written = {
        "at": tally.at.isoformat(),
        "dry_run": tally.dry,
        "whole": tally.whole,
        "policy": {"name": policy.name, "digest": policy.digest},
        "accounts": tally.looked,
        "acts": [
            {"act": kind.act, "of": kind.of, "count": tally.acts[kind], "rules": _rules(policy, (kind.key,))} for kind in KINDS
        ],
        "retention": [{"kind": kind, "count": tally.kept[kind], "rules": _rules(policy, keys)} for kind, keys in _retained()],
    }
    if tally.listing:
        written["listed"] = [
            {"id": one.account_id, "username": one.username, "act": one.due.act, "of": one.of, "due": one.due.at.isoformat()}
            for one in tally.listed
        ]
    return written


def show(tally: Tally, console: Console) -> None:
    """Tables, in the colours of a terminal where there is one."""
    if not console.is_terminal:
        console.width = _PIPED
    head = "What a round would do" if tally.dry else "What was done"
    told = f"{head} at {_shown(tally.at)}, by the policy {tally.policy.name} ({tally.policy.digest[:12]})"
    console.print(f"[bold]{escape(told)}[/bold]", highlight=False)
    console.print(f"{_number(tally.looked)} looked at, which have not been used for long.\n", highlight=False)
    acts = _table("Accounts")
    for kind in KINDS:
        acts.add_row(kind.what, _count(tally.acts[kind], kind.act), escape(_ruled(tally.policy, (kind.key,))))
    console.print(acts)
    console.line()
    kept = _table("Data kept long enough")
    for one, keys in _retained():
        kept.add_row(one.replace("_", " "), _count(tally.kept[one]), escape(_ruled(tally.policy, keys)) or "its own end")
    console.print(kept)
    if tally.listing:
        console.line()
        console.print(_listed(tally))


def summary(tally: Tally) -> str:
    """What was done so far, in one line."""
    told = [f"{count:,} {kind.what}" for kind in KINDS if (count := tally.acts[kind])]
    return ", ".join(told) or "nothing was due"


def _listed(tally: Tally) -> Table:
    # An id that is cut off cannot be copied.
    table = Table("act", "username", Column("id", overflow="fold"), "due since", box=None, pad_edge=False)
    table.title, table.title_justify = "One by one", "left"
    for one in tally.listed:
        table.add_row(_name(kind_of(one)), escape(one.username), escape(one.account_id), _shown(one.due.at))
    if not tally.listed:
        table.add_row("nothing", "", "", "")
    return table


def _name(kind: Kind) -> str:
    return f"{kind.act} ({kind.of.replace('_', ' ')})" if kind.of else kind.act


def _table(title: str) -> Table:
    count = Column("count", justify="right")
    table = Table("what", count, Column("by", overflow="fold"), title=title, box=None, pad_edge=False)
    table.title_justify = "left"
    table.columns[0].width = 30
    return table


def _count(count: int, act: Act | None = None) -> str:
    colour = {Act.PURGE: "red", Act.EXPIRE: "yellow", Act.SUSPEND: "yellow"}.get(act, "bold") if act else "bold"
    return f"[{colour}]{count:,}[/{colour}]" if count else "[dim]0[/dim]"


def _retained() -> Iterator[tuple[Kept, tuple[str, ...]]]:
    """Every kind that retention takes, with the keys that say when. Throttles end by themselves and are nobody's data."""
    for kind, rule in retention.RULES.items():
        if rule.takes is not retention.Takes.UPKEEP and kind is not Kept.THROTTLES:
            yield kind, rule.keys


def _rules(policy: Policy, keys: Iterable[str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": plain(attrgetter(key)(policy))} for key in keys]


def _ruled(policy: Policy, keys: Iterable[str]) -> str:
    return ", ".join(f"{rule['key']} = {_value(rule['value'])}" for rule in _rules(policy, keys))


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
