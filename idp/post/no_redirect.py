"""Questions go where settings say, and nowhere else."""

import urllib.request
from typing import Any


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token, and what is asked, to another house."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""
        return
