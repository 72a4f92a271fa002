"""Mail, handed to one server over one connection for as many letters as there are."""

import contextlib
import smtplib
import ssl
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from idp.model import Letter
from idp.post.failures import Permanent, Temporary
from idp.post.letters import Rendered
from idp.post.mail import Letterhead, mailbox

Reply = tuple[int, bytes]

_TAKEN: Final = range(200, 300)
_GO_ON: Final = 354
_CLOSING: Final = 421
_PERMANENT: Final = 500
_LEAST: Final = 400


class _Closed(Exception):  # noqa: N818 - what became of the connection
    """The connection ended before the letter was said: it can be handed over again at once."""


class Smtp:
    """A mail server. Not for several threads at once: each worker has its own.

    ``security`` says how the connection is encrypted: not at all, after STARTTLS, or from the start. It is never less than
    that, and the certificate is always verified, against the authorities of ``trust`` where it is given.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        letterhead: Letterhead,
        security: Literal["none", "starttls", "tls"] = "none",
        username: str | None = None,
        password: str | None = None,
        timeout: float = 20.0,
        trust: Path | None = None,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._letterhead = letterhead
        self._timeout = timeout
        self._trust = None if security == "none" else ssl.create_default_context(cafile=trust)
        self._connection: smtplib.SMTP | None = None

    def deliver(self, letter: Letter, rendered: Rendered, now: datetime) -> None:
        """Hand one letter over, dated ``now``. Raises ``Temporary`` or ``Permanent``; returns once the server took it."""
        to, message = mailbox(letter.to), self._letterhead.compose(letter, rendered, now)
        kept = self._connection is not None
        try:
            try:
                self._hand_over(self._open(), to, message)
            except _Closed:
                # Servers end connections that idled, or carried as many letters as they allow: only a new one counts.
                self._drop()
                if not kept:
                    raise
                self._hand_over(self._open(), to, message)
        except _Closed as closed:
            self._drop()
            raise Temporary(f"connection closed: {closed}") from closed
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise Temporary(f"connection lost: {type(error).__name__}") from error

    def greet(self) -> str:
        """Connect, encrypt and sign in, and say how the server introduced itself; raises ``Temporary``."""
        connection = self._open()
        return _words(connection.ehlo_resp or b"")

    def close(self) -> None:
        """End the connection politely, if there is one."""
        if self._connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._connection.quit()
            self._drop()

    def _hand_over(self, connection: smtplib.SMTP, to: str, message: bytes) -> None:
        """One mail transaction (RFC 5321 3.3)."""
        try:
            replies = self._announce(connection, to, len(message))
        except (OSError, smtplib.SMTPException) as error:
            raise _Closed(type(error).__name__) from error
        refusal = _refusal(replies)
        if refusal is not None:
            _put_right(connection, replies)
            raise refusal
        # Doubled dots, since a lone one ends the letter (RFC 5321 4.5.2); the last line is ended by ``compose``.
        connection.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        code, words = connection.getreply()
        if code not in _TAKEN:
            if code == _CLOSING or code < _LEAST:
                self._drop()
            raise _sorted(code, words)

    def _announce(self, connection: smtplib.SMTP, to: str, size: int) -> list[Reply]:
        """Say from whom, to whom and that a letter follows; all at once where the server allows it (RFC 2920)."""
        options = f" SIZE={size}" if connection.has_extn("size") else ""
        commands = (f"MAIL FROM:<{self._letterhead.sender}>{options}\r\n", f"RCPT TO:<{to}>\r\n", "DATA\r\n")
        if connection.has_extn("pipelining"):
            connection.send("".join(commands).encode())
            return [connection.getreply() for _ in commands]
        replies = []
        for command in commands:
            connection.send(command.encode())
            replies.append(connection.getreply())
            if _refusal(replies) is not None:
                break
        return replies

    def _open(self) -> smtplib.SMTP:
        """The connection, made where there is none; raises ``Temporary``."""
        if self._connection is not None:
            return self._connection
        try:
            self._connection = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise Temporary(f"sign-in refused: {error.smtp_code}") from error
        except smtplib.SMTPNotSupportedError as error:
            # The server, or somebody between it and us, offers less than settings ask for.
            raise Temporary(f"refused to go on: {error}") from error
        except ssl.SSLCertVerificationError as error:
            raise Temporary(f"certificate refused: {error.verify_message}") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Temporary(f"the mail server cannot be reached: {type(error).__name__}") from error
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        # local_hostname is given because smtplib would ask the resolver for ours, at length.
        domain = self._letterhead.domain
        connection: smtplib.SMTP
        if self._security == "tls":
            connection = smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=domain, timeout=self._timeout, context=self._trust
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, local_hostname=domain, timeout=self._timeout)
        try:
            if self._security == "starttls":
                connection.starttls(context=self._trust)
            connection.ehlo_or_helo_if_needed()
            if self._username is not None:
                connection.login(self._username, self._password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _refusal(replies: list[Reply]) -> Temporary | Permanent | None:
    """Why the letter is not taken, by the first of the replies to MAIL, RCPT and DATA that says no."""
    for place, (code, words) in enumerate(replies):
        if code == _CLOSING:
            raise _Closed(f"{code} {_words(words)}")
        if place == 0 and code not in _TAKEN:
            # The sender is our configuration: the operator can mend it while the letter waits.
            return Temporary(f"sender refused: {code} {_words(words)}")
        if (place == 1 and code not in _TAKEN) or (place > 1 and code != _GO_ON):
            return _sorted(code, words)
    return None


def _put_right(connection: smtplib.SMTP, replies: list[Reply]) -> None:
    """End a transaction that was refused, so that the connection serves the next letter; a failure shows there."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        if replies[-1][0] == _GO_ON:
            # A pipelining server may await a letter to nobody (RFC 2920 3.1): an empty one, which it refuses.
            connection.send(b".\r\n")
            connection.getreply()
        connection.rset()


def _sorted(code: int, words: bytes | str) -> Temporary | Permanent:
    """4yz is for now, 5yz for good (RFC 5321 4.2.1)."""
    kind = Permanent if code >= _PERMANENT else Temporary
    return kind(f"{code} {_words(words)}")


def _words(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
