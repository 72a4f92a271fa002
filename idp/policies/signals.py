"""What relying parties are told of what the audit is told: security events of CAEP 1.0 and RISC 1.0, and what a logout ends.

A table from what happened to what is said of it. Whatever is neither in the table nor among what is kept quiet is a mistake
that a test finds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from idp.model import AccountState, Factor
from idp.policies import proving

CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
SESSION_REVOKED: Final = CAEP + "session-revoked"
CREDENTIAL_CHANGE: Final = CAEP + "credential-change"
ASSURANCE_LEVEL_CHANGE: Final = CAEP + "assurance-level-change"
ACCOUNT_DISABLED: Final = RISC + "account-disabled"
ACCOUNT_ENABLED: Final = RISC + "account-enabled"
ACCOUNT_PURGED: Final = RISC + "account-purged"
# About a stream itself (Shared Signals 1.0, 8.1.4).
VERIFICATION: Final = "https://schemas.openid.net/secevent/ssf/event-type/verification"
# What a stream can be of.
EVENTS: Final = (
    SESSION_REVOKED,
    CREDENTIAL_CHANGE,
    ASSURANCE_LEVEL_CHANGE,
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    ACCOUNT_PURGED,
)


@dataclass(frozen=True, slots=True)
class Told:
    """A security event: its type, its members, and the session it is about; "" where it is about the whole account."""

    event: str
    members: Mapping[str, Any] = field(default_factory=dict)
    sid: str = ""

    @property
    def logs_out(self) -> bool:
        """Whether clients with a part in what ended are told by a logout token, too."""
        return self.event == SESSION_REVOKED


@dataclass(frozen=True, slots=True)
class Happened:
    """What the audit is told, and the moment."""

    event: str
    outcome: str
    actor: str
    at: datetime
    facts: Mapping[str, Any]


def told(happened: Happened) -> tuple[Told, ...]:
    """What relying parties are told of it, in order; nothing where it concerns none."""
    says = TABLE.get((happened.event, happened.outcome))
    return () if says is None else tuple(says(happened))


# What is said

_INITIATORS: Final = {"person": "user", "policy": "policy", "client": "system"}
# What CAEP has no name for is named in its manner; a passkey may be used from any device that it was copied to.
_CREDENTIALS: Final = {
    Factor.PASSWORD: "password",
    Factor.PIN: "pin",
    Factor.ANSWER: "security-answer",
    Factor.TOTP: "app",
    Factor.PASSKEY: "fido2-roaming",
}
_REASONS: Final = {
    "chosen": "The person ended the session from another browser.",
    "replaced": "Another person signed in in the same browser.",
    "too_many": "The account had more sessions than policy allows.",
}
# The levels are those that tokens name and that metadata lists (CAEP 1.0, 3.4: a namespace of one's own).
_LEVELS: Final = "acr"
# Of whom no relying party has ever heard.
_UNHEARD_OF: Final = {AccountState.PENDING, AccountState.INVITED}


def _members(happened: Happened, **more: Any) -> dict[str, Any]:
    """When it happened and who brought it about (CAEP 1.0, 2): anybody who is none of the others is one of the staff."""
    initiator = _INITIATORS.get(happened.actor, "admin")
    return {"event_timestamp": int(happened.at.timestamp()), "initiating_entity": initiator, **more}


def _session(happened: Happened) -> list[Told]:
    reason = _REASONS.get(happened.facts.get("why", ""))
    more = {} if reason is None else {"reason_admin": {"en": reason}}
    return [Told(SESSION_REVOKED, _members(happened, **more), happened.facts["sid"])]


def _sessions(happened: Happened) -> list[Told]:
    return [Told(SESSION_REVOKED, _members(happened), sid) for sid in happened.facts["sids"]]


def _everything(happened: Happened) -> list[Told]:
    return [Told(SESSION_REVOKED, _members(happened))]


def _what_was_open(happened: Happened) -> list[Told]:
    """Where nothing was open at any client, nothing has ended there."""
    return _everything(happened) if happened.facts.get("grants") else []


def _risc(event: str, **members: str) -> list[Told]:
    return [Told(event, members)]


def _disabled(happened: Happened) -> list[Told]:
    return _what_was_open(happened) + _risc(ACCOUNT_DISABLED)


def _shut(happened: Happened) -> list[Told]:
    if happened.facts.get("before") in _UNHEARD_OF:
        return []
    return _everything(happened) + _risc(ACCOUNT_DISABLED)


def _purged(happened: Happened) -> list[Told]:
    if happened.facts.get("state") in _UNHEARD_OF:
        return []
    return _what_was_open(happened) + _risc(ACCOUNT_PURGED)


def _credential(change: str) -> Callable[[Happened], list[Told]]:
    def says(happened: Happened) -> list[Told]:
        factor = Factor(happened.facts["factor"])
        members = _members(happened, credential_type=_CREDENTIALS[factor], change_type=change)
        # A password that was reset opens an account that its owner had frozen.
        opens = factor is Factor.PASSWORD and "reopened" in happened.facts
        return [Told(CREDENTIAL_CHANGE, members), *(_risc(ACCOUNT_ENABLED) if opens else [])]

    return says


def _dropped(happened: Happened) -> list[Told]:
    return _credential("delete" if happened.actor == "person" else "revoke")(happened)


def _codes(happened: Happened) -> list[Told]:
    return [Told(CREDENTIAL_CHANGE, _members(happened, credential_type="recovery-codes", change_type="update"))]


def _signed_in(happened: Happened) -> list[Told]:
    """Only where a session that clients know goes on, at another level than before."""
    facts = happened.facts
    before, now = facts.get("acr_before"), facts.get("acr")
    if before is None or now is None or before == now:
        return []
    direction = "increase" if proving.reaches(now, before) else "decrease"
    levels = {"namespace": _LEVELS, "current_level": now, "previous_level": before, "change_direction": direction}
    return [Told(ASSURANCE_LEVEL_CHANGE, _members(happened, **levels), facts["sid"])]


TABLE: Final[Mapping[tuple[str, str], Callable[[Happened], list[Told]]]] = {
    ("session.ended", "done"): _session,
    ("sessions.ended", "others"): _sessions,
    # Whatever ends all that is open writes this.
    ("account.cut", "done"): _everything,
    ("account.block", "done"): _shut,
    ("account.close", "done"): _shut,
    ("account.unblock", "done"): lambda _: _risc(ACCOUNT_ENABLED),
    ("account.suspended", "done"): _disabled,
    ("account.expired", "done"): _disabled,
    ("account.reactivated", "done"): lambda _: _risc(ACCOUNT_ENABLED),
    ("account.cancelled", "done"): lambda _: _risc(ACCOUNT_DISABLED),
    ("account.kept", "done"): lambda _: _risc(ACCOUNT_ENABLED),
    ("account.frozen", "done"): lambda _: _risc(ACCOUNT_DISABLED, reason="hijacking"),
    ("account.purged", "done"): _purged,
    ("credential.set", "created"): _credential("create"),
    ("credential.set", "replaced"): _credential("update"),
    ("credential.dropped", "done"): _dropped,
    ("recovery_codes.made", "done"): _codes,
    ("sign_in", "done"): _signed_in,
}

# What concerns nobody outside: tries, locks that pass, questions and letters, what is begun and not yet true, what clients do
# themselves, and what is told in tokens and at userinfo.
QUIET: Final = frozenset(
    {
        "account.confirmed",
        "account.enrolled",
        "account.entitled",
        "account.invited",
        "account.registered",
        "account.reset",
        "account.unlock",
        "accounts.imported",
        "address.asked",
        "address.set",
        "alarm.raised",
        "attempt",
        "capacity.add",
        "capacity.remove",
        "client.authentication",
        "client.registered",
        "client.removed",
        "consent.given",
        "customers.imported",
        "data.shown",
        "details.set",
        "device.allowed",
        "device.asked",
        "device.denied",
        "devices.forgotten",
        "extra.asked",
        "factor.locked",
        "grant.opened",
        "grant.revoked",
        "invitation.opened",
        "key.dropped",
        "key.made",
        "key.retired",
        "key.signs",
        "letter.retried",
        "passkey.counter",
        "purpose.given",
        "purpose.refused",
        "purpose.withdrawn",
        "reactivation.asked",
        "recovery",
        "recovery_code.used",
        "registration.asked",
        "reminder.accepted",
        "reminder.asked",
        "reminder.bounced",
        "service.cancelled",
        "stream.begun",
        "stream.changed",
        "stream.ended",
        "stream.turned",
        "terms.accepted",
        "terms.noticed",
        "token.code",
        "token.device",
        "token.exchange",
        "token.refresh",
        "token.revoked",
        "upkeep",
    }
)
# Of what is in the table: where everything ends the cut says so, and what was refused has not happened.
QUIET_OUTCOMES: Final = frozenset({("sessions.ended", "all"), ("account.reactivated", "refused")})
