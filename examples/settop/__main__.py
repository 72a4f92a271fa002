"""Shows the codes in the terminal and, when its person has said yes, what service tells: `python -m examples.settop`."""

import sys

import httpx
import segno

from examples import setting
from examples.settop import Box, Refused


def main() -> int:
    """One whole exchange. Begin again where the codes have expired."""
    service = setting("SERVICE_URL")
    box = Box(setting("IDP_ISSUER"), "settop", "openid profile service:read", service)
    try:
        codes = box.begin()
        segno.make(codes["verification_uri_complete"]).terminal(compact=True)
        print(f"\nScan this with your phone, or go to {codes['verification_uri']} and type the code {codes['user_code']}.")
        tokens = box.wait(codes)
    except Refused as refused:
        print(f"Not connected: {refused}.")
        return 1
    except httpx.HTTPError as error:
        print(f"The identity service cannot be reached: {error}.")
        return 1
    print("Connected.")
    fault = httpx.get(f"{service}/faults/open", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    print(f"An engineer comes on {fault.json()['visit']}." if fault.is_success else "Service cannot be reached.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
