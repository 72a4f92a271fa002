"""The nouns of the house: frozen values that every room may speak of and none may change in place.

Instants are aware UTC datetimes, durations are timedeltas, identifiers are opaque strings. Secrets appear here only as
hashes or digests, and never in a ``repr``.
"""

from idp.model.entry import Ask, Lost, Recovering, Session, SignIn, Source
from idp.model.people import (
    Account,
    AccountState,
    Alarm,
    Changed,
    Counter,
    Credential,
    Device,
    DeviceClass,
    Ending,
    Factor,
    Invitation,
    OneTimeCode,
    Passkey,
    Proof,
    Purpose,
    Quiet,
    Reminder,
)
from idp.model.protocol import AuthorizationCode, Client, Grant, KeyUse, Resource, Rotation, SigningKey
from idp.model.records import AuditEntry, Brand, Customer, Kept, Letter, Link, Period

__all__ = [
    "Account",
    "AccountState",
    "Alarm",
    "Ask",
    "AuditEntry",
    "AuthorizationCode",
    "Brand",
    "Changed",
    "Client",
    "Counter",
    "Credential",
    "Customer",
    "Device",
    "DeviceClass",
    "Ending",
    "Factor",
    "Grant",
    "Invitation",
    "Kept",
    "KeyUse",
    "Letter",
    "Link",
    "Lost",
    "OneTimeCode",
    "Passkey",
    "Period",
    "Proof",
    "Purpose",
    "Quiet",
    "Recovering",
    "Reminder",
    "Resource",
    "Rotation",
    "Session",
    "SignIn",
    "SigningKey",
    "Source",
]
