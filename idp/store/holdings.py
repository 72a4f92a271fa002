"""Everything that the tables hold about one account, section by section and page by page, for the person whose it is.

No verifier, digest or sealed secret is ever selected: what is not named here does not leave the store. A table that names an
account and has no section here is a mistake that a test finds.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Table, bindparam, case, func, null, or_, select, tuple_

from idp.store.codec import grant_from
from idp.store.particulars import agreements, customer_references
from idp.store.signals import signals
from idp.store.statements import Repository, Statement
from idp.store.tables import (
    alarms,
    audit,
    client_consents,
    codes,
    counters,
    credential_history,
    credentials,
    devices,
    grants,
    invitations,
    issuances,
    one_time_codes,
    outbox,
    passkeys,
    recovery_codes,
)

PAGE: Final = 500

Row = dict[str, Any]
Place = Sequence[Any]


class Section(NamedTuple):
    """What is told of a table's rows: the columns (or what is made of them), and by which unique columns they are ordered."""

    table: Table
    told: tuple[ColumnElement[Any], ...]
    order: tuple[Column[Any], ...]
    made: Callable[[Row], Row] = dict


class Page(NamedTuple):
    """Some rows, the newest first, and the place of the last one; None where there are no more."""

    rows: list[Row]
    last: Place | None


def _granted(row: Row) -> Row:
    """A grant with what its document says."""
    document = row.pop("document")
    held = grant_from("", "", row["client_id"], document, row["created_at"], row["expires_at"], None, None, None)
    proofs = [{"factor": proof.factor.value, "at": proof.at} for proof in held.proofs]
    lists = {"scope": list(held.scope), "resources": list(held.resources), "claims": list(held.claims)}
    return {**row, **lists, "capacity": held.capacity, "proofs": proofs}


_c, _h, _n, _d, _i, _o, _s = (
    table.c for table in (credentials, credential_history, counters, devices, invitations, one_time_codes, issuances)
)
_a, _p, _g, _k, _l, _m, _e = (table.c for table in (alarms, passkeys, grants, client_consents, outbox, agreements, audit))
_t = signals.c
# Only what an address or number waits in; behind other purposes there are secrets.
_awaited = case((or_(_o.purpose == "email", _o.purpose == "mobile"), _o.value), else_=null()).label("sealed")
_remembered = _d.remembered.is_not(None).label("remembered")

