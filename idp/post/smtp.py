"""Mail, handed to one server over one connection for as many letters as there are."""

import contextlib
import smtplib
import ssl
from datetime import datetime
from email import policy
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

from idp.model import Letter
from idp.post.failures import Permanent, Temporary
from idp.post.letters import Rendered

# Quoted-printable rather than raw 8-bit lines: every server takes it.
_POLICY: Final = policy.SMTP.clone(cte_type="7bit")
_PERMANENT: Final = 500


class Smtp:
    """A mail server. Not for several threads at once: each worker has its own.

    ``security`` says how the connection is encrypted: not at all, after STARTTLS, or from the start; the certificate is
    always verified, by ``trust`` where it is given.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Literal["none", "starttls", "tls"] = "none",
        username: str | None = None,
        password: str | None = None,
        sender: str = "no-reply@localhost",
        timeout: float = 20.0,
        reply_to: str | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._sender, self._reply_to = sender, reply_to
        self._domain = sender.rpartition("@")[2]
        self._timeout = timeout
        self._trust = trust
        self._connection: smtplib.SMTP | None = None

    def deliver(self, letter: Letter, rendered: Rendered, now: datetime) -> None:
        """Hand one letter over, dated ``now``. Raises ``Temporary`` or ``Permanent``; returns once the server took it."""
        message = self.compose(letter, rendered, now)
        connection = self._open()
        try:
            connection.send_message(message, self._sender, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise _sorted(code, words) from error
        except smtplib.SMTPSenderRefused as error:
            # The sender is our configuration: the operator can mend it while the letter waits.
            raise Temporary(f"sender refused: {error.smtp_code} {_words(error.smtp_error)}") from error
        except smtplib.SMTPResponseException as error:
            raise _sorted(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Permanent("the mail server takes no address outside ASCII") from error
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise Temporary(f"connection lost: {type(error).__name__}") from error

    def compose(self, letter: Letter, rendered: Rendered, now: datetime) -> EmailMessage:
        """The message as it is sent. Its Message-ID is the letter's, so that a second delivery can be told as one."""
        message = EmailMessage(_POLICY)
        try:
            message["From"] = _address(self._sender)
            message["To"] = _address(letter.to)
            if self._reply_to:
                message["Reply-To"] = _address(self._reply_to)
            message["Subject"] = rendered.subject
        except ValueError as error:
            raise Permanent(str(error)) from error
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{letter.id}@{self._domain}>"
        # RFC 3834 5: no out-of-office answers to a machine.
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = letter.locale
        message.set_content(rendered.text)
        if rendered.html is not None:
            message.add_alternative(rendered.html, subtype="html")
        return message

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

    def _open(self) -> smtplib.SMTP:
        """The connection, made anew where the old one no longer answers."""
        if self._connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                # RSET also ends whatever a refused letter left behind (RFC 5321 4.1.1.5).
                if self._connection.rset()[0] < _PERMANENT - 100:
                    return self._connection
            self._drop()
        try:
            self._connection = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise Temporary(f"sign-in refused: {error.smtp_code}") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Temporary(f"the mail server cannot be reached: {type(error).__name__}") from error
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        trust = None if self._security == "none" else self._trust or ssl.create_default_context()
        connection: smtplib.SMTP
        if self._security == "tls":
            # local_hostname is given because smtplib would ask the resolver for ours, at length.
            connection = smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=self._domain, timeout=self._timeout, context=trust
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, local_hostname=self._domain, timeout=self._timeout)
        try:
            if self._security == "starttls":
                connection.starttls(context=trust)
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


def _address(text: str) -> Address:
    """One address and nothing else: no second one, no name, no line break."""
    if not text.isprintable() or " " in text:
        raise ValueError("not one mail address")
    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise ValueError("not one mail address") from error
    if not address.domain:
        raise ValueError("not one mail address")
    return address


def _sorted(code: int, words: bytes | str) -> Temporary | Permanent:
    """4yz is for now, 5yz for good (RFC 5321 4.2.1)."""
    kind = Permanent if code >= _PERMANENT else Temporary
    return kind(f"{code} {_words(words)}")


def _words(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
