"""The tables: facts only, no rule. Every column that a statement compares is a column; the rest lies in documents."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from idp.store.schema import NAMING, only
from idp.store.types import Document, Instant, Sequence

metadata = MetaData(naming_convention=NAMING)


def _of_account() -> Column[str]:
    return Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False)


accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("username", String, nullable=False),
    Column("username_key", String, nullable=False, unique=True),
    Column("email", String, nullable=False),
    Column("email_key", String, nullable=False, index=True),
    Column("given_name", String, nullable=False),
    Column("family_name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("state_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("mobile", String),
    Column("locale", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("entitlements", Text, nullable=False),
    Column("enrolled_at", Instant),
    Column("last_sign_in_at", Instant),
    Column("reactivated_at", Instant),
    Column("sessions_valid_from", Instant),
    Column("last_refresh_at", Instant),
    Column("last_step_up_at", Instant),
    # Since when nobody has used it: what upkeep looks for. Never later than the moment from which policy counts.
    Column("quiet_since", Instant),
    Column("quiet", Text),
    Column("email_confirmed_at", Instant),
    Column("capacities", Text),
    Column("agreed", Text),
    Index(None, "state", "quiet_since", "id"),
)

# Subject identifiers of accounts whose data is gone: none is ever given to anybody else.
tombstones = Table(
    "tombstones",
    metadata,
    Column("subject", String, primary_key=True),
    Column("purged_at", Instant, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("factor", String, primary_key=True),
    Column("hash", String, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("question", String),
    Column("expires_at", Instant),
    Column("last_step", Integer),
    only("expires_at", "factor = 'temporary'", name="ix_credentials_temporary"),
)

credential_history = Table(
    "credential_history",
    metadata,
    Column("id", Sequence, primary_key=True),
    _of_account(),
    Column("factor", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("replaced_at", Instant, nullable=False),
    Index(None, "account_id", "factor", "id"),
    Index(None, "replaced_at"),
)

# No foreign key: a subject may be a decoy, so that unknown names cost and count the same.
counters = Table(
    "counters",
    metadata,
    Column("subject", String, primary_key=True),
    Column("factor", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("consecutive", Integer, nullable=False),
    Column("window_from", Instant),
    Column("locked_until", Instant),
    Column("disabled_at", Instant),
    Column("touched_at", Instant),
    Column("version", Integer, nullable=False),
    # What retention may take: nothing that is closed, or that counts towards it.
    only("touched_at", "consecutive = 0 AND disabled_at IS NULL"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String, primary_key=True),
    _of_account(),
    Column("digest", String, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("remembered", String),
    Column("agent", String),
    Index(None, "account_id", "digest", unique=True),
    # Whose device this is, where nobody has said yet who they are.
    Index(None, "digest"),
    Index(None, "last_seen_at"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("digest", String, primary_key=True),
    _of_account(),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("client_id", String),
    Column("used_at", Instant),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

# Codes that were sent: one for each purpose of an account, so that the newest kills the older.
one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("purpose", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False),
    Index(None, "expires_at"),
)

# When something of a kind was last sent to an account: what its hourly and daily limits are counted from.
issuances = Table(
    "issuances",
    metadata,
    Column("id", Sequence, primary_key=True),
    _of_account(),
    Column("kind", String, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "account_id", "kind", "at"),
    Index(None, "at"),
)

alarms = Table(
    "alarms",
    metadata,
    Column("digest", String, primary_key=True),
    _of_account(),
    Column("changed", String, nullable=False),
    Column("before", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String, primary_key=True),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String, primary_key=True),
    _of_account(),
    Column("public_key", Text, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Index(None, "account_id"),
)

# One row a family: the refresh state lies beside the grant, so that a rotation is one statement. No foreign key to the
# account: a grant outlives a purge as the record of what was allowed.
grants = Table(
    "grants",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False, index=True),
    Column("client_id", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("session", String, index=True),
    Column("revoked_at", Instant),
    Column("handle", String, unique=True),
    Column("current", String),
    Column("previous", String),
    Column("rotated_at", Instant),
    Column("refresh_expires_at", Instant),
    Column("jkt", String),
    only("revoked_at", "revoked_at IS NOT NULL"),
)

codes = Table(
    "codes",
    metadata,
    Column("digest", String, primary_key=True),
    Column("grant_id", String, ForeignKey("grants.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("redirect_uri", Text, nullable=False),
    Column("redirect_uri_given", Boolean, nullable=False),
    Column("code_challenge", String),
    Column("nonce", Text),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

denied = Table(
    "denied",
    metadata,
    Column("digest", String, primary_key=True),
    Column("until", Instant, nullable=False, index=True),
)

client_consents = Table(
    "client_consents",
    metadata,
    Column("account_id", String, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("given_at", Instant, nullable=False, index=True),
)

# Append-only: a trigger of the migration refuses every UPDATE.
audit = Table(
    "audit",
    metadata,
    Column("id", Sequence, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    Column("event", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("account_id", String),
    Column("facts", Document, nullable=False),
    Column("policy", String, nullable=False),
    Index(None, "account_id", "at"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)


outbox = Table(
    "outbox",
    metadata,
    Column("id", String, primary_key=True),
    Column("channel", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("template", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("body", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("not_after", Instant),
    Column("attempts", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("state_at", Instant, nullable=False),
    Column("next_try_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("error", Text),
    Column("urgent", Boolean, nullable=False, server_default=false()),
    Column("account_id", String),
    # Only what waits, is dead or still has a body is looked for; sent letters are kept for months.
    only("next_try_at", "state = 'waiting' AND NOT urgent"),
    only("next_try_at", "state = 'waiting' AND urgent", name="ix_outbox_urgent"),
    only("state_at", "state = 'dead'", name="ix_outbox_dead"),
    only("not_after", "body IS NOT NULL"),
    only("account_id", "account_id IS NOT NULL"),
    # What retention looks for.
    only("state_at", "state = 'sent'", name="ix_outbox_sent"),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

# When which spans of inactivity took effect: a stricter one counts from then only.
policy_periods = Table(
    "policy_periods",
    metadata,
    Column("id", Sequence, primary_key=True),
    Column("digest", String, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("spans", Document, nullable=False),
)

# What upkeep is at: how far a round has come, and whose turn it is until when.
upkeep = Table(
    "upkeep",
    metadata,
    Column("task", String, primary_key=True),
    Column("place", Text, nullable=False),
    Column("began_at", Instant),
    Column("ended_at", Instant),
    Column("turn", String),
    Column("turn_until", Instant),
)

# Each seal covers the audit's entries behind the one before it, and that one: none can be changed or taken out unseen.
# There is one behind each, so that two workers at once never part the chain.
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("last_id", Sequence, primary_key=True, autoincrement=False),
    Column("previous_id", Sequence, nullable=False, unique=True),
    Column("entries", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("content", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("sealed_at", Instant, nullable=False),
    Column("forgotten", String),
    only("last_id", "forgotten IS NOT NULL", name="ix_audit_seals_forgotten"),
)

# The short-lived ones, where Redis does not keep them.
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

slips = Table(
    "slips",
    metadata,
    Column("key", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("public_id", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Index(None, "account_id", "created_at"),
)

used = Table(
    "used",
    metadata,
    Column("digest", String, primary_key=True),
    Column("until", Instant, nullable=False, index=True),
)

# Milliseconds of the database's own clock: a throttle is told no time by its caller.
throttles = Table(
    "throttles",
    metadata,
    Column("key", String, primary_key=True),
    Column("hits", Integer, nullable=False),
    Column("expires_ms", Sequence, nullable=False, index=True),
)
