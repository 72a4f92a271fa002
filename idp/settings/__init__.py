"""The only reader of the environment and of TOML: typed, whole, and judged before anything starts."""

from idp.settings.loading import config_directory, from_environment, load, settings_file
from idp.settings.master_key import make_master_key_file, master_key_path
from idp.settings.policy_file import PolicyFile, canonical, effective, load_policy, read_policy
from idp.settings.problems import ConfigurationError, Problem
from idp.settings.settings import (
    DatabaseSettings,
    HashingSettings,
    LogSettings,
    MailSettings,
    RedisSettings,
    Secrets,
    ServerSettings,
    Settings,
    SmsSettings,
    UpkeepSettings,
)

__all__ = [
    "ConfigurationError",
    "DatabaseSettings",
    "HashingSettings",
    "LogSettings",
    "MailSettings",
    "PolicyFile",
    "Problem",
    "RedisSettings",
    "Secrets",
    "ServerSettings",
    "Settings",
    "SmsSettings",
    "UpkeepSettings",
    "canonical",
    "config_directory",
    "effective",
    "from_environment",
    "load",
    "load_policy",
    "make_master_key_file",
    "master_key_path",
    "read_policy",
    "settings_file",
]
