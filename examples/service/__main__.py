"""Runs service alone: `python -m examples.service`."""

from examples import port_of, run, setting
from examples.service import server

if __name__ == "__main__":
    run(server(port_of(setting("SERVICE_URL"))))
