"""The short-lived state in Redis: one round trip an operation, each a small script where it must be atomic.

A sign-in and a session are hashes, an account's sessions a sorted set by their beginning. The keys' own expiry is set from
durations in the values, never from a clock: it only cleans up, the caller's ``now`` judges. Scripts name keys they derive,
so this is for one Redis (with replicas), not for a cluster. Only commands of Redis 6.2.
"""

from datetime import datetime, timedelta

from idp.model import Session, SignIn, Slip
from idp.store import scripts
from idp.store.codec import instant, micros, session_document, session_from, sign_in_document, sign_in_from
from idp.store.redis_link import RedisLink
from idp.store.shortlived_sql import used_digest

_SIGN_IN = "idp:sign-in:"
_SESSION = "idp:session:"
_ACCOUNT = "idp:sessions:"
_SLIP = "idp:slip:"
_USED = "idp:used:"
_COUNT = "idp:throttle:"
# Kept a little beyond its end, so that nodes whose clocks differ agree on what is over.
_SLACK = timedelta(minutes=2)


class RedisState:
    """One link, and what is kept behind it."""

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url)
        self.sign_ins = RedisSignIns(self._link)
        self.sessions = RedisSessions(self._link)
        self.slips = RedisSlips(self._link)
        self.used = RedisUsed(self._link)
        self.throttle = RedisCounts(self._link)

    def ping(self) -> None:
        """Ask for a sign of life; raises ``StoreDown``."""
        self._link.ask("PING")

    def close(self) -> None:
        """Let go of every connection."""
        self._link.close()


class RedisSignIns:
    """``SignIns`` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def put(self, sign_in: SignIn) -> None:
        """Record a new one."""
        facts = (sign_in.version, sign_in_document(sign_in), *_ends(sign_in))
        self._link.run(scripts.PUT_SIGN_IN, (_SIGN_IN + sign_in.id,), *facts)

    def get(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """The sign-in, unless it is over."""
        version, document = self._link.ask("HMGET", _SIGN_IN + sign_in_id, "version", "document")
        if version is None or document is None:
            return None
        sign_in = sign_in_from(sign_in_id, int(version), document.decode())
        return sign_in if sign_in.expires_at > now else None

    def swap(self, before: SignIn, after: SignIn) -> bool:
        """Store ``after`` as the next version if ``before`` still stands."""
        keys = (_SIGN_IN + before.id, _SIGN_IN + after.id)
        return bool(self._link.run(scripts.SWAP_SIGN_IN, keys, before.version, sign_in_document(after), *_ends(after)))

    def take(self, sign_in_id: str, now: datetime) -> SignIn | None:
        """Get and delete: of all who try, one gets it."""
        taken = self._link.run(scripts.TAKE_SIGN_IN, (_SIGN_IN + sign_in_id,), micros(now))
        return None if taken is None else sign_in_from(sign_in_id, int(taken[0]), taken[1].decode())


class RedisSessions:
    """``Sessions`` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def put(self, session: Session, limit: int) -> list[Session]:
        """Record a new one; the oldest beyond ``limit`` end and are returned."""
        return _sessions(self._link.run(scripts.PUT_SESSION, _session_keys(session), *_session_facts(session), limit))

    def get(self, session_id: str, now: datetime) -> Session | None:
        """The session, unless it is over."""
        document, seen, until = self._link.ask("HMGET", _SESSION + session_id, "document", "seen", "until")
        if document is None or seen is None or until is None:
            return None
        session = session_from(session_id, document.decode(), instant(int(seen)), instant(int(until)))
        return session if session.expires_at > now else None

    def touch(self, session_id: str, last_seen_at: datetime, expires_at: datetime) -> None:
        """Move its end; one that has ended stays ended."""
        kept = _milliseconds(expires_at - last_seen_at)
        self._link.run(scripts.TOUCH_SESSION, (_SESSION + session_id,), micros(last_seen_at), micros(expires_at), kept)

    def replace(self, old_id: str, session: Session) -> bool:
        """Give it a new id, the old one being dead; False where it had ended."""
        keys = (*_session_keys(session), _SESSION + old_id)
        return bool(self._link.run(scripts.REPLACE_SESSION, keys, *_session_facts(session), old_id))

    def end(self, session_id: str) -> Session | None:
        """End it; None where it had ended."""
        return next(iter(_sessions(self._link.run(scripts.END_SESSION, (_SESSION + session_id,), session_id))), None)

    def end_by_public_id(self, account_id: str, public_id: str) -> Session | None:
        """End one of the account's sessions by the id that people and clients see."""
        return next(iter(_sessions(self._link.run(scripts.END_SESSIONS, (_ACCOUNT + account_id,), "public", public_id))), None)

    def of_account(self, account_id: str, now: datetime) -> list[Session]:
        """The account's live sessions, the oldest first."""
        found = _sessions(self._link.run(scripts.SESSIONS_OF_ACCOUNT, (_ACCOUNT + account_id,)))
        return [session for session in found if session.expires_at > now]

    def end_all(self, account_id: str, keep: str | None = None) -> list[Session]:
        """End the account's sessions, but for the one with the id ``keep``; returns those ended."""
        return _sessions(self._link.run(scripts.END_SESSIONS, (_ACCOUNT + account_id,), "all", keep or ""))


