"""Runs the portal alone: `python -m examples.portal`."""

from examples import port_of, run, setting
from examples.portal import server

if __name__ == "__main__":
    run(server(port_of(setting("PORTAL_URL"))))
