"""Runs billing alone: `python -m examples.billing`."""

from examples import port_of, run, setting
from examples.billing import server

if __name__ == "__main__":
    run(server(port_of(setting("BILLING_URL"))))
