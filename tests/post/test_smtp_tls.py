"""Encryption and sign-in at a real mail server: never less than settings ask for, and never with a stranger."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from idp.flows.deliver import FIRST_WAIT, Fate, PostOffice
from idp.post import Smtp, Temporary
from tests.post.conftest import HEAD, Desk, MailServer, free_port
from tests.post.scripted import Script, serving

NAME, PASSWORD = "idp", "mail-canary"


@dataclass(frozen=True)
class Authority:
    """An authority of our own, and a server's certificate by it."""

    file: Path
    server: ssl.SSLContext


def authority(folder: Path, host: str = "127.0.0.1", *, days: int = 30) -> Authority:
    """Make an authority and a certificate for ``host`` that ends in so many days."""
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def build(subject: x509.Name, public: Any, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(ca_key, hashes.SHA256())

    usual = {"ca": True, "path_length": None}
    ca = build(ca_name, ca_key.public_key(), x509.BasicConstraints(**usual), _key_id(ca_key), _usage())
    alternative = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = build(subject, key.public_key(), x509.SubjectAlternativeName([alternative]), _issuer_id(ca_key))
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return Authority(folder / "ca.pem", server)


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _issuer_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage() -> x509.KeyUsage:
    off = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **dict.fromkeys(off, False))


@contextlib.contextmanager
def real_server(**how: Any) -> Iterator[MailServer]:
    server = MailServer(port=free_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **how)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def signing_in(**how: Any) -> dict[str, Any]:
    """A server that takes one name and password and nobody else's letters."""

    def judge(*told: Any) -> AuthResult:
        given = told[-1]
        known = isinstance(given, LoginPassword) and (given.login, given.password) == (NAME.encode(), PASSWORD.encode())
        # Unhandled: the server says 535 itself.
        return AuthResult(success=known, handled=known)

    return {"authenticator": judge, "auth_required": True, **how}


def office(desk: Desk, server: MailServer | Script, **how: Any) -> PostOffice:
    smtp = Smtp(host="127.0.0.1", port=server.port, letterhead=HEAD, timeout=3, **how)
    return replace(desk.office, carriers={"mail": smtp})


def goes(desk: Desk, server: MailServer, **how: Any) -> bool:
    """Whether a letter is taken; where it is not, it waits whole."""
    letter = desk.put()
    post = office(desk, server, **how)
    (fate,) = desk.fates(post)
    post.close()
    assert (fate is Fate.SENT) is (len(server.taken) == 1)
    if fate is not Fate.SENT:
        assert fate is Fate.RETRY
        assert desk.row(letter).body is not None
        assert PASSWORD not in desk.row(letter).error
    return fate is Fate.SENT


def test_starttls_with_an_authority_of_our_own(desk: Desk, tmp_path: Path) -> None:
    ours = authority(tmp_path / "ours")
    with real_server(tls_context=ours.server, require_starttls=True) as server:
        assert goes(desk, server, security="starttls", trust=ours.file)


def test_tls_from_the_start(desk: Desk, tmp_path: Path) -> None:
    ours = authority(tmp_path / "ours")
    with real_server(ssl_context=ours.server) as server:
        assert goes(desk, server, security="tls", trust=ours.file)


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["stranger", "another host", "expired", "system's authorities"])
def test_a_wrong_certificate_is_refused(desk: Desk, tmp_path: Path, security: str, fault: str) -> None:
    theirs = authority(
        tmp_path / "theirs", "mail.example" if fault == "another host" else "127.0.0.1", days=-1 if fault == "expired" else 30
    )
    trust = {"stranger": authority(tmp_path / "ours").file, "system's authorities": None}.get(fault, theirs.file)
    how = {"tls_context": theirs.server, "require_starttls": True} if security == "starttls" else {"ssl_context": theirs.server}
    with real_server(**how) as server:
        assert not goes(desk, server, security=security, trust=trust)
    assert "certificate refused" in said(desk)


def said(desk: Desk) -> str:
    """The error of the one letter that waits."""
    with desk.world.store.engine.connect() as connection:
        return str(connection.exec_driver_sql("SELECT error FROM outbox WHERE state = 'waiting'").scalar_one())


def test_starttls_that_is_not_offered_is_no_reason_to_go_on_in_the_clear(desk: Desk) -> None:
    with serving(Script()) as script:
        assert desk.put()
        assert desk.fates(office(desk, script, security="starttls")) == [Fate.RETRY]
    # Neither sender nor recipient, name nor password was said.
    assert {line.split()[0].upper() for line in script.heard} == {"EHLO"}
    assert "STARTTLS" in said(desk)


def test_starttls_that_is_offered_and_refused(desk: Desk) -> None:
    with serving(Script({"ehlo": "250-scripted\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS", "starttls": "454 not now"})) as script:
        assert desk.put()
        assert desk.fates(office(desk, script, security="starttls", username=NAME, password=PASSWORD)) == [Fate.RETRY]
    assert [line.split()[0].upper() for line in script.heard] == ["EHLO", "STARTTLS"]


def test_words_slipped_in_before_encryption_are_not_believed(desk: Desk, tmp_path: Path) -> None:
    """A man in the middle appends an answer to STARTTLS: the handshake fails, nothing is taken from it."""
    with serving(Script({"ehlo": "250-scripted\r\n250 STARTTLS", "starttls": "220 go\r\n250 AUTH PLAIN"})) as script:
        assert desk.put()
        trust = authority(tmp_path / "ours").file
        assert desk.fates(office(desk, script, security="starttls", trust=trust)) == [Fate.RETRY]
    assert not any(line.upper().startswith(("AUTH", "MAIL")) for line in script.heard)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_name_and_a_password(desk: Desk, tmp_path: Path, security: str, mechanism: str) -> None:
    ours = authority(tmp_path / "ours")
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    encrypted = {"starttls": {"tls_context": ours.server}, "tls": {"ssl_context": ours.server}}.get(security, {})
    how = signing_in(auth_exclude_mechanism=[other], auth_require_tls=security == "starttls", **encrypted)
    trust = {} if security == "none" else {"trust": ours.file}
    with real_server(**how) as server:
        assert goes(desk, server, security=security, username=NAME, password=PASSWORD, **trust)
        server.taken.clear()
        desk.clock.pass_(FIRST_WAIT)
        assert not goes(desk, server, security=security, username=NAME, password="wrong", **trust)
        assert "sign-in refused: 535" in said(desk)


def test_a_server_that_offers_no_sign_in_is_not_given_the_password(desk: Desk) -> None:
    with serving(Script()) as script:
        assert desk.put()
        assert desk.fates(office(desk, script, username=NAME, password=PASSWORD)) == [Fate.RETRY]
    assert [line.split()[0].upper() for line in script.heard] == ["EHLO"]


def test_the_doctor_greets_the_same_way(tmp_path: Path) -> None:
    ours, strangers = authority(tmp_path / "ours"), authority(tmp_path / "theirs")
    with real_server(tls_context=ours.server, require_starttls=True) as server:
        how: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": server.port,
            "letterhead": HEAD,
            "security": "starttls",
            "timeout": 3,
        }
        smtp = Smtp(**how, trust=ours.file)
        assert smtp.greet()
        smtp.close()
        with pytest.raises(Temporary, match="certificate refused"):
            Smtp(**how, trust=strangers.file).greet()
