"""Where the two doors meet: what the protocol endpoints need of the pages, by redirect with an opaque identifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Request, Response

from idp.flows import sign_in
from idp.model import Account, Ask, Client, Session, SignIn
from idp.oauth import Finished, Pending
from idp.policies.steps import Step
from idp.web import House


@dataclass(frozen=True, slots=True)
class Entrance:
    """The pages that sign people in, for the authorization endpoint (``idp.oauth.SignInDoor``)."""

    house: House

    def session(self, request: Request, within: timedelta | None = None) -> tuple[Session, Account] | None:  # noqa: ARG002
        """The browser's session and its account, if both still count; the House reads the present request."""
        return self.house.session(within)

    def begin(self, request: Request, ask: Ask, held: tuple[Session, Account] | None) -> Response:  # noqa: ARG002
        """Store what was asked and send the person to the sign-in pages."""
        return self.back(sign_in.begin(self.house.world, ask, self.house.browser_secret(), held))

    def finished(self, request: Request, transaction: str) -> Finished | Pending | None:  # noqa: ARG002
        """Take a finished sign-in, once; where it stands if it is not done; None if it is gone or another browser's."""
        found = sign_in.finished(self.house.world, transaction, self.house.browser_secret(), self.house.session())
        match found:
            case None:
                return None
            case sign_in.Taken(facts, session, account):
                return Finished(facts, session, account)
            case sign_in.Unfinished(facts, step):
                return self._pending(facts, step)

    def back(self, transaction: str) -> Response:
        """To the page of a sign-in under way."""
        return self.house.away(f"/sign-in/{transaction}")

    def forget(self, response: Response) -> Response:
        """Take the session's cookie back, and what the browser may have kept of its pages."""
        return self.house.part(response)

    @staticmethod
    def _pending(facts: SignIn, step: Step) -> Pending:
        return Pending(facts, step)


@dataclass(frozen=True, slots=True)
class FrontPages:
    """The pages that the protocol endpoints show to people (``idp.oauth.Pages``)."""

    house: House

    def error(self, status: int, name: str, detail: str) -> Response:
        """An error that may not be sent to the client."""
        return self.house.error(status, name, detail)

    def form_post(self, action: str, fields: Mapping[str, str]) -> Response:
        """The answer to the client, posted by the browser (OAuth 2.0 Form Post Response Mode)."""
        return self.house.page("form_post.html", action=action, hidden=dict(fields), targets=(action,), here="", watch=None)

    def sign_out(self, request: Request, fields: Mapping[str, str], locale: str | None) -> Response:  # noqa: ARG002
        """Ask whether to sign out."""
        held = self.house.session()
        csrf = self.house.token(held[0].public_id if held else "")
        targets = [address for name, address in fields.items() if name == "post_logout_redirect_uri"]
        return self.house.page(
            "sign_out.html",
            action="/logout/confirm",
            hidden=dict(fields),
            csrf=csrf,
            locale=locale,
            targets=targets,
            back_href="/",
        )

    def confirmed(self, request: Request) -> bool:  # noqa: ARG002
        """Whether the form posted is the one that was shown to this browser's session."""
        held = self.house.session()
        return self.house.genuine(held[0].public_id if held else "")

    def signed_out(
        self,
        request: Request,  # noqa: ARG002
        client: Client | None,
        locale: str | None,
        frames: Sequence[str] = (),
        onward: str | None = None,
    ) -> Response:
        """The end of a session; clients that the browser went to are told in ``frames`` before it goes ``onward``."""
        home = client.initiate_login_uri if client else None
        back = self.house.brand.home or None
        return self.house.page(
            "signed_out.html",
            locale=locale,
            here="",
            client_name=client.name if client else "",
            back_href=onward or back,
            sign_in_href=None if onward else home,
            watch=None,
            frames=frames,
            onward=onward,
        )
