"""What the rest of the protocol brings: bound grants, registered clients, slips, streams and signals."""

import sqlalchemy as sa
from alembic import op

from idp.store.types import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("jkt", sa.String(), nullable=True))
    op.create_table(
        "slips",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_slips")),
    )
    op.create_index(op.f("ix_slips_expires_at"), "slips", ["expires_at"])
    op.create_table(
        "clients",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
    )
    _signals()


def _signals() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("authorization", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("client_id", name=op.f("uq_streams_client_id")),
    )
    op.create_table(
        "signals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("not_after", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_try_at", Instant(), nullable=False),
        sa.Column("leased_until", Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
    )
    op.create_index(op.f("ix_signals_target"), "signals", ["target"])
    op.create_index(op.f("ix_signals_created_at"), "signals", ["created_at"])
    waiting, owned = sa.text("state = 'waiting'"), sa.text("account_id IS NOT NULL")
    op.create_index(op.f("ix_signals_next_try_at"), "signals", ["next_try_at"], postgresql_where=waiting, sqlite_where=waiting)
    op.create_index(op.f("ix_signals_account_id"), "signals", ["account_id"], postgresql_where=owned, sqlite_where=owned)
