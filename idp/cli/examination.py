"""What the doctor looks at. Each examination yields findings and never raises: an unexpected fault is itself a finding."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from idp.app.composition import clock, make_numbers, make_records, make_vault
from idp.app.health import skew
from idp.cli.hashing_speed import COMMAND, measure
from idp.cli.serve import listening_problems
from idp.cli.worker import smtp
from idp.model import KeyUse
from idp.policies.registration import REFERENCES
from idp.post import RecordsDown, Temporary
from idp.settings import Settings
from idp.store import Store, StoreDown, open_store

_OLDEST_POSTGRESQL: Final = 140000
_KEY_AGE: Final = timedelta(days=365)
_EXPIRY_WARNING: Final = timedelta(days=30)
_SKEW_WARNING: Final = timedelta(seconds=2)
_SKEW_FAILURE: Final = timedelta(seconds=30)
_MANY_WAITING: Final = 100
# No operator has given this account number to anybody.
_NOBODY: Final = "0"


class Grade(StrEnum):
    """How a part is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, and what to do about it."""

    part: str
    grade: Grade
    what: str
    remedy: str = ""


def examine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Every part of the installation that these settings describe."""
    store = open_store(settings.database.url, settings.redis.url, pool_size=1)
    parts: dict[str, Callable[[], Iterator[Finding]]] = {
        "database": lambda: _database(store),
        "clock": lambda: _clock(store),
        "redis": lambda: _redis(settings, store),
        "master key": lambda: _master_key(environ),
        "signing keys": lambda: _signing_keys(settings, store),
        "policy": lambda: _policy(settings),
        "listening": lambda: _listening(settings),
        "certificate": lambda: _certificate(settings),
        "mail": lambda: _mail(settings),
        "customers": lambda: _customers(settings, store),
        "letters": lambda: _letters(store),
        "signals": lambda: _signals(store),
        "hashing": lambda: _hashing(settings),
    }
    findings = [finding for part, look in parts.items() for finding in _guarded(part, look)]
    store.close()
    return findings


