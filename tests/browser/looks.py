"""Every page in every state, as it looks: screenshots in two sizes, two schemes and two languages, each judged by axe.

    python tests/browser/looks.py OUTPUT [PART OF A NAME …]

Ends with 1 where axe finds a violation, the page is wider than the screen, or the browser reports an error (a breach of the
content security policy, say). The browser is $CHROMIUM, else /usr/bin/chromium.
"""

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "web")]

from test_templates import PAGES, SAMPLES  # noqa: E402 - found by the line above

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
NARROW = 320
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CHECKED = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Gallery(BaseHTTPRequestHandler):
    """Serves each sample at /<language>/<name> and the static files where the pages look for them."""

    contexts: ClassVar[dict[str, tuple[str, dict[str, Any]]]] = {name: (page, context) for name, page, context in SAMPLES}

    def do_GET(self) -> None:
        content, kind = PAGES.static_files().get(self.path, (b"", ""))
        if not kind:
            _, locale, name = self.path.split("?")[0].split("/")
            template, context = self.contexts[name]
            page = PAGES.render(f"{template}.html", locale, **{"here": f"/{locale}/{name}", **context})
            content, kind = page.encode(), "text/html; charset=utf-8"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: the script tells what matters."""


def faults_of(page: Page, heard: list[str]) -> Iterator[str]:
    """What is wrong with the page as it stands."""
    yield from heard
    heard.clear()
    answer = Axe().run(page, options={"runOnly": {"type": "tag", "values": CHECKED}})
    for violation in answer.response["violations"]:
        places = ", ".join(str(node["target"]) for node in violation["nodes"])
        yield f"{violation['id']}: {violation['help']} at {places}"
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        yield "wider than the screen"


def listen(page: Page) -> list[str]:
    """What the browser will complain of while it shows the page."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            heard.append(message.text)

    def fail(error: Error) -> None:
        heard.append(error.message)

    page.on("console", hear)
    page.on("pageerror", fail)
    return heard


def look(browser: Browser, origin: str, out: Path, names: list[str]) -> Iterator[str]:
    """Each state in each language, scheme and size; on the narrowest screen it need only fit."""
    for scheme, size in product(SCHEMES, SIZES):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        heard = listen(page)
        # The script that sends a form on would leave the page before it is seen.
        page.route("**/form_post.*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        for name, locale in product(names, ("en", "it")):
            page.goto(f"{origin}/{locale}/{name}")
            page.screenshot(path=out / f"{name}.{locale}.{scheme}.{size}.png", full_page=True)
            yield from (f"{name} {locale} {scheme} {size}: {fault}" for fault in faults_of(page, heard))
            page.set_viewport_size({"width": NARROW, "height": height})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                yield f"{name} {locale}: wider than {NARROW} pixels"
            page.set_viewport_size({"width": width, "height": height})
        context.close()


def main(out: Path, parts: list[str]) -> int:
    """Look at every sample whose name holds one of ``parts`` (or at all), and tell what is wrong."""
    out.mkdir(parents=True, exist_ok=True)
    names = [name for name, _, _ in SAMPLES if not parts or any(part in name for part in parts)]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gallery)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        faults = list(look(browser, f"http://127.0.0.1:{server.server_port}", out, names))
        browser.close()
    server.shutdown()
    for fault in faults:
        print(fault)  # noqa: T201 - this is a script
    print(f"{len(names)} states looked at, {len(faults)} faults, pictures in {out}")  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
