"""What the metadata says is so: every value it advertises works in one exchange, and no other that registries know does.

The tests make themselves from the document. Whoever advertises something new says in ``TRIALS`` how it is tried.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from idp.model import Capacity, Role, SignalKind
from idp.post import Outbound
from tests.oauth import truth
from tests.oauth.clients import RESOURCES
from tests.oauth.provider import ISSUER, MARIA, Provider, answer_of
from tests.oauth.requests import push, signed
from tests.oauth.stand import standing
from tests.oauth.truth import ALGORITHMS, METHODS, Trial, sent

ALONE = ("issuer", "service_documentation")
TRIALS: Mapping[str, Trial] = {
    **{f"{name}_endpoint_auth_methods_supported": Trial(truth.proved_at(path), METHODS) for name, path in truth.PROVED.items()},
    **{
        f"{name}_endpoint_auth_signing_alg_values_supported": Trial(truth.asserted_at(path), ALGORITHMS)
        for name, path in truth.PROVED.items()
    },
    "response_types_supported": Trial(
        truth.asking("response_type"), ("token", "id_token", "code token", "code id_token", "code id_token token", "none")
    ),
    "response_modes_supported": Trial(
        truth.asking("response_mode"), ("fragment", "jwt", "query.jwt", "form_post.jwt", "fragment.jwt", "web_message")
    ),
    "display_values_supported": Trial(truth.asking("display")),
    "code_challenge_methods_supported": Trial(truth.challenged, ("plain",)),
    "prompt_values_supported": Trial(truth.prompted, ("create", "select")),
    "acr_values_supported": Trial(truth.reached, ("urn:mace:incommon:iap:silver", "phr", "phrh", "0")),
    "ui_locales_supported": Trial(truth.spoken, ("xx", "tlh")),
    "request_object_signing_alg_values_supported": Trial(truth.requested, ALGORITHMS),
    "grant_types_supported": Trial(truth.granted, tuple(truth.GRANTS)),
    "scopes_supported": Trial(truth.scoped, ("address", "groups", "billing:everything")),
    "id_token_signing_alg_values_supported": Trial(truth.identified, ALGORITHMS),
    "dpop_signing_alg_values_supported": Trial(truth.bound, ALGORITHMS),
    "introspection_signing_alg_values_supported": Trial(truth.introspected, ALGORITHMS),
    "subject_types_supported": Trial(truth.subject, ("ephemeral",)),
    "claims_supported": Trial(truth.told_claim, ("address", "birthdate", "gender", "groups", "nickname", "website")),
    "claim_types_supported": Trial(truth.of_type, ("aggregated", "distributed")),
}


def _by_reference(provider: Provider) -> bool:
    """A request object at an address that its client registered, and nowhere else."""
    with standing() as stand:
        truth.registered(provider, "signer", request_uris=(f"{stand.url}/request",))
        truth.started(provider, outbound=Outbound(("127.0.0.0/8",)))
        provider.door.sign_in()
        stand.body = signed(provider).encode()
        asked = {"client_id": "signer", "request_uri": f"{stand.url}/request"}
        return "code" in sent(provider.http.get("/authorize", query_string=asked))


def _needs_registration(provider: Provider) -> bool:
    with standing() as stand:
        truth.registered(provider, "signer", request_uris=())
        truth.started(provider, outbound=Outbound(("127.0.0.0/8",)))
        provider.door.sign_in()
        stand.body = signed(provider).encode()
        asked = {"client_id": "signer", "request_uri": f"{stand.url}/request"}
        return "code" not in sent(provider.http.get("/authorize", query_string=asked)) and not stand.asked


def _by_value(provider: Provider) -> bool:
    provider.door.sign_in()
    asked = {"client_id": "signer", "request": signed(provider)}
    return "code" in sent(provider.http.get("/authorize", query_string=asked))


def _names_itself(provider: Provider) -> bool:
    provider.door.sign_in()
    return answer_of(provider.authorize())["iss"] == answer_of(provider.authorize(response_type="x"))["iss"] == ISSUER


def _takes_claims(provider: Provider) -> bool:
    tokens = provider.tokens(scope="openid", resource=None, claims=json.dumps({"userinfo": {"email": None}}))
    return "email" in truth.userinfo(provider, tokens["access_token"])


def _only_pushed(provider: Provider) -> bool:
    provider.door.sign_in()
    assert push(provider).status_code == 201
    return "code" not in sent(provider.authorize())


def _told_behind(provider: Provider) -> bool:
    """A logout token waits for the client, and names the session."""
    truth.registered(provider, "portal", backchannel_logout_uri="https://portal.example/over")
    sid, _ = _signed_out(provider)
    with provider.store.read() as tx:
        ((signal, body),) = tx.signals.queue("portal", 2)
    said = provider.world.vault.open_json(body)
    return signal.kind is SignalKind.LOGOUT and (said["sub"], said["sid"]) == (MARIA.id, sid)


def _told_in_front(provider: Provider) -> bool:
    """The page at the end opens the client's address, and names the session."""
    truth.registered(provider, "portal", frontchannel_logout_uri="https://portal.example/over")
    sid, page = _signed_out(provider)
    return json.loads(page.text)["frames"] == [f"https://portal.example/over?iss={quote(ISSUER, safe='')}&sid={sid}"]


