"""Dynamic registration (RFC 7591) and its management (RFC 7592): for who holds a token that the operator has given out."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Response, request

from idp.flows import registering_clients as flow
from idp.flows.registering_clients import Refused, Why
from idp.flows.world import World
from idp.model import Client
from idp.oauth import registration_shapes as shapes
from idp.oauth.door import Throttle
from idp.oauth.errors import EndpointError, Header, InvalidError, TooManyFailuresError, UnauthorizedError
from idp.oauth.json_body import object_of
from idp.oauth.operations import methods
from idp.oauth.registration_shapes import MetadataError
from idp.oauth.wire import ALL_METHODS, JSON, answer, endpoint
from idp.policies.client_rules import DEVICE, SECRET_METHODS, likeness, sector_of
from idp.post import Unreachable
from idp.store.clients import StoredClient
from idp.vault import digest

PATH: Final = "/register-client"
_HOUR: Final = timedelta(hours=1)
_MOST_AN_HOUR: Final = 60
_ACTOR: Final = "client"
# What the service says of a registration, and no client may (RFC 7592 2.2).
_OURS: Final = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")
_NOTHING: Final[list[Header]] = [("Cache-Control", "no-store")]


class TooManyError(EndpointError):
    """More registrations than anybody needs (RFC 6585 4)."""

    error = "temporarily_unavailable"
    status_code = 429
    more = (("Retry-After", str(int(_HOUR.total_seconds()))),)


def add_to(blueprint: Blueprint, world: World, throttle: Throttle) -> None:
    """Put the endpoints into the blueprint, where there is a token to register with; for no browser's script (no CORS)."""
    if not world.registrar.tokens:
        return
    views, nobody = Registrations(world, throttle), frozenset[str]()

    def one(client_id: str) -> Response:
        return endpoint(lambda: views.manage(client_id), methods(f"{PATH}/{{client_id}}"), nobody)()

    register = endpoint(views.register, methods(PATH), nobody)
    blueprint.add_url_rule(PATH, "register_client", register, methods=ALL_METHODS, provide_automatic_options=False)
    path = f"{PATH}/<client_id>"
    blueprint.add_url_rule(path, "registered_client", one, methods=ALL_METHODS, provide_automatic_options=False)


