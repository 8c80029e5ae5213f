"""Add calendar feeds of schedules.

A column that may be empty, which the previous release does not know: it serves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "schedules",
        sa.Column(
            "feed_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256, hexadecimal, of the calendar feed's key; NULL: no feed",
        ),
    )


def downgrade() -> None:
    op.drop_column("schedules", "feed_digest")
