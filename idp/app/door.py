"""Where the two doors meet: what the authorization endpoint needs of the pages, by redirect with an opaque identifier."""

from dataclasses import dataclass

from flask import Request, Response

from idp.flows import sign_in
from idp.model import Account, Ask, Session, SignIn
from idp.policies.steps import Step
from idp.web import House


@dataclass(frozen=True, slots=True)
class SignInDoor:
    """The web's side of an authorization request."""

    house: House

    def session(self, request: Request) -> tuple[Session, Account] | None:  # noqa: ARG002 - the House reads the present request
        """The browser's session and its account, if both still count."""
        return self.house.session()

    def begin(self, request: Request, ask: Ask, held: tuple[Session, Account] | None) -> Response:  # noqa: ARG002
        """Store what was asked and send the person to the sign-in pages."""
        transaction = sign_in.begin(self.house.world, ask, self.house.browser_secret(), held)
        return self.house.away(f"/sign-in/{transaction}")

    def finished(self, request: Request, transaction: str) -> tuple[SignIn, Session, Account] | Step | None:  # noqa: ARG002
        """Take a finished sign-in, once; the step it still stands at; None if it is gone or another browser's."""
        browser = self.house.browser_secret()
        return sign_in.finished(self.house.world, transaction, browser, self.house.session())
