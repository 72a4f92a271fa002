"""``idp serve``: the production server. Judges what it is about to serve, then runs it on granian until SIGTERM."""

import importlib
import multiprocessing
import os
import resource
import ssl
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from idp.settings import ConfigurationError, Problem, Settings, config_directory, from_environment

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from granian.server.mp import MPServer

# Connections a worker may hold, idle ones too; each costs a file descriptor and a few kilobytes.
CONNECTIONS: Final = 4096
HEADER_BYTES: Final = 65536
HEADER_MILLISECONDS: Final = 10_000
GRACE_SECONDS: Final = 30
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@click.command()
def serve() -> None:
    """Serve sign-in pages and tokens, as config/settings.toml says, until SIGTERM."""
    directory = config_directory(os.environ)  # noqa: TID251 - handed to the settings, which read it
    settings = from_environment()
    with tempfile.TemporaryDirectory(prefix="idp-metrics-") as shared:
        # Read by prometheus_client when it is first imported, which therefore happens below and in the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # noqa: TID251 - set for a library, not read
        importlib.import_module("idp.app.logs").configure(settings.log.level, settings.log.format)
        problems = refusals(settings)
        if problems:
            raise ConfigurationError(problems)
        _raise_descriptors()
        server = _server(settings, directory)
        if settings.server.metrics_port:
            server.on_startup(partial(_serve_metrics, settings, Path(shared)))
        server.on_startup(partial(_tell, settings))
        loader = partial(_load, directory)
        if multiprocessing.get_start_method() == "fork":
            # Imported once here, inherited by every worker.
            importlib.import_module("idp.app.serving")
        server.serve(target_loader=loader, wrap_loader=False)


def refusals(settings: Settings) -> list[Problem]:
    """What keeps these settings from being served now, beyond what loading them judged."""
    return listening_problems(settings) or _store(settings)


def listening_problems(settings: Settings) -> list[Problem]:
    """What is wrong with how these settings listen."""
    return [*_clear_text(settings), *_tls(settings)]


def _clear_text(settings: Settings) -> list[Problem]:
    server = settings.server
    secure = urlsplit(settings.issuer).scheme == "https"
    if secure and server.tls_certificate is None and not server.trusted_hops:
        what = "the issuer is https, but the service would speak plain HTTP to everyone"
        remedy = "Set tls_certificate and tls_key, or trusted_hops to the number of proxies in front."
        return [Problem("settings.toml", 0, "server", what, remedy)]
    if not secure and server.host not in _LOOPBACK and server.tls_certificate is None:
        what = f"with an http issuer the service may listen on this machine only, not on {server.host}"
        return [Problem("settings.toml", 0, "server.host", what, 'Write host = "127.0.0.1", or an https issuer.')]
    return []


def _tls(settings: Settings) -> list[Problem]:
    server = settings.server
    if server.tls_certificate is None or server.tls_key is None:
        return []
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            server.tls_certificate, server.tls_key, _no_password
        )
        key = Path(server.tls_key).read_text("ascii")
    except (OSError, ValueError) as error:
        what = f"the certificate and its key can't be used: {error}"
        return [Problem("settings.toml", 0, "server.tls_certificate", what, "Give a PEM chain and the key that belongs to it.")]
    if "-----BEGIN PRIVATE KEY-----" not in key:
        remedy = "Convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW."
        return [Problem(server.tls_key, 0, "server.tls_key", "the key is not in PKCS #8 form", remedy)]
    return []


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _store(settings: Settings) -> list[Problem]:
    from idp.store import StoreDown, open_store  # noqa: PLC0415 - imported after the metrics directory is set

    store = open_store(settings.database.url, settings.redis.url, pool_size=1)
    try:
        if not store.schema_is_current():
            remedy = "Run `idp db upgrade`."
            return [Problem("settings.toml", 0, "database.url", "the database is not at this version's schema", remedy)]
        store.ping_redis()
    except StoreDown as error:
        return [
            Problem("settings.toml", 0, "database", f"the store can't be reached: {error}", "Start it, or mend its address.")
        ]
    finally:
        # No connection may be shared with the workers.
        store.close()
    return []


def _load(directory: Path) -> "WSGIApplication":
    """What a worker serves; called in the worker."""
    from idp.app.serving import load_application  # noqa: PLC0415 - imported after the metrics directory is set

    return load_application(directory)


def _server(settings: Settings, directory: Path) -> "MPServer":
    from granian.constants import HTTPModes, Interfaces, SSLProtocols  # noqa: PLC0415 - only where it serves
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.server.mp import MPServer  # noqa: PLC0415

    from idp.app.serving import threads  # noqa: PLC0415

    server = settings.server
    return MPServer(
        f"idp ({directory})",
        address=server.host,
        port=server.port,
        interface=Interfaces.WSGI,
        workers=server.workers,
        blocking_threads=threads(settings),
        backlog=1024,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES),
        websockets=False,
        log_dictconfig={"handlers": {}, "loggers": {"_granian": {"handlers": [], "propagate": True}}},
        ssl_cert=Path(server.tls_certificate) if server.tls_certificate else None,
        ssl_key=Path(server.tls_key) if server.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
    )


def _raise_descriptors() -> None:
    """Take as many file descriptors as the system lets this process have, up to what the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS * 2
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _serve_metrics(settings: Settings, shared: Path) -> None:
    """Serve what all workers count, from this process and on a port of its own."""
    from prometheus_client import start_http_server  # noqa: PLC0415 - imported after the metrics directory is set

    from idp.app.gathering import gathered  # noqa: PLC0415
    from idp.store import open_store  # noqa: PLC0415

    registry = gathered(shared, partial(open_store, settings.database.url, pool_size=1))
    try:
        start_http_server(settings.server.metrics_port, settings.server.metrics_host, registry)
    except OSError as error:
        click.echo(f"metrics: {settings.server.metrics_host}:{settings.server.metrics_port}: {error.strerror}", err=True)
        sys.exit(2)


def _tell(settings: Settings) -> None:
    import structlog  # noqa: PLC0415 - configured by now

    server = settings.server
    structlog.get_logger().info(
        "serving",
        issuer=settings.issuer,
        address=f"{server.host}:{server.port}",
        tls=server.tls_certificate is not None,
        workers=server.workers,
        trusted_hops=server.trusted_hops,
        policy=settings.policy.name,
        digest=settings.policy.digest,
    )
