"""What relying parties are told of what happens."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import idp
from idp.model import AccountState, Factor
from idp.policies import signals
from idp.policies.signals import Happened, Told, told

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = int(AT.timestamp())


def happened(event: str, outcome: str = "done", actor: str = "person", **facts: Any) -> Happened:
    return Happened(event, outcome, actor, AT, facts)


def by(who: str, **members: Any) -> dict[str, Any]:
    return {"event_timestamp": MOMENT, "initiating_entity": who, **members}


REVOKED = Told(signals.SESSION_REVOKED, by("user"))
ROWS = [
    (happened("session.ended", sid="s1"), [Told(signals.SESSION_REVOKED, by("user"), "s1")]),
    (
        happened("session.ended", actor="policy", sid="s1", why="too_many"),
        [
            Told(
                signals.SESSION_REVOKED,
                by("policy", reason_admin={"en": "The account had more sessions than policy allows."}),
                "s1",
            )
        ],
    ),
    (
        happened("sessions.ended", "others", sids=["s1", "s2"]),
        [Told(signals.SESSION_REVOKED, by("user"), "s1"), Told(signals.SESSION_REVOKED, by("user"), "s2")],
    ),
    (happened("sessions.ended", "others", sids=[]), []),
    (happened("sessions.ended", "all", sessions=3), []),
    (happened("account.cut", grants=0), [REVOKED]),
    (
        happened("account.block", actor="operator", before=AccountState.ACTIVE),
        [Told(signals.SESSION_REVOKED, by("admin")), Told(signals.ACCOUNT_DISABLED)],
    ),
    (happened("account.block", actor="operator", before="invited"), []),
    (
        happened("account.close", actor="operator", before=AccountState.ACTIVE),
        [Told(signals.SESSION_REVOKED, by("admin")), Told(signals.ACCOUNT_DISABLED)],
    ),
    (happened("account.unblock", actor="operator"), [Told(signals.ACCOUNT_ENABLED)]),
    (
        happened("account.suspended", actor="policy", grants=1),
        [Told(signals.SESSION_REVOKED, by("policy")), Told(signals.ACCOUNT_DISABLED)],
    ),
    (happened("account.expired", actor="policy", grants=0), [Told(signals.ACCOUNT_DISABLED)]),
    (happened("account.reactivated"), [Told(signals.ACCOUNT_ENABLED)]),
    (happened("account.reactivated", "refused"), []),
    (happened("account.cancelled"), [Told(signals.ACCOUNT_DISABLED)]),
    (happened("account.kept"), [Told(signals.ACCOUNT_ENABLED)]),
    (happened("account.frozen"), [Told(signals.ACCOUNT_DISABLED, {"reason": "hijacking"})]),
    (happened("account.purged", actor="policy", state=AccountState.CLOSED, grants=0), [Told(signals.ACCOUNT_PURGED)]),
    (happened("account.purged", state=AccountState.ACTIVE, grants=2), [REVOKED, Told(signals.ACCOUNT_PURGED)]),
    (happened("account.purged", actor="policy", state=AccountState.PENDING, grants=0), []),
    (
        happened("credential.set", "created", factor=Factor.TOTP),
        [Told(signals.CREDENTIAL_CHANGE, by("user", credential_type="app", change_type="create"))],
    ),
    (
        happened("credential.set", "replaced", factor="password", reopened=True),
        [
            Told(signals.CREDENTIAL_CHANGE, by("user", credential_type="password", change_type="update")),
            Told(signals.ACCOUNT_ENABLED),
        ],
    ),
    (
        happened("credential.set", "replaced", factor=Factor.PIN, reopened=True),
        [Told(signals.CREDENTIAL_CHANGE, by("user", credential_type="pin", change_type="update"))],
    ),
    (
        happened("credential.dropped", factor=Factor.PASSKEY),
        [Told(signals.CREDENTIAL_CHANGE, by("user", credential_type="fido2-roaming", change_type="delete"))],
    ),
    (
        happened("credential.dropped", actor="operator", factor=Factor.TOTP),
        [Told(signals.CREDENTIAL_CHANGE, by("admin", credential_type="app", change_type="revoke"))],
    ),
    (
        happened("recovery_codes.made", number=10),
        [Told(signals.CREDENTIAL_CHANGE, by("user", credential_type="recovery-codes", change_type="update"))],
    ),
    (happened("sign_in"), []),
    (happened("sign_in", sid="s1", acr_before="pwd+pin", acr="pwd+pin"), []),
    (happened("attempt", "wrong", factor=Factor.PIN), []),
]


@pytest.mark.parametrize(("what", "expected"), ROWS, ids=[f"{what.event} {what.outcome}" for what, _ in ROWS])
def test_what_is_told(what: Happened, expected: list[Told]) -> None:
    assert list(told(what)) == expected


@pytest.mark.parametrize(
    ("before", "now", "direction"), [("pwd", "pwd+pin", "increase"), ("extra", "mfa", "increase"), ("mfa", "pwd", "decrease")]
)
def test_a_session_that_goes_on_at_another_level(before: str, now: str, direction: str) -> None:
    (one,) = told(happened("sign_in", sid="s1", acr_before=before, acr=now))
    levels = {"namespace": "acr", "current_level": now, "previous_level": before, "change_direction": direction}
    assert one == Told(signals.ASSURANCE_LEVEL_CHANGE, by("user", **levels), "s1")


def test_a_logout_token_goes_with_sessions_alone() -> None:
    assert [event for event in signals.EVENTS if Told(event).logs_out] == [signals.SESSION_REVOKED]


def test_every_event_of_the_table_can_be_subscribed_to() -> None:
    everything = {one.event for what, _ in ROWS for one in told(what)} | {signals.ASSURANCE_LEVEL_CHANGE}
    assert everything == set(signals.EVENTS)
    assert {(what.event, what.outcome) for what, _ in ROWS} >= set(signals.TABLE)


# Every event of the audit is decided

# Where an event's name is not written at the place that records it: what it can be there.
_COMPOSED = {
    "f'account.{act.name.lower()}'": {"account.block", "account.unblock", "account.close"},
    "f'device.{decision}'": {"device.allowed", "device.denied"},
    "f'{purpose}.asked'": {"extra.asked", "reactivation.asked"},
    "_event(text, before, yes=yes)": {
        "terms.accepted",
        "terms.noticed",
        "purpose.given",
        "purpose.refused",
        "purpose.withdrawn",
    },
}
# Handed on by a function of the same file, whose callers write it.
_HANDED_ON = {"event", "self.event"}


def _written(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _recorded() -> Iterator[tuple[str, str | None]]:
    """Each event that the code can write into the audit, with its outcome where that is written beside it."""
    for path in sorted(Path(idp.__file__).parent.glob("flows/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            whole = name == "record" and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).endswith("world")
            if whole:
                event, outcome = node.args[2], node.args[3]
                if (written := _written(event)) is not None:
                    yield written, _written(outcome)
                elif (spelt := ast.unparse(event)) not in _HANDED_ON:
                    yield from ((one, _written(outcome)) for one in _COMPOSED[spelt])
            elif name in {"record", "_record", "Case"}:
                yield from (
                    (written, None) for one in node.args[2:] if (written := _written(one)) is not None and "." in written
                )
    # Chosen by a condition, and handed on.
    yield from (("account.suspended", "done"), ("account.expired", "done"))


def test_every_event_of_the_audit_has_a_decision() -> None:
    """Who adds one decides here whether relying parties are told: TABLE or QUIET."""
    recorded = set(_recorded())
    of_the_table = {event for event, _ in signals.TABLE}
    assert {event for event, _ in recorded} == of_the_table | signals.QUIET
    assert not of_the_table & signals.QUIET
    outcomes = {(event, outcome) for event, outcome in recorded if event in of_the_table and outcome is not None}
    assert outcomes <= set(signals.TABLE) | signals.QUIET_OUTCOMES
