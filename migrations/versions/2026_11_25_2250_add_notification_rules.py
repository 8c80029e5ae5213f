"""Add people's own rules of how they are told, and their quiet hours.

New tables only, which the previous release does not know: it tells people everywhere at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_rules",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("contact_method_id", sa.Uuid(), nullable=False),
        sa.Column(
            "delay_minutes",
            sa.Integer(),
            nullable=False,
            comment="from the beginning of the level",
        ),
        sa.CheckConstraint("delay_minutes >= 0", name=op.f("ck_notification_rules_delay_positive")),
        sa.CheckConstraint(
            "priority IN ('critical', 'high', 'medium', 'low', 'info')",
            name=op.f("ck_notification_rules_priority_known"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_method_id"],
            ["contact_methods.id"],
            name=op.f("fk_notification_rules_contact_method_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_notification_rules_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "priority", "contact_method_id", name=op.f("pk_notification_rules")
        ),
    )
    op.create_index(
        op.f("ix_notification_rules_contact_method_id"),
        "notification_rules",
        ["contact_method_id"],
        unique=False,
    )
    op.create_table(
        "quiet_hours",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("from_time", sa.Time(), nullable=False),
        sa.Column(
            "to_time",
            sa.Time(),
            nullable=False,
            comment="on the next day, unless later than from_time",
        ),
        sa.CheckConstraint("from_time <> to_time", name=op.f("ck_quiet_hours_some_time")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_quiet_hours_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_quiet_hours")),
    )


def downgrade() -> None:
    op.drop_table("quiet_hours")
    op.drop_table("notification_rules")
