"""Addresses of an older portal and where each leads now, from ``config/redirects.toml``; there need be none."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from idp.model import Client
from idp.policies.addresses import refused_link
from idp.settings.document import quoted
from idp.settings.reader import Reader

# A path as it is asked for, without its query; all that lies below one where it ends with "/*".
_OLD: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=:@%-]*)+(?:/\*)?", re.ASCII)
_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class RedirectsFile:
    """``config/redirects.toml`` as it is written."""

    redirects: Mapping[str, str] = field(default_factory=dict)


def read_redirects(reader: Reader, pages: Iterable[str]) -> dict[str, str]:
    """Where each old path leads; problems are left with the reader.

    ``pages`` are addresses of ours and our clients': a target lies at one of their origins, or is a page of this service.
    """
    file = reader.read(RedirectsFile, reader.document.table)
    known = {_origin(page) for page in pages if page}
    table: dict[str, str] = {}
    for old, new in file.redirects.items() if file else ():
        here = ("redirects", old)
        if not _OLD.fullmatch(old) or _DOTS & set(old.split("/")):
            reader.refuse(here, f"{quoted(old)} is not a path", 'Write it from its first slash on, without "?" and "#".')
        refusal = refused_link(new)
        if refusal is not None:
            reader.refuse(here, *refusal)
        elif not new.startswith("/") and _origin(new) not in known:
            what = f"{quoted(new)} is neither a page of this service nor at an address of ours or of a client"
            reader.refuse(here, what, f"Lead to one of: {', '.join(sorted(known)) or 'the pages of this service'}.")
        table[old.lower()] = new
    if file is not None and len(table) < len(file.redirects):
        reader.refuse(("redirects",), "an address is listed twice, in capital and small letters", "Keep one of the two.")
    return table


def pages_of(clients: Iterable[Client], *own: str) -> tuple[str, ...]:
    """The addresses at whose origins people may end up: our own, and those that clients have registered."""
    registered = (
        address
        for client in clients
        for address in (*client.redirect_uris, client.initiate_login_uri or "")
        if address.startswith("http")
    )
    return (*own, *registered)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
