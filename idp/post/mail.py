"""A letter as a mail message: its headers and both its bodies, ready for the wire.

Written by hand: the standard library's EmailMessage parses each header that it is given, which cost more than the rest of
a delivery. What could break out of a header is refused here; bodies are quoted-printable, which every server takes.
"""

import re
from binascii import b2a_qp
from datetime import datetime
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Final

from idp.model import Letter
from idp.post.failures import Permanent
from idp.post.letters import Rendered

# Most addresses; the others are parsed (RFC 5321 4.1.2).
_PLAIN: Final = re.compile(r"[a-z0-9_%+-]+(?:\.[a-z0-9_%+-]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII | re.IGNORECASE)
_MOST_CHARACTERS: Final = 254
_LINE: Final = "\r\n"


class Letterhead:
    """Who writes: the address, the name people know it by, and where answers go."""

    def __init__(self, sender: str, name: str = "", reply_to: str | None = None) -> None:
        self.domain: Final = sender.rpartition("@")[2]
        self.sender: Final = sender
        self._fixed: Final = "".join(
            f"{header}: {value}\r\n"
            for header, value in (("From", _author(name, sender)), ("Reply-To", reply_to or ""))
            if value
        )

    def compose(self, letter: Letter, rendered: Rendered, now: datetime) -> bytes:
        """The message, dated ``now``. Its Message-ID is the letter's, so that a second delivery can be told as one."""
        headers = {
            "To": mailbox(letter.to),
            "Subject": _subject(rendered.subject),
            "Date": format_datetime(now),
            "Message-ID": f"<{letter.id}@{self.domain}>",
            # RFC 3834 5: no out-of-office answers to a machine.
            "Auto-Submitted": "auto-generated",
            "Content-Language": _one_line(letter.locale),
            "MIME-Version": "1.0",
        }
        head = self._fixed + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if rendered.html is None:
            return head.encode() + _part("plain", rendered.text)
        # Never within a quoted-printable body, where every "=" is followed by two digits (RFC 2045 6.7).
        boundary = f"=_{letter.id}"
        head += f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        between = f"--{boundary}\r\n".encode()
        last = f"--{boundary}--\r\n".encode()
        return b"".join((head.encode(), between, _part("plain", rendered.text), between, _part("html", rendered.html), last))


def mailbox(text: str) -> str:
    """``text``, its domain in ASCII, where it is one address and nothing else: no second one, no name, no line break.

    Raises ``Permanent``, also where the part before the @ is beyond ASCII: few servers take it (RFC 6531).
    """
    if _PLAIN.fullmatch(text) and len(text) <= _MOST_CHARACTERS:
        return text
    if len(text) > _MOST_CHARACTERS or not text.isprintable() or " " in text:
        raise Permanent("not one mail address")
    local, _, domain = text.rpartition("@")
    try:
        # The codec knows no address literals.
        domain = domain if domain.isascii() else domain.encode("idna").decode()
        address = Address(addr_spec=f"{local}@{domain}")
    except (HeaderParseError, ValueError, IndexError) as error:
        raise Permanent("not one mail address") from error
    if not (address.username and address.domain):
        raise Permanent("not one mail address")
    return f"{local}@{domain}"


def _author(name: str, sender: str) -> str:
    if name.isascii():
        return formataddr((_one_line(name), sender))
    return f"{Header(_one_line(name), 'utf-8', header_name='From').encode(linesep=_LINE)} <{sender}>"


def _part(kind: str, text: str) -> bytes:
    # The blank line that ends the headers, and the one that belongs to the boundary behind the part.
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    lines = text.replace("\r", "").rstrip("\n").replace("\n", "\r\n") + "\r\n"
    return head.encode() + b2a_qp(lines.encode("utf-8", "replace"), istext=True) + b"\r\n"


@lru_cache(maxsize=256)
def _subject(text: str) -> str:
    """The subject, encoded and folded where it must be (RFC 2047); there are only so many."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(_one_line(text), charset, header_name="Subject").encode(linesep=_LINE)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise Permanent("a header would break")
    return text
