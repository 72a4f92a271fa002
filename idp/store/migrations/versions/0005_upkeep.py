"""What upkeep goes by: how long an account has been quiet, whose a letter is, and what is sealed, gone or in force."""

import sqlalchemy as sa
from alembic import op

from idp.store.types import Document, Instant, Sequence

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PARTIAL = (
    ("ix_outbox_account_id", "outbox", "account_id", "account_id IS NOT NULL"),
    ("ix_outbox_sent", "outbox", "state_at", "state = 'sent'"),
    ("ix_credentials_temporary", "credentials", "expires_at", "factor = 'temporary'"),
    ("ix_counters_touched_at", "counters", "touched_at", "consecutive = 0 AND disabled_at IS NULL"),
    ("ix_grants_revoked_at", "grants", "revoked_at", "revoked_at IS NOT NULL"),
    ("ix_audit_seals_forgotten", "audit_seals", "last_id", "forgotten IS NOT NULL"),
)
# What retention looks for.
_WHOLE = (
    ("credential_history", "replaced_at"),
    ("devices", "last_seen_at"),
    ("invitations", "expires_at"),
    ("one_time_codes", "expires_at"),
    ("issuances", "at"),
    ("alarms", "expires_at"),
    ("client_consents", "given_at"),
)
# Counters are kept from this upgrade on, since nobody knows how long they have been untouched.
_THIS_MOMENT = {"sqlite": "CAST(strftime('%s', 'now') AS INTEGER) * 1000000", "postgresql": "now()"}
_MOMENTS = ("created_at", "enrolled_at", "last_sign_in_at", "reactivated_at", "state_at")


def upgrade() -> None:
    for name in ("last_refresh_at", "last_step_up_at", "quiet_since"):
        op.add_column("accounts", sa.Column(name, Instant(), nullable=True))
    op.add_column("accounts", sa.Column("quiet", sa.Text(), nullable=True))
    _fill_quiet_since()
    op.create_index(op.f("ix_accounts_state_quiet_since_id"), "accounts", ["state", "quiet_since", "id"], unique=False)
    op.add_column("outbox", sa.Column("account_id", sa.String(), nullable=True))
    op.add_column("devices", sa.Column("agent", sa.String(), nullable=True))
    op.add_column("counters", sa.Column("touched_at", Instant(), nullable=True))
    op.execute(f"UPDATE counters SET touched_at = {_THIS_MOMENT[op.get_bind().dialect.name]}")  # noqa: S608 - of constants
    _create_tables()
    _create_indexes()


def _create_indexes() -> None:
    for name, table, column, where in _PARTIAL:
        said = sa.text(where)
        op.create_index(op.f(name), table, [column], unique=False, postgresql_where=said, sqlite_where=said)
    for table, column in _WHOLE:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def _fill_quiet_since() -> None:
    """The latest moment at which something happened to the account, whatever its state."""
    known = ", ".join(f"COALESCE({name}, created_at)" for name in _MOMENTS)
    greatest = "MAX" if op.get_bind().dialect.name == "sqlite" else "GREATEST"
    op.execute(f"UPDATE accounts SET quiet_since = {greatest}({known})")  # noqa: S608 - names of columns


def _create_tables() -> None:
    op.create_table(
        "tombstones",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("purged_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "policy_periods",
        sa.Column("id", Sequence, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("spans", Document(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_periods")),
    )
    op.create_table(
        "upkeep",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("began_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("turn", sa.String(), nullable=True),
        sa.Column("turn_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_upkeep")),
    )
    op.create_table(
        "audit_seals",
        sa.Column("last_id", Sequence, autoincrement=False, nullable=False),
        sa.Column("previous_id", Sequence, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("sealed_at", Instant(), nullable=False),
        sa.Column("forgotten", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("last_id", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("previous_id", name=op.f("uq_audit_seals_previous_id")),
    )
