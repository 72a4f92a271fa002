"""Bringing in the operator's customer records: read to the end beside those in use, then put in their place at one stroke."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final, NamedTuple

from idp.flows.world import World
from idp.model import Customer
from idp.policies import matching
from idp.post import Numbers, RecordsDown

FIELDS: Final = ("account_number", "customer_code", "family_name", "given_name", "numbers", "organisation")
NEEDED: Final = (("account_number", "customer_code"), ("family_name",))
# What a record is worth nothing without: somebody to be found by, and a name to be held against.
REFERENCES: Final = ("account_number", "customer_code")
BATCH: Final = 1000
# An import that was left unfinished may still be read for as long as this.
ABANDONED: Final = timedelta(days=1)


class Fault(NamedTuple):
    """A record that cannot be kept: the line that it ends on, and the name of what is wrong."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How much may be wrong: the share of faulty records, and the share of those in use that may be missing."""

    faulty: float = 0.01
    missing: float = 0.1


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of the file that was read: how many records were kept, and those that were not."""

    kept: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Brought:
    """The end of an import: how many records, and why they are not in use, if they are not."""

    records: int
    faults: int
    refused: str = ""


def record(numbers: Numbers, fields: Mapping[str, str]) -> Customer | str:
    """A customer record from the fields of a file, in the forms in which it is compared; or the name of what is wrong."""
    references = []
    for name in REFERENCES:
        given = fields.get(name, "").strip()
        key = matching.reference_key(given)
        if given and not key:
            return name
        references.append(key)
    if not any(references):
        return "no_reference"
    family_name = fields.get("family_name", "").strip()
    organisation = fields.get("organisation", "").strip()
    surname = matching.name_key(family_name or organisation)
    if not surname:
        return "family_name"
    typed = [number for number in fields.get("numbers", "").replace(";", "|").split("|") if number.strip()]
    keys = frozenset(numbers.key(number) for number in typed)
    if "" in keys:
        return "numbers"
    given_name = fields.get("given_name", "").strip()
    wrong = _fault((given_name, family_name, organisation))
    if wrong:
        return wrong
    account_number, customer_code = references
    return Customer(account_number, customer_code, surname, keys, given_name, family_name, organisation)


def _fault(names: Sequence[str]) -> str:
    """Why names cannot be kept and shown, if they cannot: control characters, halves of characters, far too much."""
    if any(unicodedata.category(mark) in {"Cc", "Cs"} for name in names for mark in name):
        return "characters"
    return "too_long" if any(len(name) > matching.LONGEST for name in names) else ""


def answered(numbers: Numbers, reference: str, key: str, fields: Mapping[str, str]) -> Customer:
    """The customer whose record was answered for a reference; raises ``RecordsDown`` for what is no record, or another's."""
    made = record(numbers, fields)
    if isinstance(made, str):
        raise RecordsDown(f"the record cannot be used: {made}")
    if getattr(made, reference) != key:
        raise RecordsDown("the record is not the one asked for")
    return made


def bring_in(
    world: World, lines: Iterable[tuple[int, Mapping[str, str] | None]], rules: Rules, actor: str
) -> Iterator[Batch | Brought]:
    """Read records to the end, each by its line, telling of each batch; the last thing told is how it ended.

    A record that is None has not the columns that the others have.

    What ``lines`` raises ends the import, and nothing of it is in use; so does leaving before the end.
    """
    with world.store.begin() as tx:
        generation = tx.customers.begin(world.clock())
    kept = faulty = 0
    source = iter(lines)
    while read := list(islice(source, BATCH)):
        batch = _load(world, generation, read)
        kept, faulty = kept + batch.kept, faulty + len(batch.faults)
        yield batch
    refused = _judged(world, kept, faulty, rules)
    now = world.clock()
    with world.store.begin() as tx:
        if not refused:
            tx.customers.put_in_use(generation, now)
        facts = {"records": kept, "faults": faulty, "generation": generation, "why": refused or None}
        world.record(tx, now, "customers.imported", "refused" if refused else "done", actor=actor, figures=facts)
    yield Brought(kept, faulty, refused)


def tidy(world: World) -> Iterator[int]:
    """Delete the records of imports that were replaced or abandoned, some at a time; yields how many went."""
    now = world.clock()
    with world.store.read() as tx:
        stale = tx.customers.stale(now - ABANDONED)
    for generation in stale:
        gone = BATCH
        while gone == BATCH:
            with world.store.begin() as tx:
                gone = tx.customers.forget(generation, BATCH)
            yield gone


def _load(world: World, generation: int, read: list[tuple[int, Mapping[str, str] | None]]) -> Batch:
    """Keep a batch, in a transaction of its own; a reference that was there before is the fault of the later record."""
    made = [(line, "columns" if fields is None else record(world.numbers, fields)) for line, fields in read]
    faults = [Fault(line, one) for line, one in made if isinstance(one, str)]
    records = [(line, one) for line, one in made if not isinstance(one, str)]
    if not records:
        return Batch(0, tuple(faults))
    with world.store.begin() as tx:
        tx.customers.load(generation, records)
        there = tx.customers.lines(generation, records[0][0], records[-1][0])
    faults += [Fault(line, "duplicate") for line, _ in records if line not in there]
    return Batch(len(there), tuple(sorted(faults)))


def _judged(world: World, kept: int, faulty: int, rules: Rules) -> str:
    """Why an import is not put in use, if it is not: too much of it is wrong, or too many records are missing."""
    if not kept:
        return "empty"
    if faulty > rules.faulty * (kept + faulty):
        return "too_many_faults"
    with world.store.read() as tx:
        live = tx.customers.live()
    return "too_few" if live is not None and kept < live.records * (1 - rules.missing) else ""
