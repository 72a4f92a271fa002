"""`python -m examples.app sign-in | bill | sign-out`: a desktop app in three commands."""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

import httpx

from examples.app.native import App, Refused

ISSUER = os.environ.get("ISSUER", "http://localhost:8080")
BILLING = os.environ.get("BILLING_URL", "http://localhost:8082")
KEPT = Path.home() / ".norda" / "tokens.json"


def main() -> None:
    """One command, and what came of it."""
    asked = argparse.ArgumentParser(prog="python -m examples.app", description=__doc__)
    asked.add_argument("command", choices=["sign-in", "bill", "sign-out"])
    app = App(ISSUER, "app", KEPT)
    try:
        match asked.parse_args().command:
            case "sign-in":
                app.sign_in(webbrowser.open, BILLING)
                print("You are signed in.")
            case "bill":
                url = f"{BILLING}/bills/latest"
                print(httpx.get(url, headers=app.authorization("GET", url)).text)
            case _:
                app.sign_out()
                print("You are signed out.")
    except Refused as refused:
        sys.exit(f"That did not work: {refused.code}")


if __name__ == "__main__":
    main()
