"""The application, wired: one World, the doors over it, and what stands around them."""

from flask import Flask, Request

from idp.app import errors
from idp.app.composition import make_world, record_policy
from idp.app.door import SignInDoor
from idp.app.limits import make_limits
from idp.flows.world import World
from idp.language import Words
from idp.settings import Settings, from_environment
from idp.web import House, create_blueprint
from idp.web.browser import Cookies
from idp.web.rendering import Pages


def create_app(settings: Settings | None = None, world: World | None = None) -> Flask:
    """The application of these settings, or of the environment's. ``world`` may be given where a test holds the clock."""
    settings = settings or from_environment()
    world = world or make_world(settings)
    record_policy(world)
    app = Flask("idp", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.server.max_body, MAX_FORM_MEMORY_SIZE=settings.server.max_body)
    house = _house(settings, world)
    limits, _ = make_limits(app, world, house.bucket)
    app.register_blueprint(create_blueprint(house, limits))
    SignInDoor(house)
    errors.add_to(app, house)
    return app


def _house(settings: Settings, world: World) -> House:
    words = Words(languages=settings.languages)
    return House(
        world=world,
        pages=Pages(words, settings.brand),
        words=words,
        brand=settings.brand,
        cookies=Cookies(world.vault, settings.issuer),
        bucket=_bucket,
        request_id=_request_id,
        tested=settings.brand.tested_browsers,
    )


def _bucket(request: Request) -> str:
    return request.remote_addr or ""


def _request_id(request: Request) -> str:
    return str(request.environ.get("idp.request_id", ""))
