"""The yardstick: a bare Flask answer on the server and with the threads that the product is served on."""

import sys

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.server.mp import MPServer

THREADS = 106


def load() -> Flask:
    """One view, fourteen bytes."""
    app = Flask("hello")
    app.add_url_rule("/", view_func=lambda: "Hello, world!\n")
    return app


def main() -> None:
    """Serve on the port given."""
    server = MPServer(
        "hello",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        backpressure=4096,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    server.serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
