"""How the service listens, stores and sends, under judgement: what would be insecure or could never work."""

import ssl

from idp.policies.addresses import LOOPBACK, refused_issuer, refused_web
from idp.settings.reader import Reader
from idp.settings.shapes import SettingsFile

_DATABASES = ("sqlite:///", "sqlite+pysqlite:///", "postgresql+psycopg://")
_REDIS = ("redis://", "rediss://", "unix://")


def judge_serving(reader: Reader, file: SettingsFile) -> None:
    """Leave a problem with the reader for each setting that contradicts another or the product's floors."""
    refusal = refused_issuer(file.issuer)
    if refusal is not None:
        reader.refuse(("issuer",), *refusal)
    _judge_server(reader, file)
    _judge_stores(reader, file)
    _judge_mail(reader, file)
    _judge_sms(reader, file)
    _judge_customers(reader, file)


def _judge_server(reader: Reader, file: SettingsFile) -> None:
    server = file.server
    if (server.tls_certificate is None) != (server.tls_key is None):
        given, lacking = ("tls_certificate", "tls_key") if server.tls_key is None else ("tls_key", "tls_certificate")
        reader.refuse(("server", given), f"it is set without {lacking}", "Set both, or neither.")
    if server.metrics_port == server.port:
        what = f"{server.port} is the port of the service itself: metrics would be public"
        reader.refuse(("server", "metrics_port"), what, "Choose another, or 0 to turn metrics off.")


def _judge_stores(reader: Reader, file: SettingsFile) -> None:
    if not file.database.url.startswith(_DATABASES):
        remedy = 'Write "sqlite:///path" or "postgresql+psycopg://user@host/name".'
        reader.refuse(("database", "url"), "not an address of SQLite or PostgreSQL with its driver", remedy)
    elif file.server.workers > 1 and ":memory:" in file.database.url:
        reader.refuse(("database", "url"), "workers can't share a database in memory", "Use a file, or one worker.")
    if file.redis.url is not None and not file.redis.url.startswith(_REDIS):
        reader.refuse(("redis", "url"), "not an address of a Redis server", 'Write "redis://host:6379/0" or "rediss://…".')


def _judge_mail(reader: Reader, file: SettingsFile) -> None:
    mail = file.mail
    for key in ("sender", "reply_to"):
        address = getattr(mail, key)
        if address is not None and not _is_mailbox(address):
            reader.refuse(("mail", key), "not an address", 'Write it as "name@example.com".')
    if (mail.username is None) != (mail.password is None):
        given, lacking = ("username", "password") if mail.password is None else ("password", "username")
        reader.refuse(("mail", given), f"it is set without {lacking}", "Set both, or neither.")
    if mail.security == "none" and mail.password is not None and mail.host not in LOOPBACK:
        reader.refuse(("mail", "security"), "the password would cross the network in the clear", 'Write "starttls" or "tls".')
    if mail.ca_file is not None and not _is_authorities(mail.ca_file):
        reader.refuse(("mail", "ca_file"), "no certificates can be read from it", "Give a PEM file of certificates.")
    elif mail.ca_file is not None and mail.security == "none":
        reader.refuse(("mail", "ca_file"), "it is set and nothing is encrypted", 'Set security to "starttls" or "tls".')


def _judge_sms(reader: Reader, file: SettingsFile) -> None:
    for key in ("url", "reach_url"):
        address = getattr(file.sms, key)
        refusal = refused_web(address) if address is not None else None
        if refusal is not None:
            reader.refuse(("sms", key), *refusal)
    if file.sms.reach_url is not None and file.sms.url is None:
        reader.refuse(("sms", "reach_url"), "it is set without url", "Set both, or neither.")


def _judge_customers(reader: Reader, file: SettingsFile) -> None:
    customers = file.customers
    refusal = refused_web(customers.url) if customers.url is not None else None
    if refusal is not None:
        reader.refuse(("customers", "url"), *refusal)
    if customers.token is not None and customers.url is None:
        reader.refuse(("customers", "token"), "it is set without url", "Set both, or neither.")


def _is_authorities(path: str) -> bool:
    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        return False
    return True


def _is_mailbox(address: str) -> bool:
    name, at, host = address.rpartition("@")
    return bool(name and at and host) and address.isprintable() and not any(mark in address for mark in ' ,;:"<>')
