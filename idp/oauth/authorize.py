"""The authorization endpoint (RFC 6749 3.1) and its sequel: from a request to a code, past the door that signs people in.

What comes next is derived by ``policies.entry`` from the facts at hand; the request is judged again on return.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from authlib.oauth2 import OAuth2Error
from flask import Request, Response

from idp.flows import grant
from idp.flows.grant import Asked
from idp.flows.world import World
from idp.model import Account, Ask, Proof, Session, SignIn
from idp.oauth.checks import Asking, Refusal, Via, examine
from idp.oauth.clients import Clients
from idp.oauth.door import Finished, Pages, Pending, SignInDoor
from idp.oauth.wire import body_of, parse
from idp.policies import entry, sessions, steps
from idp.policies.steps import AcceptTerms, Done, GiveConsent, KeepAccount, Refused, Step
from idp.vault.signing import KeyRing

Held = tuple[Session, Account]

_WHY_REFUSED = {
    steps.Refusal.UNMET: Refusal("unmet_authentication_requirements", "The level asked for cannot be reached."),
    steps.Refusal.OTHER_PERSON: Refusal("login_required", "Another person is meant."),
}
_DENIED = Refusal("access_denied", "Access was not given.")
_SPENT = Refusal("invalid_request_uri", "The request was used already, or waited too long.")
_ASKS = steps.AskUsernameAndPassword | steps.AskPin
# A redirect that carries the parameters of a POST in the address is followed only while they are short.
_LONGEST_ADDRESS = 6000


@dataclass(frozen=True, slots=True)
class Authorization:
    """The endpoint with what it works on."""

    world: World
    clients: Clients
    keys: KeyRing
    door: SignInDoor
    pages: Pages

    def ask(self, request: Request) -> Response:
        """``GET`` and ``POST /authorize``."""
        try:
            pairs = parse(request.query_string) + (parse(body_of(request)) if request.method == "POST" else [])
        except OAuth2Error as error:
            return self.pages.error(error.status_code, str(error.error), str(error.description))
        asking = Asking(self.world, self.clients, self.keys, tuple(pairs))
        refusal = examine(asking)
        if refusal is not None:
            return self._refuse(asking, refusal)
        held = self.door.session(request, asking.client.session_idle)
        address = f"/authorize?{urlencode(pairs)}"
        if request.method == "POST" and held is None and len(address) <= _LONGEST_ADDRESS:
            # Another site's POST comes without cookies (SameSite); the same request as a GET brings them.
            return _see_other(address)
        return self._decide(request, asking, held)

    def resume(self, request: Request, transaction: str) -> Response:
        """``GET /authorize/<transaction>``: the sign-in is over, or the person has turned away from it."""
        found = self.door.finished(request, transaction)
        if found is None:
            return self.pages.error(400, "invalid_request", "This sign-in is over or belongs to another browser.")
        asking = Asking(self.world, self.clients, self.keys, found.sign_in.ask.parameters, Via.RETURN)
        refusal = examine(asking)
        if refusal is not None:
            return self._refuse(asking, refusal)
        if isinstance(found, Pending):
            ended = _ended(found.step)
            return self.door.back(transaction) if ended is None else self._refuse(asking, ended)
        return self._finish(request, asking, found)

    def _decide(self, request: Request, asking: Asking, held: Held | None) -> Response:
        """Answer at once where the session suffices, or send the browser to sign in."""
        if held is not None and self._is_other(asking, held[1]):
            held = None
        now = self.world.clock()
        ask = self._ask(asking, held, now)
        step = self._next(asking, ask, held, now)
        if isinstance(step, Done) and held is not None:
            return self._answer(asking, *held, step.proofs)
        if "none" in asking.prompt:
            return self._refuse(asking, _unseen(step))
        if step == Refused(steps.Refusal.UNMET):
            return self._refuse(asking, _WHY_REFUSED[steps.Refusal.UNMET])
        return self.door.begin(request, ask, None if "select_account" in asking.prompt else held)

    def _finish(self, request: Request, asking: Asking, found: Finished) -> Response:
        """Derive once more from what was proved: what was asked stands in the transaction, not in the address.

        So does the capacity that was chosen: another window may have chosen another since, for the session that both share.
        """
        ask = found.sign_in.ask
        if self._is_other(asking, found.account):
            return self._refuse(asking, _WHY_REFUSED[steps.Refusal.OTHER_PERSON])
        step = entry.next_step(found.sign_in, found.account, self.world.policy, self.world.clock())
        if isinstance(step, Done):
            session = replace(found.session, capacity=found.sign_in.capacity)
            return self._answer(asking, session, found.account, step.proofs)
        ended = _ended(step)
        return self.door.begin(request, ask, (found.session, found.account)) if ended is None else self._refuse(asking, ended)

    def _ask(self, asking: Asking, held: Held | None, now: datetime) -> Ask:
        """The request as facts for the policy. Ages become moments, so that waiting or editing the address changes nothing."""
        asked = None if asking.max_age is None else timedelta(seconds=asking.max_age)
        fresh_since = sessions.fresh_since(asking.client, asked, held[0] if held else None, now)
        if asking.prompt & {"login", "select_account"}:
            fresh_since = now
        return Ask(
            client_id=asking.client.id,
            parameters=asking.pairs,
            scope=asking.scope,
            acr=asking.acr,
            acr_essential=asking.acr_essential,
            fresh_since=fresh_since,
            # Behind a pairwise name nobody is recognised before they are here (OpenID Connect Core 8.1).
            subject=None if asking.client.sector else asking.subject,
            consent_given=not asking.client.consent and "consent" not in asking.prompt,
            login_hint=asking.login_hint,
            locale=asking.locale,
        )

    def _is_other(self, asking: Asking, account: Account) -> bool:
        """Whether the client means somebody else, by the name that it knows them by."""
        return asking.subject is not None and asking.subject != self.world.subject(asking.client, account.id)

    def _consented(self, asking: Asking, held: Held | None) -> bool:
        """Whether whoever is signed in allowed not long ago what is asked. It says nothing of who signs in next."""
        if held is None or not asking.client.consent or "consent" in asking.prompt:
            return False
        return grant.consented(self.world, held[1], asking.client, asking.scope)

    def _next(self, asking: Asking, ask: Ask, held: Held | None, now: datetime) -> Step:
        proofs: tuple[Proof, ...] = held[0].proofs if held is not None else ()
        account = held[1] if held is not None else None
        acting = held[0].capacity if held is not None else ""
        consented = self._consented(asking, held)
        seen = SignIn("", "", now, now, ask, account.id if account else None, proofs, consented=consented, capacity=acting)
        return entry.next_step(seen, account, self.world.policy, now)

    def _answer(self, asking: Asking, session: Session, account: Account, proofs: tuple[Proof, ...]) -> Response:
        """The code (RFC 6749 4.1.2), of which a request that was pushed gives one (RFC 9126 4)."""
        if asking.pushed is not None and not grant.spend(self.world, asking.pushed):
            return self._refuse(asking, _SPENT)
        asked = Asked(
            client=asking.client,
            redirect_uri=asking.redirect_uri,
            redirect_uri_given="redirect_uri" in asking.values,
            scope=asking.scope,
            resources=asking.resources,
            code_challenge=asking.values.get("code_challenge"),
            nonce=asking.values.get("nonce"),
            claims=asking.claims.single,
            jkt=asking.values.get("dpop_jkt"),
        )
        return self._send(asking, {"code": grant.open_grant(self.world, asked, session, account, proofs)})

    def _refuse(self, asking: Asking, refusal: Refusal) -> Response:
        if refusal.page:
            return self.pages.error(400, refusal.error, refusal.detail)
        return self._send(asking, {"error": refusal.error, "error_description": refusal.detail})

    def _send(self, asking: Asking, fields: dict[str, str]) -> Response:
        """To the client, with its state and our name (RFC 9207)."""
        if asking.state is not None:
            fields["state"] = asking.state
        fields["iss"] = self.world.issuer
        if asking.response_mode == "form_post":
            return self.pages.form_post(asking.redirect_uri, fields)
        joint = "&" if "?" in asking.redirect_uri else "?"
        return _see_other(asking.redirect_uri + joint + urlencode(fields, quote_via=quote))


def _ended(step: Step) -> Refusal | None:
    """How a sign-in that stands at ``step`` ended for the client; None where it goes on.

    Who comes back from the question for consent, from terms to be accepted, or from the question whether to keep the account,
    without an answer has declined.
    """
    if isinstance(step, Refused):
        return _WHY_REFUSED.get(step.why, _DENIED)
    if isinstance(step, AcceptTerms) and not step.must:
        return None
    return _DENIED if isinstance(step, GiveConsent | KeepAccount | AcceptTerms) else None


def _unseen(step: Step) -> Refusal:
    """The error for ``prompt=none`` (OpenID Connect Core 3.1.2.6); a refusal's reason is not told without a sign-in."""
    if step == Refused(steps.Refusal.UNMET):
        return _WHY_REFUSED[steps.Refusal.UNMET]
    if isinstance(step, _ASKS | Refused):
        return Refusal("login_required", "The person is not signed in.")
    if isinstance(step, GiveConsent):
        return Refusal("consent_required", "The person has not agreed.")
    return Refusal("interaction_required", "The person has something to answer first.")


def _see_other(address: str) -> Response:
    """303: the browser comes with a GET, and the form just posted goes nowhere else (RFC 9700 4.12)."""
    return Response(status=303, headers=[("Location", address), ("Cache-Control", "no-store")])
