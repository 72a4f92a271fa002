"""What stands behind a proof beside the secrets: codes that were sent, alarms, recovery codes and passkeys.

What must work once is decided by one conditional statement.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from idp.model import Alarm, Changed, OneTimeCode, Passkey, Purpose
from idp.store.somebody import of_someone
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import alarms, issuances, one_time_codes, passkeys, recovery_codes

_o, _i, _a, _r, _p = one_time_codes.c, issuances.c, alarms.c, recovery_codes.c, passkeys.c

_CODE_COLUMNS = (_o.account_id, _o.purpose, _o.digest, _o.created_at, _o.expires_at, _o.value, _o.tries)
_this_code = (_o.account_id == bindparam("account"), _o.purpose == bindparam("what"))
_PUT_CODE = conflicting(
    lambda into: (statement := of_someone(into(one_time_codes))).on_conflict_do_update(
        index_elements=[_o.account_id, _o.purpose],
        set_={name: statement.excluded[name] for name in ("digest", "created_at", "expires_at", "value", "tries")},
    )
)
_LIVE_CODE = Statement(select(*_CODE_COLUMNS).where(*_this_code, _o.expires_at > bindparam("now")))
_TRY_CODE = Statement(
    update(one_time_codes)
    .where(*_this_code, _o.expires_at > bindparam("now"), _o.tries < bindparam("most"))
    .values(tries=_o.tries + 1)
    .returning(*_CODE_COLUMNS)
)
_SPEND_CODE = Statement(delete(one_time_codes).where(*_this_code, _o.digest == bindparam("one")))
_DROP_CODE = Statement(delete(one_time_codes).where(*_this_code))

_ISSUED = Statement(of_someone(insert(issuances), "account_id", "kind", "at").inline())
_SINCE = Statement(
    select(_i.at).where(_i.account_id == bindparam("account"), _i.kind == bindparam("what"), _i.at > bindparam("since"))
)

_ALARM_COLUMNS = (_a.digest, _a.account_id, _a.changed, _a.before, _a.created_at, _a.expires_at, _a.used_at)
_alarm_alive = (_a.digest == bindparam("one"), _a.used_at.is_(None), _a.expires_at > bindparam("now"))
_PUT_ALARM = Statement(insert(alarms))
_LIVE_ALARM = Statement(select(*_ALARM_COLUMNS).where(*_alarm_alive))
_SPEND_ALARM = Statement(update(alarms).where(*_alarm_alive).values(used_at=bindparam("now", type_=_a.used_at.type)))
_alarms_since = (_a.account_id == bindparam("account"), _a.created_at >= bindparam("since"))
_ALARMS_SINCE = Statement(select(*_ALARM_COLUMNS).where(*_alarms_since).order_by(_a.created_at, _a.digest))
_END_ALARMS = Statement(
    update(alarms).where(*_alarms_since, _a.used_at.is_(None)).values(used_at=bindparam("now", type_=_a.used_at.type))
)

_ADD_RECOVERY = Statement(insert(recovery_codes))
_CLEAR_RECOVERY = Statement(delete(recovery_codes).where(_r.account_id == bindparam("account")))
_SPEND_RECOVERY = Statement(delete(recovery_codes).where(_r.account_id == bindparam("account"), _r.digest == bindparam("one")))
_RECOVERY_OF = Statement(select(_r.digest).where(_r.account_id == bindparam("account")))

_PASSKEY_COLUMNS = (_p.id, _p.account_id, _p.public_key, _p.sign_count, _p.name, _p.created_at, _p.last_used_at)
_ADD_PASSKEY = conflicting(lambda into: into(passkeys).on_conflict_do_nothing(index_elements=[_p.id]))
_PASSKEY = Statement(select(*_PASSKEY_COLUMNS).where(_p.id == bindparam("one")))
_PASSKEYS_OF = Statement(select(*_PASSKEY_COLUMNS).where(_p.account_id == bindparam("account")).order_by(_p.created_at, _p.id))
_USE_PASSKEY = Statement(
    update(passkeys)
    .where(_p.id == bindparam("one"), _p.sign_count == bindparam("seen"))
    .values(sign_count=bindparam("to"), last_used_at=bindparam("now", type_=_p.last_used_at.type))
)
_REMOVE_PASSKEY = Statement(delete(passkeys).where(_p.id == bindparam("one"), _p.account_id == bindparam("account")))


class OneTimeCodes(Repository):
    """Codes that were sent: an account has at most one for each purpose. Of nobody's account nothing is kept."""

    __slots__ = ()

    def put(self, code: OneTimeCode) -> None:
        """Record a code; the one before it for the same purpose is dead."""
        self._link.run(
            _PUT_CODE,
            {
                "account_id": code.account_id,
                "purpose": code.purpose.value,
                "digest": code.digest,
                "created_at": code.created_at,
                "expires_at": code.expires_at,
                "value": code.value,
                "tries": code.tries,
            },
        )

    def live(self, account_id: str, purpose: Purpose, now: datetime) -> OneTimeCode | None:
        """The code, unless its time is over; whether there are tries left is not asked."""
        row = self._link.first(_LIVE_CODE, {"account": account_id, "what": purpose.value, "now": now})
        return None if row is None else _code(row)

    def attempt(self, account_id: str, purpose: Purpose, most: int, now: datetime) -> OneTimeCode | None:
        """Count one try at the code, and return it; None where there is none alive or ``most`` tries were made."""
        values = {"account": account_id, "what": purpose.value, "most": most, "now": now}
        row = self._link.first(_TRY_CODE, values)
        return None if row is None else _code(row)

    def spend(self, code: OneTimeCode) -> bool:
        """Use the code up: of all who try, one is told True."""
        values = {"account": code.account_id, "what": code.purpose.value, "one": code.digest}
        return self._link.count(_SPEND_CODE, values) == 1

    def drop(self, account_id: str, purpose: Purpose) -> None:
        """The code works no more."""
        self._link.run(_DROP_CODE, {"account": account_id, "what": purpose.value})


