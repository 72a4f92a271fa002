"""What the demo prints when it is ready: where everything is, who lives here, and who may register with what; in 80 columns."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Final

from click import style

from idp.cli.demo_cast import Sample
from idp.cli.demo_people import ANSWER, APP_KEY, PASSWORD, PIN
from idp.policies.lifecycle import required_pieces
from idp.policies.policy import Policy

COLUMNS: Final = 80
_PLACES: Final = (
    ("portal", "sign in, see a bill and a fault, sign out"),
    ("inbox", "every mail and text message of the demo"),
    ("identity", "the product: sign-in pages, tokens, keys"),
    ("billing", "a backend: is told when a session ends"),
    ("service", "a backend: accepts tokens made for service"),
)
_WORDS: Final = {
    "customer_code": "customer code",
    "account_number": "account number",
    "given_name": "first name",
    "family_name": "surname",
    "number": "number on the account",
    "email": "email address",
    "username": "username",
}
_WIDTHS: Final = {"account_number": 16, "customer_code": 15, "family_name": 11, "number": 0}


def guide(policy: Policy, people: tuple[Sample, ...], customers: Path, where: Mapping[str, str]) -> Iterator[str]:
    """The lines; addresses are plain text, for terminals that make links of them."""
    yield "\nThe demo is running. Start here:\n"
    yield style(f"    {where['portal']}\n", bold=True)
    for name, what in _PLACES:
        yield f"  {name:<9} {where[name]}  {what}"
    yield f"  {'metrics':<9} {where['metrics']}/metrics\n"
    yield f"The profile is {style(policy.name, bold=True)} (another: make demo PROFILE=...):"
    yield from _folded(policy.about)
    yield from _secrets(policy)
    yield f"\n  {'name':<9} {'stands':<17} what you will see"
    for person in people:
        yield f"  {style(f'{person.username:<9}', bold=True)} {person.stands:<17} {person.shows}"
    if policy.registration.open:
        yield from _registering(policy, customers, where)
    yield style("\nCtrl-C stops everything and leaves nothing behind.\n", dim=True)


def _secrets(policy: Policy) -> Iterator[str]:
    yield "\nEverybody has the same secrets:\n"
    names = policy.sign_in.identify_by
    if "email" in names:
        yield f"  {'sign in as':<13} NAME@example.com" + (", or NAME" if "username" in names else "")
    known = [("password", PASSWORD)]
    if policy.pin.enabled:
        known.append(("PIN", PIN))
    if "question" in required_pieces(policy):
        known.append(("first school", ANSWER))
    for name, secret in known:
        yield f"  {name:<13} {style(secret, bold=True)}"
    if policy.second_factor.required:
        yield f"  {'app':<13} {style(APP_KEY, bold=True)} (for any authenticator app)"


def _registering(policy: Policy, file: Path, where: Mapping[str, str]) -> Iterator[str]:
    """Where people register, what is asked, and which of the operator's customers there are to be."""
    rules = policy.registration
    asked = [_WORDS[name] for name in rules.fields if name not in rules.optional]
    yield "\nNobody needs an invitation. Register here:\n"
    yield style(f"    {where['identity']}/register\n", bold=True)
    yield from _folded(f"Asked: {', '.join([*asked, 'password'])}.")
    if rules.optional:
        yield from _folded(f"If you like: {', '.join(_WORDS[name] for name in rules.optional)}.")
    if rules.confirm_by:
        texted = " To a mobile it goes by text message, else by mail." if "sms" in rules.confirm_by else ""
        yield from _folded(f"Any address will do. The code is in the inbox, {where['inbox']}.{texted}")
    if rules.match_customer:
        shown = [name for name in _WIDTHS if name in rules.match_customer]
        yield "\n  Customers whom the operator's records know:\n"
        yield "    " + "".join(f"{_WORDS[name]:<{_WIDTHS[name]}}" for name in shown).rstrip()
        for customer in _customers(file):
            yield "    " + "".join(f"{customer[name]:<{_WIDTHS[name]}}" for name in shown).rstrip()


def _customers(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            yield {**row, "number": row["numbers"].replace(";", " or ")}


def _folded(text: str) -> Iterator[str]:
    for line in wrap(text, COLUMNS - 2, break_on_hyphens=False):
        yield f"  {line}"
