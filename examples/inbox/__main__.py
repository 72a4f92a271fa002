"""Runs the inbox alone: `python -m examples.inbox`."""

from examples import port_of, run, setting
from examples.inbox import server

if __name__ == "__main__":
    run(server(port_of(setting("INBOX_URL"))))