def _signed_out(provider: Provider) -> tuple[str, TestResponse]:
    sid = provider.door.sign_in().public_id
    provider.code()
    return sid, provider.http.post("/logout/confirm", data={"csrf": "good"})


FACTS: Mapping[str, Callable[[Provider], bool]] = {
    "claims_parameter_supported": _takes_claims,
    "request_parameter_supported": _by_value,
    "request_uri_parameter_supported": _by_reference,
    "require_request_uri_registration": _needs_registration,
    "require_pushed_authorization_requests": _only_pushed,
    "authorization_response_iss_parameter_supported": _names_itself,
    "backchannel_logout_supported": _told_behind,
    "backchannel_logout_session_supported": _told_behind,
    "frontchannel_logout_supported": _told_in_front,
    "frontchannel_logout_session_supported": _told_in_front,
}


@pytest.fixture
def whole(provider: Provider) -> Provider:
    """A provider that knows everything of Maria, also for whom she acts."""
    with provider.store.begin() as tx:
        tx.particulars.set_capacities(MARIA.id, (Capacity("cap_1", Role.BUSINESS, "Rossi & Sons"),))
        needed = {needed for resource in RESOURCES for needed in resource.scopes.values()}
        tx.particulars.set_entitlements(MARIA.id, needed)
    return provider


def told(provider: Provider) -> dict[str, Any]:
    return dict(provider.http.get("/.well-known/openid-configuration").json)


def is_fact(name: str, value: Any) -> bool:
    return isinstance(value, bool) or name in ALONE or name.endswith(("_endpoint", "_uri"))


def test_somebody_knows_how_to_try_everything(provider: Provider):
    unknown = {name for name, value in told(provider).items() if not is_fact(name, value)} - TRIALS.keys()
    assert not unknown
    assert {name for name, value in told(provider).items() if isinstance(value, bool)} <= FACTS.keys()


def test_every_endpoint_is_there(provider: Provider):
    for name, value in told(provider).items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            path = value.removeprefix(ISSUER)
            assert {provider.http.get(path).status_code, provider.http.post(path).status_code} & {200, 400, 401, 415}, name


@pytest.mark.parametrize("name", TRIALS)
def test_what_is_advertised_works_and_nothing_else_does(whole: Provider, name: str):
    advertised = told(whole).get(name, [])
    assert len(set(advertised)) == len(advertised)
    tried = {value: attempt(whole, name, value) for value in dict.fromkeys((*advertised, *TRIALS[name].others))}
    assert [value for value, works in tried.items() if works] == list(advertised)


@pytest.mark.parametrize("name", FACTS)
def test_what_is_said_is_so(provider: Provider, name: str):
    assert FACTS[name](provider) is told(provider)[name]


def attempt(provider: Provider, name: str, value: str) -> bool:
    """One value, at a provider as it was."""
    clients = provider.world.clients
    works = TRIALS[name].works(provider, value)
    truth.started(provider, clients=clients)
    return works
