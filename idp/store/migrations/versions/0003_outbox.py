"""Letters that cannot wait go first; what is looked for in the outbox has an index."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_outbox_next_try_at", "next_try_at", "state = 'waiting' AND NOT urgent"),
    ("ix_outbox_urgent", "next_try_at", "state = 'waiting' AND urgent"),
    ("ix_outbox_dead", "state_at", "state = 'dead'"),
    ("ix_outbox_not_after", "not_after", "body IS NOT NULL"),
)


def upgrade() -> None:
    # Letters that wait through the upgrade are as they were: none is urgent.
    op.add_column("outbox", sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index(op.f("ix_outbox_next_try_at"), "outbox")
    for name, column, where in _INDEXES:
        op.create_index(
            op.f(name), "outbox", [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
