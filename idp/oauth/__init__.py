"""The door for clients and resource servers: OAuth 2 and OpenID Connect, Authlib's server over ``flows.grant``."""

from collections.abc import Callable, Container
from functools import partial

from flask import Blueprint, Response, request

from idp.flows.world import World
from idp.oauth import metadata, openapi, registration, streams
from idp.oauth.authorize import Authorization
from idp.oauth.clients import Clients, Origins
from idp.oauth.device import DeviceGrant, answer_device
from idp.oauth.door import Crowd, Finished, Pages, Pending, SignInDoor, Throttle
from idp.oauth.exchange import ExchangeGrant
from idp.oauth.introspect import Introspection, Revocation, answer_one
from idp.oauth.logout import Logout
from idp.oauth.operations import methods
from idp.oauth.pushed import answer_pushed
from idp.oauth.token import Server, answer_token, create_server
from idp.oauth.userinfo import answer_userinfo
from idp.oauth.wire import ALL_METHODS, endpoint
from idp.vault.signing import KeyRing

__all__ = ["Crowd", "Finished", "Pages", "Pending", "SignInDoor", "Throttle", "create_blueprint", "published"]


def create_blueprint(
    world: World, keys: KeyRing, door: SignInDoor, pages: Pages, throttle: Throttle, *, crowd: Crowd
) -> Blueprint:
    """Every endpoint of the provider, on the World given."""
    # What assertions may be made for: RFC 7523 3, and RFC 9126 2 for either endpoint.
    named = ("token_endpoint", "pushed_authorization_request_endpoint")
    addresses = {world.issuer.rstrip("/") + metadata.PATHS[name] for name in named}
    clients = Clients(world, frozenset({world.issuer, *addresses}), throttle, crowd)
    server = create_server(world, keys, clients)
    for grant_type in (DeviceGrant, ExchangeGrant):
        server.register_grant(grant_type)  # type: ignore[no-untyped-call]
    for kind in (Introspection, Revocation):
        server.register_endpoint(kind)
    blueprint = Blueprint("oauth", __name__)
    _for_people(blueprint, Authorization(world, clients, keys, door, pages), Logout(world, clients, keys, door, pages))
    _for_machines(blueprint, server, Origins(clients))
    streams.add_to(blueprint, server)
    registration.add_to(blueprint, world, throttle)
    return blueprint


def published(world: World, keys: KeyRing) -> dict[str, Callable[[], Response]]:
    """The documents that everybody may read, by path: bytes made beforehand, for a server to answer before all else."""
    documents = {
        **dict.fromkeys(metadata.WELL_KNOWN, metadata.document(world)),
        streams.WELL_KNOWN: streams.document(world),
        openapi.PATH: openapi.document(world),
    }
    views: dict[str, Callable[[], Response]] = {
        path: partial(metadata.answer_document, made) for path, made in documents.items()
    }
    return views | {metadata.PATHS["jwks_uri"]: lambda: metadata.answer_keys(keys)}


def _for_people(blueprint: Blueprint, authorization: Authorization, logout: Logout) -> None:
    """Addresses that browsers are sent to. No other site's script may read them (no CORS)."""
    both, read, write = ["GET", "POST"], ["GET"], ["POST"]

    def add(path: str, name: str, view: Callable[..., Response], methods: list[str]) -> None:
        blueprint.add_url_rule(path, name, view, methods=methods, provide_automatic_options=False)

    add("/authorize", "authorize", lambda: authorization.ask(request), both)
    add("/authorize/<transaction>", "resume", lambda transaction: authorization.resume(request, transaction), read)
    add("/logout", "logout", lambda: logout.ask(request), both)
    add("/logout/confirm", "confirm_logout", lambda: logout.confirm(request), write)


def _for_machines(blueprint: Blueprint, server: Server, origins: Container[str]) -> None:
    """Addresses that programs call: every answer is JSON, also to a wrong method."""
    nobody: frozenset[str] = frozenset()

    def add(path: str, name: str, view: Callable[[], Response], shared: Container[str]) -> None:
        called = endpoint(view, methods(path), shared)
        blueprint.add_url_rule(path, name, called, methods=ALL_METHODS, provide_automatic_options=False)

    add("/token", "token", lambda: answer_token(server), origins)
    add("/par", "par", lambda: answer_pushed(server), origins)
    add("/device_authorization", "device_authorization", lambda: answer_device(server), origins)
    add("/introspect", "introspect", lambda: answer_one(server, "introspection"), nobody)
    add("/revoke", "revoke", lambda: answer_one(server, "revocation"), origins)
    add("/userinfo", "userinfo", lambda: answer_userinfo(server), origins)
    for path, view in published(server.world, server.keys).items():
        add(path, path.strip("/").replace("/", "_").replace(".", "_"), view, nobody)
