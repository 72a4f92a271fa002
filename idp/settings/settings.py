"""What the service runs with, as frozen dataclasses: defaults, floors and one line of documentation for each field.

Fields marked ``repr=False`` are secrets: they are never shown, not even in the message that refuses them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from idp.model import Brand, Client, Resource, Text
from idp.policies.policy import Policy


def setting(default: Any, doc: str, *, floor: Any = None, ceiling: Any = None, secret: bool = False, source: str = "") -> Any:
    """A field of the settings: its default, what it does, and the values refused beyond."""
    metadata = {"doc": doc, "floor": floor, "ceiling": ceiling, "source": source}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where accounts, credentials, counters, grants, audit and outbox live."""

    url: str = setting("sqlite:///var/idp.sqlite3", "SQLAlchemy address, with its driver.", secret=True)
    pool_size: int = setting(8, "Connections a process keeps.", floor=1, ceiling=200)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where sign-ins, sessions and throttles live; unset: in the database."""

    url: str | None = setting(None, "Address of the Redis server.", secret=True)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The key that encrypts at rest and peppers hashes: 32 random bytes."""

    master_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server that letters are handed to."""

    host: str = setting("localhost", "Host of the mail server.")
    port: int = setting(25, "Port of the mail server.", floor=1, ceiling=65535)
    security: Literal["none", "starttls", "tls"] = setting("none", "How the connection is encrypted.")
    username: str | None = setting(None, "Name to sign in with at the mail server.")
    password: str | None = setting(None, "Password to sign in with at the mail server.", secret=True)
    ca_file: str | None = setting(None, "PEM file of the authorities trusted for its certificate; unset: the system's.")
    sender: str = setting("no-reply@localhost", "Address that letters come from.")
    reply_to: str | None = setting(None, "Address that answers go to.")


@dataclass(frozen=True, slots=True)
class SmsSettings:
    """The gateway that text messages are handed to; unset: none are sent."""

    url: str | None = setting(None, "Address that messages are posted to.")
    reach_url: str | None = setting(None, "Address that tells whether a number can be reached; unset: nobody is asked.")
    sender: str = setting("", "Name or number that messages come from.")
    token: str | None = setting(None, "Bearer token for the gateway.", secret=True)


@dataclass(frozen=True, slots=True)
class CustomersSettings:
    """Who is asked for customer records when somebody registers; unset: those brought in by `idp customers import`."""

    url: str | None = setting(None, "Address that references are posted to.")
    token: str | None = setting(None, "Bearer token for it.", secret=True)
    timeout: timedelta = setting(
        timedelta(seconds=5),
        "Longest wait for an answer; then registrations are answered 503.",
        floor=timedelta(seconds=1),
        ceiling=timedelta(seconds=30),
    )


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """Where the service may go by itself to addresses that clients gave: keys, request objects, logout and event receivers."""

    networks: tuple[str, ...] = setting(
        (), "Networks reached though they are not public, as in 10.0.0.0/8; plain http is for these alone.", source="RFC 9700 4"
    )
    timeout: timedelta = setting(
        timedelta(seconds=5), "Longest wait for an answer.", floor=timedelta(seconds=1), ceiling=timedelta(seconds=30)
    )


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """Dynamic client registration (RFC 7591); without an initial access token there is none."""

    initial_access_tokens: tuple[str, ...] = setting(
        (), "Where each initial access token is: env:, file: or sha256:.", secret=True
    )
    scope: str = setting("openid profile email", "Scopes that clients registered so may have.")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the service listens."""

    host: str = setting("127.0.0.1", "Address to listen on.")
    port: int = setting(8080, "Port to listen on.", floor=1, ceiling=65535)
    workers: int = setting(1, "Processes.", floor=1, ceiling=256)
    threads: int = setting(8, "Threads of each process.", floor=1, ceiling=256)
    tls_certificate: str | None = setting(None, "PEM file of the certificate chain; unset: plain HTTP.")
    tls_key: str | None = setting(None, "PEM file of the certificate's key.")
    trusted_hops: int = setting(0, "Proxies in front whose X-Forwarded headers are believed.", floor=0, ceiling=10)
    metrics_host: str = setting("127.0.0.1", "Address that metrics listen on.")
    metrics_port: int = setting(9464, "Port that metrics listen on; 0: off.", floor=0, ceiling=65535)
    max_body: int = setting(65536, "Largest request body, in bytes.", floor=4096, ceiling=1048576)


@dataclass(frozen=True, slots=True)
class HashingSettings:
    """Cost of argon2id, and how many hashes may be computed and wait at once."""

    memory_kib: int = setting(19456, "Memory of one hash, in KiB.", floor=19456, ceiling=1048576, source="ASVS 11.4.2; OWASP")
    iterations: int = setting(2, "Passes over that memory.", floor=2, ceiling=20)
    parallelism: int = setting(1, "Lanes of one hash.", floor=1, ceiling=16)
    concurrent: int | None = setting(None, "Hashes computed at once; unset: one a core.", floor=1, ceiling=256)
    queue: int = setting(32, "Hashes that may wait; beyond them the answer is 503.", floor=0, ceiling=1024)


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """How often a worker looks after what time has brought about."""

    every: timedelta = setting(
        timedelta(hours=1), "Time between two rounds of accounts.", floor=timedelta(minutes=1), ceiling=timedelta(days=1)
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "Least severity that is logged.")
    format: Literal["json", "console"] = setting("json", "JSON lines for machines, or a console for people.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the service is configured with, judged whole before anything starts.

    ``clients`` is keyed by client id, ``resources`` by identifier (the audience of its tokens). ``redirects`` tells of each
    old path where it leads. ``texts`` are what people agree to, by name and version.
    """

    issuer: str
    brand: Brand
    policy: Policy
    secrets: Secrets
    clients: Mapping[str, Client]
    resources: Mapping[str, Resource]
    languages: tuple[str, ...] = ("en", "it")
    region: str = "GB"
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    sms: SmsSettings = field(default_factory=SmsSettings)
    customers: CustomersSettings = field(default_factory=CustomersSettings)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    hashing: HashingSettings = field(default_factory=HashingSettings)
    upkeep: UpkeepSettings = field(default_factory=UpkeepSettings)
    log: LogSettings = field(default_factory=LogSettings)
    redirects: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[tuple[str, str], Text] = field(default_factory=dict)