def _guarded(part: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except StoreDown as down:
        found.append(Finding(part, Grade.FAIL, f"the store can't be reached: {down}", "Start it, or mend its address."))
    except Exception as error:  # noqa: BLE001 - one part that cannot be looked at must not hide the others
        found.append(Finding(part, Grade.FAIL, f"could not be examined: {type(error).__name__}"))
    return found


def _database(store: Store) -> Iterator[Finding]:
    if store.schema_is_current():
        yield Finding("database", Grade.OK, f"{store.dialect}, schema current")
    else:
        yield Finding("database", Grade.FAIL, "the schema is not this version's", "Run `idp db upgrade`.")
    if store.dialect == "sqlite":
        mode = _scalar(store, "PRAGMA journal_mode")
        grade = Grade.OK if mode == "wal" else Grade.WARN
        yield Finding("database", grade, f"SQLite journal mode {mode}", "" if mode == "wal" else "Put it on a local disk.")
        return
    version = int(_scalar(store, "SHOW server_version_num"))
    told = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version >= _OLDEST_POSTGRESQL:
        yield Finding("database", Grade.OK, told)
    else:
        yield Finding("database", Grade.WARN, f"{told} is no longer maintained", "Upgrade to PostgreSQL 14 or newer.")


def _clock(store: Store) -> Iterator[Finding]:
    if store.dialect == "sqlite":
        yield Finding("clock", Grade.OK, "one clock: the database is a file of this machine")
        return
    # Asked once before, so that the opening of a connection is not taken for a difference.
    store.ping()
    apart = skew(store, clock)
    grade = Grade.OK if apart < _SKEW_WARNING else Grade.WARN if apart < _SKEW_FAILURE else Grade.FAIL
    remedy = "" if grade is Grade.OK else "Keep both machines on time (chrony, systemd-timesyncd)."
    yield Finding("clock", grade, f"{apart.total_seconds():.2f} s from the database's", remedy)


def _redis(settings: Settings, store: Store) -> Iterator[Finding]:
    if settings.redis.url is None:
        several = settings.server.workers > 1
        what = "none: sign-ins, sessions and throttles are in the database"
        yield Finding("redis", Grade.OK, what, "With several machines, set redis.url for speed." if several else "")
        return
    store.ping_redis()
    yield Finding("redis", Grade.OK, "answers")


def _master_key(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Loading the settings refused a key that is missing, weak, or in a file that others may use."""
    if "IDP_MASTER_KEY" in environ:
        what = "in the environment, which every child process and many a crash report can see"
        yield Finding("master key", Grade.WARN, what, "Keep it in a file: `idp keys master`, then unset IDP_MASTER_KEY.")
    else:
        yield Finding("master key", Grade.OK, "in a file that only this user may read")


def _signing_keys(settings: Settings, store: Store) -> Iterator[Finding]:
    vault = make_vault(settings)
    with store.read() as tx:
        keys = tx.keys.all()
    if not any(key.use is KeyUse.CURRENT for key in keys):
        yield Finding("signing keys", Grade.FAIL, "none signs", "Start the service once: it makes them; then look again.")
        return
    for key in keys:
        try:
            vault.open_json(key.sealed)
        except Exception:  # noqa: BLE001 - whatever the vault says, the key is of no use
            remedy = "Bring back the master key that sealed it, or run `idp keys rotate`."
            yield Finding("signing keys", Grade.FAIL, f"{key.alg} {key.kid} can't be opened with this master key", remedy)
            continue
        age = clock() - (key.current_from or key.created_at)
        old = key.use is KeyUse.CURRENT and age > _KEY_AGE
        what = f"{key.alg} {key.kid}: {key.use.value}, {age.days} days"
        yield Finding("signing keys", Grade.WARN if old else Grade.OK, what, "Run `idp keys rotate`." if old else "")


def _policy(settings: Settings) -> Iterator[Finding]:
    yield Finding("policy", Grade.OK, f"{settings.policy.name}, digest {settings.policy.digest[:16]}, no contradictions")


def _listening(settings: Settings) -> Iterator[Finding]:
    problems = listening_problems(settings)
    for problem in problems:
        yield Finding("listening", Grade.FAIL, problem.what, problem.remedy)
    if not problems:
        server = settings.server
        how = "TLS" if server.tls_certificate else f"plain, {server.trusted_hops} proxies in front"
        yield Finding("listening", Grade.OK, f"{server.host}:{server.port}, {how}")


def _certificate(settings: Settings) -> Iterator[Finding]:
    if settings.server.tls_certificate is None:
        return
    from cryptography import x509  # noqa: PLC0415 - only where there is one

    certificate = x509.load_pem_x509_certificate(Path(settings.server.tls_certificate).read_bytes())
    left = certificate.not_valid_after_utc - clock()
    grade = Grade.OK if left > _EXPIRY_WARNING else Grade.WARN if left > timedelta(0) else Grade.FAIL
    yield Finding("certificate", grade, f"{left.days} days left", "" if grade is Grade.OK else "Renew it.")
    host = urlsplit(settings.issuer).hostname or ""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    known = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    if host in known or f"*.{host.partition('.')[2]}" in known:
        yield Finding("certificate", Grade.OK, f"made out to {host}")
    else:
        what = f"made out to {', '.join(known) or 'nobody'}, not to the issuer's host {host}"
        yield Finding("certificate", Grade.FAIL, what, "Get one for the issuer's host.")


def _mail(settings: Settings) -> Iterator[Finding]:
    mail = settings.mail
    server = smtp(settings, timeout=5.0)
    place = f"{mail.host}:{mail.port}"
    try:
        server.greet()
    except Temporary as error:
        yield Finding("mail", Grade.FAIL, f"{place}: {error.reason}", "Mend [mail] in settings.toml, or start the server.")
    else:
        yield Finding("mail", Grade.OK, f"{place} answers, {mail.security}")
    finally:
        server.close()


def _customers(settings: Settings, store: Store) -> Iterator[Finding]:
    """Whether there is anything to hold registrations against, where policy does so."""
    rules = settings.policy.registration
    if not rules.match_customer:
        return
    find = make_records(settings, make_numbers(settings))
    if find is not None:
        try:
            find("account_number", _NOBODY)
        except RecordsDown as down:
            remedy = "See that the server answers a record or 404, or mend [customers] in settings.toml."
            yield Finding("customers", Grade.FAIL, f"{settings.customers.url}: {down}", remedy)
        else:
            yield Finding("customers", Grade.OK, f"{settings.customers.url} answers")
        return
    with store.read() as tx:
        live = tx.customers.live()
    if live is None:
        remedy = "Run `idp customers import FILE`, or set customers.url."
        everybody = set(REFERENCES) & set(rules.fields) - set(rules.optional)
        what = "no records: nobody can register" if everybody else "no records: nobody can register with a customer's number"
        yield Finding("customers", Grade.FAIL if everybody else Grade.WARN, what, remedy)
    else:
        yield Finding("customers", Grade.OK, f"{live.records} records, since {live.since:%Y-%m-%d}")


def _letters(store: Store) -> Iterator[Finding]:
    with store.read() as tx:
        depth = tx.outbox.depth()
    waiting, dead = depth["waiting"], depth["dead"]
    grade = Grade.WARN if dead or waiting > _MANY_WAITING else Grade.OK
    remedy = "" if grade is Grade.OK else "See that `idp worker` runs, and its log for why letters were refused."
    yield Finding("letters", grade, f"{waiting} waiting, {dead} given up", remedy)


def _signals(store: Store) -> Iterator[Finding]:
    with store.read() as tx:
        depth = tx.signals.depth()
    waiting, dead = depth["waiting"], depth["dead"]
    grade = Grade.WARN if dead or waiting > _MANY_WAITING else Grade.OK
    remedy = "" if grade is Grade.OK else "See that `idp worker` runs, and its log for what relying parties answered."
    yield Finding("signals", grade, f"{waiting} waiting, {depth['held']} held for their receivers, {dead} given up", remedy)


def _hashing(settings: Settings) -> Iterator[Finding]:
    speed = measure(settings.hashing)
    ratio = "" if speed.ratio is None else f", {speed.ratio:.2f} of OpenSSL's time"
    what = f"argon2id takes {speed.milliseconds:.1f} ms{ratio}"
    if speed.native:
        yield Finding("hashing", Grade.OK, f"{what}: the native build")
    else:
        yield Finding("hashing", Grade.WARN, f"{what}: not the native build", f"With a C compiler, run: {COMMAND}")


def _scalar(store: Store, statement: str) -> Any:
    with store.engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar_one()
