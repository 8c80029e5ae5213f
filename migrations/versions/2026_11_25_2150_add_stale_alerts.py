"""Add what is known of silent senders: when one was last heard of, which alerts are stale.

Columns that may be empty or have a default, which the previous release does not know: it serves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "services",
        sa.Column("stale_after_minutes", sa.Integer(), nullable=True, comment="NULL: never"),
    )
    op.add_column(
        "services",
        sa.Column("resolve_stale", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_services_stale_after_positive"), "services", "stale_after_minutes > 0"
    )
    op.create_check_constraint(
        op.f("ck_services_stale_after_given"),
        "services",
        "NOT resolve_stale OR stale_after_minutes IS NOT NULL",
    )
    op.add_column(
        "integrations",
        sa.Column(
            "last_heard_at", sa.DateTime(timezone=True), nullable=True, comment="to the minute"
        ),
    )
    op.add_column("alerts", sa.Column("stale_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("alerts", "stale_at")
    op.drop_column("integrations", "last_heard_at")
    op.drop_column("services", "resolve_stale")
    op.drop_column("services", "stale_after_minutes")
