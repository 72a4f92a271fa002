"""Devices on which somebody is remembered, and whose device it is before anybody has said who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody has ticked anything yet.
    op.add_column("devices", sa.Column("remembered", sa.String(), nullable=True))
    op.create_index(op.f("ix_devices_digest"), "devices", ["digest"], unique=False)
