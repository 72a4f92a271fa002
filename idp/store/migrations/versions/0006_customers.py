"""The operator's customer records."""

import sqlalchemy as sa
from alembic import op

from idp.store.types import Instant, Sequence

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_imports",
        sa.Column("generation", Sequence, nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("live_at", Instant(), nullable=True),
        sa.Column("replaced_at", Instant(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_customer_imports")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "customers",
        sa.Column("generation", Sequence, autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_number", sa.String(), nullable=True),
        sa.Column("customer_code", sa.String(), nullable=True),
        sa.Column("surname", sa.String(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("given_name", sa.String(), nullable=False),
        sa.Column("family_name", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "line", name=op.f("pk_customers")),
    )
    for column in ("account_number", "customer_code"):
        op.create_index(op.f(f"ix_customers_generation_{column}"), "customers", ["generation", column], unique=True)
