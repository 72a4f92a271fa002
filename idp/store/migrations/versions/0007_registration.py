"""What registration brings: confirmed addresses, capacities, and what was agreed to."""

import sqlalchemy as sa
from alembic import op

from idp.store.types import Instant, Sequence

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("email_confirmed_at", Instant(), nullable=True))
    op.add_column("accounts", sa.Column("capacities", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("agreed", sa.Text(), nullable=True))
    # Until now every address was given by the operator, or counted only once its code had come back.
    op.execute("UPDATE accounts SET email_confirmed_at = created_at WHERE email <> ''")
    op.create_table(
        "agreements",
        sa.Column("id", Sequence, nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_agreements_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
    )
    op.create_index(op.f("ix_agreements_account_id"), "agreements", ["account_id"])
    op.create_table(
        "customer_references",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_customer_references_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reference", "account_id", name=op.f("pk_customer_references")),
    )
    op.create_index(op.f("ix_customer_references_account_id"), "customer_references", ["account_id"])
