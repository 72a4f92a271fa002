"""Ways in that are remembered: devices that have completed a sign-in, and invitations that may begin one."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, case, delete, func, insert, null, select, update

from idp.model import Device, Invitation
from idp.store.statements import Repository, Statement, conflicting
from idp.store.tables import devices, invitations

_d, _i = devices.c, invitations.c

_any_device = select(
    _d.id, _d.account_id, _d.digest, _d.first_seen_at, _d.last_seen_at, _d.remembered, func.coalesce(_d.agent, "")
).where(_d.last_seen_at > bindparam("since"))
_device = _any_device.where(_d.digest == bindparam("cookie"))
_KNOWN = Statement(_device.where(_d.account_id == bindparam("account")))
_ALL = Statement(_any_device.where(_d.account_id == bindparam("account")).order_by(_d.last_seen_at.desc(), _d.id))
_LAST = Statement(_device.order_by(_d.last_seen_at.desc()).limit(1))
_REMEMBER = conflicting(
    lambda into: (statement := into(devices)).on_conflict_do_update(
        index_elements=[_d.account_id, _d.digest],
        set_={"last_seen_at": statement.excluded.last_seen_at, "agent": statement.excluded.agent},
    )
)
_FILL_IN = Statement(
    update(devices)
    .where(_d.digest == bindparam("cookie"))
    .values(remembered=case((_d.account_id == bindparam("account"), bindparam("mark", type_=_d.remembered.type)), else_=null()))
)
_FORGET = Statement(delete(devices).where(_d.account_id == bindparam("account"), _d.id == bindparam("one")))
_FORGET_ALL = Statement(delete(devices).where(_d.account_id == bindparam("account"), _d.id != bindparam("kept")))

_KILL_OLDER = Statement(delete(invitations).where(_i.account_id == bindparam("account"), _i.used_at.is_(None)))
_PUT = Statement(insert(invitations))
_alive = (_i.digest == bindparam("one"), _i.used_at.is_(None), _i.expires_at > bindparam("now"))
_LIVE = Statement(select(_i.digest, _i.account_id, _i.created_at, _i.expires_at, _i.client_id, _i.used_at).where(*_alive))
_WAITING = Statement(
    select(_i.digest, _i.account_id, _i.created_at, _i.expires_at, _i.client_id, _i.used_at).where(
        _i.account_id == bindparam("account"), _i.used_at.is_(None)
    )
)
_SPEND = Statement(update(invitations).where(*_alive).values(used_at=bindparam("now", type_=_i.used_at.type)))


class Devices(Repository):
    """The browsers that opened an account before."""

    __slots__ = ()

    def known(self, account_id: str, digest: str, now: datetime, lifetime: timedelta) -> Device | None:
        """The device, if it was seen within ``lifetime``."""
        sought = {"account": account_id, "cookie": digest, "since": now - lifetime}
        row = self._link.first(_KNOWN, sought)
        return None if row is None else Device(*row)

    def last(self, digest: str, now: datetime, lifetime: timedelta) -> Device | None:
        """The device as that of whoever signed in there last, if that was within ``lifetime``."""
        row = self._link.first(_LAST, {"cookie": digest, "since": now - lifetime})
        return None if row is None else Device(*row)

    def of_account(self, account_id: str, now: datetime, lifetime: timedelta) -> list[Device]:
        """The account's devices that were seen within ``lifetime``, the one used last first."""
        return [Device(*row) for row in self._link.all(_ALL, {"account": account_id, "since": now - lifetime})]

    def fill_in(self, digest: str, account_id: str, mark: str | None) -> None:
        """Remember one person at the device by ``mark``, the digest of a cookie, and nobody else there; None: nobody at all."""
        self._link.run(_FILL_IN, {"cookie": digest, "account": account_id, "mark": mark})

    def remember(self, device: Device) -> None:
        """Record the device; of one known already, only when it was last seen and what it said that it is."""
        self._link.run(
            _REMEMBER,
            {
                "id": device.id,
                "account_id": device.account_id,
                "digest": device.digest,
                "first_seen_at": device.first_seen_at,
                "last_seen_at": device.last_seen_at,
                "agent": device.agent,
            },
        )

    def forget(self, account_id: str, device_id: str) -> bool:
        """The device is not known to the account any more; False where the account had none of that id."""
        return self._link.count(_FORGET, {"account": account_id, "one": device_id}) == 1

    def forget_all(self, account_id: str, keep: str = "") -> None:
        """No device is known to the account any more, but for the one with the id ``keep``."""
        self._link.run(_FORGET_ALL, {"account": account_id, "kept": keep})


class Invitations(Repository):
    """One-time links: an account has at most one that is alive."""

    __slots__ = ()

    def put(self, invitation: Invitation) -> None:
        """Record an invitation; older ones of the account that were not used are dead."""
        self._link.run(_KILL_OLDER, {"account": invitation.account_id})
        self._link.run(
            _PUT,
            {
                "digest": invitation.digest,
                "account_id": invitation.account_id,
                "created_at": invitation.created_at,
                "expires_at": invitation.expires_at,
                "client_id": invitation.client_id,
                "used_at": invitation.used_at,
            },
        )

    def live(self, digest: str, now: datetime) -> Invitation | None:
        """The invitation, if it is neither used, replaced nor expired."""
        row = self._link.first(_LIVE, {"one": digest, "now": now})
        return None if row is None else Invitation(*row)

    def waiting(self, account_id: str) -> Invitation | None:
        """The account's invitation that was not used, whether or not its time is over."""
        row = self._link.first(_WAITING, {"account": account_id})
        return None if row is None else Invitation(*row)

    def spend(self, digest: str, now: datetime) -> bool:
        """Use the invitation up: of all who try, one is told True."""
        return self._link.count(_SPEND, {"one": digest, "now": now}) == 1
