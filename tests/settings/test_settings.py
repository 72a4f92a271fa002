"""The whole configuration: shipped values, the environment's say, and what stops the start."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import certifi
import pytest

from idp.settings import ConfigurationError, config_directory, from_environment, load

Refusals = Callable[[dict[str, str]], list[str]]
Spoil = Callable[[str, str, str], int]


def test_the_shipped_configuration_is_a_working_development_set(config: Path, environ: dict[str, str]) -> None:
    settings = load(config, environ)
    assert settings.issuer == "http://localhost:8080"
    assert settings.languages == ("en", "it")
    assert settings.policy.name == "my-account"
    assert len(settings.policy.digest) == 64
    assert set(settings.clients) == {"portal", "app", "settop", "billing", "service"}
    assert {identifier: resource.name for identifier, resource in settings.resources.items()} == {
        "http://localhost:8082": "billing",
        "http://localhost:8083": "service",
    }
    assert settings.resources["http://localhost:8082"].token_lifetime == timedelta(minutes=10)
    assert settings.database.url == "sqlite:///var/idp.sqlite3"
    assert settings.redis.url is None
    assert settings.hashing.memory_kib == 19456
    assert settings.server.max_body == 65536
    assert [set(link.label) for link in settings.brand.links] == [{"en", "it"}] * 3
    assert settings.brand.tested_browsers["firefox"] == 115
    with pytest.raises(FrozenInstanceError):
        settings.issuer = "x"  # type: ignore[misc]


def test_secrets_are_in_no_repr(config: Path, environ: dict[str, str]) -> None:
    environ |= {"IDP_MAIL_USERNAME": "idp", "IDP_MAIL_PASSWORD": "mail-canary", "IDP_SMS_TOKEN": "sms-canary"}
    environ |= {"IDP_DATABASE_URL": "postgresql+psycopg://idp:db-canary@localhost/idp", "IDP_REDIS_URL": "redis://:r-canary@h"}
    environ |= {"IDP_CUSTOMERS_URL": "https://customers.example/find", "IDP_CUSTOMERS_TOKEN": "customers-canary"}
    settings = load(config, environ)
    shown = repr(settings)
    assert settings.customers.token == "customers-canary"
    assert settings.mail.password == "mail-canary"
    assert "canary" not in shown
    assert repr(settings.secrets.master_key) not in shown
    assert not any(digest in shown for client in settings.clients.values() for digest in client.secret_digests)


def test_the_environment_replaces_keys_with_their_types(config: Path, environ: dict[str, str]) -> None:
    environ |= {
        "IDP_ISSUER": "https://id.norda.example",
        "IDP_SERVER_PORT": "9000",
        "IDP_SERVER_TRUSTED_HOPS": "1",
        "IDP_DATABASE_URL": "postgresql+psycopg://idp@db/idp",
        "IDP_REDIS_URL": "rediss://cache:6379/0",
        "IDP_LANGUAGES": "it, en",
        "IDP_HASHING_CONCURRENT": "3",
        "IDP_BRAND_NAME": "Norda Isole",
        "IDP_LOG_FORMAT": "console",
        "IDP_DEMO_PORT": "8080",
        "IDP_TEST_DATABASE": "x",
        "IDP_CONFIG": "config",
        "FLASK_DEBUG": "0",
    }
    settings = load(config, environ)
    assert settings.issuer == "https://id.norda.example"
    assert (settings.server.port, settings.server.trusted_hops) == (9000, 1)
    assert settings.database.url == "postgresql+psycopg://idp@db/idp"
    assert settings.redis.url == "rediss://cache:6379/0"
    assert settings.languages == ("it", "en")
    assert settings.hashing.concurrent == 3
    assert settings.brand.name == "Norda Isole"
    assert settings.log.format == "console"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "IDP_SERVR_PORT",
            "9000",
            "environment: IDP_SERVR_PORT: unknown variable. Did you mean IDP_SERVER_PORT?",
        ),
        (
            "IDP_SMS_URL",
            "http://sms.example",
            (
                'environment: IDP_SMS_URL: plain http to "sms.example" can be read and changed on its way. '
                "Use https; plain http is for localhost, 127.0.0.1 and [::1] only."
            ),
        ),
        (
            "IDP_SMS_REACH_URL",
            "https://sms.example/reach",
            "environment: IDP_SMS_REACH_URL: it is set without url. Set both, or neither.",
        ),
        (
            "IDP_CUSTOMERS_URL",
            "http://customers.example/find",
            (
                'environment: IDP_CUSTOMERS_URL: plain http to "customers.example" can be read and changed on its way. '
                "Use https; plain http is for localhost, 127.0.0.1 and [::1] only."
            ),
        ),
        (
            "IDP_CUSTOMERS_TOKEN",
            "customers-canary",
            "environment: IDP_CUSTOMERS_TOKEN: it is set without url. Set both, or neither.",
        ),
        (
            "IDP_CUSTOMERS_TIMEOUT",
            "31s",
            "environment: IDP_CUSTOMERS_TIMEOUT: 31s is above the ceiling of 30s. Lower it to 30s or less.",
        ),
        (
            "IDP_REGION",
            "gb",
            'environment: IDP_REGION: not a region. Write its two letters, as in "GB" or "IT" (ISO 3166).',
        ),
        (
            "IDP_REDIS_URL",
            "cache:6379",
            'environment: IDP_REDIS_URL: not an address of a Redis server. Write "redis://host:6379/0" or "rediss://…".',
        ),
        (
            "IDP_BRAND_NAME",
            " ",
            "environment: IDP_BRAND_NAME: the name is empty. Write the operator's name.",
        ),
        (
            "IDP_BRAND_LOGO",
            "//evil.example/x.svg",
            (
                "environment: IDP_BRAND_LOGO: neither a picture of the product's own nor one of this machine. "
                "Give the path of a file that ends in .svg, .png, .webp."
            ),
        ),
        ("IDP_WXYZ", "", "environment: IDP_WXYZ: unknown variable. Unset it."),
        (
            "IDP_SERVER_PORT",
            "http",
            'environment: IDP_SERVER_PORT: "http" is not a whole number. Write a whole number, without quotes.',
        ),
        (
            "IDP_SERVER_PORT",
            "65536",
            "environment: IDP_SERVER_PORT: 65536 is above the ceiling of 65535. Lower it to 65535 or less.",
        ),
        (
            "IDP_HASHING_MEMORY_KIB",
            "1024",
            (
                "environment: IDP_HASHING_MEMORY_KIB: 1024 is below the floor of 19456. "
                "Raise it to 19456 or more (ASVS 11.4.2; OWASP)."
            ),
        ),
        (
            "IDP_LOG_LEVEL",
            "loud",
            'environment: IDP_LOG_LEVEL: "loud" is not one of the choices. Write one of "debug", "info", "warning", "error".',
        ),
        (
            "IDP_LANGUAGES",
            "en,en",
            'environment: IDP_LANGUAGES: "en" is listed twice. Keep one of the two.',
        ),
        (
            "IDP_PROFILE",
            "../../etc/passwd",
            (
                "environment: IDP_PROFILE: not the name of a profile. "
                "Write the name of a file in config/policies, without its .toml."
            ),
        ),
        (
            "IDP_PROFILE",
            "nobody",
            (
                "config/policies/nobody.toml: the file can't be read: no such file or directory. "
                "Create it, or let this user read it."
            ),
        ),
        (
            "IDP_SERVER_METRICS_PORT",
            "8080",
            (
                "environment: IDP_SERVER_METRICS_PORT: 8080 is the port of the service itself: metrics would be public. "
                "Choose another, or 0 to turn metrics off."
            ),
        ),
    ],
)
def test_a_bad_variable_is_refused_by_its_name(
    refusals: Refusals, environ: dict[str, str], name: str, value: str, said: str
) -> None:
    assert refusals(environ | {name: value}) == [said]


@pytest.mark.parametrize(
    "issuer", ["http://localhost", "http://127.0.0.1:8080", "http://[::1]:8080", "https://id.example/tenant"]
)
def test_issuers_that_may_be(config: Path, environ: dict[str, str], issuer: str) -> None:
    assert load(config, environ | {"IDP_ISSUER": issuer}).issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "what"),
    [
        ("http://id.example", 'plain http to "id.example"'),
        ("http://localhost.evil.example", 'plain http to "localhost.evil.example"'),
        ("http://127.0.0.1.nip.io", 'plain http to "127.0.0.1.nip.io"'),
        ("http://0.0.0.0:8080", 'plain http to "0.0.0.0"'),
        ("https://id.example/", "does not end with a slash"),
        ("https://id.example?x=1", "no query"),
        ("https://id.example#x", "no fragment"),
        ("https://id.example?", "no query"),
        ("https://user@id.example", "carries a user name"),
        ("https://ID.example", "capital letters"),
        ("HTTPS://id.example", "capital letters"),
        ("https://", "names no host"),
        ("https://id.example:99999", "can't be parsed"),
        ("https://[::1", "can't be parsed"),
        ("https://id.example:0", "not absolute"),
        ("https://idé.example", "letters beyond ASCII"),
        ("https://id.example\\x", "backslashes"),
        ("id.example", "not absolute"),
        ("ftp://id.example", 'the scheme "ftp" is not https'),
        ("javascript:alert(1)", "runs or opens things"),
        ("", "spaces, backslashes or letters beyond ASCII"),
    ],
)
def test_issuers_that_may_not_be(refusals: Refusals, environ: dict[str, str], issuer: str, what: str) -> None:
    (said,) = refusals(environ | {"IDP_ISSUER": issuer})
    assert said.startswith("environment: IDP_ISSUER: ")
    assert what in said


@pytest.mark.parametrize("debug", ["1", "true", "anything"])
def test_debugging_is_refused_where_people_sign_in(refusals: Refusals, environ: dict[str, str], debug: str) -> None:
    environ |= {"FLASK_DEBUG": debug, "IDP_ISSUER": "https://id.norda.example"}
    assert refusals(environ) == [
        "environment: FLASK_DEBUG: debugging is on where people sign in: it shows code and secrets. Unset it."
    ]


def test_debugging_is_free_on_this_machine(config: Path, environ: dict[str, str]) -> None:
    assert load(config, environ | {"FLASK_DEBUG": "1"}).issuer == "http://localhost:8080"


SPOILT: list[tuple[str, str, str]] = [
    ('issuer = "http://localhost:8080"', "", ":1: issuer: missing. Set it: it has no default."),
    ('profile = "my-account"', 'profil = "x"', ':{line}: profil: unknown key. Did you mean "profile"?'),
    (
        'master_key_file = "var/master.key"',
        'master_key = "00"',
        ':{line}: secrets.master_key: unknown key. Did you mean "master_key_file"?',
    ),
    (
        "trusted_hops = 0",
        'tls_certificate = "cert.pem"',
        ":{line}: server.tls_certificate: it is set without tls_key. Set both, or neither.",
    ),
    (
        "trusted_hops = 0",
        'tls_key = "key.pem"',
        ":{line}: server.tls_key: it is set without tls_certificate. Set both, or neither.",
    ),
    ('accent = "#0b5d5a"', 'accent = "red;}"', ':{line}: brand.accent: not a colour. Write it as "#rrggbb".'),
    ("chrome = 109", "chrome = 0", (":{line}: brand.tested_browsers.chrome: 0 is below the floor of 1. "
     "Write the oldest major version tested.")),
    ("chrome = 109", "netscape = 4", (":{line}: brand.tested_browsers.netscape: unknown browser. "
     "Use one of: chrome, edge, firefox, opera, safari, samsung.")),
    ('label = { en = "Helpdesk", it = "Assistenza" }', 'label = { en = "Helpdesk" }',
     ':{line}: brand.links[3].label: no label in "it". Write one for each of languages.'),
    ('href = "mailto:help@norda.example"', 'href = "javascript:alert(1)"',
     ':{line}: brand.links[3].href: the scheme "javascript" runs or opens things in the browser. Use https.'),
    ('url = "sqlite:///var/idp.sqlite3"', 'url = "postgresql://u:canary@db/idp"',
     (":{line}: database.url: not an address of SQLite or PostgreSQL with its driver. "
     'Write "sqlite:///path" or "postgresql+psycopg://user@host/name".')),
    ("pool_size = 8", "pool_size = 0", ":{line}: database.pool_size: 0 is below the floor of 1. Raise it to 1 or more."),
    ('security = "none"', 'security = "ssl"',
     ':{line}: mail.security: "ssl" is not one of the choices. Write one of "none", "starttls", "tls".'),
    ('sender = "no-reply@norda.example"', 'sender = "a@b, c@d"',
     ':{line}: mail.sender: not an address. Write it as "name@example.com".'),
    ('reply_to = "contact@norda.example"', 'reply_to = "a@b\\r\\nBcc: c@d"',
     ':{line}: mail.reply_to: not an address. Write it as "name@example.com".'),
    ('reply_to = "contact@norda.example"', 'username = "idp"',
     ":{line}: mail.username: it is set without password. Set both, or neither."),
    ('reply_to = "contact@norda.example"', 'ca_file = "no/such.pem"',
     ":{line}: mail.ca_file: no certificates can be read from it. Give a PEM file of certificates."),
    ("max_body = 65536", "max_body = true",
     ":{line}: server.max_body: true is not a whole number. Write a whole number, without quotes."),
    ('languages = ["en", "it"]', "languages = []", ':{line}: languages: no language is listed. List at least "en".'),
    ('languages = ["en", "it"]', 'languages = ["en", "../it"]', (':{line}: languages[2]: not a language. '
     'Write its code: "en", "it" or "pt-BR".')),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), SPOILT, ids=range(len(SPOILT)))
def test_a_spoilt_setting_is_refused_at_its_line(
    *, spoil: Spoil, refusals: Refusals, environ: dict[str, str], old: str, new: str, said: str
) -> None:
    line = spoil("settings.toml", old, new)
    assert "config/settings.toml" + said.format(line=line) in refusals(environ)
    assert "canary" not in "".join(refusals(environ))


def test_a_password_never_crosses_the_network_in_the_clear(refusals: Refusals, environ: dict[str, str]) -> None:
    environ |= {"IDP_MAIL_HOST": "mail.example", "IDP_MAIL_USERNAME": "idp", "IDP_MAIL_PASSWORD": "secret-canary"}
    (said,) = refusals(environ)
    assert said.endswith('the password would cross the network in the clear. Write "starttls" or "tls".')
    assert "canary" not in said


def test_authorities_without_encryption_are_a_mistake(config: Path, refusals: Refusals, environ: dict[str, str]) -> None:
    environ |= {"IDP_MAIL_CA_FILE": certifi.where()}
    (said,) = refusals(environ)
    assert said.endswith('it is set and nothing is encrypted. Set security to "starttls" or "tls".')
    environ |= {"IDP_MAIL_SECURITY": "starttls"}
    assert load(config, environ).mail.ca_file == certifi.where()


def test_a_code_by_text_message_needs_a_gateway(
    config: Path, spoil: Spoil, refusals: Refusals, environ: dict[str, str]
) -> None:
    spoil("policies/my-account.toml", 'reactivate_by = ["answer"]', 'reactivate_by = ["sms_code", "answer"]')
    (said,) = refusals(environ)
    assert said == (
        'config/policies/my-account.toml: inactivity.reactivate_by: "sms_code" is asked and there is no gateway. '
        "Set sms.url in settings.toml, or write another proof."
    )
    environ |= {"IDP_SMS_URL": "https://sms.example/send"}
    assert load(config, environ).policy.inactivity.reactivate_by == ("sms_code", "answer")


def test_workers_share_no_database_in_memory(refusals: Refusals, environ: dict[str, str]) -> None:
    environ |= {"IDP_DATABASE_URL": "sqlite:///:memory:", "IDP_SERVER_WORKERS": "2"}
    (said,) = refusals(environ)
    assert "workers can't share a database in memory" in said


def test_a_secret_of_the_wrong_type_is_not_shown(spoil: Spoil, refusals: Refusals, environ: dict[str, str]) -> None:
    line = spoil("settings.toml", 'sender = "no-reply@norda.example"', "password = 31337")
    assert f"config/settings.toml:{line}: mail.password: the value is not text. Write it in quotes." in refusals(environ)


def test_every_file_is_judged_in_one_go(spoil: Spoil, refusals: Refusals, environ: dict[str, str]) -> None:
    spoil("settings.toml", "workers = 1", "workers = 0")
    spoil("policies/my-account.toml", "threshold = 5", "threshold = 1")
    spoil("resources.toml", 'acr = "pwd"', 'acr = "high"')
    spoil("clients.toml", 'auth_method = "none"', 'auth_method = "tls"')
    environ.pop("IDP_MASTER_KEY")
    places = [said.partition(":")[0] for said in refusals(environ)]
    assert places[:2] == ["config/settings.toml", "config/policies/my-account.toml"]
    assert {"config/resources.toml", "config/clients.toml", "var/master.key"} < set(places)


@pytest.mark.parametrize("file", ["settings.toml", "clients.toml", "resources.toml"])
def test_a_missing_file_is_a_problem_with_a_remedy(
    config: Path, refusals: Refusals, environ: dict[str, str], file: str
) -> None:
    (config / file).unlink()
    expected = f"config/{file}: the file can't be read: no such file or directory. Create it, or let this user read it."
    assert expected in refusals(environ)


def test_the_process_reads_its_own_environment(config: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IDP_CONFIG", str(config.absolute()))
    monkeypatch.setenv("IDP_SERVER_PORT", "9001")
    assert from_environment().server.port == 9001
    monkeypatch.setenv("IDP_CONFIG", "elsewhere")
    with pytest.raises(ConfigurationError, match=r"elsewhere/settings\.toml"):
        from_environment()
    assert config_directory({}) == Path("config")
