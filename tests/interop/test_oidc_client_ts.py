"""oidc-client-ts with the provider, in Chromium: an app without a server, of another origin, that reads answers by CORS."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, send_from_directory
from playwright.sync_api import Browser, Page

from examples import listen
from tests.examples.tiny_provider import running
from tests.harness import House
from tests.interop.conftest import HERE, node
from tests.interop.ports import Ports
from tests.people import PIN, Person

pytestmark = [pytest.mark.xdist_group("interop")]
LIBRARY = HERE / "node_modules" / "oidc-client-ts" / "dist" / "browser"


@pytest.fixture(scope="module")
def site(provider: House, ports: Ports) -> Iterator[str]:
    """The app's files, on a server that knows nothing."""
    node()
    app = Flask("single page", static_folder=None)

    @app.get("/", defaults={"name": "spa.html"})
    @app.get("/<name>")
    def file(name: str) -> Response:
        if name == "issuer.js":
            return Response(f'window.issuer = "{provider.url}";', mimetype="text/javascript")
        name = "spa.html" if name == "bye" else name
        return send_from_directory(LIBRARY if name.startswith("oidc-client-ts") else HERE, name)

    with running(listen(app, ports.free("spa"))):
        yield ports.site("spa")


@pytest.fixture
def page(site: str, chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(base_url=site) as context:
        yield context.new_page()


def told(page: Page) -> dict[str, Any]:
    """What the app has to tell once it is back."""
    found: dict[str, Any] = page.wait_for_function("window.told", timeout=15_000).json_value()
    assert "error" not in found, found
    return found


def signed_in(page: Page, person: Person, how: str) -> dict[str, Any]:
    page.goto(f"/{how}")
    page.fill("[name=username]", person.username)
    page.fill("[name=password]", person.password)
    page.press("[name=password]", "Enter")
    page.fill("[name=pin]", PIN)
    page.press("[name=pin]", "Enter")
    return told(page)


@pytest.mark.parametrize(("how", "kind"), [("", "bearer"), ("#dpop", "dpop")])
def test_oidc_client_ts_signs_in_reads_refreshes_and_signs_out(provider: House, page: Page, how: str, kind: str) -> None:
    person = provider.customer()
    found = signed_in(page, person, how)
    first, second = found["first"], found["second"]
    assert first["token_type"].lower() == second["token_type"].lower() == kind
    assert found["person"]["email"] == person.account.email
    assert first["profile"]["sub"] == second["profile"]["sub"]
    assert first["refresh_token"] != second["refresh_token"]
    page.evaluate("() => { window.told = undefined; window.signOut(); }")
    page.wait_for_url("**/bye*", wait_until="commit")
    assert told(page) == {"signedOut": True}
