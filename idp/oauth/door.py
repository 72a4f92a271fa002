"""What this door needs of the rest of the house: someone who signs people in, and pages to show them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from flask import Request, Response

from idp.model import Account, Ask, Client, Session, SignIn
from idp.policies.steps import Step

# Called with the client_id of each failed authentication (possibly of no client at all); True: there were too many.
Throttle = Callable[[str], bool]
# Called with each request that takes up room and that nobody vouches for; True: there were too many.
Crowd = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Finished:
    """A sign-in with every proof given, taken from the store, with the session that came of it."""

    sign_in: SignIn
    session: Session
    account: Account


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that is not done: where it stands."""

    sign_in: SignIn
    step: Step


class SignInDoor(Protocol):
    """The pages that sign people in; the two doors meet by redirect, with an opaque id."""

    def session(self, request: Request, within: timedelta | None = None) -> tuple[Session, Account] | None:
        """The browser's session, if it still counts. Asking is activity, unless it rested for longer than ``within``."""
        ...

    def begin(self, request: Request, ask: Ask, held: tuple[Session, Account] | None) -> Response:
        """Store a sign-in for what is asked and send the browser (303) to its page."""
        ...

    def finished(self, request: Request, transaction: str) -> Finished | Pending | None:
        """Take a finished sign-in of this browser, once; where it stands if it is not; None if there is none."""
        ...

    def back(self, transaction: str) -> Response:
        """Send the browser (303) to the page of a sign-in under way."""
        ...

    def forget(self, response: Response) -> Response:
        """Remove the session's cookies from the browser, and what it may have cached."""
        ...


class Pages(Protocol):
    """Pages for people, each a whole response in the person's language."""

    def error(self, status: int, name: str, detail: str) -> Response:
        """A clear page for an error with an RFC's name; nothing in it leads to the client."""
        ...

    def form_post(self, action: str, fields: Mapping[str, str]) -> Response:
        """A page that posts the answer to the client (OAuth 2.0 Form Post Response Mode), also without JavaScript."""
        ...

    def sign_out(self, request: Request, fields: Mapping[str, str], locale: str | None) -> Response:
        """Ask whether to sign out: a form with its CSRF token and ``fields``, posted to ``/logout/confirm``."""
        ...

    def confirmed(self, request: Request) -> bool:
        """Whether the posted form is the one shown to this browser (its CSRF token fits)."""
        ...

    def signed_out(
        self,
        request: Request,
        client: Client | None,
        locale: str | None,
        frames: Sequence[str] = (),
        onward: str | None = None,
    ) -> Response:
        """The end of a session, with the way back to the client if one asked.

        It opens the addresses in ``frames``, unseen, and leads ``onward`` when they have answered.
        """
        ...
