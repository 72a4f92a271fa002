"""The application, wired: one World, the doors over it, and what stands around them."""

import time
from typing import cast

from flask import Flask, Request

from idp import oauth
from idp.app import errors
from idp.app.composition import make_world, put_in_force
from idp.app.door import Entrance, FrontPages
from idp.app.limits import make_limits
from idp.app.observe import bucket
from idp.flows.keys import open_ring
from idp.flows.world import World
from idp.language import Words
from idp.settings import Settings, from_environment
from idp.web import House, View, create_blueprint
from idp.web.browser import Cookies
from idp.web.rendering import Pages


def create_app(settings: Settings | None = None, world: World | None = None) -> Flask:
    """The application of these settings, or of the environment's. ``world`` may be given where a test holds the clock."""
    settings = settings or from_environment()
    world = put_in_force(world or make_world(settings))
    app = Flask("idp", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.server.max_body, MAX_FORM_MEMORY_SIZE=settings.server.max_body)
    house = _house(settings, world)
    limits, failures, strangers = make_limits(app, world, house.bucket)
    app.register_blueprint(create_blueprint(house, limits))
    ring = open_ring(world, time.monotonic)
    app.extensions["idp.published"] = oauth.published(world, ring)
    app.register_blueprint(oauth.create_blueprint(world, ring, Entrance(house), FrontPages(house), failures, crowd=strangers))
    asked = cast("View", app.view_functions["oauth.authorize"])
    app.view_functions["oauth.authorize"] = limits["authorize"](asked)
    errors.add_to(app, house, settings.redirects)
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
    return str(request.environ.get("idp.bucket") or bucket(request.remote_addr or ""))


def _request_id(request: Request) -> str:
    return str(request.environ.get("idp.request_id", ""))
