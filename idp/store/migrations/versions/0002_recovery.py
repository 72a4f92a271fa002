"""Recovery, changes and second factors."""

import sqlalchemy as sa
from alembic import op

from idp.store.types import Instant, Sequence

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credentials", sa.Column("expires_at", Instant(), nullable=True))
    op.add_column("credentials", sa.Column("last_step", sa.Integer(), nullable=True))
    _codes()
    _alarms()
    _second_factors()


def _owner(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id")
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name, ondelete="CASCADE")


def _codes() -> None:
    op.create_table(
        "one_time_codes",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        _owner("one_time_codes"),
        sa.PrimaryKeyConstraint("account_id", "purpose", name=op.f("pk_one_time_codes")),
    )
    op.create_table(
        "issuances",
        sa.Column("id", Sequence, nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        _owner("issuances"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuances")),
    )
    op.create_index(op.f("ix_issuances_account_id_kind_at"), "issuances", ["account_id", "kind", "at"], unique=False)


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("changed", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        _owner("alarms"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_alarms")),
    )
    op.create_index(op.f("ix_alarms_account_id"), "alarms", ["account_id"], unique=False)


def _second_factors() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        _owner("recovery_codes"),
        sa.PrimaryKeyConstraint("account_id", "digest", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        _owner("passkeys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
    )
    op.create_index(op.f("ix_passkeys_account_id"), "passkeys", ["account_id"], unique=False)
