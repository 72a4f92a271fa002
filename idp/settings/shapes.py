"""``config/settings.toml`` as it is written, before the policy, the clients and the key are read beside it."""

import re
from dataclasses import dataclass, field
from typing import Final

from idp.model import Brand
from idp.settings.master_key import DEFAULT_FILE
from idp.settings.settings import (
    CustomersSettings,
    DatabaseSettings,
    HashingSettings,
    LogSettings,
    MailSettings,
    OutboundSettings,
    RedisSettings,
    RegistrationSettings,
    ServerSettings,
    SmsSettings,
    UpkeepSettings,
)

DEFAULT_PROFILE = "my-account"
# What may be the code of a language: "en", "it" or "pt-BR".
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecretsTable:
    """``[secrets]`` as it is written: where the master key is, never the key."""

    master_key_file: str = DEFAULT_FILE


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """``config/settings.toml`` as it is written; ``profile`` names a file in ``config/policies``."""

    issuer: str
    brand: Brand
    profile: str = DEFAULT_PROFILE
    languages: tuple[str, ...] = ("en", "it")
    region: str = "GB"
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    secrets: SecretsTable = field(default_factory=SecretsTable)
    mail: MailSettings = field(default_factory=MailSettings)
    sms: SmsSettings = field(default_factory=SmsSettings)
    customers: CustomersSettings = field(default_factory=CustomersSettings)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    hashing: HashingSettings = field(default_factory=HashingSettings)
    upkeep: UpkeepSettings = field(default_factory=UpkeepSettings)
    log: LogSettings = field(default_factory=LogSettings)
