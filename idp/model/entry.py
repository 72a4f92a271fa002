"""A browser at the door: what a client asked for, a sign-in under way, and the session that comes of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from idp.model.people import Proof


@dataclass(frozen=True, slots=True)
class Ask:
    """What the client asked for at the authorization endpoint, as facts for the policy.

    ``parameters`` is the request as it came, to be judged again on return. ``fresh_since`` is the moment before which
    proofs do not count (``prompt=login`` and ``max_age``); ``acr`` lists acceptable levels, best first, and
    ``acr_essential`` says whether none of them will do; ``subject`` is the only account that may answer. ``onward`` names
    the page of our own that somebody was on the way to, where no client asks. ``user_code`` is the code of a device that
    waits for its person (RFC 8628), as that person typed it.
    """

    client_id: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    scope: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()
    acr_essential: bool = False
    fresh_since: datetime | None = None
    subject: str | None = None
    consent_given: bool = True
    login_hint: str = ""
    locale: str | None = None
    onward: str = ""
    user_code: str = ""


class Lost(StrEnum):
    """What a person has forgotten, each with its own section of the policy: ``[recovery.password]``."""

    USERNAME = "username"
    PASSWORD = "password"
    USERNAME_AND_PASSWORD = "username_and_password"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class Recovering:
    """A recovery under way within a sign-in: who was named, and what they have proved of it.

    ``subject`` is an account's id, or a decoy where nobody matched; what is shown is the same for both. ``ways`` are the
    proofs of which the first is asked, settled when the name was given, ``question`` the key of the question shown.
    ``sent``: the letter is on its way, or would be.
    """

    lost: Lost
    subject: str
    ways: tuple[str, ...] = ()
    question: str | None = None
    proofs: tuple[Proof, ...] = ()
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Registering:
    """A registration that waits for its code, within the sign-in that goes on after it.

    ``subject`` is the new account's id, or nobody's where nothing was made of it; what is shown is the same for both.
    ``to`` is the address or number that the code goes to by ``channel``, as it was typed; ``sent`` counts the codes.
    """

    subject: str
    channel: str
    to: str = field(repr=False)
    sent: int = 1


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in under way: facts only, the next step is derived from them at each request.

    ``id`` is the digest of the identifier in the address, ``browser`` the digest of the cookie it is bound to.
    ``version`` guards the swap: of two answers at once, one is told to look again. ``finished``: a session came of it.
    ``told`` names the good news that the next page brings: "password_replaced", "pin_sent". ``challenge`` is what a
    passkey must sign. ``remember`` is whether "remember me" was ticked; None where it was not asked. ``code_sent``: a code to
    reactivate by, or for an extra proof, is on its way. ``capacity`` is the id of the one in which the person acts, "" where it
    was not chosen.
    """

    id: str
    browser: str
    started_at: datetime
    expires_at: datetime
    ask: Ask = Ask()
    account_id: str | None = None
    proofs: tuple[Proof, ...] = ()
    invitation: str | None = field(default=None, repr=False)
    consented: bool = False
    finished: bool = False
    recovering: Recovering | None = None
    told: str = ""
    challenge: str = field(default="", repr=False)
    remember: bool | None = None
    code_sent: bool = False
    registering: Registering | None = None
    capacity: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A browser signed in. ``id`` is the digest of the cookie's value, ``public_id`` the ``sid`` that clients see.

    ``agent`` is the browser's family as it says, by which the person knows it again. ``capacity`` is the id of the capacity
    in which the person acts, "" where the account has none.
    """

    id: str = field(repr=False)
    public_id: str
    account_id: str
    proofs: tuple[Proof, ...]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    device: str = ""
    agent: str = ""
    capacity: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from, as far as policy may know: an address bucket (/24 or /64) and the device."""

    bucket: str = ""
    device: str | None = field(default=None, repr=False)
    agent: str = ""
