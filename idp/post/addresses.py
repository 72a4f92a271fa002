"""What may be a mail address: one, whole, and in the form in which it is kept; and how addresses are shown."""

from typing import Final

from email_validator import EmailNotValidError, validate_email

_LONGEST: Final = 254


def canonical(typed: str) -> str | None:
    """The address in the form in which it is kept; None for what is not exactly one.

    Syntax only (RFC 5321, RFC 6531): whether somebody reads it, a code shows. The part before the @ is kept as it was
    typed; a domain beyond ASCII is kept in the form that every mail server takes.
    """
    text = typed.strip()
    if len(text) > _LONGEST or not text.isprintable():
        return None
    try:
        # The reserved domain .test is somebody's mailbox on a test machine.
        judged = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    kept = judged.ascii_email or judged.normalized
    return kept if len(kept) <= _LONGEST else None


def sought(typed: str) -> str:
    """What was typed to be found by: an address beyond ASCII in the form in which it is kept, anything else as it is."""
    return typed if typed.isascii() or "@" not in typed else canonical(typed) or typed


def masked(to: str) -> str:
    """Enough of a mail address or number to recognise it, not enough to use it: "m…@example.com", "…719"."""
    name, at, host = to.rpartition("@")
    return f"{name[:1]}…@{host}" if at else f"…{to[-3:]}"
