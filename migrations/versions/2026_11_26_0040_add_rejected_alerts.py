"""Keep alerts that could not be stored, and count changes of an integration's rules.

A table that the previous release does not know, and a column with a default: it serves on. What it
changes of routing rules meanwhile is noticed by this one within a minute.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "integrations",
        sa.Column(
            "rules_version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="counts changes of its routing rules",
        ),
    )
    op.create_table(
        "rejected_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="in its webhook, from 0"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False, comment="its JSON, cut"),
        sa.ForeignKeyConstraint(
            ["integration_id"],
            ["integrations.id"],
            name=op.f("fk_rejected_alerts_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_alerts")),
    )
    op.create_index(
        "ix_rejected_alerts_integration_id", "rejected_alerts", ["integration_id", "id"]
    )
    op.create_index("ix_rejected_alerts_received_at", "rejected_alerts", ["received_at"])


def downgrade() -> None:
    op.drop_table("rejected_alerts")
    op.drop_column("integrations", "rules_version")