class Registrations:
    """The endpoints over the use cases."""

    def __init__(self, world: World, throttle: Throttle) -> None:
        self._world, self._throttle = world, throttle
        self._address = world.issuer.rstrip("/") + PATH

    def register(self) -> Response:
        """``POST /register-client`` (RFC 7591 3)."""
        given = digest(_bearer())
        if not any(hmac.compare_digest(given, known) for known in self._world.registrar.tokens):
            raise self._refused()
        # Each who was let in has an hour of their own.
        self._count(given)
        said = shapes.read(object_of(request))
        # People are asked whether they agree: nobody here knows whose client it is.
        nobody = Client(flow.make_id(self._world), "", consent=True)
        client, secret = self._with_secret(self._client(said, nobody))
        token = flow.make_secret(self._world)
        stored = _done(flow.add(self._world, client, _ACTOR, token=digest(token)))
        return self._told(201, stored, token, secret)

    def manage(self, client_id: str) -> Response:
        """``GET``, ``PUT`` and ``DELETE /register-client/<client_id>`` (RFC 7592 2)."""
        stored = self._owned(client_id)
        if request.method == "GET":
            return self._told(200, stored, _bearer())
        self._count(client_id)
        return self._update(stored) if request.method == "PUT" else self._delete(client_id)

    def _update(self, stored: StoredClient) -> Response:
        """The whole registration anew: what is left out has its default again (RFC 7592 2.2)."""
        body = object_of(request)
        secret = body.get("client_secret")
        if body.get("client_id") != stored.client.id or any(name in body for name in _OURS):
            raise InvalidError("Send the client_id, and nothing that this service says of it.")
        if secret is not None and not (isinstance(secret, str) and digest(secret) in stored.client.secret_digests):
            raise InvalidError("The client_secret is not the client's.")
        changed, fresh = self._with_secret(self._client(shapes.read(body), stored.client))
        token = flow.make_secret(self._world)
        after = flow.change(self._world, stored, changed, _ACTOR, token=digest(token))
        return self._told(200, _done(after), token, fresh)

    def _delete(self, client_id: str) -> Response:
        flow.remove(self._world, client_id, _ACTOR)
        return answer(204, "", _NOTHING)

    def _client(self, said: Mapping[str, Any], before: Client) -> Client:
        """The client that is asked for, judged where it names addresses for this service to go to."""
        client = shapes.client_of(said, before, self._world.registrar, self._world.resources)
        for name, address in _called(client):
            if self._world.outbound.refusal(address) is not None:
                raise MetadataError(name, "this service does not go there.")
        if not client.public and any(address.startswith("http:") for address in client.redirect_uris):
            raise MetadataError("redirect_uris", "plain http is for apps that keep no secret.")
        if likeness(client.name) in {likeness(one.name) for one in self._world.clients.values() if self._trusted(one, client)}:
            raise MetadataError("client_name", "the name of another client.")
        return replace(client, sector=self._sector(said, client))

    @staticmethod
    def _trusted(one: Client, client: Client) -> bool:
        """Whether people allow ``one`` more than they would ``client``, and must not take it for that (RFC 7591 5)."""
        return not one.consent and one.id != client.id

    def _sector(self, said: Mapping[str, Any], client: Client) -> str:
        """The host by which the client's pairwise subjects are made (OpenID Connect Core 8.1); "" for public ones."""
        address = said.get("sector_identifier_uri")
        if said.get("subject_type", "public") == "public":
            return ""
        if address is None:
            # A device is sent its answer nowhere: that it has to do with this host would be its word alone.
            sector = None if DEVICE in client.grant_types else sector_of(client.redirect_uris)
            if sector is None:
                raise MetadataError(
                    "sector_identifier_uri", "missing, and the redirect_uris do not have one host, or answers go elsewhere."
                )
            return sector
        if not set(client.redirect_uris) <= self._listed(address):
            raise MetadataError("sector_identifier_uri", "not all of the redirect_uris are listed there.")
        return sector_of((address,)) or ""

    def _listed(self, address: str) -> set[str]:
        try:
            listed = json.loads(self._world.outbound.get(address).body)
        except (Unreachable, ValueError, RecursionError) as error:
            raise MetadataError("sector_identifier_uri", "nothing can be read there.") from error
        return {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()

    def _with_secret(self, client: Client) -> tuple[Client, str | None]:
        """The client with as much of a secret as its method uses; one that is made is told once."""
        if client.auth_method not in SECRET_METHODS:
            return replace(client, secret_digests=(), secret_ends={}), None
        if client.secret_digests:
            return client, None
        secret = flow.make_secret(self._world)
        return replace(client, secret_digests=(digest(secret),)), secret

    def _owned(self, client_id: str) -> StoredClient:
        """The registration whose token was sent; whatever else there is looks like one that never was (RFC 7592 2.1)."""
        given, stored = digest(_bearer()), flow.find(self._world, client_id)
        known = "" if stored is None or stored.token is None else stored.token
        if not hmac.compare_digest(given, known) or stored is None or stored.client.disabled:
            raise self._refused()
        return stored

    def _refused(self) -> EndpointError:
        # Counted by where it comes from alone: nobody shuts a client out by guessing.
        return TooManyFailuresError() if self._throttle("") else UnauthorizedError("invalid_token", "The token is not valid.")

    def _count(self, what: str) -> None:
        if self._world.store.hit(f"register-client:{what}", _HOUR) > _MOST_AN_HOUR:
            raise TooManyError("Too many registrations. Try again later.")

    def _told(self, status: int, stored: StoredClient, token: str, secret: str | None = None) -> Response:
        """The client information of RFC 7591 3.2.1 and RFC 7592 3; of a secret only the digest is kept, so it is told once."""
        document = shapes.document_of(stored.client) | {
            "client_id_issued_at": int(stored.created_at.timestamp()),
            "registration_access_token": token,
            "registration_client_uri": f"{self._address}/{stored.client.id}",
        }
        if secret is not None:
            document["client_secret"] = secret
        if stored.client.secret_digests:
            document["client_secret_expires_at"] = 0
        return answer(status, document, JSON)


def _bearer() -> str:
    """The token in the header (RFC 6750 2.1): nowhere else is one looked for."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthorizedError(None)
    return token.strip()


def _called(client: Client) -> list[tuple[str, str]]:
    named = [(name, getattr(client, name)) for name in ("jwks_uri", "backchannel_logout_uri")]
    # A fragment is the digest of what lies there, and stays here (OpenID Connect Core 6.2).
    requested = [("request_uris", one.partition("#")[0]) for one in client.request_uris]
    return [(name, address) for name, address in named if address] + requested


def _done(result: Refused | StoredClient) -> StoredClient:
    if isinstance(result, StoredClient):
        return result
    if result.why is Why.FAULTY:
        raise shapes.told(result.faults[0])
    raise InvalidError("The registration was changed meanwhile.")
