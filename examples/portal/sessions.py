"""What the portal remembers of each browser, on the server: the cookie carries a random id and nothing else."""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from examples.portal.oidc import Attempt, Provider, Tokens

IDLE = 30 * 60
MOST = 10_000
MOST_ATTEMPTS = 5


@dataclass
class SignedIn:
    """A person's grant: one access token for each backend, and the refresh token that gets the next."""

    subject: str
    sid: str
    name: str
    id_token: str
    refresh_token: str
    access: dict[str, Tokens]
    # What a backend wanted of this sign-in: no better one is to be had where it still is not content.
    wanted: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def token_for(self, resource: str, provider: Provider) -> str:
        """An access token for that resource alone. One refresh at a time: a spent refresh token must not be reused."""
        with self.lock:
            held = self.access.get(resource)
            if held is None or held.expires_at < time.time() + 10:
                held = provider.refresh(self.refresh_token, resource)
                self.refresh_token = held.refresh_token
                self.access[resource] = held
            return held.access_token


@dataclass
class Session:
    """One browser's visit."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    attempts: dict[str, Attempt] = field(default_factory=dict)
    person: SignedIn | None = None
    trial: dict[str, str] | None = None
    sign_out_state: str = ""
    seen: float = field(default_factory=time.monotonic)

    def begin(self, then: str = "/", wanted: dict[str, str] | None = None, *, silent: bool = False) -> Attempt:
        """Remember a new authorization request; the oldest of too many is forgotten."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, then, wanted or {}, silent)
        self.attempts[attempt.state] = attempt
        while len(self.attempts) > MOST_ATTEMPTS:
            self.attempts.pop(next(iter(self.attempts)), None)
        return attempt


class Sessions:
    """All sessions of this process, forgotten after 30 minutes without use. A larger portal keeps them in Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: OrderedDict[str, Session] = OrderedDict()

    def find(self, session_id: str) -> Session | None:
        """The session of that id, if it is still alive; it counts as used."""
        with self._lock:
            session = self._all.pop(session_id, None)
            if session is None or time.monotonic() - session.seen > IDLE:
                return None
            session.seen = time.monotonic()
            self._all[session_id] = session
            return session

    def end(self, sid: str, subject: str) -> None:
        """Sign out whoever belongs to the provider's session `sid`, or where that is "", wherever `subject` is signed in."""
        with self._lock:
            for session in list(self._all.values()):
                person = session.person
                if person is not None and (person.sid == sid if sid else person.subject == subject):
                    del self._all[session.id]

    def new(self, replacing: Session | None = None) -> Session:
        """A new session under a new id, as at each change of privilege; the old one is gone."""
        session = Session()
        with self._lock:
            if replacing is not None:
                self._all.pop(replacing.id, None)
            self._all[session.id] = session
            while len(self._all) > MOST:
                self._all.popitem(last=False)
        return session