SECTIONS: Final[Mapping[str, Section]] = MappingProxyType(
    {
        "credentials": Section(
            credentials, (_c.factor, _c.question, _c.set_at, _c.must_change, _c.expires_at, _c.last_step), (_c.factor,)
        ),
        "former_credentials": Section(credential_history, (_h.factor, _h.replaced_at), (_h.id,)),
        "passkeys": Section(passkeys, (_p.name, _p.created_at, _p.last_used_at, _p.sign_count), (_p.created_at, _p.id)),
        "counters": Section(
            counters,
            (_n.factor, _n.device, _n.failures, _n.consecutive, _n.window_from, _n.locked_until, _n.disabled_at, _n.touched_at),
            (_n.factor, _n.device),
        ),
        "devices": Section(
            devices, (_d.id, _d.agent, _d.first_seen_at, _d.last_seen_at, _remembered), (_d.last_seen_at, _d.id)
        ),
        "agreements": Section(agreements, (_m.name, _m.version, _m.given, _m.locale, _m.at), (_m.id,)),
        "client_consents": Section(
            client_consents, (_k.client_id, _k.scope, _k.given_at), (_k.given_at, _k.client_id, _k.scope)
        ),
        "grants": Section(
            grants,
            (
                _g.client_id,
                _g.created_at,
                _g.expires_at,
                _g.revoked_at,
                _g.rotated_at,
                _g.refresh_expires_at,
                _g.document,
            ),
            (_g.created_at, _g.id),
            _granted,
        ),
        "authorization_codes": Section(
            codes,
            (codes.c.redirect_uri, codes.c.issued_at, codes.c.expires_at, codes.c.used_at),
            (codes.c.issued_at, codes.c.digest),
        ),
        "invitations": Section(
            invitations, (_i.client_id, _i.created_at, _i.expires_at, _i.used_at), (_i.created_at, _i.digest)
        ),
        "one_time_codes": Section(
            one_time_codes, (_o.purpose, _o.created_at, _o.expires_at, _o.tries, _awaited), (_o.created_at, _o.purpose)
        ),
        "sendings": Section(issuances, (_s.kind, _s.at), (_s.id,)),
        "alarms": Section(
            alarms, (_a.changed, _a.before, _a.created_at, _a.expires_at, _a.used_at), (_a.created_at, _a.digest)
        ),
        "letters": Section(
            outbox,
            (
                _l.channel,
                _l.recipient,
                _l.template,
                _l.locale,
                _l.created_at,
                _l.not_after,
                _l.attempts,
                _l.state,
                _l.state_at,
                _l.error,
            ),
            (_l.created_at, _l.id),
        ),
        "signals": Section(
            signals,
            (_t.kind, _t.target, _t.created_at, _t.not_after, _t.attempts, _t.state, _t.error),
            (_t.created_at, _t.id),
        ),
        "log": Section(audit, (_e.at, _e.actor, _e.event, _e.outcome, _e.facts, _e.policy), (_e.id,)),
    }
)
# Of these nothing can be told but how many there are: they are digests.
COUNTED: Final[Mapping[str, Table]] = MappingProxyType(
    {"recovery_codes": recovery_codes, "customer_references": customer_references}
)


def _whose(table: Table) -> ColumnElement[bool]:
    """The rows of an account, by whichever column names it; a code belongs to a grant."""
    account: ColumnElement[Any] = bindparam("account")
    if table is codes:
        return codes.c.grant_id.in_(select(grants.c.id).where(grants.c.account_id == account))
    return (table.c.subject if table is counters else table.c.account_id) == account


def _columns(section: Section) -> tuple[ColumnElement[Any], ...]:
    """Each column once: what is told, and what else the order needs."""
    told = {column.key for column in section.told}
    return (*section.told, *(column for column in section.order if column.key not in told))


def _paging(section: Section, *, further: bool) -> Statement:
    chosen = select(*_columns(section)).where(_whose(section.table))
    if further:
        place = (bindparam(f"place_{number}", type_=column.type) for number, column in enumerate(section.order))
        chosen = chosen.where(tuple_(*section.order) < tuple_(*place))
    return Statement(chosen.order_by(*(column.desc() for column in section.order)).limit(bindparam("limit")))


_PAGES: Final = {
    (name, further): _paging(section, further=further) for name, section in SECTIONS.items() for further in (False, True)
}
_COUNTS: Final = {
    name: Statement(select(func.count()).select_from(table).where(_whose(table))) for name, table in COUNTED.items()
}


class Holdings(Repository):
    """What is held about an account."""

    __slots__ = ()

    def page(self, name: str, account_id: str, after: Place | None = None, limit: int = PAGE) -> Page:
        """Some rows of a section, those behind the place ``after``."""
        section = SECTIONS[name]
        values: dict[str, Any] = {"account": account_id, "limit": limit}
        values |= {f"place_{number}": value for number, value in enumerate(after or ())}
        rows = self._link.all(_PAGES[name, after is not None], values)
        names = [str(column.key) for column in _columns(section)]
        last = dict(zip(names, rows[-1], strict=True)) if len(rows) == limit else None
        told = [section.made(dict(zip(names, row[: len(section.told)], strict=False))) for row in rows]
        return Page(told, None if last is None else tuple(last[column.key] for column in section.order))

    def count(self, name: str, account_id: str) -> int:
        """How many there are of what is kept as digests alone."""
        row = self._link.first(_COUNTS[name], {"account": account_id})
        return 0 if row is None else int(row[0])