class Issuances(Repository):
    """When what was sent to an account; of nobody's nothing is kept."""

    __slots__ = ()

    def add(self, account_id: str, kind: str, at: datetime) -> None:
        """Something of a kind was sent."""
        self._link.run(_ISSUED, {"account_id": account_id, "kind": kind, "at": at})

    def since(self, account_id: str, kind: str, after: datetime) -> list[datetime]:
        """When something of the kind was sent after a moment."""
        return [row[0] for row in self._link.all(_SINCE, {"account": account_id, "what": kind, "since": after})]


class Alarms(Repository):
    """Links by which an owner says "this wasn't me"."""

    __slots__ = ()

    def put(self, alarm: Alarm) -> None:
        """Record an alarm, in the transaction of the change it is about."""
        self._link.run(
            _PUT_ALARM,
            {
                "digest": alarm.digest,
                "account_id": alarm.account_id,
                "changed": alarm.changed.value,
                "before": alarm.before,
                "created_at": alarm.created_at,
                "expires_at": alarm.expires_at,
                "used_at": alarm.used_at,
            },
        )

    def live(self, digest: str, now: datetime) -> Alarm | None:
        """The alarm, if it is neither used nor expired."""
        row = self._link.first(_LIVE_ALARM, {"one": digest, "now": now})
        return None if row is None else _alarm(row)

    def spend(self, digest: str, now: datetime) -> bool:
        """Use the alarm: of all who try, one is told True."""
        return self._link.count(_SPEND_ALARM, {"one": digest, "now": now}) == 1

    def since(self, account_id: str, moment: datetime) -> list[Alarm]:
        """The alarms about what was changed at ``moment`` or later, used or not, the oldest first."""
        return [_alarm(row) for row in self._link.all(_ALARMS_SINCE, {"account": account_id, "since": moment})]

    def end_since(self, account_id: str, moment: datetime, now: datetime) -> None:
        """The alarms about what was changed at ``moment`` or later work no more."""
        self._link.run(_END_ALARMS, {"account": account_id, "since": moment, "now": now})


class RecoveryCodes(Repository):
    """One-time codes for the day a second factor is lost, as keyed digests."""

    __slots__ = ()

    def replace(self, account_id: str, digests: Iterable[str]) -> None:
        """These are the account's codes; those before them are dead."""
        self._link.run(_CLEAR_RECOVERY, {"account": account_id})
        for digest in digests:
            self._link.run(_ADD_RECOVERY, {"account_id": account_id, "digest": digest})

    def spend(self, account_id: str, digest: str) -> bool:
        """Use a code up: of all who try, one is told True."""
        return self._link.count(_SPEND_RECOVERY, {"account": account_id, "one": digest}) == 1

    def left(self, account_id: str) -> int:
        """How many codes are left."""
        return len(self._link.all(_RECOVERY_OF, {"account": account_id}))


class Passkeys(Repository):
    """WebAuthn credentials by their id."""

    __slots__ = ()

    def add(self, passkey: Passkey) -> bool:
        """Record a passkey; False where that credential is registered already."""
        return (
            self._link.count(
                _ADD_PASSKEY,
                {
                    "id": passkey.id,
                    "account_id": passkey.account_id,
                    "public_key": passkey.public_key,
                    "sign_count": passkey.sign_count,
                    "name": passkey.name,
                    "created_at": passkey.created_at,
                    "last_used_at": passkey.last_used_at,
                },
            )
            == 1
        )

    def get(self, passkey_id: str) -> Passkey | None:
        """The passkey of an id, whosever it is."""
        row = self._link.first(_PASSKEY, {"one": passkey_id})
        return None if row is None else Passkey(*row)

    def of(self, account_id: str) -> list[Passkey]:
        """The account's passkeys, the oldest first."""
        return [Passkey(*row) for row in self._link.all(_PASSKEYS_OF, {"account": account_id})]

    def used(self, passkey: Passkey, sign_count: int, now: datetime) -> bool:
        """It signed: its count moves on. False where another use of it was faster."""
        values = {"one": passkey.id, "seen": passkey.sign_count, "to": sign_count, "now": now}
        return self._link.count(_USE_PASSKEY, values) == 1

    def remove(self, account_id: str, passkey_id: str) -> bool:
        """Take a passkey of the account away; False where it has none of that id."""
        return self._link.count(_REMOVE_PASSKEY, {"one": passkey_id, "account": account_id}) == 1


def _alarm(row: Sequence[Any]) -> Alarm:
    return Alarm(row[0], row[1], Changed(row[2]), *row[3:])


def _code(row: Sequence[Any]) -> OneTimeCode:
    account_id, purpose, *facts = row
    return OneTimeCode(account_id, Purpose(purpose), *facts)
