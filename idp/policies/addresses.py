"""Which addresses configuration and clients may name: each judge answers None, or why not and what to do."""

import re
from urllib.parse import SplitResult, urlsplit

Refusal = tuple[str, str]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PRINTABLE = re.compile(r"[\x21-\x7e]+", re.ASCII)
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
# A name or a number, and its port, if any: nothing that a browser reads as another, or a page's policy as more than one.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)
_DANGEROUS = frozenset({"javascript", "data", "file", "intent", "vbscript", "blob", "about", "view-source"})
_WEB = frozenset({"http", "https"})
_LONGEST_CALLED = 512
_HTTPS = "Use https; plain http is for localhost, 127.0.0.1 and [::1] only."


def refused_issuer(address: str) -> Refusal | None:
    """Judge an issuer identifier (RFC 8414 2, RFC 9207): an absolute URL that ends where its path does."""
    refusal = refused_web(address)
    if refusal is not None:
        return refusal
    if "?" in address or "#" in address:
        return "an issuer has no query and no fragment", "Remove everything from the first ? or #."
    if address.endswith("/"):
        return "an issuer does not end with a slash", f'Write "{address.rstrip("/")}".'
    return None


def refused_web(address: str) -> Refusal | None:
    """Judge an address of a page or gateway: https, or http on this machine."""
    parts = _split(address)
    if not isinstance(parts, SplitResult):
        return parts
    host = parts.hostname or ""
    return _first(
        (parts.scheme not in _WEB, f"the scheme {_shown(parts.scheme)} is not https", _HTTPS),
        (not host, "the address names no host", "Write it whole: https://host/path."),
        (
            parts.scheme == "http" and host not in LOOPBACK,
            f"plain http to {_shown(host)} can be read and changed on its way",
            _HTTPS,
        ),
        (
            parts.netloc != parts.netloc.lower(),
            "the host has capital letters, and addresses are compared letter by letter",
            "Write the host in lower case.",
        ),
        (
            not _HOST.fullmatch(parts.netloc),
            "the host is none, or the port",
            "Write it in letters, digits, dots and hyphens: https://host:port/path.",
        ),
    )


def refused_redirect(address: str, *, native: bool) -> Refusal | None:
    """Judge where answers are sent (RFC 9700 2.1, RFC 8252 7): ``native`` clients may have a scheme of their own."""
    parts = _split(address)
    if not isinstance(parts, SplitResult):
        return parts
    refusal = _first(
        ("#" in address, "a redirect address has no fragment", "Remove everything from the #."),
        ("*" in address, "a redirect address has no wildcard", "Register each address; they are compared letter by letter."),
        (bool(_DOTS.search(parts.path)), "the path has dot segments", "Write the path as it is after they are resolved."),
    )
    if refusal is not None or parts.scheme in _WEB:
        return refusal or refused_web(address)
    return _refused_private(parts.scheme, native=native)


def _refused_private(scheme: str, *, native: bool) -> Refusal | None:
    """Judge a private-use scheme, by which an operating system hands the answer to an app."""
    if "." not in scheme:
        what = f"the private-use scheme {_shown(scheme)} is not a reversed domain"
        return what, "Use a domain of yours, reversed: com.example.app:/callback (RFC 8252 7.1)."
    if not native:
        what = f"the private-use scheme {_shown(scheme)} is for apps that keep no secret"
        return what, 'Use https, or set auth_method to "none".'
    return None


def refused_called(address: str) -> Refusal | None:
    """Judge an address that the service goes to by itself: one of a server, short enough, without what no server is sent."""
    if len(address) > _LONGEST_CALLED:
        return f"the address is longer than {_LONGEST_CALLED} characters", "Use a shorter one (RFC 9101 5.2)."
    if "#" in address:
        return "an address that is gone to has no fragment", "Remove everything from the #."
    return refused_web(address)


def host_of(address: str) -> str:
    """The host of an address, or "" where it has none."""
    parts = _split(address)
    return parts.hostname or "" if isinstance(parts, SplitResult) else ""


def origin_of(address: str) -> str:
    """Scheme, host and port of a web address, or "" where it is none."""
    parts = _split(address)
    return f"{parts.scheme}://{parts.netloc}" if isinstance(parts, SplitResult) and parts.scheme in _WEB else ""


def refused_link(address: str) -> Refusal | None:
    """Judge an address shown to people: a page, a mailbox, a telephone number or a page of this service."""
    if address.startswith("/") and not address.startswith(("//", "/\\")) and _PRINTABLE.fullmatch(address):
        return None
    parts = _split(address)
    if isinstance(parts, SplitResult) and parts.scheme in {"mailto", "tel"} and parts.path:
        return None
    return refused_web(address)


def refused_identifier(address: str) -> Refusal | None:
    """Judge a resource's identifier: an absolute URI without a fragment (RFC 8707 2)."""
    parts = _split(address)
    if not isinstance(parts, SplitResult):
        return parts
    if "#" in address:
        return "an identifier has no fragment", "Remove everything from the #."
    if not (parts.netloc or parts.path):
        return "the identifier names nothing after its scheme", "Write an absolute URI, such as https://billing.example.com."
    return None


def _split(address: str) -> SplitResult | Refusal:
    """The parts of an absolute URI without userinfo, or why it is none."""
    if not _PRINTABLE.fullmatch(address) or "\\" in address:
        return (
            "the address has spaces, backslashes or letters beyond ASCII",
            "Write it in ASCII, percent-encoded; hosts in punycode.",
        )
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "the address can't be parsed", "Write it whole: https://host:port/path."
    scheme = address.partition(":")[0]
    refusal = _first(
        (
            not parts.scheme or port == 0,
            "the address is not absolute",
            "Write it whole, from its scheme on: https://host/path.",
        ),
        (scheme != scheme.lower(), "the scheme has capital letters", "Write it in lower case."),
        (scheme in _DANGEROUS, f"the scheme {_shown(scheme)} runs or opens things in the browser", "Use https."),
        ("@" in parts.netloc, "the address carries a user name", "Remove everything before the @."),
    )
    return refusal or parts


def _first(*rules: tuple[bool, str, str]) -> Refusal | None:
    """What the first rule that is broken says."""
    return next(((what, remedy) for broken, what, remedy in rules if broken), None)


def _shown(text: str) -> str:
    return f'"{text[:60]}"'
