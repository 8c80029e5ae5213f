"""Add webhook subscriptions and what is delivered to them; index events for their reader.

New tables, and an index that is made beside writes: the previous release serves on. The index comes
first, in no transaction; one that was interrupted is invalid, and the next attempt drops it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_incident_events_xact_position"
UNFINISHED = sa.text("status IN ('pending', 'sending')")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, "incident_events", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            INDEX, "incident_events", ["xact", "position"], postgresql_concurrently=True
        )
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True, comment="NULL: every team"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.JSONB(), nullable=False, comment="of events; empty: all"),
        sa.Column("secret", sa.Text(), nullable=False, comment="Standard Webhooks, whsec_…"),
        sa.Column("previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_secret_expires_at", instant, nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("paused_at", instant, nullable=True, comment="disabled by the service itself"),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column(
            "failures",
            sa.Integer(),
            nullable=False,
            comment="failed attempts since the last success",
        ),
        sa.Column("failing_since", instant, nullable=True),
        sa.Column("read_xact", sa.BigInteger(), nullable=False),
        sa.Column("read_position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("updated_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"],
            ["teams.id"],
            name=op.f("fk_webhook_subscriptions_team_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_subscriptions")),
    )
    op.create_index(op.f("ix_webhook_subscriptions_team_id"), "webhook_subscriptions", ["team_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("event_position", sa.BigInteger(), nullable=True),
        sa.Column(
            "sequence", sa.Integer(), nullable=False, comment="of the event, in its incident"
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="the JSON of every attempt"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", instant, nullable=False, comment="next attempt, or end of the lease"),
        sa.Column(
            "last_status", sa.Integer(), nullable=True, comment="HTTP; NULL: there was no answer"
        ),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("delivered_at", instant, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'sending', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["webhook_subscriptions.id"],
            name=op.f("fk_webhook_deliveries_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    for name, columns, options in (
        ("uq_webhook_deliveries_event", ["subscription_id", "event_position"], {"unique": True}),
        ("ix_webhook_deliveries_subscription_id_id", ["subscription_id", "id"], {}),
        ("ix_webhook_deliveries_created_at", ["created_at"], {}),
        (
            "ix_webhook_deliveries_due",
            ["subscription_id", "due_at"],
            {"postgresql_where": UNFINISHED},
        ),
        (
            "ix_webhook_deliveries_order",
            ["subscription_id", "incident_id", "sequence"],
            {"postgresql_where": UNFINISHED},
        ),
    ):
        op.create_index(name, "webhook_deliveries", columns, **options)


def downgrade() -> None:
    op.drop_index(INDEX, "incident_events")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_subscriptions")