class RedisSlips:
    """``Slips`` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def put(self, slip: Slip, now: datetime) -> None:
        """Record a new one."""
        facts = (slip.version, slip.document, micros(slip.expires_at), _milliseconds(slip.expires_at - now))
        self._link.run(scripts.PUT_SIGN_IN, (_SLIP + slip.key,), *facts)

    def get(self, key: str, now: datetime) -> Slip | None:
        """The slip, unless it is over."""
        version, document, until = self._link.ask("HMGET", _SLIP + key, "version", "document", "until")
        if version is None or document is None or until is None:
            return None
        slip = Slip(key, document.decode(), instant(int(until)), int(version))
        return slip if slip.expires_at > now else None

    def swap(self, before: Slip, document: str, now: datetime) -> bool:
        """Write ``document`` as the next version if ``before`` still stands."""
        name, kept = _SLIP + before.key, _milliseconds(before.expires_at - now)
        facts = (before.version, document, micros(before.expires_at), kept)
        return before.expires_at > now and bool(self._link.run(scripts.SWAP_SIGN_IN, (name, name), *facts))

    def take(self, key: str, now: datetime) -> Slip | None:
        """Get and delete: of all who try, one gets it."""
        taken = self._link.run(scripts.TAKE_SIGN_IN, (_SLIP + key,), micros(now))
        return None if taken is None else Slip(key, taken[1].decode(), instant(int(taken[2])), int(taken[0]))


class RedisCounts:
    """The throttle's counters in Redis, on its own clock: a throttle is told no time by its caller."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def add(self, key: str, window_ms: int, amount: int) -> int:
        """Count ``amount`` in the key's window; returns the count."""
        return int(self._link.run(scripts.ADD_COUNT, (_COUNT + key,), amount, window_ms))

    def read(self, key: str) -> tuple[int, int]:
        """The count, and the millisecond since 1970 at which the window ends (now, where there is none)."""
        hits, ends_ms = self._link.run(scripts.READ_COUNT, (_COUNT + key,))
        return int(hits), int(ends_ms)

    def clear(self, key: str | None = None) -> int | None:
        """Forget the key's count, or every count."""
        if key is not None:
            return int(self._link.ask("UNLINK", _COUNT + key))
        return int(self._link.run(scripts.CLEAR_COUNTS, (), _COUNT + "*"))


class RedisUsed:
    """``Used`` in Redis, by digest: an identifier is a stranger's text of any length."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def first_time(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether nobody has used ``key``; it counts as used until ``until``."""
        kept = _milliseconds(until - now)
        return bool(self._link.run(scripts.FIRST_TIME, (_USED + used_digest(key),), micros(until), micros(now), kept))


def _milliseconds(life: timedelta) -> int:
    """For how long Redis keeps what lives for ``life``."""
    return max(1, (life + _SLACK) // timedelta(milliseconds=1))


def _ends(sign_in: SignIn) -> tuple[int, int]:
    return micros(sign_in.expires_at), _milliseconds(sign_in.expires_at - sign_in.started_at)


def _session_keys(session: Session) -> tuple[str, str]:
    return _SESSION + session.id, _ACCOUNT + session.account_id


def _session_facts(session: Session) -> tuple[str | int, ...]:
    """What the scripts that write a session take, in their order."""
    return (
        session.id,
        session_document(session),
        micros(session.last_seen_at),
        micros(session.expires_at),
        micros(session.created_at),
        session.account_id,
        session.public_id,
        _milliseconds(session.expires_at - session.last_seen_at),
    )


def _sessions(rows: list[list[bytes]] | None) -> list[Session]:
    return [
        session_from(id_.decode(), document.decode(), instant(int(seen)), instant(int(until)))
        for id_, document, seen, until in rows or ()
    ]
